import pytest

from evensight.annotations import PAPER_GRID, Annotation, Box, Frame, Grid, Object
from evensight.errors import InputError
from evensight.questions.open_tasks import ExactCell, PointTo
from evensight.questions.tasks import Task, ask

FRAME = Frame(90, 180)
CAT = Annotation(FRAME, (Object("cat", Box(60, 20, 70, 40)),))


def test_the_cell_is_counted_from_one() -> None:
    question = ask(ExactCell(PAPER_GRID), CAT, 0, 0, 0)
    assert question.text == (
        "Answer using as few words as possible. In which cell of the grid is the cat? The grid has 9 rows and 9 "
        "columns over the whole picture, counted from 1 at the top left. Answer in the form: row R, column C."
    )
    assert (question.answer, question.options, question.slot) == ("row 2, column 7", (), 0)


def test_the_first_and_the_last_cell() -> None:
    grid = Grid(4, 6)
    corners = [Box(0, 0, 2, 2), Box(88, 178, 90, 180)]
    answers = [ExactCell(grid).answer(Annotation(FRAME, (Object("cat", box),))) for box in corners]
    assert answers == ["row 1, column 1", "row 4, column 6"]


@pytest.mark.parametrize(
    ("task", "name", "said", "answer"),
    [
        (
            PointTo(),
            "point",
            "The picture is 90 pixels wide and 180 pixels high. Answer in the form (x, y)",
            "(65, 30)",
        ),
        (PointTo(scaled=True), "point-1000", "x goes from 0 at the left to 1000 at the right", "(722, 167)"),
    ],
)
def test_a_point_says_its_scale(task: Task, name: str, said: str, answer: str) -> None:
    question = ask(task, CAT, 0, 0, 0)
    assert said in question.text
    assert "Choose from" not in question.text
    assert (question.task, question.answer, task.n_slots) == (name, answer, 1)


def test_a_center_off_the_picture_is_refused() -> None:
    off = Annotation(FRAME, (Object("cat", Box(-50, 10, 10, 20)),))
    with pytest.raises(InputError, match=r"the center of the `cat`, \(-20, 15\), is not in the picture"):
        ask(PointTo(), off, 0, 0, 0)


@pytest.mark.parametrize("task", [ExactCell(PAPER_GRID), PointTo()])
def test_open_questions_have_one_slot_and_single_out_too(task: Task) -> None:
    with pytest.raises(ValueError, match="slot 0 only, got 1"):
        ask(task, CAT, 1, 0, 0)
    with pytest.raises(InputError, match="`cat` is in the picture more than once"):
        ask(task, Annotation(FRAME, CAT.objects * 2), 0, 0, 0)
