"""Dots and whiskers: shares with their intervals, as SVG parts of the HTML report.

The axis is always 0 to 100 %. Conditions differ in colour (a class `c0`, `c1`, ...) and in the form of their dot,
so a chart reads without colours too.
"""

from collections.abc import Sequence
from html import escape

from evensight.reports.wording import count, interval, percent, shown
from evensight.statistics import Proportion

N_STYLES = 6
"""How many conditions have a colour and a form of their own; then they begin again."""
_WIDTH, _LEFT, _RIGHT = 380, 122, 12
_STEP, _GAP, _FOOT = 13, 12, 22


def levels_svg(label: str, levels: Sequence[tuple[str, Sequence[Proportion | None]]], titles: Sequence[str]) -> str:
    """The shares of each level of an attribute: a band for each level, a dot for each condition.

    Args:
        label: What the chart is, for those who don't see it.
        levels: The levels' names, each with one share a condition (None where it has no such level).
        titles: The conditions' names.
    """
    band = _STEP * len(titles) + _GAP
    height = band * len(levels) + _FOOT
    drawn = []
    for k, (name, shares) in enumerate(levels):
        y = k * band + _GAP / 2
        middle = y + _STEP * len(titles) / 2 + 4
        drawn.append(
            f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end" font-size="12.5" fill="currentColor">'
            f"<title>{escape(shown(name))}</title>{escape(shown(name, 18))}</text>"
        )
        drawn += [
            _dot(share, y + _STEP * (c + 0.5), c, f"{shown(titles[c])}, {shown(name, 60)}")
            for c, share in enumerate(shares)
            if share is not None and share.n
        ]
    return (
        f'<svg class="levels" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(shown(label))}">'
        f"{_axis(height - _FOOT)}{''.join(drawn)}</svg>"
    )


def interval_svg(share: Proportion, baseline: float, style: int) -> str:
    """One share with its interval on a line from 0 to 100 %, with a tick at the baseline."""
    if not share.n:
        return ""
    tick = f'<path d="M{_at(baseline, 4, 152)} 2v14" class="baseline"/>' if 0 <= baseline <= 1 else ""
    low, high, at = (_at(value, 4, 152) for value in (share.low, share.high, share.estimate))
    return (
        '<svg class="interval" viewBox="0 0 160 18" aria-hidden="true"><path d="M4 9H156" class="track"/>'
        f'{tick}<g class="c{style % N_STYLES}"><path d="M{low} 9H{high}" class="whisker"/>'
        f"{_form(at, 9, style)}</g></svg>"
    )


def marker_svg(style: int) -> str:
    """The form and colour of a condition's dot, for legends."""
    return (
        f'<svg class="marker c{style % N_STYLES}" viewBox="0 0 14 14" aria-hidden="true">{_form(7, 7, style)}</svg>'
    )


def _dot(share: Proportion, y: float, style: int, name: str) -> str:
    width = _WIDTH - _LEFT - _RIGHT
    low, high, at = (_at(value, _LEFT, width) for value in (share.low, share.high, share.estimate))
    text = f"{name}: {percent(share.estimate)} of {count(share.n)}, 95 % interval {interval(share)}"
    return (
        f'<g class="c{style % N_STYLES}"><title>{escape(text)}</title>'
        f'<path d="M{low} {y}H{high}" class="whisker"/>{_form(at, y, style)}</g>'
    )


def _form(x: float, y: float, style: int) -> str:
    forms = (
        f'<circle class="dot" cx="{x}" cy="{y}" r="4.2"/>',
        f'<rect class="dot" x="{x - 3.8}" y="{y - 3.8}" width="7.6" height="7.6"/>',
        f'<path class="dot" d="M{x} {y - 5.4}L{x + 5.4} {y}L{x} {y + 5.4}L{x - 5.4} {y}Z"/>',
        f'<path class="dot" d="M{x} {y - 5}L{x + 5} {y + 4}H{x - 5}Z"/>',
        f'<path class="dot" d="M{x} {y + 5}L{x + 5} {y - 4}H{x - 5}Z"/>',
        f'<path class="dot" d="M{x - 4} {y - 2}h8v4h-8Z"/>',
    )
    return forms[style % N_STYLES]


def _axis(height: float) -> str:
    width = _WIDTH - _LEFT - _RIGHT
    lines = "".join(f"M{_at(tick / 100, _LEFT, width)} 0V{height}" for tick in (0, 25, 50, 75, 100))
    ticks = "".join(
        f'<text x="{_at(tick / 100, _LEFT, width)}" y="{height + 15}" text-anchor="middle">{tick}</text>'
        for tick in (0, 25, 50, 75, 100)
    )
    return f'<path d="{lines}" class="gridline"/><g class="ticks" font-size="10.5">{ticks}</g>'


def _at(share: float, left: float, width: float) -> float:
    return round(left + share * width, 2)
