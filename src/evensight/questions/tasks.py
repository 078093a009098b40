"""Tasks: what can be asked about an object in an annotation.

A task knows its options, how the question is worded, and how the right answer follows from the annotation.
`ask` puts these together into a `Question`. The wording is the reference group's:

    Answer using as few words as possible. Where is the red circle? Choose from [bottom left, center, ...].
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from evensight.annotations import AREAS, Annotation, Grid
from evensight.errors import InputError
from evensight.questions.options import order_options

INSTRUCTION = "Answer using as few words as possible."
"""What stands in front of every question unless something else is asked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its options in the order that they are shown, and its right answer.

    Attributes:
        task: The task's name.
        text: All that the model is told, instruction and options included.
        options: The options in order.
        answer: The right one.
    """

    task: str
    text: str
    options: tuple[str, ...]
    answer: str

    def __post_init__(self) -> None:
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"a question's options are all different, got {self.options}")
        if self.answer not in self.options:
            raise ValueError(f"the answer `{self.answer}` is one of the options, got {self.options}")

    @property
    def slot(self) -> int:
        """The place of the right answer among the options, from 0."""
        return self.options.index(self.answer)


class Task(ABC):
    """Something that can be asked about the first object of an annotation."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The task's name, as in stored sets."""

    @property
    @abstractmethod
    def options(self) -> tuple[str, ...]:
        """All possible answers, in their canonical order."""

    @abstractmethod
    def sentence(self, annotation: Annotation) -> str:
        """The question itself, without instruction and options."""

    @abstractmethod
    def answer(self, annotation: Annotation) -> str:
        """The right answer."""


@dataclass(frozen=True, slots=True)
class AbsolutePosition(Task):
    """In which of the nine areas is the object? This is the paper's task."""

    grid: Grid

    @property
    @override
    def name(self) -> str:
        return "absolute-position"

    @property
    @override
    def options(self) -> tuple[str, ...]:
        return AREAS

    @override
    def sentence(self, annotation: Annotation) -> str:
        return f"Where is the {annotation.objects[0].description}?"

    @override
    def answer(self, annotation: Annotation) -> str:
        return self.grid.area_of(self.grid.cell_of(annotation.objects[0], annotation.frame))


@dataclass(frozen=True, slots=True)
class Property(Task):
    """Which value of an attribute (`color`, `shape`, `size`) has the object?"""

    attribute: str
    values: tuple[str, ...]

    @property
    @override
    def name(self) -> str:
        return f"property-{self.attribute}"

    @property
    @override
    def options(self) -> tuple[str, ...]:
        return self.values

    @override
    def sentence(self, annotation: Annotation) -> str:
        return f"What is the {self.attribute} of the object?"

    @override
    def answer(self, annotation: Annotation) -> str:
        return annotation.objects[0].attributes[self.attribute]


def ask(
    task: Task, annotation: Annotation, slot: int, rng: np.random.Generator, instruction: str = INSTRUCTION
) -> Question:
    """Asks a task's question about an annotation.

    Args:
        task: What to ask.
        annotation: About what; its first object is the one that is asked for.
        slot: Where among the options the right answer stands, from 0.
        rng: Orders the other options.
        instruction: What stands in front; empty for nothing.

    Raises:
        InputError: The question would not single out the object.
    """
    target = annotation.objects[0]
    if any(other.description == target.description for other in annotation.objects[1:]):
        raise InputError(f"`{target.description}` is in the picture more than once: no question can mean one")
    answer = task.answer(annotation)
    options = order_options(task.options, answer, slot, rng)
    text = f"{task.sentence(annotation)} Choose from [{', '.join(options)}]."
    return Question(task.name, f"{instruction} {text}" if instruction else text, options, answer)
