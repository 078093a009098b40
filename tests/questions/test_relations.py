from math import cos, radians, sin

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evensight.annotations import Annotation, Box, Frame, Object
from evensight.errors import InputError
from evensight.questions.relations import DIRECTIONS, NearestObject, RelativePosition, RelativeSize, direction
from evensight.questions.tasks import Task, ask

FRAME = Frame(400, 400)
MIRRORED = {name: name.replace("left", "*").replace("right", "left").replace("*", "right") for name in DIRECTIONS}
OPPOSITE = dict(zip(DIRECTIONS, reversed(DIRECTIONS), strict=True))


def at(
    x: float, y: float, name: str = "star", color: str = "red", side: float = 10, area: float | None = None
) -> Object:
    box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return Object(name, box, {"color": color}, mask_area_px=area)


def shown(*objects: Object) -> Annotation:
    return Annotation(FRAME, objects)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (300, 200, "right"),
        (300, 100, "above right"),
        (200, 100, "above"),
        (100, 100, "above left"),
        (100, 200, "left"),
        (100, 300, "below left"),
        (200, 300, "below"),
        (300, 300, "below right"),
        # 22.5 degrees is a slope of 0.4142: 41 in 100 is still to the right, 42 is not.
        (300, 159, "right"),
        (300, 158, "above right"),
        (300, 241, "right"),
        (300, 242, "below right"),
        (159, 100, "above"),
        (158, 100, "above left"),
    ],
)
def test_directions_by_hand(x: float, y: float, expected: str) -> None:
    assert direction(at(x, y), at(200, 200, "circle")) == expected


def test_the_direction_is_from_the_second_object_whatever_else_is_there() -> None:
    others = (at(350, 30, "plus"), at(350, 60, "plus"))
    question = ask(RelativePosition(), shown(at(100, 100), at(200, 200, "circle", "blue"), *others), 3, 0, 0)
    assert "Where is the red star relative to the blue circle? Choose from [" in question.text
    assert (question.answer, question.options[3]) == ("above left", "above left")
    assert sorted(question.options) == sorted(DIRECTIONS)


points = st.tuples(st.integers(10, 390), st.integers(10, 390))


