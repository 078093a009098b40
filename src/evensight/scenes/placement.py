"""Placements: how often an object is in each cell, as measured on photographs.

The numbers are counts, not images; `evensight photos ROOT --placement` measures them again.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import PAPER_GRID, Cell, Grid


@dataclass(frozen=True)
class Placement:
    """A distribution over a grid's cells, given by counts.

    Attributes:
        name: What it is called in designs and manifests.
        source: What was counted, on what.
        grid: The grid of the cells.
        counts: How often each cell was met, `[row][col]`.
    """

    name: str
    source: str
    grid: Grid
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        shape = np.shape(self.counts)
        if shape != (self.grid.rows, self.grid.cols) or np.min(self.counts) < 0 or not np.sum(self.counts):
            raise ValueError(f"a placement has a count of 0 or more for each cell of {self.grid}, got {shape}")

    @cached_property
    def _cumulative(self) -> NDArray[np.int64]:
        return np.cumsum(self.counts, dtype=np.int64)

    def draw(self, rng: np.random.Generator) -> Cell:
        """A cell, drawn with the probability that it has here."""
        ticket = rng.integers(self._cumulative[-1])
        index = int(np.searchsorted(self._cumulative, ticket, side="right"))
        return Cell(*divmod(index, self.grid.cols))


MAIN_OBJECT = Placement(
    name="photo-main-object",
    source=(
        "the cell of the largest annotated object (by box area, crowds left out) in each of 340 photographs "
        "of COCO train2017"
    ),
    grid=PAPER_GRID,
    counts=(
        (0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 1, 0, 1, 0, 1, 1, 0, 0),
        (0, 1, 0, 1, 3, 1, 2, 0, 0),
        (0, 2, 2, 2, 11, 6, 2, 2, 1),
        (1, 6, 12, 16, 53, 11, 12, 4, 0),
        (1, 4, 7, 10, 41, 13, 6, 2, 2),
        (0, 4, 4, 8, 17, 6, 9, 4, 1),
        (1, 7, 3, 7, 8, 5, 5, 4, 0),
        (1, 1, 0, 1, 2, 0, 0, 1, 0),
    ),
)
"""Where a photograph has its main object: 48 % of them in the center, one in a corner cell."""
