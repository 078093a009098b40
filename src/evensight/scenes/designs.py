"""Designs: which scenes there are. A small algebra of factors; nothing is drawn or stored.

A design is finite and indexable: `design[i]` gives one value for each factor, computed from the index alone, so
any slice of a design of any size can be made anywhere, in any order, and is the same. All designs have the same
methods, and combine:

    a = Product((Factor("shape", ("square", "star")), Factor("color", ("red", "blue")), cell_factor(grid)))
    a | b                            the rows of a, then those of b; none may be in both
    a - {"shape": ("star",), ...}    without the rows that have these values
    a.where({"cell": cells})         only the rows that have these values
    a.crossed(Factor(...))           each row with each value of one more factor
    a.fraction(4, seed)              a balanced quarter (see `fractions`)

Inside, a design is a list of *parts*, each a product of factors (or a fraction of one), which have no row in
common; every operation makes parts of parts. The last factor varies fastest. When that is `cell`, and all parts
have the same cells, the design is crossed: all that is shown is shown once in every cell, `index // n_cells`
counts what is shown and `index % n_cells` says where.
"""

import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate
from math import prod

from typing_extensions import override

from evensight.annotations import Cell
from evensight.errors import InputError
from evensight.randomness import below
from evensight.scenes.factors import Factor, Value, Values, spelled
from evensight.scenes.fractions import Equations, balanced_equations
from evensight.scenes.placement import Placement

Row = Mapping[str, Value]
"""One combination: a value for each factor, by the factor's name."""

Selection = Mapping[str, Sequence[Value]]
"""The rows that have one of these values in each of these factors."""

CELL = "cell"
_N_NAMED = 20
_MAX_SHOWN = 160


class Design(ABC):
    """A finite, indexable collection of different combinations of the same factors."""

    @property
    @abstractmethod
    def parts(self) -> tuple["Part", ...]:
        """The parts that it is made of, in order; they have the same factors and no row in common."""

    @abstractmethod
    def __str__(self) -> str: ...

    @property
    def factor_names(self) -> tuple[str, ...]:
        """The factors that every row has a value for, in order."""
        return self.parts[0].factor_names

    @cached_property
    def _ends(self) -> list[int]:
        ends = list(accumulate(part.n_rows for part in self.parts))
        if ends[-1] > sys.maxsize:
            raise InputError(
                f"a design has 2^63 rows at most, `{_short(self)}` has {ends[-1]:.3g}: take a fraction of it"
            )
        return ends

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Row:
        part, within = self.place(index)
        return part.row(within)

    def place(self, index: int) -> tuple["Part", int]:
        """The part that a row is in, and its index in that part.

        Raises:
            IndexError: There is no such row.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"the design has rows 0 to {len(self) - 1}, got {index}")
        k = bisect_right(self._ends, index)
        return self.parts[k], index - (self._ends[k - 1] if k else 0)

    def number_among(self, index: int, name: str) -> int:
        """The number of row `index` among the rows with its value of a factor: from 0, without a gap."""
        k = bisect_right(self._ends, index)
        part, within = self.place(index)
        value = part.row(within)[name]
        before = sum(other.n_rows_with(name, value) for other in self.parts[:k])
        return before + part.number_among(within, name)

    def shown(self, index: int) -> tuple[int, int]:
        """The number of what row `index` shows, whatever the cell, and the first row that shows the same."""
        k = bisect_right(self._ends, index)
        part, within = self.place(index)
        number, cell = divmod(within, part.n_cells)
        return sum(other.n_shown for other in self.parts[:k]) + number, index - cell

    def shown_number_among(self, index: int, name: str) -> int:
        """The number of what row `index` shows among what is shown with its value of a factor but `cell`."""
        k = bisect_right(self._ends, index)
        part, within = self.place(index)
        value = part.row(within)[name]
        before = sum(other.n_rows_with(name, value) // other.n_cells for other in self.parts[:k])
        return before + part.number_among(within, name) // part.n_cells

    def values(self, name: str) -> Values:
        """The values of a factor that occur, in order."""
        found = [part.factor(name).values for part in self.parts]
        if all(values == found[0] for values in found):
            return found[0]
        return tuple(dict.fromkeys(value for values in found for value in values))

    def __or__(self, other: "Design") -> "Design":
        return Union((self, other))

    def __sub__(self, unwanted: "Design | Selection") -> "Design":
        selected = unwanted if isinstance(unwanted, Design) else _selected(unwanted)
        _check_values(self, selected)
        return Minus(self, selected)

    def where(self, wanted: Selection) -> "Design":
        """The rows that have one of the wanted values in each of the factors named."""
        selected = _selected(wanted)
        _check_values(self, selected)
        return Where(self, selected)

    def crossed(self, factor: Factor) -> "Design":
        """Each row with each value of one more factor, which comes before the cell."""
        return Crossed(self, factor)

    def fraction(self, q: int, seed: int) -> "Design":
        """One q-th of the rows, balanced: see `fractions`."""
        return Fraction(self, q, seed)

    def overlaps(self, other: "Design") -> bool:
        """Whether some row of this design agrees with a row of the other in all the factors that both have."""
        return any(mine.product.meets(its.product) for mine in self.parts for its in other.parts)


class Part(ABC):
    """A product of factors, or a regular fraction of one: what designs are made of."""

    @property
    @abstractmethod
    def product(self) -> "Product":
        """The product that the rows are from."""

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """How many rows there are; `len` would be limited to 2^63."""

    @property
    def n_cells(self) -> int:
        """How many rows show the same, one after the other."""
        last = self.product.factors[-1]
        return len(last.values) if last.name == CELL else 1

    @property
    def n_shown(self) -> int:
        """How many different things are shown, whatever the cell."""
        return self.n_rows // self.n_cells

    @abstractmethod
    def levels(self, index: int) -> list[int]:
        """The index of each factor's value in row `index`."""

    def row(self, index: int) -> Row:
        """Row `index`."""
        factors = self.product.factors
        return {f.name: f.values[level] for f, level in zip(factors, self.levels(index), strict=True)}

    @property
    def factor_names(self) -> tuple[str, ...]:
        """The factors' names, in order."""
        return tuple(factor.name for factor in self.product.factors)

    def factor(self, name: str) -> Factor:
        """The factor of that name."""
        return next(factor for factor in self.product.factors if factor.name == name)

    def n_rows_with(self, name: str, value: Value) -> int:
        """How many rows have a value of a factor."""
        values = self.factor(name).values
        return self.n_rows // len(values) if value in values else 0

    @abstractmethod
    def number_among(self, index: int, name: str) -> int:
        """The number of row `index` among the rows with its value of a factor: from 0, without a gap."""


