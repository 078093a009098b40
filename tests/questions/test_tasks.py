import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Frame, Grid, Object
from evensight.errors import InputError
from evensight.questions.tasks import (
    AbsolutePosition,
    ColumnPosition,
    Counting,
    Property,
    Question,
    RowPosition,
    Task,
    ask,
)

FRAME = Frame(90, 90)
RED_CIRCLE = Object("circle", Box(40, 0, 50, 10), {"color": "red", "shape": "circle"})
BLUE_CIRCLE = Object("circle", Box(0, 0, 10, 10), {"color": "blue", "shape": "circle"})
RED_STAR = Object("star", Box(70, 70, 80, 80), {"color": "red", "shape": "star", "size": "small"})
CAT = Object("cat", Box(0, 0, 1, 1))
POSITION = AbsolutePosition(PAPER_GRID)
ROW, COLUMN = RowPosition(PAPER_GRID), ColumnPosition(PAPER_GRID)
COLOR = Property("color", ("red", "green", "blue"))
SHAPE = Property("shape", ("circle", "star"))
SIZE = Property("size", ("large", "small"))


def annotated(*objects: Object) -> Annotation:
    return Annotation(FRAME, objects)


def asked(*objects: Object, slot: int = 0, seed: int = 0, index: int = 0) -> Question:
    return ask(POSITION, annotated(*objects), slot, seed, index)


@pytest.mark.parametrize(
    ("box", "area"),
    [
        (Box(0, 0, 10, 10), "top left"),
        (Box(40, 0, 50, 10), "top center"),
        (Box(80, 0, 90, 10), "top right"),
        (Box(0, 40, 10, 50), "center left"),
        (Box(0, 0, 90, 90), "center"),
        (Box(25, 25, 35.5, 35.5), "center"),
        (Box(80, 80, 90, 90), "bottom right"),
        (Box(-500, 40, 10, 50), "center left"),
    ],
)
def test_the_answer_is_the_area_of_the_middle_of_the_box(box: Box, area: str) -> None:
    assert asked(Object("cat", box)).answer == area


def test_the_wording_is_the_papers() -> None:
    question = asked(RED_CIRCLE, BLUE_CIRCLE)
    assert question.text == (
        "Answer using as few words as possible. Where is the red circle? "
        f"Choose from [{', '.join(question.options)}]."
    )
    assert question.task == "absolute-position"


def test_a_question_without_instruction_begins_with_itself() -> None:
    question = ask(POSITION, annotated(CAT), 0, 0, 0, instruction="")
    assert question.text.startswith("Where is the cat? Choose from [")


def test_the_wording_is_a_choice_and_changes_nothing_else() -> None:
    one, other = (ask(POSITION, annotated(CAT), 3, 0, 5, wording=wording) for wording in (0, 2))
    assert "What is the position of the cat in the picture? Choose from [" in other.text
    assert (one.options, one.answer) == (other.options, other.answer)


@pytest.mark.parametrize("wording", [-1, 3])
def test_a_wording_that_is_not_there_is_one_line(wording: int) -> None:
    with pytest.raises(InputError, match=rf"`absolute-position` has no wording `{wording}`: expected 0 to 2"):
        ask(POSITION, annotated(CAT), 0, 0, 0, wording=wording)


@pytest.mark.parametrize("slot", range(9))
def test_the_right_answer_is_at_its_slot(slot: int) -> None:
    question = asked(RED_CIRCLE, slot=slot)
    assert question.options[slot] == "top center"
    assert question.slot == slot
    assert sorted(question.options) == sorted(AREAS)


def test_mirroring_the_annotation_swaps_left_and_right() -> None:
    there = asked(BLUE_CIRCLE).answer
    back = asked(Object("circle", BLUE_CIRCLE.box.mirrored(FRAME))).answer
    assert (there, back) == ("top left", "top right")


boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    *(st.integers(0, 60) for _ in "xy"),
    *(st.integers(1, 30) for _ in "wh"),
)