@given(points, points)
def test_mirroring_swaps_left_and_right_and_changing_places_gives_the_opposite(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assume(one != other)
    target, reference = at(*one), at(*other, "circle")
    found = direction(target, reference)
    mirrored = [Object(thing.name, thing.box.mirrored(FRAME)) for thing in (target, reference)]
    assert direction(*mirrored) == MIRRORED[found]
    assert direction(reference, target) == OPPOSITE[found]


@pytest.mark.parametrize("border_deg", [22.5 + 45 * k for k in range(8)])
def test_a_direction_on_a_border_is_refused_and_beside_it_is_not(border_deg: float) -> None:
    def seen(angle_deg: float) -> str:
        x, y = 200 + 100 * cos(radians(angle_deg)), 200 - 100 * sin(radians(angle_deg))
        return direction(at(x, y), at(200, 200, "circle"))

    with pytest.raises(InputError, match="`red star` is in no one direction from the `red circle`"):
        seen(border_deg)
    assert seen(border_deg - 0.001) != seen(border_deg + 0.001)


def test_one_in_the_middle_of_the_other_is_refused() -> None:
    with pytest.raises(InputError, match="no one direction"):
        RelativePosition().check(shown(at(50, 50), at(50, 50, "circle", side=30)))


@pytest.mark.parametrize(
    ("side", "expected"), [(100, "same size"), (110, "same size"), (125, "larger"), (80, "smaller"), (300, "larger")]
)
def test_sizes_by_hand(side: float, expected: str) -> None:
    question = ask(RelativeSize(), shown(at(200, 200, side=side), at(60, 60, "circle", side=100)), 0, 0, 0)
    assert (question.task, question.answer) == ("relative-size", expected)


def test_the_longer_side_counts() -> None:
    bar = Object("bar", Box(0, 0, 5, 100))
    assert RelativeSize().answer(shown(bar, at(200, 200, side=100))) == "same size"


@pytest.mark.parametrize("side", [111, 124.9, 81, 90])
def test_sizes_that_nobody_can_tell_are_refused(side: float) -> None:
    with pytest.raises(InputError, match="neither alike nor clearly different") as caught:
        RelativeSize().check(shown(at(200, 200, side=side), at(60, 60, "circle", side=100)))
    assert len(str(caught.value).splitlines()) == 1


def test_areas_are_those_of_the_masks() -> None:
    large, small = at(50, 50, area=125), at(90, 90, "circle", side=50, area=100)
    assert RelativeSize("area").answer(shown(large, small)) == "larger"
    assert RelativeSize("box").answer(shown(large, small)) == "smaller"
    with pytest.raises(InputError, match="`red star` has no mask"):
        RelativeSize("area").check(shown(at(50, 50), small))


@given(st.integers(1, 100), st.integers(1, 100))
def test_changing_places_swaps_larger_and_smaller(one: int, other: int) -> None:
    ratio = max(one, other) / min(one, other)
    assume(ratio <= 1.1 or ratio >= 1.25)
    things = at(50, 50, side=one), at(90, 90, "circle", side=other)
    swapped = {"larger": "smaller", "smaller": "larger", "same size": "same size"}
    assert RelativeSize().answer(shown(*things)) == swapped[RelativeSize().answer(shown(*things[::-1]))]


TARGET, NEAR, FAR = at(200, 200), at(200, 295, "circle", "blue"), at(100, 200, "plus", "green")


def test_the_nearest_by_hand() -> None:
    # 95 px and 100 px away: nearer by 5 %, just enough.
    question = ask(NearestObject(), shown(TARGET, FAR, NEAR), 1, 0, 0)
    assert "Which object is nearest to the red star? Choose from [green plus, blue circle]." in question.text
    assert (question.answer, question.slot) == ("blue circle", 1)


@pytest.mark.parametrize(
    "others",
    [
        (FAR, at(200, 296, "circle", "blue")),
        (FAR, at(300, 200, "circle", "blue")),
        (at(200, 200, "plus", "green"), at(200, 200, "circle", "blue")),
    ],
)
def test_two_at_about_the_same_distance_are_refused(others: tuple[Object, ...]) -> None:
    with pytest.raises(InputError, match="about as near to the `red star`"):
        NearestObject().check(shown(TARGET, *others))


def test_options_that_are_alike_are_refused() -> None:
    with pytest.raises(InputError, match="`green plus` is in the picture more than once"):
        NearestObject().check(shown(TARGET, NEAR, FAR, at(10, 10, "plus", "green")))


def test_more_others_than_slots_are_refused() -> None:
    with pytest.raises(InputError, match="`2` other objects: expected 1 at most"):
        NearestObject(1).check(shown(TARGET, NEAR, FAR))


@pytest.mark.parametrize(("task", "n"), [(RelativePosition(), 2), (RelativeSize(), 2), (NearestObject(), 3)])
def test_too_few_objects_are_refused(task: Task, n: int) -> None:
    assert task.n_objects_min == n
    with pytest.raises(InputError, match=f"needs {n} or more objects in a picture, got `{n - 1}`"):
        ask(task, shown(*(TARGET, NEAR)[: n - 1]), 0, 0, 0)


@pytest.mark.parametrize("task", [RelativePosition(), RelativeSize()])
def test_the_reference_has_to_be_singled_out_and_others_do_not(task: Task) -> None:
    double = at(20, 20, "circle", "blue")
    with pytest.raises(InputError, match="`blue circle` is in the picture more than once"):
        task.check(shown(TARGET, NEAR, double))
    task.check(shown(TARGET, FAR, NEAR, double))
