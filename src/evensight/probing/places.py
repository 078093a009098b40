"""What is probed for: where the object is, as classes and as coordinates, and which scenes go together in a split.

`area` is what the question asks for; `area-row` and `area-col` are its thirds, the first and the second word of most
answers. `row`, `col` and `cell` are the grid's. `x` and `y` are the middle of the box in cell widths and heights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS, Grid
from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError

CLASSES = ("area", "area-row", "area-col", "row", "col", "cell")
COORDINATES = ("x", "y")
TARGETS = (*CLASSES, *COORDINATES)
COMBINED = ("shape", "color", "category")
"""The factors whose combinations are held out, as far as a set has them; without any of them, all of its factors."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the object of each example is, and what it is seen with.

    Attributes:
        ids: The examples' ids.
        grid: The grid of the cells.
        by_target: The classes' indices (int) or coordinates (float) of each example, by target.
        combinations: The index of each example's combination of attributes.
        pictures: A number for each example's picture; the same for two questions about one picture.
    """

    ids: tuple[str, ...]
    grid: Grid
    by_target: dict[str, NDArray[np.int64] | NDArray[np.float64]]
    combinations: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_combinations(self) -> int:
        """How many combinations of attributes there are."""
        return int(self.combinations.max()) + 1 if len(self) else 0

    def classes(self, target: str) -> NDArray[np.int64]:
        """The class of each example for a target of `CLASSES`."""
        return self.by_target[target].astype(np.int64)


def places(examples: ExampleSet, pictures: NDArray[np.int64]) -> Places:
    """Reads from a set where its objects are.

    Args:
        examples: The set.
        pictures: A number for each example's picture; equal pictures have the same.

    Raises:
        InputError: Its examples have no attributes by which scenes could be held out.
    """
    listed = list(examples)
    grid = examples.info.grid
    factors = _combined(examples)
    return Places(
        tuple(example.id for example in listed),
        grid,
        {target: _values(target, listed, grid) for target in TARGETS},
        _indices([tuple(example.attributes[name] for name in factors) for example in listed]),
        pictures,
    )


def _combined(examples: ExampleSet) -> tuple[str, ...]:
    factors = examples.info.factors
    chosen = tuple(name for name in COMBINED if name in factors) or factors
    if not chosen:
        raise InputError(
            f"the examples of `{examples.info.name}` have no attributes: expected factors such as shape and color, "
            "whose combinations can be held out from a probe"
        )
    return chosen


def _indices(values: Sequence[object]) -> NDArray[np.int64]:
    """The number of each value, in the order in which they first come."""
    numbers = {value: k for k, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], dtype=np.int64)


def _values(target: str, examples: Sequence[Example], grid: Grid) -> NDArray[np.int64] | NDArray[np.float64]:
    if target in COORDINATES:
        return np.array([_coordinate(target, example, grid) for example in examples], dtype=np.float64)
    return np.array([_class(target, example, grid) for example in examples], dtype=np.int64)


def _class(target: str, example: Example, grid: Grid) -> int:
    area = AREAS.index(example.area)
    return {
        "area": area,
        "area-row": area // 3,
        "area-col": area % 3,
        "row": example.cell.row,
        "col": example.cell.col,
        "cell": grid.index(example.cell),
    }[target]


def _coordinate(target: str, example: Example, grid: Grid) -> float:
    x_px, y_px = example.box.center_px
    frame = example.frame
    return x_px * grid.cols / frame.width_px if target == "x" else y_px * grid.rows / frame.height_px
