import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import Box, Cell, Frame
from evensight.questions.open_answers import (
    center_of,
    format_cell,
    format_point,
    is_inside,
    read_cell,
    read_point,
)


@pytest.mark.parametrize(
    "raw",
    [
        "row 3, column 7",
        "Row 3, Column 7.",
        "column 7, row 3",
        "(3, 7)",
        "3,7",
        "[3, 7]",
        "3 7",
        "row: 3, col: 7",
        "row=3; column=7",
        '{"row": 3, "column": 7}',
        "**Row** 3, **Column** 7",
        "R3C7",
        "the third row, seventh column",
        "3rd row, 7th column",
        "7th column 3rd row",
        "row three, column seven",
        "(row, column) = (3, 7)",
        "row, column: 3, 7",
        "row 3, column 7 of the 9 x 9 grid",
        "row number 3 and column number 7",
        "row 3, column 7, so (3, 7)",
        "It is in row 3 and column 7.",
    ],
)
def test_a_cell_in_many_forms(raw: str) -> None:
    assert read_cell(raw) == Cell(2, 6)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "3",
        "row 3",
        "column 7",
        "row 3, 7",
        "column 7, 3",
        "row 3, column 7 or column 8",
        "(3, 7) or (4, 7)",
        "row 3, column 7 (4, 8)",
        "3, 7, 9",
        "3.5, 7",
        "row R, column C",
        "9 rows and 9 columns",
        "a grid of 9 x 9",
        "row 99999999999999999999999999, column 1",
        "arrow 3, column 7",
    ],
)
def test_no_one_cell(raw: str) -> None:
    assert read_cell(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        "(168, 120)",
        "168, 120",
        "168,120",
        "168 120",
        "[168, 120]",
        "[168,120]",
        "x=168, y=120",
        "x: 168, y: 120",
        "y = 120, x = 168",
        '{"x": 168, "y": 120}',
        '{"point_2d": [168, 120]}',
        "<point>168 120</point>",
        "<point x='168' y=\"120\">star</point>",
        "(168.0, 120.00)",
        "168 px, 120 px",
        "168px, 120px",
        "168 pixels, 120 pixels",
        "The x-coordinate is 168 and the y coordinate is 120.",
        "The center is at (168, 120) in the 336 x 336 picture.",
        "(x, y) = (168, 120)",
        "(168, 120), that is x=168, y=120",
    ],
)
def test_a_point_in_many_forms(raw: str) -> None:
    assert read_point(raw) == (168, 120)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "168",
        "x=168",
        "(168, 120) or (10, 20)",
        "(10, 20), (30, 40)",
        "[10, 20, 30, 40]",
        "x=1, y=2, x=3, y=4",
        "x=168, y=120, or (1, 2)",
        "336 x 336",
        "50%, 30%",
        "(x, y)",
        "1.2.3, 4",
        "4, 1.2.3",
    ],
)
def test_no_one_point(raw: str) -> None:
    assert read_point(raw) is None


def test_signs_and_decimals_are_read() -> None:
    assert read_point("(-3.5, +120.25)") == (-3.5, 120.25)


def test_a_number_without_end_is_read_without_a_crash() -> None:
    assert read_point(f"({'9' * 5000}, 1)") == (float("inf"), 1)
    assert read_cell(f"({'9' * 5000}, 1)") is None


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_cell_is_read_back(row: int, col: int) -> None:
    assert read_cell(format_cell(Cell(row, col))) == Cell(row, col)


boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    *(st.floats(0, 500) for _ in "xy"),
    *(st.floats(0.01, 300) for _ in "wh"),
)


@given(boxes, st.sampled_from([None, 1000]), st.sampled_from([Frame(336, 336), Frame(4000, 90)]))
def test_the_center_as_it_is_written_is_in_the_box(box: Box, scale: int | None, frame: Frame) -> None:
    point = read_point(format_point(center_of(box, frame, scale)))
    assert point is not None
    assert is_inside(point, box, frame, scale)


def test_a_center_has_no_more_decimals_than_it_needs() -> None:
    frame = Frame(336, 336)
    assert format_point(center_of(Box(10, 10, 31, 30), frame, None)) == "(20, 20)"
    assert format_point(center_of(Box(44, 7, 45, 8), frame, None)) == "(44.5, 7.5)"  # (44, 8) is not in it
    assert center_of(Box(84, 168, 85, 169), frame, 1000) == (251, 501)  # 84.336 and 168.336 px
