"""Tasks: what can be asked about the first object of an annotation, its target.

A task knows its options, how the question is worded, and how the right answer follows from the annotation, which is
all that it reads. `ask` puts these together into a `Question`. The first wording is the reference group's:

    Answer using as few words as possible. Where is the red circle? Choose from [bottom left, center, ...].

The other wordings mean the same, so that wording can be a factor. An annotation that doesn't single out what the
sentence names, or whose answer is a matter of opinion, is refused: a question that exists has one right answer.
The tasks here ask for the target alone, or count; see `relations` for those that compare it with other objects,
`open_tasks` for those without options, and `catalog` for all of them by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from evensight.annotations import AREAS, Annotation, Grid, Object
from evensight.errors import InputError
from evensight.questions.open_answers import OPEN_TASKS
from evensight.questions.options import order_options
from evensight.questions.plurals import plural

INSTRUCTION = "Answer using as few words as possible."
"""What stands in front of every question unless something else is asked for."""
ROWS = ("top", "center", "bottom")
"""The thirds of a picture from top to bottom; `AREAS` combines them with `COLUMNS`."""
COLUMNS = ("left", "center", "right")
"""The thirds of a picture from left to right."""
COUNTS = tuple(map(str, range(1, 10)))
"""The options of counting: a target and 0 to 8 others."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its options in the order that they are shown, and its right answer.

    Attributes:
        task: The task's name.
        text: All that the model is told, instruction and options included.
        options: The options in order; none where the question is open.
        answer: The right one, or the right answer in the form of `open_answers`.
    """

    task: str
    text: str
    options: tuple[str, ...]
    answer: str

    def __post_init__(self) -> None:
        if not self.options:
            if self.task not in OPEN_TASKS:
                raise ValueError(f"a question of `{self.task}` has options: only {sorted(OPEN_TASKS)} are open")
            return
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"a question's options are all different, got {self.options}")
        if self.answer not in self.options:
            raise ValueError(f"the answer `{self.answer}` is one of the options, got {self.options}")

    @property
    def slot(self) -> int:
        """The place of the right answer among the options, from 0; 0 where the question is open."""
        return self.options.index(self.answer) if self.options else 0


class Task(ABC):
    """Something that can be asked about the first object of an annotation, the target.

    Attributes:
        wordings: The sentence in several wordings that mean the same; `{...}` stands for what `words` gives.
        n_objects_min: How many objects the annotation has at least.
    """

    wordings: ClassVar[tuple[str, ...]]
    n_objects_min: ClassVar[int] = 1

    @property
    @abstractmethod
    def name(self) -> str:
        """The task's name, as in stored sets."""

    @property
    @abstractmethod
    def n_slots(self) -> int:
        """How many options there are at most; 1 where the question is open."""

    @abstractmethod
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        """All possible answers, in their canonical order; none where the question is open."""

    @abstractmethod
    def answer(self, annotation: Annotation) -> str:
        """The right answer.

        Raises:
            InputError: None is right beyond doubt.
        """

    def words(self, annotation: Annotation) -> Mapping[str, object]:
        """What the wordings leave open; the target's description, by default."""
        return {"target": annotation.objects[0].description}

    def named(self, annotation: Annotation) -> tuple[Object, ...]:
        """The objects that the sentence or the options name by their descriptions; the target, by default."""
        return annotation.objects[:1]

    def sentence(self, annotation: Annotation, wording: int = 0) -> str:
        """The question itself, without instruction and options.

        Raises:
            InputError: There is no such wording.
        """
        if not 0 <= wording < len(self.wordings):
            raise InputError(f"`{self.name}` has no wording `{wording}`: expected 0 to {len(self.wordings) - 1}")
        return self.wordings[wording].format_map(self.words(annotation))

    def check(self, annotation: Annotation) -> None:
        """Makes sure that the question can be asked and has one right answer.

        Raises:
            InputError: There are too few objects, the sentence would not single out those that it names, or no
                answer is right beyond doubt.
        """
        objects = annotation.objects
        if len(objects) < self.n_objects_min:
            raise InputError(
                f"`{self.name}` needs {self.n_objects_min} or more objects in a picture, got `{len(objects)}`"
            )
        if len(objects) > 1:
            descriptions = [thing.description for thing in objects]
            for thing in self.named(annotation):
                if descriptions.count(thing.description) > 1:
                    raise _ambiguous(thing.description)