@dataclass(frozen=True)
class Product(Design, Part):
    """Every combination of the factors' values, exactly once; the last factor varies fastest."""

    factors: tuple[Factor, ...]

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.factors]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a product has one or more factors of different names, got {names}")
        if CELL in names[:-1]:
            raise ValueError(f"the factor `cell` comes last, got {names}")

    @property
    @override
    def parts(self) -> tuple[Part, ...]:
        return (self,)

    @property
    @override
    def product(self) -> "Product":
        return self

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values each factor has."""
        return tuple(len(factor.values) for factor in self.factors)

    @cached_property
    @override
    def n_rows(self) -> int:
        return prod(self.sizes)

    @property
    @override
    def factor_names(self) -> tuple[str, ...]:
        return tuple(factor.name for factor in self.factors)

    @cached_property
    def _digits(self) -> tuple[tuple[str, Values, int, int], ...]:
        """Each factor's name, values, how many rows its value stays for, and how many values it has."""
        stays = [prod(self.sizes[k + 1 :]) for k in range(len(self.sizes))]
        return tuple((f.name, f.values, n, len(f.values)) for f, n in zip(self.factors, stays, strict=True))

    @override
    def levels(self, index: int) -> list[int]:
        return [index // stays % size for _, _, stays, size in self._digits]

    @override
    def row(self, index: int) -> Row:
        return {name: values[index // stays % size] for name, values, stays, size in self._digits}

    @override
    def number_among(self, index: int, name: str) -> int:
        """The number of row `index` among the rows with its value of a factor, in their order."""
        after = prod(self.sizes[self.factor_names.index(name) + 1 :])
        high, low = divmod(index, after)
        return high // len(self.factor(name).values) * after + low

    def __str__(self) -> str:
        return " x ".join(map(str, self.factors))

    def meets(self, other: "Product") -> bool:
        """Whether some row of this product agrees with a row of the other in all the factors that both have."""
        its = {factor.name: factor.values for factor in other.factors}
        return all(factor.within(its[factor.name]) for factor in self.factors if factor.name in its)

    def restricted(self, wanted: Selection) -> "Product | None":
        """The rows that have the wanted values; None if there are none."""
        kept = [f.within(wanted[f.name]) if f.name in wanted else f for f in self.factors]
        return Product(tuple(f for f in kept if f)) if all(kept) else None

    def subtracted(self, unwanted: Selection) -> tuple["Product", ...]:
        """Products that together have the rows which don't have all the unwanted values.

        For each factor of the selection: its other values, with the unwanted values of the factors before.
        """
        pieces = []
        rest: Product | None = self
        for k, factor in enumerate(self.factors):
            if factor.name not in unwanted or rest is None:
                continue
            other = factor.without(unwanted[factor.name])
            if other is not None:
                pieces.append(Product((*rest.factors[:k], other, *rest.factors[k + 1 :])))
            rest = rest.restricted({factor.name: unwanted[factor.name]})
        return tuple(pieces)


@dataclass(frozen=True)
class FractionPart(Part):
    """The rows of a product that fulfil linear equations in their levels."""

    whole: Product
    equations: Equations

    @property
    @override
    def product(self) -> Product:
        return self.whole

    @cached_property
    @override
    def n_rows(self) -> int:
        return self.equations.n_shown * self.n_cells

    @override
    def levels(self, index: int) -> list[int]:
        if self.whole.factors[-1].name != CELL:
            return self.equations.levels(index)
        shown, cell = divmod(index, self.n_cells)
        return [*self.equations.levels(shown), cell]

    @override
    def number_among(self, index: int, name: str) -> int:
        if name == CELL:
            return index // self.n_cells
        shown, cell = divmod(index, self.n_cells)
        return self.equations.number_among(shown, self.factor_names.index(name)) * self.n_cells + cell


@dataclass(frozen=True)
class Union(Design):
    """The rows of one design after those of the other; the factors are the same and no row is in two of them."""

    designs: tuple[Design, ...]

    def __post_init__(self) -> None:
        if len({part.factor_names for design in self.designs for part in design.parts}) != 1:
            raise ValueError("the parts of a union have the same factors in the same order")
        for k, design in enumerate(self.designs):
            for other in self.designs[:k]:
                if design.overlaps(other):
                    raise ValueError(
                        f"the parts of a union share no combination; `{_short(other)}` and `{_short(design)}` do"
                    )

    @cached_property
    @override
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for design in self.designs for part in design.parts)

    def __str__(self) -> str:
        return " + ".join(f"({design})" for design in self.designs)


@dataclass(frozen=True)
class Minus(Design):
    """The rows of a design but for those that agree with a row of another in all the other's factors."""

    design: Design
    unwanted: Design

    def __post_init__(self) -> None:
        _check_factors(self.design, self.unwanted)
        if not self.parts:
            raise InputError(f"`{_short(self)}` has no rows: nothing is left of the design")

    @cached_property
    @override
    def parts(self) -> tuple[Part, ...]:
        return _left(self.design, self.unwanted)

    def __str__(self) -> str:
        return f"({self.design}) - ({self.unwanted})"


@dataclass(frozen=True)
class Where(Design):
    """The rows of a design that agree with a row of another in all the other's factors."""

    design: Design
    wanted: Product

    def __post_init__(self) -> None:
        _check_factors(self.design, self.wanted)
        if not self.parts:
            raise InputError(f"`{_short(self)}` has no rows: the design has none of these values together")

    @cached_property
    @override
    def parts(self) -> tuple[Part, ...]:
        selection = {factor.name: factor.values for factor in self.wanted.factors}
        kept = (product.restricted(selection) for product in _products(self.design))
        return tuple(part for part in kept if part is not None)

    def __str__(self) -> str:
        return f"({self.design}) where ({self.wanted})"


@dataclass(frozen=True)
class Crossed(Design):
    """Each row of a design with each value of one more factor."""

    design: Design
    factor: Factor

    def __post_init__(self) -> None:
        if self.factor.name in self.design.factor_names:
            raise ValueError(f"the design has the factor `{self.factor.name}` already")

    @cached_property
    @override
    def parts(self) -> tuple[Part, ...]:
        return tuple(Product(self._inserted(product.factors)) for product in _products(self.design))

    def _inserted(self, factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
        if factors[-1].name == CELL:
            return (*factors[:-1], self.factor, factors[-1])
        return (*factors, self.factor)

    def __str__(self) -> str:
        return f"({self.design}) x {self.factor}"


@dataclass(frozen=True)
class Fraction(Design):
    """One q-th of each part of a design, in which single factors and pairs of factors are as balanced as in it.

    The cells are left whole: what is shown at all is shown in every cell.
    """

    design: Design
    q: int
    seed: int

    def __post_init__(self) -> None:
        _ = self.parts

    @cached_property
    @override
    def parts(self) -> tuple[Part, ...]:
        products = _products(self.design)
        return tuple(FractionPart(product, self._equations(product)) for product in products)

    def _equations(self, product: Product) -> Equations:
        sizes = product.sizes[:-1] if product.factors[-1].name == CELL else product.sizes
        found = balanced_equations(sizes, self.q, self.seed)
        if found is None:
            known = [q for q in range(2, 65) if balanced_equations(sizes, q, self.seed)]
            works = ", ".join(f"1/{q}" for q in known) or "none up to 1/64"
            raise InputError(
                f"`{_short(product)}` has no balanced fraction of 1/{self.q}: expected one that leaves the cells "
                f"whole and all pairs of factors even; there is {works}"
            )
        return found

    def __str__(self) -> str:
        return f"({self.design}) / {self.q} (seed {self.seed})"


@dataclass(frozen=True)
class Placed(Design):
    """A design's rows, each in a cell that is drawn from a placement: a function of (seed, index) alone."""

    design: Design
    placement: Placement
    seed: int

    @property
    @override
    def parts(self) -> tuple[Part, ...]:
        return self.design.parts

    @override
    def __getitem__(self, index: int) -> Row:
        row = self.design[index]
        ticket = below(self.placement.n, self.seed, "placement", index)
        return {**row, CELL: self.placement.cell(ticket)}

    def __str__(self) -> str:
        return f"{self.design}, each in a cell drawn from `{self.placement.name}` with seed {self.seed}"


def cells_crossed(design: Design) -> tuple[Cell, ...] | None:
    """The cells that everything which a design shows is shown in, once in each; None if there are no such cells."""
    if isinstance(design, Placed) or CELL not in design.factor_names:
        return None
    cells = {part.factor(CELL).values for part in design.parts}
    if len(cells) > 1:
        return None
    return tuple(cell for cell in cells.pop() if isinstance(cell, Cell))


@dataclass(frozen=True, slots=True)
class Split:
    """A design cut in two that share no row.

    Raises:
        InputError: Some row is in both.
    """

    train: Design
    test: Design

    def __post_init__(self) -> None:
        if self.train.overlaps(self.test):
            raise InputError(
                f"a split's parts share no combination; `{_short(self.train)}` and `{_short(self.test)}` do: "
                "take something out of one of them"
            )


def hold_out(design: Design, selections: Sequence[Selection]) -> Split:
    """Cuts a design into the rows that a selection has, for the test, and the others, for training.

    A selection with two factors or more holds out combinations: every value that is tested was trained, but never
    together. One with one factor holds out values; with the factor `cell`, places.

    Raises:
        InputError: A selection has a value that the design lacks, or combinations are held out of which some value
            is never trained.
    """
    held_out = [_selected(selection) for selection in selections]
    for part in held_out:
        _check_values(design, part)
    train: Design = reduce(Minus, held_out, design)
    tests: list[Design] = [Where(design, part) for part in held_out]
    test = reduce(_joined, tests)
    for part in held_out:
        if len(part.factors) > 1:
            _check_trained(train, part)
    return Split(train, test)


def _joined(tests: Design, more: Design) -> Design:
    """Both, each row once."""
    pieces = _left(more, tests)
    return Union((tests, *pieces)) if pieces else tests


def _check_trained(train: Design, held_out: Product) -> None:
    for factor in held_out.factors:
        missing = [spelled(v) for v in factor.values if v not in train.values(factor.name)]
        if missing:
            raise InputError(
                f"holding out `{_short(held_out)}` leaves no {factor.name} {', '.join(missing)} to train on: "
                "expected every value of a held-out combination in training too; hold out fewer, or the value alone"
            )


def _short(design: Design) -> str:
    """A design's expression, cut to what a line of an error can hold."""
    text = str(design)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def _selected(selection: Selection) -> Product:
    return Product(tuple(Factor(name, tuple(values)) for name, values in _cell_last(selection)))


def _cell_last(selection: Selection) -> Iterable[tuple[str, Sequence[Value]]]:
    return sorted(selection.items(), key=lambda item: item[0] == CELL)


def _products(design: Design) -> tuple[Product, ...]:
    """The parts of a design that can be combined further."""
    if isinstance(design, Placed) or not all(isinstance(part, Product) for part in design.parts):
        raise InputError(f"`{_short(design)}` can't be combined further: take the fraction, and place, at the end")
    return tuple(part.product for part in design.parts)


def _left(design: Design, unwanted: Design) -> tuple[Product, ...]:
    """What is left of a design without the rows of another; nothing, maybe."""
    left = list(_products(design))
    for product in _products(unwanted):
        selection = {factor.name: factor.values for factor in product.factors}
        left = [piece for whole in left for piece in whole.subtracted(selection)]
    return tuple(left)


def _check_factors(design: Design, selection: Design) -> None:
    unknown = set(selection.factor_names) - set(design.factor_names)
    if unknown:
        raise InputError(
            f"`{_short(selection)}` selects by {', '.join(sorted(unknown))}, which the design doesn't vary: expected "
            f"some of {', '.join(design.factor_names)}"
        )


def _check_values(design: Design, selection: Design) -> None:
    _check_factors(design, selection)
    for name in selection.factor_names:
        strangers = [spelled(v) for v in selection.values(name) if v not in design.values(name)]
        if strangers:
            known = ", ".join(map(spelled, design.values(name)[:_N_NAMED]))
            raise InputError(
                f"`{_short(selection)}`: the design has no {name} {', '.join(strangers)}, expected some of {known}"
            )
