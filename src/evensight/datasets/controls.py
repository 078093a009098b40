"""Controls: a set of examples changed so that a model that looks must answer otherwise than one that doesn't.

A control is an `ExampleSet` around another one, on the fly or stored, of photographs or scenes: it can be asked,
stored and audited like any other. Its length and order are those of its set, so its row k belongs to the set's row k;
its ids are the set's with the control's name behind them. What is drawn is a function of the seed and the index.

`mirrored`, `black` and `covered` change the picture, `wrong-photo` changes it for another one (`swapped`), and
`absent` changes the words (`absent`).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from evensight.annotations import AREAS, Cell, Frame, Object
from evensight.datasets.absent import Absent
from evensight.datasets.altered import Altered, box_in_cell
from evensight.datasets.covered import Covered
from evensight.datasets.examples import Example, ExampleSet
from evensight.datasets.swapped import WrongPhoto
from evensight.errors import InputError, one_of
from evensight.progress import track
from evensight.questions.tasks import COLUMNS, ROWS

_SIDES = MappingProxyType({"left": "right", "right": "left"})
_PLACES = frozenset(map(frozenset, (AREAS, ROWS, COLUMNS)))


def mirrored_answer(answer: str) -> str:
    """The area, column or row that a place is in once the picture is mirrored: left and right are swapped."""
    return " ".join(_SIDES.get(word, word) for word in answer.split(" "))


class Mirrored(Altered):
    """The pictures flipped left-right; the words stay, so the right answer is the mirrored place."""

    name: ClassVar = "mirrored"
    description: ClassVar = "the picture flipped left-right: an answer that was seen swaps left and right with it"

    def __init__(self, examples: ExampleSet, seed: int) -> None:
        """Wraps the set and checks that each of its questions asks for a place.

        Raises:
            InputError: One of them asks for something else.
        """
        super().__init__(examples, seed)
        for example in track(examples, f"checking {self.name}", len(examples), "questions"):
            if frozenset(example.question.options) not in _PLACES:
                raise InputError(
                    f"`{example.id}` can't be asked of the mirrored picture: expected a question whose options are "
                    f"areas, rows or columns, got `{example.question.task}`; leave out the control `{self.name}`"
                )

    @override
    def _still_balanced(self, given: str, counted: str) -> bool:
        return "slot" not in {given, counted}  # the options stay where they are, the right one moves

    @override
    def _altered(self, index: int, example: Example) -> Example:
        frame, grid = example.frame, self._grid
        cell = Cell(example.cell.row, grid.cols - 1 - example.cell.col)
        answer = mirrored_answer(example.question.answer)
        centroid = example.centroid_xy_px
        return replace(
            example,
            question=replace(example.question, answer=answer),
            cell=cell,
            area=grid.area_of(cell),
            box=box_in_cell(example.box.mirrored(frame), frame, cell, grid),
            centroid_xy_px=None if centroid is None else (frame.width_px - centroid[0], centroid[1]),
            others=tuple(_mirrored(thing, frame) for thing in example.others),
        )

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._base.pixels(index)[:, ::-1])


class Black(Altered):
    """Black pictures of the same size; what is asked stays as it is."""

    name: ClassVar = "black"
    description: ClassVar = "a black picture of the same size: what is right here needs no picture"

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        frame = self._base[index].frame
        return np.zeros((frame.height_px, frame.width_px, 3), dtype=np.uint8)


CONTROLS: Mapping[str, type[Altered]] = MappingProxyType(
    {control.name: control for control in (WrongPhoto, Black, Mirrored, Covered, Absent)}
)
"""All controls by name, each with its `description`; the first stands beside every score on photographs."""


def controlled(examples: ExampleSet, name: str, seed: int) -> ExampleSet:
    """The control of that name around a set.

    Args:
        examples: The set.
        name: One of `CONTROLS`.
        seed: Draws what is drawn.

    Raises:
        InputError: There is no such control, or it can't be made of this set.
    """
    if name not in CONTROLS:
        raise one_of("the control", name, CONTROLS)
    return CONTROLS[name](examples, seed)


def _mirrored(thing: Object, frame: Frame) -> Object:
    centroid = thing.centroid_px
    mirrored = None if centroid is None else (frame.width_px - centroid[0], centroid[1])
    return replace(thing, box=thing.box.mirrored(frame), centroid_px=mirrored)
