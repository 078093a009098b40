"""Pictures of probing runs, each a whole SVG file: what is read by layer, and in which cells.

Runs differ in the form of their dots as well as in colour; intervals are drawn as bands. The scale is always 0 to
100 %.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from evensight.annotations import Grid
from evensight.errors import one_of
from evensight.evaluation.summary import CellResult
from evensight.probing.results import ProbeResults
from evensight.reports.heatmap import heatmaps_svg
from evensight.reports.wording import count, percent, shown
from evensight.runs import write_text
from evensight.statistics import Proportion, proportion

_COLORS = ("#69707d", "#0072b2", "#d55e00", "#00805f", "#b1478a", "#8a6a00")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 250, 190, 46, 54, 34
_MOST_MAPS = 6
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"'


def layers_svg(runs: Sequence[tuple[str, ProbeResults]], target: str = "area") -> str:
    """How often a target is read, layer by layer: a panel for each position, a line for each run.

    Args:
        runs: The runs with their titles.
        target: What is read, of `places.CLASSES`.
    """
    positions = [
        position
        for position in dict.fromkeys(name for _, run in runs for name in run.positions)
        if any(target in run.summary["positions"].get(position, {}) for _, run in runs)
    ]
    panels = [_panel(position, k, runs, target) for k, position in enumerate(positions)]
    width = _LEFT + len(panels) * (_WIDTH + _GAP) + 12
    height = _TOP + _HEIGHT + 52 + 18 * len(runs)
    keys = [
        f'<g transform="translate({_LEFT} {_TOP + _HEIGHT + 52 + 18 * k})">{_dot(5, -4, k)}'
        f'<text x="18" font-size="12.5">{escape(shown(title, 60))}</text></g>'
        for k, (title, _) in enumerate(runs)
    ]
    label = f"How often a linear probe reads the {target}, by layer, at {', '.join(positions)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" color="#1c2430" fill="#1c2430" {_FONT} aria-label="{escape(label)}">'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="#ffffff" stroke="#d5d9e0"/>'
        f"{''.join(panels)}{''.join(keys)}</svg>\n"
    )


def save_layers(runs: Sequence[tuple[str, ProbeResults]], out: Path) -> None:
    """Writes `layers_svg` of the runs."""
    write_text(out, layers_svg(runs))


def cells_svg(runs: Sequence[tuple[str, ProbeResults]], position: str, target: str = "area") -> str:
    """How often a target is read in each cell, at one position: a heatmap for each run and layer, six layers at most.

    Raises:
        InputError: No run has the target there.
    """
    maps = {}
    for title, run in runs:
        rows = [row for row in run.cells.to_pylist() if (row["position"], row["target"]) == (position, target)]
        layers = sorted({row["layer"] for row in rows})
        for layer in layers if len(layers) <= _MOST_MAPS else layers[:: -(-len(layers) // _MOST_MAPS)]:
            name = f"layer {layer}" if len(runs) == 1 else f"{shown(title, 24)}, layer {layer}"
            maps[name] = _cells([row for row in rows if row["layer"] == layer], Grid(*run.manifest.facts["grid"]))
    if not maps:
        known = dict.fromkeys(name for _, run in runs for name in run.positions)
        raise one_of("a position with cells", position, known)
    return heatmaps_svg(maps, Grid(*runs[0][1].manifest.facts["grid"]))


def save_cells(runs: Sequence[tuple[str, ProbeResults]], position: str, out: Path) -> None:
    """Writes `cells_svg` of the runs."""
    write_text(out, cells_svg(runs, position))


def _cells(rows: Sequence[dict[str, Any]], grid: Grid) -> list[CellResult]:
    """The cells of a grid in order, those without examples empty."""
    by_cell = {
        (row["row"], row["col"]): Proportion(row["n"], row["accuracy"], row["low"], row["high"]) for row in rows
    }
    return [CellResult(at.row, at.col, by_cell.get((at.row, at.col), proportion(0, 0))) for at in grid.cells()]


def _panel(position: str, place: int, runs: Sequence[tuple[str, ProbeResults]], target: str) -> str:
    drawn = [_frame(position, target)]
    found = [run.summary["positions"].get(position, {}).get(target) for _, run in runs]
    last = max((of["layers"][-1]["layer"] for of in found if of), default=0)
    step = max(1, -(-last // 12))
    drawn += [
        f'<text x="{_x(layer, last)}" y="{_HEIGHT + 16}" font-size="10.5" text-anchor="middle">{layer}</text>'
        for layer in sorted({one["layer"] for of in found if of for one in of["layers"]})
        if layer % step == 0
    ]
    drawn += [_line(runs[k][0], of["layers"], last, k) for k, of in enumerate(found) if of]
    return f'<g transform="translate({_LEFT + place * (_WIDTH + _GAP)} {_TOP})">{"".join(drawn)}</g>'


def _frame(position: str, target: str) -> str:
    lines = "".join(f"M0 {_y(tick / 100)}H{_WIDTH}" for tick in (0, 25, 50, 75, 100))
    ticks = "".join(
        f'<text x="-6" y="{_y(tick / 100) + 4}" font-size="10.5" text-anchor="end">{tick}</text>'
        for tick in (0, 25, 50, 75, 100)
    )
    return (
        f'<text y="-26" font-size="14" font-weight="600">{escape(position)}</text>'
        f'<text y="-10" font-size="11">{escape(target)} read, % of examples, by layer</text>'
        f'<path d="{lines}" stroke="#dfe1e6" fill="none"/>{ticks}'
    )


def _line(title: str, layers: Sequence[dict[str, float]], last: int, style: int) -> str:
    color = _COLORS[style % len(_COLORS)]
    upper = [f"{_x(one['layer'], last)} {_y(one['high'])}" for one in layers]
    lower = [f"{_x(one['layer'], last)} {_y(one['low'])}" for one in layers]
    middle = [f"{_x(one['layer'], last)} {_y(one['estimate'])}" for one in layers]
    band = (
        f'<path d="M{"L".join([*upper, *lower[::-1]])}Z" fill="{color}" opacity="0.18"/>' if len(layers) > 1 else ""
    )
    dots = "".join(
        f"<g><title>{escape(_said(title, one))}</title>{_dot(_x(one['layer'], last), _y(one['estimate']), style)}</g>"
        for one in layers
    )
    return f'{band}<path d="M{"L".join(middle)}" fill="none" stroke="{color}" stroke-width="1.8"/>{dots}'


def _said(title: str, one: dict[str, float]) -> str:
    low, high = percent(one["low"]), percent(one["high"])
    name = f"{shown(title, 60)}, layer {one['layer']:g}"
    return f"{name}: {percent(one['estimate'])} of {count(int(one['n']))}, 95 % interval {low} to {high}"


def _dot(x: float, y: float, style: int) -> str:
    color = _COLORS[style % len(_COLORS)]
    forms = (
        f'<circle cx="{x}" cy="{y}" r="4" fill="{color}"/>',
        f'<rect x="{x - 3.6}" y="{y - 3.6}" width="7.2" height="7.2" fill="{color}"/>',
        f'<path d="M{x} {y - 5}L{x + 5} {y}L{x} {y + 5}L{x - 5} {y}Z" fill="{color}"/>',
    )
    return forms[style % len(forms)]


def _x(layer: float, last: int) -> float:
    return round(10 + (_WIDTH - 20) * (layer / last if last else 0.5), 2)


def _y(share: float) -> float:
    return round(_HEIGHT * (1 - min(max(share, 0.0), 1.0)), 2)