@given(boxes.filter(lambda box: box.center_px[0] not in {30, 60}))
def test_mirroring_swaps_left_and_right_and_keeps_the_rows(box: Box) -> None:
    there, back = annotated(Object("cat", box)), annotated(Object("cat", box.mirrored(FRAME)))
    swapped = {"left": "right", "right": "left", "center": "center"}
    assert COLUMN.answer(back) == swapped[COLUMN.answer(there)]
    assert ROW.answer(back) == ROW.answer(there)


@given(boxes, st.sampled_from([Grid(9, 9), Grid(4, 7), Grid(3, 11)]))
def test_row_and_column_make_the_area(box: Box, grid: Grid) -> None:
    shown = annotated(Object("cat", box))
    row, column = RowPosition(grid).answer(shown), ColumnPosition(grid).answer(shown)
    area = "center" if row == column == "center" else f"{row} {column}"
    assert area == AbsolutePosition(grid).answer(shown)


def test_doubling_the_image_does_not_change_the_answer() -> None:
    box = Box(50, 60, 70, 75)
    twice = Annotation(Frame(180, 180), (Object("cat", Box(100, 120, 140, 150)),))
    assert asked(Object("cat", box)).answer == ask(POSITION, twice, 0, 0, 0).answer


@pytest.mark.parametrize(
    "others",
    [
        (Object("circle", Box(0, 0, 1, 1), {"color": "red"}),),
        (BLUE_CIRCLE, Object("circle", Box(5, 5, 9, 9), {"color": "red", "size": "small"})),
    ],
)
def test_an_ambiguous_description_is_refused(others: tuple[Object, ...]) -> None:
    with pytest.raises(InputError, match="`red circle` is in the picture more than once") as caught:
        asked(RED_CIRCLE, *others)
    assert len(str(caught.value).splitlines()) == 1


def test_other_objects_may_be_alike_among_themselves() -> None:
    assert asked(RED_CIRCLE, BLUE_CIRCLE, BLUE_CIRCLE).answer == "top center"


@pytest.mark.parametrize("task", [POSITION, COLOR, Counting()])
def test_a_picture_without_objects_is_refused(task: Task) -> None:
    with pytest.raises(InputError, match="needs 1 or more objects in a picture, got `0`"):
        ask(task, annotated(), 0, 0, 0)


def test_a_property_is_read_off_the_object() -> None:
    question = ask(COLOR, annotated(BLUE_CIRCLE), 1, 0, 0)
    assert (question.task, question.answer, question.slot) == ("property-color", "blue", 1)
    assert sorted(question.options) == ["blue", "green", "red"]
    assert "What is the color of the object?" in question.text


@pytest.mark.parametrize(
    ("task", "others", "sentence"),
    [
        (COLOR, (BLUE_CIRCLE,), "What is the color of the star?"),
        (SHAPE, (BLUE_CIRCLE,), "What is the shape of the red object?"),
        (SIZE, (BLUE_CIRCLE, RED_CIRCLE), "What is the size of the red star?"),
    ],
)
def test_among_others_the_object_is_named_by_what_is_not_asked(
    task: Property, others: tuple[Object, ...], sentence: str
) -> None:
    assert sentence in ask(task, annotated(RED_STAR, *others), 0, 0, 0).text


