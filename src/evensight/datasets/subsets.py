"""Some of a set's examples: a part of it, and one of a given number in which every cell has its share."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Cell
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.randomness import unit


class Part(ExampleSet):
    """Some of a set's examples, in its order; it claims no balance."""

    def __init__(self, whole: ExampleSet, indices: Sequence[int], config: Mapping[str, Any]) -> None:
        """Prepares the part.

        Args:
            whole: The set.
            indices: Which of its examples.
            config: What they depend on beside the set. Its `part` names one part of a division that is otherwise
                said by the rest: only two such parts count as sharing no example.
        """
        self._whole = whole
        self._indices = tuple(indices)
        self._config = dict(config)

    @property
    @override
    def info(self) -> SetInfo:
        info = self._whole.info
        config = {"of": dict(info.config), "hash": self._whole.hash, **self._config}
        return SetInfo(info.name, config, info.factors, info.grid, (), info.notes, info.of_photos, info.prior)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Example:
        return self._whole[self._indices[index]]

    @override
    def cell(self, index: int) -> Cell:
        return self._whole.cell(self._indices[index])

    @override
    def image(self, index: int) -> Image.Image:
        return self._whole.image(self._indices[index])

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        return self._whole.pixels(self._indices[index])

    @override
    def encoded(self, index: int) -> bytes:
        return self._whole.encoded(self._indices[index])


def subset(examples: ExampleSet, n: int, seed: int) -> ExampleSet:
    """A part of `n` examples, drawn by the seed, in the set's order; the set itself where it has no more.

    Each cell has as large a share of the part as of the set, to one example: a balanced set's part is as balanced as
    its number allows, and one that is placed as photographs are stays so. The smaller of two parts of one seed is in
    the larger, but for what rounding adds.

    Raises:
        InputError: The set has fewer examples.
    """
    if n > len(examples):
        raise InputError(
            f"`{examples.info.name}` has {len(examples):,} examples: expected as many at most, got {n:,}"
        )
    if n == len(examples):
        return examples
    chosen = drawn_evenly(examples, n / len(examples), seed, "subset")
    return Part(examples, sorted(chosen), {"n": n, "seed": seed})


def drawn_evenly(examples: ExampleSet, share: float, seed: int, purpose: str) -> set[int]:
    """The indices of a share of the examples, as large a share of every cell, to one example."""
    cells: dict[Cell, list[int]] = {}
    for index in range(len(examples)):
        cells.setdefault(examples.cell(index), []).append(index)
    chosen: set[int] = set()
    owed = 0.0
    for cell in sorted(cells):
        drawn = sorted(cells[cell], key=lambda index: (unit(seed, purpose, index), index))
        owed += share * len(drawn)
        taken = round(owed)
        chosen.update(drawn[:taken])
        owed -= len(drawn[:taken])
    return chosen
