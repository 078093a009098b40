"""All tasks by the names that the command line and stored sets have for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evensight.annotations import Grid
from evensight.errors import InputError, one_of
from evensight.questions.open_tasks import ExactCell, PointTo
from evensight.questions.relations import MAX_OTHERS, NearestObject, RelativePosition, RelativeSize
from evensight.questions.tasks import AbsolutePosition, ColumnPosition, Counting, Property, RowPosition, Task

Values = Mapping[str, Sequence[str]]
"""The values of each attribute that a design varies."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a task may depend on: the arguments of `task_named`."""

    grid: Grid
    values: Values
    n_others: int

    def property(self, attribute: str) -> Property:
        """The task that asks for this attribute, its values being the options."""
        known = tuple(self.values.get(attribute, ()))
        if len(known) < 2:
            raise InputError(
                f"`property-{attribute}` needs 2 or more values of `{attribute}` to choose from, got "
                f"{', '.join(known) or 'none'}; ask for something that varies: {self._varied()}"
            )
        return Property(attribute, known)

    def _varied(self) -> str:
        return ", ".join(name for name, values in self.values.items() if len(values) > 1) or "nothing does"


TASKS: Mapping[str, Callable[[_Asked], Task]] = {
    "absolute-position": lambda asked: AbsolutePosition(asked.grid),
    "row-position": lambda asked: RowPosition(asked.grid),
    "column-position": lambda asked: ColumnPosition(asked.grid),
    "exact-cell": lambda asked: ExactCell(asked.grid),
    "point": lambda _: PointTo(),
    "point-1000": lambda _: PointTo(scaled=True),
    "property-shape": lambda asked: asked.property("shape"),
    "property-color": lambda asked: asked.property("color"),
    "property-size": lambda asked: asked.property("size"),
    "property-sheen": lambda asked: asked.property("sheen"),
    "relative-position": lambda _: RelativePosition(),
    "relative-size": lambda _: RelativeSize(),
    "relative-size-area": lambda _: RelativeSize("area"),
    "nearest-object": lambda asked: NearestObject(asked.n_others),
    "counting": lambda _: Counting(),
    "counting-shape": lambda _: Counting("shape"),
    "counting-color": lambda _: Counting("color"),
}
"""How each task is made, by its name."""


def task_named(name: str, grid: Grid, values: Values, n_others: int = MAX_OTHERS) -> Task:
    """The task of that name.

    Args:
        name: One of `TASKS`.
        grid: The grid of the cells.
        values: The values of each attribute that the design varies; a property's are its options.
        n_others: How many objects a picture has at most beside the target: the options of the nearest one.

    Raises:
        InputError: There is no such task, or the design doesn't vary what it asks for.
    """
    if name not in TASKS:
        raise one_of("the task", name, TASKS)
    return TASKS[name](_Asked(grid, values, n_others))
