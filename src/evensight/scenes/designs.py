"""Designs: which scenes there are. A design is finite and indexable; nothing is drawn or stored.

`design[i]` gives one value for each factor and is computed from the index alone (mixed radix, the last factor
fastest), so any slice of a design can be made anywhere, in any order, and is the same.

* `Product(factors)`: every combination of the factors' values, once.
* `Union(parts)`: one design after the other; no combination may be in two of them.
* `Placed(design, placement, seed)`: the design's rows, each in a cell drawn from a placement.

All designs that this module names end on the factor `cell`, so that `index // len(grid)` counts what is shown
and `index % len(grid)` says where.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod

import numpy as np
from typing_extensions import override

from evensight.annotations import PAPER_GRID, Cell, Grid
from evensight.errors import one_of
from evensight.scenes.factors import COLORS, SHAPES, SHEENS, SIZES, Factor, Value, cell_factor
from evensight.scenes.placement import SINGLE_INSTANCE, Placement

Row = Mapping[str, Value]
"""One combination: a value for each factor, by the factor's name."""


class Design(ABC):
    """A finite, indexable collection of combinations of factors."""

    @property
    @abstractmethod
    def factor_names(self) -> tuple[str, ...]:
        """The factors that every row has a value for, in order."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Row: ...

    @abstractmethod
    def __str__(self) -> str: ...

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"the design has rows 0 to {len(self) - 1}, got {index}")
        return index


@dataclass(frozen=True)
class Product(Design):
    """Every combination of the factors' values, exactly once; the last factor varies fastest."""

    factors: tuple[Factor, ...]

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.factors]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a product has one or more factors of different names, got {names}")

    @property
    @override
    def factor_names(self) -> tuple[str, ...]:
        return tuple(factor.name for factor in self.factors)

    def __len__(self) -> int:
        return prod(len(factor.values) for factor in self.factors)

    def __getitem__(self, index: int) -> Row:
        rest = self._checked(index)
        row: dict[str, Value] = {}
        for factor in reversed(self.factors):
            rest, digit = divmod(rest, len(factor.values))
            row[factor.name] = factor.values[digit]
        return {name: row[name] for name in self.factor_names}

    def __str__(self) -> str:
        return " x ".join(map(str, self.factors))

    def overlaps(self, other: "Product") -> bool:
        """Whether some combination is in both."""
        mine = {factor.name: set(factor.values) for factor in self.factors}
        return all(mine[factor.name] & set(factor.values) for factor in other.factors)


@dataclass(frozen=True)
class Union(Design):
    """One product after the other; their factors are the same and no combination is in two of them."""

    parts: tuple[Product, ...]

    def __post_init__(self) -> None:
        if len({part.factor_names for part in self.parts}) != 1:
            raise ValueError("the parts of a union have the same factors in the same order")
        for k, part in enumerate(self.parts):
            for other in self.parts[:k]:
                if part.overlaps(other):
                    raise ValueError(f"the parts of a union share no combination; `{other}` and `{part}` do")

    @property
    @override
    def factor_names(self) -> tuple[str, ...]:
        return self.parts[0].factor_names

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(part) for part in self.parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Row:
        k = bisect_right(self._ends, self._checked(index))
        return self.parts[k][index - (self._ends[k - 1] if k else 0)]

    def __str__(self) -> str:
        return " + ".join(f"({part})" for part in self.parts)


@dataclass(frozen=True)
class Placed(Design):
    """A design's rows, each in a cell that is drawn from a placement: a function of (seed, index) alone."""

    design: Design
    placement: Placement
    seed: int

    @property
    @override
    def factor_names(self) -> tuple[str, ...]:
        return self.design.factor_names

    def __len__(self) -> int:
        return len(self.design)

    def __getitem__(self, index: int) -> Row:
        rng = np.random.default_rng((self.seed, self._checked(index)))
        return {**self.design[index], "cell": self.placement.draw(rng)}

    def __str__(self) -> str:
        return f"{self.design}, each in a cell drawn from `{self.placement.name}` with seed {self.seed}"


@dataclass(frozen=True)
class SceneDesign:
    """A design of scenes with one object each, on a grid.

    Attributes:
        name: What the user calls it.
        description: What it is for.
        grid: The grid its cells are of.
        rows: Which combinations there are.
        is_crossed: Whether everything that is shown is shown once in every cell. Only then is the place
            balanced against the rest.
    """

    name: str
    description: str
    grid: Grid
    rows: Design
    is_crossed: bool

    def __len__(self) -> int:
        return len(self.rows)

    def cell(self, index: int) -> Cell:
        """The cell of scene `index`."""
        return cell_in(self.rows[index])


def cell_in(row: Row) -> Cell:
    """The value of the factor `cell` in a row."""
    cell = row["cell"]
    if not isinstance(cell, Cell):
        raise TypeError(f"the factor `cell` holds {cell!r}")
    return cell


def design(name: str, seed: int = 0) -> SceneDesign:
    """The design of that name; `seed` matters only to those that draw (see `CATALOG`).

    Raises:
        InputError: There is no design of that name.
    """
    if name not in CATALOG:
        raise one_of("the design", name, CATALOG, "see `evensight designs`")
    description, rows, placement = CATALOG[name]
    if placement is None:
        return SceneDesign(name, description, PAPER_GRID, rows, is_crossed=True)
    return SceneDesign(name, description, PAPER_GRID, Placed(rows, placement, seed), is_crossed=False)


def _objects(shapes: tuple[str, ...], colors: tuple[str, ...], sheens: tuple[str, ...] = ()) -> Product:
    factors = [Factor("shape", shapes), Factor("color", colors)]
    if sheens:
        factors.append(Factor("sheen", sheens))
    return Product((*factors, Factor("size", tuple(SIZES)), cell_factor(PAPER_GRID)))


_TEST_SHAPES = SHAPES[:4]
_TEST_COLORS = tuple(COLORS)[:6]
_TRAIN = Union((_objects(_TEST_SHAPES, ("white",)), _objects(("plus",), _TEST_COLORS)))

CATALOG: Mapping[str, tuple[str, Design, Placement | None]] = {
    "civet-train": (
        "the paper's fine-tuning set: 4 shapes in white and the plus in 6 colours",
        _TRAIN,
        None,
    ),
    "civet-test": (
        "the paper's test set: 4 shapes x 6 colours, every shape and colour seen in training, never together",
        _objects(_TEST_SHAPES, _TEST_COLORS),
        None,
    ),
    "civet-full": (
        "CIVET's exhaustive set: 4 shapes x 6 colours x 3 sheens",
        _objects(_TEST_SHAPES, _TEST_COLORS, SHEENS),
        None,
    ),
    "civet-train-photo": (
        "the control: civet-train's objects, placed as photographs place the objects that they are asked for",
        _TRAIN,
        SINGLE_INSTANCE,
    ),
}
"""The designs that have names: what each is for, its rows, and the placement that its cells are drawn from."""
