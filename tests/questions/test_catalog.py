import pytest

from evensight.annotations import PAPER_GRID, Annotation, Box, Frame, Object
from evensight.errors import InputError
from evensight.questions.catalog import TASKS, task_named
from evensight.questions.tasks import Task

VALUES = {
    "shape": ("star", "circle"),
    "color": ("red", "blue"),
    "size": ("large", "small"),
    "sheen": ("none", "matte"),
}
OBJECTS = tuple(
    Object(name, Box(x, x, x + 9, x + 9), {"color": color, "shape": name, "size": "large", "sheen": "matte"}, 81)
    for x, name, color in ((1, "star", "red"), (30, "circle", "blue"), (80, "plus", "green"))
)
SHOWN = Annotation(Frame(90, 90), OBJECTS)


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return task_named(request.param, PAPER_GRID, VALUES)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_name_that_it_is_found_by(name: str) -> None:
    assert task_named(name, PAPER_GRID, VALUES).name == name


def test_every_task_has_three_wordings_that_differ_and_are_complete(task: Task) -> None:
    sentences = [task.sentence(SHOWN, wording) for wording in range(len(task.wordings))]
    assert len(set(sentences)) == len(sentences) >= 3
    assert not any("{" in sentence or "}" in sentence for sentence in sentences)


def test_the_answer_is_an_option_and_there_are_no_more_than_slots(task: Task) -> None:
    options = task.options(SHOWN)
    assert task.n_slots >= max(len(options), 1)
    assert not options or task.answer(SHOWN) in options


def test_no_wording_names_the_answer_of_a_property() -> None:
    for name in VALUES:
        task = task_named(f"property-{name}", PAPER_GRID, VALUES)
        assert not any(task.answer(SHOWN) in task.sentence(SHOWN, wording) for wording in range(3)), name


def test_an_unknown_task_is_one_line_with_all_names() -> None:
    with pytest.raises(InputError, match="the task `colour` is not known") as caught:
        task_named("colour", PAPER_GRID, VALUES)
    assert all(name in str(caught.value) for name in TASKS)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("values", [{}, {"color": ("red",), "shape": ("star", "circle")}])
def test_a_property_that_does_not_vary_is_refused(values: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InputError, match="`property-color` needs 2 or more values of `color`"):
        task_named("property-color", PAPER_GRID, values)


def test_the_nearest_object_has_a_slot_for_each_other_object() -> None:
    assert task_named("nearest-object", PAPER_GRID, {}, n_others=4).n_slots == 4
