"""The covered object: a plain patch over it, and another one elsewhere, so that a patch gives nothing away."""

from collections.abc import Mapping
from math import ceil, floor
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from evensight.annotations import Box, Frame, Grid
from evensight.datasets.altered import Altered
from evensight.datasets.examples import Example, ExampleSet
from evensight.progress import track
from evensight.randomness import below

Patch = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in whole pixels, half open."""

_N_TRIES = 32
_MIN_RING_PX = 2
_RING_SHARE = 0.1


class Covered(Altered):
    """The object's box in the mean colour of a frame around it, and a second patch of that size somewhere else."""

    name: ClassVar = "covered"
    description: ClassVar = (
        "the object is under a plain patch, and so is another place: what is right here comes from what is around it"
    )

    def __init__(self, examples: ExampleSet, seed: int) -> None:
        """Counts the pictures that have no room for a second patch."""
        super().__init__(examples, seed)
        tracked = track(examples, f"placing patches for {self.name}", len(examples), "questions")
        self._n_alone = sum(not _n_free(patch_of(example.box, example.frame), example.frame) for example in tracked)

    @override
    def _notes(self) -> Mapping[str, Any]:
        return {"n_without_second_patch": self._n_alone}

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        pixels = np.array(self._base.pixels(index))
        for patch in self.patches(index):
            _cover(pixels, patch)
        return pixels

    def patches(self, index: int) -> tuple[Patch, ...]:
        """The object's patch, and the second one where there is room."""
        example = self._base[index]
        second = _second(example, self._grid, self._seed, index)
        first = patch_of(example.box, example.frame)
        return (first,) if second is None else (first, second)


def patch_of(box: Box, frame: Frame) -> Patch:
    """The whole pixels of the frame that a box touches: one at least, also where the box is off the frame."""
    x0 = min(max(floor(box.x0_px), 0), frame.width_px - 1)
    y0 = min(max(floor(box.y0_px), 0), frame.height_px - 1)
    x1, y1 = min(ceil(box.x1_px), frame.width_px), min(ceil(box.y1_px), frame.height_px)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _second(example: Example, grid: Grid, seed: int, index: int) -> Patch | None:
    """A patch of the size of the object's that doesn't touch it, if possible in another area."""
    first = patch_of(example.box, example.frame)
    n = _n_free(first, example.frame)
    if not n:
        return None
    drawn = [_free(first, example.frame, below(n, seed, "second patch", index, k)) for k in range(_N_TRIES)]
    elsewhere = (patch for patch in drawn if _area(patch, example.frame, grid) != example.area)
    return next(elsewhere, drawn[0])


def _area(patch: Patch, frame: Frame, grid: Grid) -> str:
    return grid.area_of(grid.cell_at(Box(*patch).center_px, frame))


def _starts(low: int, high: int, n: int) -> tuple[int, list[int]]:
    """How many places a stretch of this length has among `n`, and those of them that don't touch it."""
    size = high - low
    return n - size + 1, [*range(low - size + 1), *range(high, n - size + 1)]


def _n_free(patch: Patch, frame: Frame) -> int:
    """How many places a second patch can have: apart in x, or else apart in y."""
    x0, y0, x1, y1 = patch
    n_x, free_x = _starts(x0, x1, frame.width_px)
    n_y, free_y = _starts(y0, y1, frame.height_px)
    return n_x * n_y - (n_x - len(free_x)) * (n_y - len(free_y))


def _free(patch: Patch, frame: Frame, number: int) -> Patch:
    """The place of that number among those that `_n_free` counts."""
    x0, y0, x1, y1 = patch
    n_x, free_x = _starts(x0, x1, frame.width_px)
    n_y, free_y = _starts(y0, y1, frame.height_px)
    if number < len(free_x) * n_y:
        y, k = divmod(number, len(free_x))
        x = free_x[k]
    else:
        k, at = divmod(number - len(free_x) * n_y, n_x - len(free_x))
        y, x = free_y[k], max(0, x0 - (x1 - x0) + 1) + at
    return x, y, x + x1 - x0, y + y1 - y0


def _cover(pixels: NDArray[np.uint8], patch: Patch) -> None:
    """Fills a patch with the mean colour of the ring around it; of the whole picture where there is none."""
    x0, y0, x1, y1 = patch
    height, width, _ = pixels.shape
    ring_px = max(_MIN_RING_PX, round(_RING_SHARE * min(x1 - x0, y1 - y0)))
    left, top = max(0, x0 - ring_px), max(0, y0 - ring_px)
    around = pixels[top : min(height, y1 + ring_px), left : min(width, x1 + ring_px)]
    is_ring = np.ones(around.shape[:2], dtype=bool)
    is_ring[y0 - top : y1 - top, x0 - left : x1 - left] = False
    ring = around[is_ring] if is_ring.any() else pixels.reshape(-1, 3)
    pixels[y0:y1, x0:x1] = np.rint(ring.mean(axis=0)).astype(np.uint8)