@pytest.mark.parametrize(
    ("task", "objects", "name"),
    [
        (COLOR, (RED_CIRCLE, BLUE_CIRCLE), "circle"),
        (SHAPE, (RED_STAR, RED_CIRCLE), "red object"),
        (SIZE, (RED_STAR, BLUE_CIRCLE, RED_STAR), "red star"),
    ],
)
def test_what_is_not_asked_has_to_single_the_object_out(task: Task, objects: tuple[Object, ...], name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}` is in the picture more than once"):
        ask(task, annotated(*objects), 0, 0, 0)


@pytest.mark.parametrize(
    ("task", "objects", "missing"),
    [
        (SHAPE, (CAT,), "shape"),
        (SHAPE, (CAT, RED_STAR), "color"),
        (SHAPE, (RED_STAR, CAT), "color"),
        (Counting("color"), (CAT,), "color"),
        (Counting("color"), (RED_STAR, CAT), "color"),
    ],
)
def test_an_attribute_that_is_not_known_is_one_line(task: Task, objects: tuple[Object, ...], missing: str) -> None:
    with pytest.raises(InputError, match=f"the cat has no `{missing}`, which the question needs; it has none"):
        ask(task, annotated(*objects), 0, 0, 0)


def test_an_object_with_a_value_that_is_no_option_raises() -> None:
    pink = Object("circle", Box(0, 0, 1, 1), {"color": "pink"})
    with pytest.raises(ValueError, match="pink"):
        ask(COLOR, annotated(pink), 0, 0, 0)


@pytest.mark.parametrize("values", [(), ("red",), ("red", "red")])
def test_a_property_has_two_values_or_more(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="two or more different values"):
        Property("color", values)


@pytest.mark.parametrize(
    ("shared", "sentence", "answer"),
    [
        (None, "How many objects are in the picture?", "4"),
        ("shape", "How many circles are in the picture?", "2"),
        ("color", "How many red objects are in the picture?", "3"),
    ],
)
def test_counting(shared: str | None, sentence: str, answer: str) -> None:
    question = ask(Counting(shared), annotated(RED_CIRCLE, BLUE_CIRCLE, RED_STAR, RED_STAR), 2, 0, 0)
    assert sentence in question.text
    assert (question.answer, question.options[2]) == (answer, answer)
    assert sorted(question.options) == [*"123456789"]


def test_categories_are_counted_by_their_plurals() -> None:
    people = [Object("person", Box(k, 0, k + 1, 1)) for k in range(3)]
    question = ask(Counting("shape"), annotated(*people, CAT), 0, 0, 0)
    assert "How many people are in the picture?" in question.text
    assert question.answer == "3"


def test_nine_objects_can_be_counted_and_ten_are_refused() -> None:
    assert Counting().answer(annotated(*[CAT] * 9)) == "9"
    with pytest.raises(InputError, match="`10` objects are too many"):
        Counting().check(annotated(*[CAT] * 10))
    Counting("shape").check(annotated(*[CAT] * 9, RED_STAR))


def test_counting_by_what_objects_do_not_have_raises() -> None:
    with pytest.raises(ValueError, match="`sheen`"):
        Counting("sheen")


def test_the_same_seed_and_index_ask_the_same_question() -> None:
    assert asked(RED_CIRCLE, seed=3, index=8) == asked(RED_CIRCLE, seed=3, index=8)
    assert asked(RED_CIRCLE, seed=3) != asked(RED_CIRCLE, seed=4)
    assert asked(RED_CIRCLE, index=3) != asked(RED_CIRCLE, index=4)


def test_a_question_with_an_option_twice_raises() -> None:
    with pytest.raises(ValueError, match="all different"):
        Question("t", "?", ("a", "a"), "a")


def test_a_question_whose_answer_is_no_option_raises() -> None:
    with pytest.raises(ValueError, match="one of the options"):
        Question("t", "?", ("a", "b"), "c")


def test_only_open_tasks_have_questions_without_options() -> None:
    assert Question("exact-cell", "?", (), "row 1, column 1").slot == 0
    with pytest.raises(ValueError, match="`absolute-position` has options"):
        Question("absolute-position", "?", (), "center")


@pytest.mark.parametrize("task", [AbsolutePosition, RowPosition])
def test_an_object_in_another_third_than_its_cell_has_no_place(
    task: type[AbsolutePosition] | type[RowPosition],
) -> None:
    # Row 1 of 4 is from 30 to 60 px of 120; its middle, 45, is in the second third, and the third begins at 40.
    grid, frame = Grid(4, 3), Frame(120, 120)
    off = Annotation(frame, (Object("star", Box(50, 30, 60, 40), {"color": "red"}),))
    well = Annotation(frame, (Object("star", Box(50, 40, 60, 50), {"color": "red"}),))
    task(grid).check(well)
    with pytest.raises(InputError, match="another third of the picture than the middle of its cell on the 4x3 grid"):
        task(grid).check(off)
