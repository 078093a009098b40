"""Where wrong answers lie, as arrows on the areas, and what confidence is worth, as a reliability diagram.

Parts of the HTML report: they take its colours by class, hold no ids, and say every number in a title.
"""

from collections.abc import Sequence
from html import escape
from math import hypot

from evensight.annotations import AREAS
from evensight.evaluation.bias import PlaceBias
from evensight.reports.charts import N_STYLES
from evensight.reports.wording import count, interval, percent, shown
from evensight.statistics import Calibration, Displacement, is_number

_AREA = 72
_HEAD = 6.5
_SIDE, _LEFT, _FOOT = 190, 34, 34


def arrows_svg(title: str, places: PlaceBias) -> str:
    """For each area an arrow from its centre to where the wrong answers to questions about it lie on average.

    One area is one square. An arrow is faint where the interval of neither direction leaves 0 out.
    """
    side = 3 * _AREA
    drawn = [_square(k) for k in range(9)]
    drawn += [_arrow(k, step) for k, step in enumerate(places.steps) if step.n]
    label = f"Where wrong answers of {shown(title, 60)} lie: " + "; ".join(
        _step_in_words(AREAS[k], step) for k, step in enumerate(places.steps)
    )
    return (
        f'<svg class="arrows" viewBox="0 0 {side} {side}" role="img" aria-label="{escape(label)}">'
        f"{''.join(drawn)}</svg>"
    )


def _square(k: int) -> str:
    x, y = _AREA * (k % 3), _AREA * (k // 3)
    return f'<rect class="area" x="{x + 1}" y="{y + 1}" width="{_AREA - 2}" height="{_AREA - 2}" rx="3"/>'


def _arrow(k: int, step: Displacement) -> str:
    x, y = _AREA * (k % 3 + 0.5), _AREA * (k // 3 + 0.5)
    dx, dy = _AREA * step.dx.estimate, _AREA * step.dy.estimate
    length = hypot(dx, dy)
    is_sure = any(of.low > 0 or of.high < 0 for of in (step.dx, step.dy))
    n = f'<text x="{x - _AREA / 2 + 6}" y="{y + _AREA / 2 - 7}" class="count">{count(step.n)}</text>'
    head = ""
    if length > 1:
        ux, uy = dx / length, dy / length
        tip_x, tip_y = x + dx, y + dy
        base_x, base_y = tip_x - _HEAD * ux, tip_y - _HEAD * uy
        half_x, half_y = -_HEAD / 2 * uy, _HEAD / 2 * ux
        head = (
            f'<path class="head" d="M{tip_x:.1f} {tip_y:.1f}L{base_x + half_x:.1f} {base_y + half_y:.1f}'
            f'L{base_x - half_x:.1f} {base_y - half_y:.1f}Z"/>'
        )
    return (
        f'<g class="step{"" if is_sure else " unsure"}"><title>{escape(_step_in_words(AREAS[k], step))}</title>'
        f'<circle class="start" cx="{x}" cy="{y}" r="3"/><path class="shaft" d="M{x} {y}L{x + dx:.1f} {y + dy:.1f}"/>'
        f"{head}</g>{n}"
    )


def _step_in_words(area: str, step: Displacement) -> str:
    if not step.n:
        return f"{area}: no wrong answers"
    across, down = (
        f"{abs(of.estimate):.2f} {after if of.estimate >= 0 else before} ({of.low:+.2f} to {of.high:+.2f})"
        for of, before, after in ((step.dx, "to the left", "to the right"), (step.dy, "up", "down"))
    )
    return f"{area}: {count(step.n)} wrong, on average {across} and {down}, in areas"


def calibration_svg(title: str, calibration: Calibration, style: int) -> str:
    """The reliability diagram: of about as confident answers the share that is right, beside the diagonal."""
    width, height = _LEFT + _SIDE + 10, 8 + _SIDE + _FOOT
    lines = "".join(
        f"M{_x(tick / 100)} {_y(0)}V{_y(1)}M{_x(0)} {_y(tick / 100)}H{_x(1)}" for tick in (0, 25, 50, 75, 100)
    )
    ticks = "".join(
        f'<text x="{_x(tick / 100)}" y="{_y(0) + 14}" text-anchor="middle">{tick}</text>'
        f'<text x="{_LEFT - 6}" y="{_y(tick / 100) + 3.5}" text-anchor="end">{tick}</text>'
        for tick in (0, 50, 100)
    )
    label = f"How often {shown(title, 60)} is right by how sure it is of its option, in {len(calibration.bins)} bins"
    return (
        f'<svg class="calibration" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<path class="gridline" d="{lines}"/><path class="baseline" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>'
        f'<g class="ticks" font-size="10">{ticks}'
        f'<text x="{_x(0.5)}" y="{height - 4}" text-anchor="middle">how sure it is of its option, %</text></g>'
        f'<g class="c{style % N_STYLES}">{"".join(map(_bin, _bins(calibration)))}</g></svg>'
    )


def _bins(calibration: Calibration) -> Sequence[tuple[float, float, float, float, str]]:
    return [
        (
            of.confidence,
            of.accuracy.estimate,
            of.accuracy.low,
            of.accuracy.high,
            f"{percent(of.confidence)} sure: right in {percent(of.accuracy.estimate)} of {count(of.accuracy.n)} "
            f"({interval(of.accuracy)})",
        )
        for of in calibration.bins
        if is_number(of.confidence) and of.accuracy.n
    ]


def _bin(of: tuple[float, float, float, float, str]) -> str:
    confidence, share, low, high, text = of
    return (
        f'<g><title>{escape(text)}</title><path class="whisker" d="M{_x(confidence)} {_y(low)}V{_y(high)}"/>'
        f'<circle class="dot" cx="{_x(confidence)}" cy="{_y(share)}" r="3.6"/></g>'
    )


def _x(share: float) -> float:
    return round(_LEFT + _SIDE * share, 2)


def _y(share: float) -> float:
    return round(8 + _SIDE * (1 - share), 2)
