"""A set of examples with one thing changed in each: what all controls share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Box, Cell, Frame, Grid
from evensight.datasets.examples import Example, ExampleSet, SetInfo

_HAIR_PX = 1e-6


class Altered(ExampleSet):
    """A set around another one: as long, in the same order, each example altered in the same way.

    Attributes:
        name: What the control is called, in its ids and at the command line.
        description: What it is and what it tells, in one sentence.
    """

    name: ClassVar[str]
    description: ClassVar[str]

    def __init__(self, examples: ExampleSet, seed: int) -> None:
        """Wraps the set.

        Args:
            examples: The set.
            seed: Draws what is drawn.
        """
        self._base = examples
        self._grid = examples.info.grid
        self._seed = seed

    @property
    @override
    def info(self) -> SetInfo:
        base = self._base.info
        config = {
            "control": self.name,
            "seed": self._seed,
            "of": dict(base.config),
            "of_hash": self._base.hash,
        }
        return replace(
            base,
            name=f"{base.name}-{self.name}",
            config=config,
            balanced=tuple(pair for pair in base.balanced if self._still_balanced(*pair)),
            notes={**base.notes, "control": self.description, **self._notes()},
        )

    def _notes(self) -> Mapping[str, Any]:
        """What a reader should know of how it was made."""
        return {}

    def _still_balanced(self, given: str, counted: str) -> bool:
        """Whether what the set claims of two columns holds for the altered one too."""
        return True

    def __len__(self) -> int:
        return len(self._base)

    def __getitem__(self, index: int) -> Example:
        example = self._base[index]
        return self._altered(index, replace(example, id=f"{example.id}-{self.name}"))

    def _altered(self, index: int, example: Example) -> Example:
        """The example, which has its new id already, with what is changed."""
        return example

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels(index))

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        return self._base.pixels(index)


def box_in_cell(box: Box, frame: Frame, cell: Cell, grid: Grid) -> Box:
    """The box, moved by a hair where its centre lies on the border of the cell that it belongs to.

    A centre on a border counts to the cell on its right, also in the mirrored picture; and rounding may carry it
    over. The answer that counts as right shall not depend on either.
    """
    found = grid.cell_at(box.center_px, frame)
    if found == cell:
        return box
    dx, dy = (_HAIR_PX * ((a > b) - (a < b)) for a, b in ((cell.col, found.col), (cell.row, found.row)))
    return Box(box.x0_px + dx, box.y0_px + dy, box.x1_px + dx, box.y1_px + dy)