def ask(
    task: Task,
    annotation: Annotation,
    slot: int,
    seed: int,
    index: int,
    instruction: str = INSTRUCTION,
    wording: int = 0,
) -> Question:
    """Asks a task's question about an annotation.

    Args:
        task: What to ask.
        annotation: About what; its first object is the target.
        slot: Where among the options the right answer stands, from 0; 0 where the question is open.
        seed: The set's seed.
        index: The example's index; the other options' order is a function of both.
        instruction: What stands in front; empty for nothing.
        wording: Which of the task's wordings.

    Raises:
        InputError: The question would not single out what it names, or has no right answer beyond doubt.
    """
    task.check(annotation)
    answer = task.answer(annotation)
    options = task.options(annotation)
    text = task.sentence(annotation, wording)
    if options:
        options = order_options(options, answer, slot, seed, index)
        text = f"{text} Choose from [{', '.join(options)}]."
    elif slot:
        raise ValueError(f"an open question has slot 0 only, got {slot}")
    return Question(task.name, f"{instruction} {text}" if instruction else text, options, answer)


@dataclass(frozen=True)
class AbsolutePosition(Task):
    """In which of the nine areas is the object? This is the paper's task."""

    grid: Grid
    wordings: ClassVar = (
        "Where is the {target}?",
        "In which part of the picture is the {target}?",
        "What is the position of the {target} in the picture?",
    )

    @property
    @override
    def name(self) -> str:
        return "absolute-position"

    @property
    @override
    def n_slots(self) -> int:
        return len(AREAS)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return AREAS

    @override
    def answer(self, annotation: Annotation) -> str:
        return self.grid.area_of(self.grid.cell_of(annotation.objects[0], annotation.frame))

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        _check_third(self.grid, annotation, row=True, col=True)


@dataclass(frozen=True)
class RowPosition(Task):
    """In which third of the picture is the object, from top to bottom?"""

    grid: Grid
    wordings: ClassVar = (
        "Where is the {target} vertically?",
        "What is the vertical position of the {target} in the picture?",
        "Looking from top to bottom, in which part of the picture is the {target}?",
    )

    @property
    @override
    def name(self) -> str:
        return "row-position"

    @property
    @override
    def n_slots(self) -> int:
        return len(ROWS)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return ROWS

    @override
    def answer(self, annotation: Annotation) -> str:
        return ROWS[self.grid.third_of_row(self.grid.cell_of(annotation.objects[0], annotation.frame))]

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        _check_third(self.grid, annotation, row=True)


@dataclass(frozen=True)
class ColumnPosition(Task):
    """In which third of the picture is the object, from left to right?"""

    grid: Grid
    wordings: ClassVar = (
        "Where is the {target} horizontally?",
        "What is the horizontal position of the {target} in the picture?",
        "Looking from left to right, in which part of the picture is the {target}?",
    )

    @property
    @override
    def name(self) -> str:
        return "column-position"

    @property
    @override
    def n_slots(self) -> int:
        return len(COLUMNS)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return COLUMNS

    @override
    def answer(self, annotation: Annotation) -> str:
        return COLUMNS[self.grid.third_of_col(self.grid.cell_of(annotation.objects[0], annotation.frame))]

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        _check_third(self.grid, annotation, col=True)


