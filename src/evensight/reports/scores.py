"""Scores for people, as a table and what changed, or for machines, as JSON."""

import json
import sys

from rich.console import Console

from evensight.errors import printable
from evensight.evaluation.scoring import N_SHOWN, Scored
from evensight.evaluation.summary import Summary
from evensight.reports.tables import headline_table
from evensight.reports.tendencies import options_line, pull_lines
from evensight.reports.wording import p_value, percent, size_points

_RAW_CHARS = 60


def print_scores(scored: Scored, *, as_json: bool) -> None:
    """Prints scores; as JSON, nothing else."""
    if as_json:
        sys.stdout.write(json.dumps(scored.as_json(), indent=2, ensure_ascii=True, allow_nan=False) + "\n")
        return
    console = Console()
    console.print(headline_table([(scored.name, scored.results.set_name, scored.summary)]))
    for line in (*figure_lines(scored.summary), *score_lines(scored)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def figure_lines(summary: Summary) -> list[str]:
    """What the figures say beside the table: within which margin cells are equal, pulls, options, calibration.

    A pull is told only where its test rejects.
    """
    if not summary.accuracy.n:
        return []
    lines = [_equivalence_line(summary)] if summary.evenness.equivalence.n_cells > 1 else []
    if summary.places is not None:
        lines += pull_lines(summary.places)
    if summary.by_options is not None:
        lines.append(options_line(summary.by_options))
    return lines


def _equivalence_line(summary: Summary) -> str:
    of, needed = summary.evenness.equivalence, summary.evenness.needed_per_cell
    claim = f"all {of.n_cells} cells within ±{100 * of.delta:g} points of {percent(of.overall)}"
    if of.holds:
        return f"{claim}: shown ({p_value(of.p_value)}); they are within ±{size_points(of.smallest_delta)}"
    takes = "" if needed is None else f"; if they were equal, it would take {needed:,} questions a cell"
    return f"{claim}: not shown ({p_value(of.p_value)}); ±{size_points(of.smallest_delta)} would be{takes}"


def score_lines(scored: Scored) -> list[str]:
    """What there is to say beside the table: what has no answer, and what changed."""
    lines = []
    if scored.n_missing:
        lines.append(f"{scored.n_missing:,} questions have no answer; they are left out of all figures")
    if scored.changes is None:
        return lines
    n = len(scored.results.table)
    if not scored.changes:
        lines.append(f"none of the {n:,} outcomes changed")
    else:
        counts = ", ".join(f"{before} → {after} {n:,}" for (before, after), n in scored.counts.items())
        lines.append(f"{len(scored.changes):,} of {n:,} outcomes changed: {counts}")
    for change in scored.changes[:N_SHOWN]:
        raw = change.raw if len(change.raw) <= _RAW_CHARS else f"{change.raw[: _RAW_CHARS - 1]}…"
        read = f" ({change.parsed})" if change.parsed else ""
        lines.append(f"  {printable(change.id)}: `{printable(raw)}` {change.before} → {change.after}{read}")
    on_controls = [f"{name} {n:,}" for name, n in scored.control_changes.items() if n]
    return [*lines, f"on controls: {', '.join(on_controls)}"] if on_controls else lines
