"""Placements: how often an object is in each cell, as measured on photographs.

The numbers are counts, not images; `evensight photos counts ROOT --split SPLIT --cells` counts them again.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

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
    def n(self) -> int:
        """How many objects were counted."""
        return int(np.sum(self.counts))

    @cached_property
    def _ends(self) -> list[int]:
        return [int(end) for end in np.cumsum(self.counts)]

    def cell(self, ticket: int) -> Cell:
        """The cell of counted object `ticket`, from 0 to n - 1: so each cell has the probability that it has here."""
        return Cell(*divmod(bisect_right(self._ends, ticket), self.grid.cols))


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

SINGLE_INSTANCE = Placement(
    name="photo-single-instance",
    source=(
        "the cells of the 704 objects that are the only one of their category in their photograph, in 343 "
        "photographs of COCO train2017: those that questions about photographs ask for"
    ),
    grid=PAPER_GRID,
    counts=(
        (2, 0, 1, 0, 1, 2, 2, 4, 1),
        (1, 3, 4, 8, 4, 6, 4, 4, 5),
        (4, 5, 7, 7, 8, 2, 8, 1, 4),
        (1, 8, 11, 9, 21, 14, 7, 13, 4),
        (5, 16, 20, 26, 58, 23, 18, 9, 4),
        (5, 4, 14, 16, 49, 14, 17, 10, 11),
        (5, 4, 7, 17, 25, 15, 8, 7, 7),
        (4, 8, 3, 13, 14, 12, 5, 6, 2),
        (5, 3, 3, 5, 6, 3, 5, 4, 3),
    ),
)
"""Where a photograph has the objects that it can be asked for: 33 % of them in the center."""

PLACEMENTS = {placement.name: placement for placement in (MAIN_OBJECT, SINGLE_INSTANCE)}
"""The placements by name."""
