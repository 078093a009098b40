"""The factors of a scene and their values.

A factor is a name and the finite, ordered tuple of its values; a design (see `designs`) combines factors. The
values here are the paper's and CIVET's. Colours are saturated corners of the RGB cube.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evensight.annotations import Cell, Grid

Value = str | Cell
"""A factor's value: a word, or for the factor `cell` a cell of the grid."""

COLORS: Mapping[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "white": (255, 255, 255),
}
SHAPES = ("square", "circle", "triangle", "star", "plus")
SHEENS = ("none", "matte", "glossy")
SIZES: Mapping[str, float] = {"large": 0.86, "small": 0.43}
"""A size's share of the cell's side: large leaves a border of 14 %, small is half of large."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A named, ordered, finite set of values."""

    name: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) != len(self.values):
            raise ValueError(f"the factor `{self.name}` has one or more different values, got {self.values}")

    def __str__(self) -> str:
        if self.name == "cell":
            return f"cell{{{len(self.values)}}}"
        return f"{self.name}{{{', '.join(map(str, self.values))}}}"


def cell_factor(grid: Grid) -> Factor:
    """The factor `cell`: all the grid's cells, row by row."""
    return Factor("cell", grid.cells())
