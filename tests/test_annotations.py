import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Cell, Frame, Grid, Object

FRAME = Frame(90, 180)  # in the 9 x 9 grid a cell is 10 px wide and 20 px high


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((0, 0), Cell(0, 0)),
        ((9.999, 19.999), Cell(0, 0)),
        ((10, 0), Cell(0, 1)),
        ((0, 20), Cell(1, 0)),
        ((45, 90), Cell(4, 4)),
        ((89.999, 179.999), Cell(8, 8)),
    ],
)
def test_a_point_is_in_the_half_open_cell_around_it(point: tuple[float, float], cell: Cell) -> None:
    assert PAPER_GRID.cell_at(point, FRAME) == cell


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((90, 180), Cell(8, 8)),
        ((-0.001, -1e9), Cell(0, 0)),
        ((1e9, 90), Cell(4, 8)),
        ((45, 1e9), Cell(8, 4)),
    ],
)
def test_a_point_off_the_frame_counts_to_the_nearest_cell(point: tuple[float, float], cell: Cell) -> None:
    assert PAPER_GRID.cell_at(point, FRAME) == cell


@given(st.integers(3, 20), st.integers(3, 20), st.integers(1, 700), st.integers(1, 700), st.integers(0, 1399))
def test_the_cell_of_whole_and_half_pixels_is_exact(rows: int, cols: int, w: int, h: int, half: int) -> None:
    x, y = Fraction(half % (2 * w), 2), Fraction(half % (2 * h), 2)
    exact = Cell(math.floor(rows * y / h), math.floor(cols * x / w))
    assert Grid(rows, cols).cell_at((float(x), float(y)), Frame(w, h)) == exact


def test_the_areas_of_the_paper_grid_are_blocks_of_three_by_three() -> None:
    names = [
        ["top left", "top center", "top right"],
        ["center left", "center", "center right"],
        ["bottom left", "bottom center", "bottom right"],
    ]
    assert all(PAPER_GRID.area_of(cell) == names[cell.row // 3][cell.col // 3] for cell in PAPER_GRID.cells())


@pytest.mark.parametrize(
    ("grid", "rows", "cols"),
    [
        (Grid(3, 3), [0, 1, 2], [0, 1, 2]),
        (Grid(6, 12), [0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]),
        (Grid(4, 5), [0, 1, 1, 2], [0, 0, 1, 2, 2]),
    ],
)
def test_other_grids_fold_into_the_areas(grid: Grid, rows: list[int], cols: list[int]) -> None:
    by_hand = [AREAS[3 * row + col] for row in rows for col in cols]
    assert [grid.area_of(cell) for cell in grid.cells()] == by_hand


@given(st.integers(3, 30), st.integers(3, 30))
def test_every_area_has_a_cell_on_every_grid(rows: int, cols: int) -> None:
    grid = Grid(rows, cols)
    assert {grid.area_of(cell) for cell in grid.cells()} == set(AREAS)


@given(rows=st.integers(3, 60), cols=st.integers(3, 60))
def test_the_thirds_begin_where_the_cells_say(rows: int, cols: int) -> None:
    grid = Grid(rows, cols)
    of_rows = [grid.third_of_row(Cell(row, 0)) for row in range(rows)]
    of_cols = [grid.third_of_col(Cell(0, col)) for col in range(cols)]
    assert grid.first_rows == tuple(map(of_rows.index, range(3)))
    assert grid.first_cols == tuple(map(of_cols.index, range(3)))


def test_each_area_has_nine_cells_of_the_paper_grid() -> None:
    assert Counter(map(PAPER_GRID.area_of, PAPER_GRID.cells())) == dict.fromkeys(AREAS, 9)


def test_cells_come_row_by_row_and_index_finds_them() -> None:
    grid = Grid(3, 4)
    assert [grid.index(cell) for cell in grid.cells()] == list(range(12))
    assert grid.cells()[5] == Cell(1, 1)
    assert len(grid) == 12


def test_the_center_of_a_cell_is_in_it() -> None:
    assert PAPER_GRID.center_px(Cell(2, 3), FRAME) == (35, 50)
    assert all(PAPER_GRID.cell_at(PAPER_GRID.center_px(cell, FRAME), FRAME) == cell for cell in PAPER_GRID.cells())


def test_an_object_is_in_the_cell_of_the_middle_of_its_box() -> None:
    assert PAPER_GRID.cell_of(Object("cat", Box(0, 0, 70, 100)), FRAME) == Cell(2, 3)


def test_mirroring_a_box_by_hand() -> None:
    assert Box(10, 20, 30, 50).mirrored(Frame(100, 60)) == Box(70, 20, 90, 50)


@pytest.mark.parametrize(
    ("box", "share"),
    [
        (Box(10, 10, 20, 30), 200 / 4000),
        (Box(-10, 10, 10, 30), 200 / 4000),  # half of it is off the frame
        (Box(90, 30, 190, 50), 100 / 4000),
        (Box(-5, -5, 200, 200), 1),
        (Box(100, 0, 110, 10), 0),
        (Box(-9, -9, -1, -1), 0),
    ],
)
def test_the_share_of_the_frame_by_hand(box: Box, share: float) -> None:
    assert box.share_of(Frame(100, 40)) == share


@given(st.integers(0, 99), st.integers(1, 100))
def test_mirroring_swaps_left_and_right_cells(x0: int, width: int) -> None:
    frame, box = Frame(200, 10), Box(x0, 0, x0 + width, 1)
    mirrored = PAPER_GRID.cell_at(box.mirrored(frame).center_px, frame)
    on_a_line = (9 * (2 * x0 + width)) % (2 * frame.width_px) == 0
    assert on_a_line or mirrored.col == 8 - PAPER_GRID.cell_at(box.center_px, frame).col
    assert box.mirrored(frame).mirrored(frame) == box


def test_a_box_knows_its_center_and_area() -> None:
    assert Box(1, 2, 4, 8).center_px == (2.5, 5)
    assert Box(1, 2, 4, 8).area_px == 18


@pytest.mark.parametrize(
    "edges",
    [(5, 0, 5, 1), (5, 0, 4, 1), (0, 1, 1, 1), (0, 2, 1, 1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)],
)
def test_a_box_without_extent_or_with_edges_that_are_no_numbers_raises(
    edges: tuple[float, float, float, float],
) -> None:
    with pytest.raises(ValueError, match="a box has"):
        Box(*edges)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-3, 5)])
def test_a_frame_without_pixels_raises(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Frame(*size)


@pytest.mark.parametrize("size", [(2, 9), (9, 2), (0, 0)])
def test_a_grid_with_fewer_than_three_rows_or_columns_raises(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 3 x 3"):
        Grid(*size)


def test_a_description_is_color_and_name() -> None:
    box = Box(0, 0, 1, 1)
    assert Object("circle", box, {"color": "red", "size": "small"}).description == "red circle"
    assert Object("cat", box).description == "cat"


def test_what_is_known_of_an_object_can_not_be_changed() -> None:
    attributes = {"color": "red"}
    thing = Object("circle", Box(0, 0, 1, 1), attributes)
    attributes["color"] = "blue"
    assert thing.attributes["color"] == "red"
    with pytest.raises(TypeError):
        thing.attributes["color"] = "blue"  # type: ignore[index]


def test_equal_annotations_are_equal() -> None:
    def made() -> Annotation:
        return Annotation(Frame(9, 9), (Object("circle", Box(0, 0, 1, 1), {"color": "red"}),))

    assert made() == made()
