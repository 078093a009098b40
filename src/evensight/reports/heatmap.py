"""Heatmaps: the accuracy of every cell, drawn where the cell is.

All but `save_heatmaps` are pure functions from cells to SVG, on one fixed scale from 0 to 100 %. Empty cells are
hatched, never coloured as 0. The lines are the borders of the 3 x 3 areas. `heatmaps_svg` gives a picture that
stands alone, on its own card, so that it reads on any page; the others are parts of the HTML report and take
its text colour. The pictures hold no ids and no styles, so any number of them can be in one document.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from evensight.annotations import Cell, Grid
from evensight.evaluation.results import Results
from evensight.evaluation.summary import CellResult, summarise
from evensight.reports.colors import fill, ink
from evensight.reports.wording import count, interval, percent, shown, size_points, whole_percent
from evensight.runs import write_text
from evensight.statistics import spread

_CELL = 40
_AREA_GAP = 6
_LABEL = 18
_EMPTY_FILL, _EMPTY_LINE = "#e4e6ea", "#8b93a1"
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"'
_MOST_COLUMNS_WITH_NUMBERS = 18


def heatmaps_svg(cells_by_title: Mapping[str, Sequence[CellResult]], grid: Grid) -> str:
    """One or several heatmaps side by side with titles and legend: a whole SVG file.

    Args:
        cells_by_title: The cells of each map, row by row, by the title above it.
        grid: The grid that all of them are on.

    Raises:
        ValueError: There is no map, or one has not exactly one result for each cell of the grid.
    """
    if not cells_by_title:
        raise ValueError("`cells_by_title` has one map at least, got none")
    width, height = _size(grid)
    pad, gap, head, foot = 24, 30, 46, 58
    total_width = max(2 * pad + len(cells_by_title) * (width + gap) - gap, 420)
    total_height = pad + head + height + foot
    body = []
    for k, (title, cells) in enumerate(cells_by_title.items()):
        x = pad + k * (width + gap)
        body.append(f'<g transform="translate({x} {pad})">{_heading(title, cells)}</g>')
        body.append(f'<g transform="translate({x} {pad + head})">{_map(cells, grid, is_grid=False)}</g>')
    label = "; ".join(f"{shown(title)}: {_overall(cells)}" for title, cells in cells_by_title.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" '
        f'width="{total_width}" height="{total_height}" role="img" color="#1c2430" {_FONT} '
        f'aria-label="{escape(f"Accuracy by cell of the {grid} grid. {label}")}">'
        f'<rect x="0.5" y="0.5" width="{total_width - 1}" height="{total_height - 1}" rx="10" '
        f'fill="#ffffff" stroke="#d5d9e0"/>{"".join(body)}'
        f'<g transform="translate({pad + _LABEL} {total_height - foot + 18})">{_legend()}</g></svg>\n'
    )


def save_heatmaps(runs: Sequence[Results], titles: Sequence[str], out: Path) -> None:
    """Writes the heatmaps of all runs on the first run's set, side by side, as an SVG file."""
    same_set = [(title, run) for title, run in zip(titles, runs, strict=True) if run.set_name == runs[0].set_name]
    write_text(out, heatmaps_svg({title: summarise(run).cells for title, run in same_set}, runs[0].grid))


def heatmap_svg(title: str, cells: Sequence[CellResult], grid: Grid) -> str:
    """One heatmap of the report: an ARIA grid with one tab stop, whose cells say what they show."""
    width, height = _size(grid)
    label = escape(f"Accuracy of {shown(title)} by cell, {grid.rows} rows and {grid.cols} columns")
    return (
        f'<svg class="heatmap" viewBox="0 0 {width} {height}" role="grid" data-title="{escape(shown(title))}" '
        f'aria-label="{label}" aria-rowcount="{grid.rows}" aria-colcount="{grid.cols}">'
        f"{_map(cells, grid, is_grid=True)}</svg>"
    )