@dataclass(frozen=True)
class Property(Task):
    """Which value of an attribute (`color`, `shape`, `size`, `sheen`) has the object?

    An object alone is "the object", as the paper has it. Among others it is named by what is not asked for: "the
    star" for its colour, "the red object" for its shape, "the red star" for anything else.

    Attributes:
        attribute: What is asked for.
        values: The options.
    """

    attribute: str
    values: tuple[str, ...]
    wordings: ClassVar = (
        "What is the {attribute} of the {target}?",
        "Which {attribute} does the {target} have?",
        "Name the {attribute} of the {target}.",
    )

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values)) != len(self.values):
            raise ValueError(f"`{self.attribute}` is asked for with two or more different values, got {self.values}")

    @property
    @override
    def name(self) -> str:
        return f"property-{self.attribute}"

    @property
    @override
    def n_slots(self) -> int:
        return len(self.values)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return self.values

    @override
    def words(self, annotation: Annotation) -> Mapping[str, object]:
        target = annotation.objects[0]
        return {
            "attribute": self.attribute,
            "target": self._named_as(target) if len(annotation.objects) > 1 else "object",
        }

    @override
    def answer(self, annotation: Annotation) -> str:
        return _attribute(annotation.objects[0], self.attribute)

    @override
    def named(self, annotation: Annotation) -> tuple[Object, ...]:
        return ()  # not by its description

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        target, *others = annotation.objects
        if others:
            name = self._named_as(target)
            if any(self._named_as(other) == name for other in others):
                raise _ambiguous(name)

    def _named_as(self, thing: Object) -> str:
        if self.attribute == "color":
            return thing.name
        return f"{_attribute(thing, 'color')} object" if self.attribute == "shape" else thing.description


@dataclass(frozen=True)
class Counting(Task):
    """How many objects are there: all of them, or those that share the target's shape or colour?

    The annotation has to hold every object in the picture, which those of photographs often don't. A shape is
    what an object is called, so that categories can be counted too.

    Attributes:
        shared: "shape" or "color"; None counts all.
    """

    shared: str | None = None
    wordings: ClassVar = (
        "How many {things} are in the picture?",
        "What is the number of {things} in the picture?",
        "Count the {things} in the picture. How many are there?",
    )

    def __post_init__(self) -> None:
        if self.shared not in {None, "shape", "color"}:
            raise ValueError(f"objects are counted that share `shape`, `color` or None, got `{self.shared}`")

    @property
    @override
    def name(self) -> str:
        return f"counting-{self.shared}" if self.shared else "counting"

    @property
    @override
    def n_slots(self) -> int:
        return len(COUNTS)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return COUNTS

    @override
    def named(self, annotation: Annotation) -> tuple[Object, ...]:
        return ()

    @override
    def words(self, annotation: Annotation) -> Mapping[str, object]:
        target = annotation.objects[0]
        match self.shared:
            case "shape":
                return {"things": plural(target.name)}
            case "color":
                return {"things": f"{_attribute(target, 'color')} objects"}
            case _:
                return {"things": "objects"}

    @override
    def answer(self, annotation: Annotation) -> str:
        counted = [self._kind(thing) for thing in annotation.objects]
        n = counted.count(counted[0])
        if n > len(COUNTS):
            raise InputError(f"`{n}` objects are too many to count: expected {len(COUNTS)} or fewer")
        return str(n)

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        self.answer(annotation)

    def _kind(self, thing: Object) -> str | None:
        if self.shared is None:
            return None
        return thing.name if self.shared == "shape" else _attribute(thing, "color")


def _check_third(grid: Grid, annotation: Annotation, *, row: bool = False, col: bool = False) -> None:
    """The object is itself in the third of the picture that its cell is in.

    Where 3 divides a side of the grid that is so. On other grids some cells lie in two thirds.
    """
    frame = annotation.frame
    x, y = annotation.objects[0].box.center_px
    cell = grid.cell_at((x, y), frame)
    row_is_off = row and grid.rows % 3 and int(3 * y / frame.height_px) != grid.third_of_row(cell)
    if row_is_off or (col and grid.cols % 3 and int(3 * x / frame.width_px) != grid.third_of_col(cell)):
        raise InputError(
            f"the `{annotation.objects[0].description}` at ({x:g}, {y:g}) is in another third of the picture than "
            f"the middle of its cell on the {grid} grid: choose a grid whose sides 3 divides, or no jitter"
        )


def _attribute(thing: Object, name: str) -> str:
    if name not in thing.attributes:
        known = ", ".join(thing.attributes) or "none"
        raise InputError(f"the {thing.description} has no `{name}`, which the question needs; it has {known}")
    return thing.attributes[name]


def _ambiguous(name: str) -> InputError:
    return InputError(f"`{name}` is in the picture more than once: no question can mean one")
