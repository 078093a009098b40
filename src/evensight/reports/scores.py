"""Scores for people, as a table and what changed, or for machines, as JSON."""

import json
import sys

from rich.console import Console

from evensight.errors import printable
from evensight.evaluation.bias import PlaceBias
from evensight.evaluation.by_options import ByOptions
from evensight.evaluation.scoring import N_SHOWN, Scored
from evensight.evaluation.summary import Summary
from evensight.reports.tables import headline_table
from evensight.reports.wording import interval, p_value, percent, points, size_points
from evensight.statistics import ALPHA, Effect

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
    pulls = [] if summary.places is None else [("the centre", summary.places.to_center), *_sides(summary.places)]
    lines += [
        f"wrong answers are pulled to {where}: {of.estimate:+.2f} areas ({of.low:+.2f} to {of.high:+.2f}, "
        f"{p_value(of.p_value)}, {of.n:,} wrong answers)"
        for where, of in pulls
        if of.p_value < ALPHA and of.estimate > 0
    ]
    if summary.by_options is not None:
        lines.append(_options_line(summary.by_options))
    return lines


def _equivalence_line(summary: Summary) -> str:
    of, needed = summary.evenness.equivalence, summary.evenness.needed_per_cell
    claim = f"all {of.n_cells} cells within ±{100 * of.delta:g} points of {percent(of.overall)}"
    if of.holds:
        return f"{claim}: shown ({p_value(of.p_value)}); they are within ±{size_points(of.smallest_delta)}"
    takes = "" if needed is None else f"; if they were equal, it would take {needed:,} questions a cell"
    return f"{claim}: not shown ({p_value(of.p_value)}); ±{size_points(of.smallest_delta)} would be{takes}"


def _sides(places: PlaceBias) -> list[tuple[str, Effect]]:
    across, down = places.to_right, places.down
    return [
        ("the right", across),
        ("the left", _turned(across)),
        ("the bottom", down),
        ("the top", _turned(down)),
        ("the edges", _turned(places.to_center)),
    ]


def _turned(of: Effect) -> Effect:
    return Effect(of.n, -of.estimate, -of.high, -of.low, of.p_value)


def _options_line(of: ByOptions) -> str:
    by_rule = ", ".join(
        f"{rule} {percent(share.estimate)} ({interval(share)})" for rule, share in of.accuracy.items()
    )
    ece = of.calibration.ece_true
    return (
        f"by the options' scores: {by_rule}; calibration error {size_points(ece.estimate)} points "
        f"({size_points(ece.low)} to {size_points(ece.high)}), confidence less accuracy "
        f"{points(of.calibration.overconfidence.estimate)}"
    )


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