def thumbnail_svg(title: str, cells: Sequence[CellResult], grid: Grid) -> str:
    """A small heatmap without numbers."""
    _check(cells, grid)
    squares = "".join(
        f'<rect x="{cell.col}" y="{cell.row}" width="1.02" height="1.02" '
        f'fill="{fill(cell.accuracy.estimate) if cell.accuracy.n else _EMPTY_FILL}"/>'
        for cell in cells
    )
    return (
        f'<svg class="thumbnail" shape-rendering="crispEdges" viewBox="0 0 {grid.cols} {grid.rows}" role="img" '
        f'aria-label="{escape(f"Accuracy of {shown(title)} by cell: {_overall(cells)}")}">{squares}</svg>'
    )


def legend_svg() -> str:
    """The scale from 0 to 100 %, and what a cell without questions looks like."""
    return (
        '<svg class="legend" viewBox="0 0 420 34" role="img" aria-label="Colour scale of accuracy, '
        f'from 0 % to 100 %; hatched cells have no questions">{_legend()}</svg>'
    )


def where(cell: Cell, grid: Grid) -> str:
    """A cell in words, as "row 0, column 3 · top center"."""
    return f"row {cell.row}, column {cell.col} · {grid.area_of(cell)}"


def what(result: CellResult) -> str:
    """A cell's accuracy in words, with its counts and interval."""
    share = result.accuracy
    if share.n == 0:
        return "no questions"
    right = f"{count(round(share.estimate * share.n))} of {count(share.n)}"
    return f"{percent(share.estimate)} ({right}; 95 % interval {interval(share)})"


def _map(cells: Sequence[CellResult], grid: Grid, *, is_grid: bool) -> str:
    _check(cells, grid)
    rows = []
    for row in range(grid.rows):
        of_row = cells[row * grid.cols : (row + 1) * grid.cols]
        drawn = "".join(_cell(result, grid, is_grid=is_grid) for result in of_row)
        rows.append(f'<g role="row">{drawn}</g>' if is_grid else drawn)
    return f"{_labels(grid)}{''.join(rows)}{_borders(grid)}"


def _cell(result: CellResult, grid: Grid, *, is_grid: bool) -> str:
    cell, share = Cell(result.row, result.col), result.accuracy
    x, y = _LABEL + _offset(cell.col, grid.first_cols), _LABEL + _offset(cell.row, grid.first_rows)
    place, value = escape(where(cell, grid)), escape(what(result))
    role = ""
    if is_grid:
        role = (
            f' class="cell" role="gridcell" tabindex="{-1 if cell.row or cell.col else 0}" '
            f'aria-label="{place}: {value}" data-where="{place}" data-value="{value}"'
        )
    square = f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" rx="2"'
    if share.n == 0:
        drawn = f'{square} fill="{_EMPTY_FILL}"/>{_hatching(x, y)}'
    else:
        drawn = f'{square} fill="{fill(share.estimate)}"/>'
        if grid.cols <= _MOST_COLUMNS_WITH_NUMBERS:
            drawn += (
                f'<text x="{x + (_CELL - 1) / 2}" y="{y + _CELL / 2 + 4}" text-anchor="middle" font-size="12.5" '
                f'fill="{ink(share.estimate)}">{whole_percent(share.estimate)}</text>'
            )
    return f"<g{role}><title>{place}: {value}</title>{drawn}</g>"


def _hatching(x: int, y: int) -> str:
    side = _CELL - 1
    lines = "".join(
        f"M{x + max(0, d - side)} {y + min(d, side)}L{x + min(d, side)} {y + max(0, d - side)}"
        for d in range(8, 2 * side, 10)
    )
    return f'<path d="{lines}" stroke="{_EMPTY_LINE}" stroke-width="1" fill="none"/>'


