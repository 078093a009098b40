import numpy as np
import pytest

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Frame, Object
from evensight.errors import InputError
from evensight.questions.tasks import AbsolutePosition, Property, Question, ask

FRAME = Frame(90, 90)
RED_CIRCLE = Object("circle", Box(40, 0, 50, 10), {"color": "red", "shape": "circle"})
BLUE_CIRCLE = Object("circle", Box(0, 0, 10, 10), {"color": "blue", "shape": "circle"})
POSITION = AbsolutePosition(PAPER_GRID)
COLOR = Property("color", ("red", "green", "blue"))


def asked(*objects: Object, slot: int = 0, seed: int = 0) -> Question:
    return ask(POSITION, Annotation(FRAME, objects), slot, np.random.default_rng(seed))


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
    annotation = Annotation(FRAME, (Object("cat", Box(0, 0, 1, 1)),))
    question = ask(POSITION, annotation, 0, np.random.default_rng(0), instruction="")
    assert question.text.startswith("Where is the cat? Choose from [")


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


def test_doubling_the_image_does_not_change_the_answer() -> None:
    box = Box(50, 60, 70, 75)
    twice = Annotation(Frame(180, 180), (Object("cat", Box(100, 120, 140, 150)),))
    assert asked(Object("cat", box)).answer == ask(POSITION, twice, 0, np.random.default_rng(0)).answer


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


def test_a_property_is_read_off_the_object() -> None:
    question = ask(COLOR, Annotation(FRAME, (BLUE_CIRCLE,)), 1, np.random.default_rng(0))
    assert (question.task, question.answer, question.slot) == ("property-color", "blue", 1)
    assert sorted(question.options) == ["blue", "green", "red"]
    assert "What is the color of the object?" in question.text


def test_an_object_with_a_value_that_is_no_option_raises() -> None:
    pink = Object("circle", Box(0, 0, 1, 1), {"color": "pink"})
    with pytest.raises(ValueError, match="pink"):
        ask(COLOR, Annotation(FRAME, (pink,)), 0, np.random.default_rng(0))


def test_the_same_seed_asks_the_same_question() -> None:
    assert asked(RED_CIRCLE, seed=3) == asked(RED_CIRCLE, seed=3)
    assert asked(RED_CIRCLE, seed=3) != asked(RED_CIRCLE, seed=4)


def test_a_question_with_an_option_twice_raises() -> None:
    with pytest.raises(ValueError, match="all different"):
        Question("t", "?", ("a", "a"), "a")


def test_a_question_whose_answer_is_no_option_raises() -> None:
    with pytest.raises(ValueError, match="one of the options"):
        Question("t", "?", ("a", "b"), "c")
