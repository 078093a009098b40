"""Two sets as one: scenes and photographs, shuffled together, each example as it was."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Cell
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.randomness import Permutation, mix

SOURCE = "source"
"""The factor that says which of the two an example is from."""
_ABSENT = "–"
"""The value of a factor that the example's own set doesn't have."""


class Mixture(ExampleSet):
    """All examples of two sets in an order drawn from the seed; a factor says which set each is of."""

    def __init__(self, name: str, first: ExampleSet, second: ExampleSet, seed: int) -> None:
        """Mixes two sets.

        Args:
            name: The mixture's name.
            first: A set.
            second: Another one on the same grid; no id may be in both.
            seed: Draws the order.

        Raises:
            InputError: The sets are on different grids.
        """
        a, b = first.info, second.info
        if a.grid != b.grid:
            raise InputError(
                f"`{a.name}` is on a {a.grid} grid and `{b.name}` on a {b.grid} grid: a mixture has one grid"
            )
        self._parts = (first, second)
        self._names = (a.name, b.name)
        self._order = Permutation(len(first) + len(second), mix(seed, "mixture"))
        factors = dict.fromkeys((*a.factors, *b.factors))
        self._info = SetInfo(
            name,
            {"mixture": [dict(a.config), dict(b.config)], "seed": seed},
            (SOURCE, *factors),
            a.grid,
            (),
            {"parts": {part.info.name: {"n": len(part), "notes": dict(part.info.notes)} for part in self._parts}},
            of_photos=a.of_photos and b.of_photos,
        )

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Example:
        part, k = self._at(index)
        example = self._parts[part][k]
        attributes: Mapping[str, Any] = dict.fromkeys(self._info.factors, _ABSENT) | dict(example.attributes)
        return Example(**_fields(example) | {"attributes": {**attributes, SOURCE: self._names[part]}})

    @override
    def cell(self, index: int) -> Cell:
        part, k = self._at(index)
        return self._parts[part].cell(k)

    @override
    def image(self, index: int) -> Image.Image:
        part, k = self._at(index)
        return self._parts[part].image(k)

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        part, k = self._at(index)
        return self._parts[part].pixels(k)

    @override
    def encoded(self, index: int) -> bytes:
        part, k = self._at(index)
        return self._parts[part].encoded(k)

    def _at(self, index: int) -> tuple[int, int]:
        """The set that an example is from, and its place there."""
        place = self._order[index]
        n = len(self._parts[0])
        return (0, place) if place < n else (1, place - n)


def _fields(example: Example) -> dict[str, Any]:
    return {name: getattr(example, name) for name in Example.__dataclass_fields__}