def _borders(grid: Grid) -> str:
    width, height = _size(grid)
    lines = "".join(
        [f"M{_middle(col, grid.first_cols)} {_LABEL}V{height}" for col in grid.first_cols[1:]]
        + [f"M{_LABEL} {_middle(row, grid.first_rows)}H{width}" for row in grid.first_rows[1:]]
    )
    return f'<path class="borders" d="{lines}" stroke="currentColor" stroke-width="1.6" fill="none"/>'


def _middle(first: int, firsts: Sequence[int]) -> float:
    """Where the line before the first row (or column) of an area is: in the middle of the gap."""
    return _LABEL + _offset(first, firsts) - _AREA_GAP / 2 - 0.5


def _labels(grid: Grid) -> str:
    across = [
        f'<text x="{_LABEL + _offset(k, grid.first_cols) + _CELL / 2}" y="{_LABEL - 6}">{k}</text>'
        for k in range(grid.cols)
    ]
    down = [
        f'<text x="{_LABEL / 2 - 2}" y="{_LABEL + _offset(k, grid.first_rows) + _CELL / 2 + 3.5}">{k}</text>'
        for k in range(grid.rows)
    ]
    return (
        '<g aria-hidden="true" font-size="10" text-anchor="middle" fill="currentColor" fill-opacity="0.7">'
        f"{''.join(across + down)}</g>"
    )


def _heading(title: str, cells: Sequence[CellResult]) -> str:
    return (
        f'<text x="{_LABEL}" y="12" font-size="17" font-weight="650" fill="currentColor">'
        f"{escape(shown(title, 40))}</text>"
        f'<text x="{_LABEL}" y="33" font-size="13" fill="currentColor" fill-opacity="0.75">'
        f"{escape(_overall(cells))}</text>"
    )


def _overall(cells: Sequence[CellResult]) -> str:
    n = [cell.accuracy.n for cell in cells]
    right = [round(cell.accuracy.estimate * cell.accuracy.n) if cell.accuracy.n else 0 for cell in cells]
    if not sum(n):
        return "no questions"
    return f"{percent(sum(right) / sum(n))} correct, SD {size_points(spread(right, n))} points"


def _legend() -> str:
    steps = 80
    bar = "".join(
        f'<rect x="{2.5 * k}" y="0" width="2.8" height="12" fill="{fill(k / (steps - 1))}"/>' for k in range(steps)
    )
    ticks = "".join(
        f'<text x="{2 * value}" y="27" text-anchor="{anchor}">{value}{" %" if value == 100 else ""}</text>'
        for value, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "middle"))
    )
    empty = (
        f'<rect x="252" y="0" width="18" height="12" fill="{_EMPTY_FILL}"/>'
        f'<path d="M254 12L264 0M262 12L270 2.4M252 4.8L256 0" stroke="{_EMPTY_LINE}" fill="none"/>'
        '<text x="278" y="10.5" font-size="11" fill="currentColor" fill-opacity="0.85">no questions</text>'
    )
    text = f'<g font-size="11" fill="currentColor" fill-opacity="0.85">{ticks}</g>'
    return f'<g shape-rendering="crispEdges">{bar}</g>{empty}{text}'


def _offset(index: int, firsts: Sequence[int]) -> int:
    """Where row (or column) `index` begins, with a gap before each `first` one of an area but the outermost."""
    return index * _CELL + _AREA_GAP * sum(index >= first for first in firsts[1:])


def _size(grid: Grid) -> tuple[int, int]:
    width, height = _offset(grid.cols - 1, grid.first_cols), _offset(grid.rows - 1, grid.first_rows)
    return _LABEL + width + _CELL, _LABEL + height + _CELL


def _check(cells: Sequence[CellResult], grid: Grid) -> None:
    if [(cell.row, cell.col) for cell in cells] != [(cell.row, cell.col) for cell in grid.cells()]:
        raise ValueError(f"a map has one result for each cell of the {grid} grid, row by row")
