"""Conditions x tests as one picture, one table and one CSV file: what a study found, over all its seeds."""

from collections.abc import Iterator, Sequence
from html import escape

from rich.table import Table
from rich.text import Text

from evensight.evaluation.over_seeds import OverSeeds
from evensight.reports.colors import fill, ink
from evensight.reports.wording import (
    ABSENT,
    bare_p_value,
    bare_percent,
    count,
    csv_text,
    p_value,
    percent,
    points,
    shown,
    size_points,
)
from evensight.statistics import is_number

_WIDTH, _HEIGHT, _LABEL_CHARS = 104, 46, 24
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"'
_EMPTY_FILL, _EMPTY_LINE = "#e4e6ea", "#8b93a1"


def matrix_svg(figures: Sequence[OverSeeds]) -> str:
    """Conditions down, tests across: each field has the accuracy and its 95 % interval, in percent.

    It is a whole SVG file on a card of its own. What was not asked is hatched.
    """
    conditions, tests = _names(figures)
    left, top, pad = 7 * min(_LABEL_CHARS, max(map(len, conditions), default=0)) + 34, 92, 20
    width, height = left + _WIDTH * len(tests) + pad, top + _HEIGHT * len(conditions) + pad
    found = {(of.condition, of.test): of for of in figures}
    body = [_column(test, left + _WIDTH * k, top) for k, test in enumerate(tests)]
    for row, condition in enumerate(conditions):
        y = top + _HEIGHT * row
        body.append(
            f'<text x="{left - 12}" y="{y + 28}" font-size="13" text-anchor="end" fill="currentColor">'
            f"{escape(shown(condition, _LABEL_CHARS))}</text>"
        )
        body += [_field(found.get((condition, test)), left + _WIDTH * column, y) for column, test in enumerate(tests)]
    label = "; ".join(f"{shown(of.condition)} on {shown(of.test)}: {_said(of)}" for of in figures)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" color="#1c2430" {_FONT} aria-label="{escape(f"Accuracy of conditions on tests. {label}")}">'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="#ffffff" stroke="#d5d9e0"/>'
        f"{''.join(body)}</svg>\n"
    )


def _names(figures: Sequence[OverSeeds]) -> tuple[list[str], list[str]]:
    """The conditions and the tests, each once, in order."""
    return list(dict.fromkeys(of.condition for of in figures)), list(dict.fromkeys(of.test for of in figures))


def _column(test: str, x: int, top: int) -> str:
    at = x + _WIDTH // 2
    return (
        f'<text x="{at - 20}" y="{top - 10}" font-size="13" transform="rotate(-28 {at - 20} {top - 10})" '
        f'fill="currentColor">{escape(shown(test, _LABEL_CHARS))}</text>'
    )


def _field(of: OverSeeds | None, x: int, y: int) -> str:
    place = f'x="{x + 1}" y="{y + 1}" width="{_WIDTH - 2}" height="{_HEIGHT - 2}" rx="4"'
    if of is None or not is_number(of.accuracy.estimate):
        return (
            f'<rect {place} fill="{_EMPTY_FILL}"/><line x1="{x + 8}" y1="{y + _HEIGHT - 8}" x2="{x + _WIDTH - 8}" '
            f'y2="{y + 8}" stroke="{_EMPTY_LINE}"/>'
        )
    share = of.accuracy
    color, middle = ink(share.estimate), x + _WIDTH // 2
    return (
        f'<rect {place} fill="{fill(share.estimate)}"><title>{escape(_said(of))}</title></rect>'
        f'<text x="{middle}" y="{y + 21}" font-size="15" font-weight="600" text-anchor="middle" fill="{color}">'
        f"{percent(share.estimate)}</text>"
        f'<text x="{middle}" y="{y + 37}" font-size="11" text-anchor="middle" fill="{color}">{_range(of)}</text>'
    )


def _range(of: OverSeeds) -> str:
    low, high = of.accuracy.low, of.accuracy.high
    return f"{100 * low:.1f} to {100 * high:.1f}" if is_number(low) else ABSENT


def _said(of: OverSeeds) -> str:
    """A field in words."""
    runs = "1 run" if of.n_seeds == 1 else f"{of.n_seeds} seeds"
    return f"{percent(of.accuracy.estimate)}, 95 % CI {_range(of)}, {count(of.n)} questions, {runs}"


def matrix_rows(figures: Sequence[OverSeeds]) -> Iterator[dict[str, str]]:
    """A row of text for each condition on each test, as tables show it."""
    for of in figures:
        against = of.against
        yield {
            "test": shown(of.test, 40),
            "condition": shown(of.condition, 40),
            "seeds": str(of.n_seeds),
            "n": count(of.n),
            "accuracy": percent(of.accuracy.estimate),
            "95 % interval": _range(of),
            "invalid": _mean(of.n_invalid),
            "SD over cells": size_points(of.cell_std.estimate),
            "worst cell": percent(of.worst_cell.estimate),
            "difference": ""
            if against is None
            else f"{points(against.estimate)} ({points(against.low)} to {points(against.high)})",
            "p (Holm)": "" if against is None else p_value(against.p_holm),
        }


def matrix_table(figures: Sequence[OverSeeds]) -> Table:
    """The figures for a terminal of 80 columns: below each test its conditions."""
    invalid = [f"{of.condition} on {of.test} {_mean(of.n_invalid)}" for of in figures if of.n_invalid]
    noted = f"\nInvalid answers, a run: {shown('; '.join(invalid))}." if invalid else ""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=CAPTION + noted, caption_justify="left")
    table.add_column("", overflow="fold", min_width=12)  # on a narrow terminal names are broken, never numbers
    for name in ("accuracy %", "SD", "worst", "difference", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    test = None
    for of in figures:
        if of.test != test:
            table.add_row(Text(shown(of.test, 40), style="bold"), Text(f"n = {count(of.n)}", style="dim"))
        test = of.test
        table.add_row(*map(Text, _line(of)))
    return table


def _line(of: OverSeeds) -> list[str]:
    against = of.against
    seeds = f" x{of.n_seeds}" if of.n_seeds > 1 else ""
    return [
        f"  {shown(of.condition, 40)}{seeds}",
        f"{bare_percent(of.accuracy.estimate)} ({_range(of).replace(' to ', '–')})",
        size_points(of.cell_std.estimate),
        bare_percent(of.worst_cell.estimate),
        "" if against is None else f"{points(against.estimate)} ({points(against.low)} to {points(against.high)})",
        "" if against is None else bare_p_value(against.p_holm),
    ]


def _mean(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


CAPTION = (
    "Intervals and tests are for other seeds and other questions of the same kind; with one run, for other "
    "questions. x3: over three seeds. SD over the cells and worst cell: the runs' means. difference: from the first "
    "condition, in points; p corrected for all comparisons (Holm)."
)


def matrix_csv(figures: Sequence[OverSeeds]) -> str:
    """The figures as CSV: shares between 0 and 1, at full precision; what is not known is empty."""
    return csv_text([{"condition": of.condition, "test": of.test, **of.as_json()} for of in figures])
