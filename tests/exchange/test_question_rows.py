import hashlib
from math import isnan

import pytest

from evensight.annotations import Box, Cell, Frame
from evensight.datasets.examples import Example
from evensight.exchange.question_rows import (
    MAX_NEW_TOKENS,
    cell_std,
    cell_std_true,
    parsed,
    question_row,
    scored,
    worst_cell,
)
from evensight.models import answering
from evensight.questions.parsing import Outcome
from evensight.questions.tasks import Question

OPTIONS = ("top left", "left")
ANSWERS = [
    *[("0,0", True)] * 4,
    *[("0,1", True)] * 2, *[("0,1", False)] * 2,
    *[("8,8", False)] * 4,
]  # fmt: skip
"""Cells with all, half and none of four answers right."""


def example() -> Example:
    asked = Question("absolute-position", "Where? Choose from [top left, left].", OPTIONS, "top left")
    return Example("a", asked, Cell(2, 7), "top right", Box(1, 2, 4, 6), Frame(27, 90))


def test_a_row_holds_plain_values() -> None:
    assert question_row(example(), b"pixels") == {
        "id": "a",
        "picture": hashlib.sha256(b"pixels").hexdigest()[:16],
        "task": "absolute-position",
        "question": "Where? Choose from [top left, left].",
        "options": ["top left", "left"],
        "answer": "top left",
        "cell": "2,7",
        "area": "top right",
        "box_xyxy_px": [1, 2, 4, 6],
        "frame_wh_px": [27, 90],
    }


@pytest.mark.parametrize(
    ("raw", "outcome", "reading"),
    [
        ("Top-Left.", Outcome.CORRECT, "top left"),
        ("left", Outcome.WRONG, "left"),
        ("I don't know", Outcome.INVALID, None),
        ("", Outcome.INVALID, None),
    ],
)
def test_a_row_is_all_that_scoring_needs(raw: str, outcome: Outcome, reading: str | None) -> None:
    row = question_row(example(), b"")
    assert (scored(row, raw), parsed(row, raw)) == (outcome, reading)


def test_a_point_is_right_in_the_box_of_the_row_on_the_frame_of_the_row() -> None:
    row = question_row(example(), b"") | {"task": "point-1000", "options": [], "answer": "(93, 44)"}
    # In thousandths of 27 x 90 pixels the box is from (37, 22) to (148, 67).
    said = {"(140, 60)": Outcome.CORRECT, "(60, 140)": Outcome.WRONG, "there": Outcome.INVALID}
    assert {raw: scored(row, raw) for raw in said} == said


def test_figures_over_cells() -> None:
    assert worst_cell(ANSWERS) == 0
    assert cell_std(ANSWERS) == pytest.approx((1 / 6) ** 0.5)
    # Between the cells 1/4 (of 1, 1/2 and 0, less one); within them a third of 1/4 / 3, the noise of the half.
    assert cell_std_true(ANSWERS) == pytest.approx((1 / 4 - 1 / 36) ** 0.5)


def test_cells_are_told_apart_wherever_their_answers_stand() -> None:
    mixed = ANSWERS[::2] + ANSWERS[1::2][::-1]
    assert worst_cell(mixed) == worst_cell(ANSWERS)
    assert cell_std(mixed) == pytest.approx(cell_std(ANSWERS))


def test_the_noise_can_t_be_taken_out_of_single_answers() -> None:
    assert isnan(cell_std_true([("0,0", True), ("0,1", False)]))


def test_answers_may_be_as_long_as_in_evaluation() -> None:
    assert MAX_NEW_TOKENS == answering.MAX_NEW_TOKENS
