"""Comparisons for people, as tables and a sentence on each, or for machines, as JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evensight.evaluation.comparing import Comparison, Part, SeedsComparison
from evensight.evaluation.summary import without_nan
from evensight.reports.wording import ABSENT, bare_p_value, count, p_value, percent, points, shown, size_points
from evensight.statistics import ALPHA, is_number

_N_PARTS = 30


def print_comparisons(found: Sequence[Comparison | SeedsComparison], *, as_json: bool) -> None:
    """Prints comparisons; as JSON, nothing else."""
    if as_json:
        value = without_nan({"comparisons": [asdict(each) for each in found]})
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n")
        return
    console = Console()
    console.print(comparison_table(found))
    for each in found:
        for line in lines(each):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if isinstance(each, Comparison) and each.parts:
            console.print(parts_table(each))


def comparison_table(found: Sequence[Comparison | SeedsComparison]) -> Table:
    """A row for each comparison: both accuracies, the difference with its interval and test, and the spreads."""
    table = _table("", "n", "first", "second", "points", "95 % interval", "p", "SD first", "SD second")
    for each in found:
        of = each.difference
        table.add_row(
            f"{shown(each.after, 30)} against {shown(each.before, 30)}",
            count(each.n),
            percent(each.accuracy_before),
            percent(each.accuracy_after),
            points(of.estimate),
            f"{points(of.low)} to {points(of.high)}",
            bare_p_value(of.p_value),
            size_points(_spreads(each)[0]),
            size_points(_spreads(each)[1]),
        )
    table.caption = "SD: of the cells' accuracies, in points, with the noise of few questions a cell taken out."
    return table


def lines(each: Comparison | SeedsComparison) -> list[str]:
    """What there is to say of a comparison beside its row: no more than its tests allow."""
    if isinstance(each, SeedsComparison):
        return [
            f"{shown(each.after, 30)}: {each.n_seeds_after} seeds against {each.n_seeds_before}; the interval is for "
            f"other seeds and other questions (SD between seeds {size_points(each.difference.seed_spread)} points)"
        ]
    told = [_evenness_line(each)]
    if is_number(each.detectable):
        told.append(
            f"the smallest difference that these answers show in 4 of 5 tries: {size_points(each.detectable)} points"
        )
    if each.n < max(each.n_before, each.n_after):
        told.append(f"{each.n:,} questions are in both; the first has {each.n_before:,}, the second {each.n_after:,}")
    return told


def _evenness_line(each: Comparison) -> str:
    of = each.evenness
    if of.test.p_value >= ALPHA:
        return f"evenness over the cells: no difference was detected ({p_value(of.test.p_value)})"
    better, worse = (each.after, each.before) if of.test.statistic > 0 else (each.before, each.after)
    left = of.before if of.test.statistic > 0 else of.after
    if left.p_value >= ALPHA:
        return (
            f"evenness over the cells: the spreads differ ({p_value(of.test.p_value)}), but the cells of "
            f"{shown(worse, 30)} are not seen to differ at all ({p_value(left.p_value)}): it may be noise"
        )
    return f"evenness over the cells: {shown(better, 30)} is more even ({p_value(of.test.p_value)})"


def parts_table(each: Comparison) -> Table:
    """The difference by parts of the questions; of many parts those that differ most surely."""
    chosen = sorted(each.parts, key=lambda part: (part.p_corrected, part.name))[:_N_PARTS]
    kept = [part for part in each.parts if part in chosen]
    table = _table("", "n", "points", "95 % interval", "p", "p corrected")
    for part in kept:
        table.add_row(*_part(part))
    left = len(each.parts) - len(kept)
    table.caption = f"p corrected: for {len(each.parts)} tests (Holm)." + (
        f" {left} more in `--json`." if left else ""
    )
    return table


def _part(part: Part) -> list[str]:
    of = part.difference
    between = f"{points(of.low)} to {points(of.high)}" if of.n else ABSENT
    return [
        shown(part.name, 40),
        count(of.n),
        points(of.estimate),
        between,
        bare_p_value(of.p_value),
        bare_p_value(part.p_corrected),
    ]


def _spreads(each: Comparison | SeedsComparison) -> tuple[float, float]:
    if isinstance(each, Comparison):
        return each.evenness.spread_before, each.evenness.spread_after
    return each.spread_before, each.spread_after


def _table(first: str, *names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column(first, overflow="fold")
    for name in names:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table
