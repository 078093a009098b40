"""Pictures by the batch: the same pixels as `render`, faster than filling the images with black.

Consecutive pictures of a batch's place differ in a few small objects. So a batch is one buffer that is filled with
the ground once; for each new picture only the last one's objects are wiped and the new ones put in, as patches that
were blended over the ground when they were first met. Designs that this doesn't hold for (grounds that are pictures,
objects that move) are rendered one by one, into the same buffer.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evensight.scenes.compose import Composer
from evensight.scenes.factors import POOLED_GROUNDS, Color, Value
from evensight.scenes.render import Image, Scene, blend, placed, render, window_corner
from evensight.scenes.sprites import Sprite

_KEPT_PATCHES = 4096

Window = tuple[slice, slice]
Patch = tuple[int, int, Image]
"""The pixel `x`, `y` that the top left one goes to, and the pixels, blended with the ground."""


def patches(composer: Composer, scene: Scene) -> list[Patch]:
    """The objects of a scene with a plain ground, blended over it: pixels."""
    found = []
    for thing in scene.objects:
        drawn, x, y = placed(scene, thing, composer.pools)
        found.append((x, y, _blended(drawn, ground_rgb(scene))))
    return found


@lru_cache(maxsize=_KEPT_PATCHES)
def _blended(drawn: Sprite, rgb: tuple[int, int, int]) -> Image:
    pixels = np.empty_like(drawn.rgb)
    pixels[:] = rgb
    blend(pixels, drawn)
    pixels.setflags(write=False)
    return pixels


def ground_rgb(scene: Scene) -> tuple[int, int, int]:
    """The colour of a scene's plain ground."""
    if not isinstance(scene.background, Color):
        raise TypeError(f"the ground {scene.background} is not plain")
    return scene.background.rgb


def is_plain(composer: Composer) -> bool:
    """Whether all scenes of a design have a plain ground."""
    return not any(value in POOLED_GROUNDS for value in composer.design.values("background"))


class Batches:
    """Draws pictures of a design into one buffer."""

    def __init__(self, composer: Composer, batch_size: int) -> None:
        """Prepares the buffer.

        Args:
            composer: Makes the scenes.
            batch_size: How many pictures are drawn at a time.
        """
        side, design = composer.size_px, composer.design
        self._composer = composer
        self._buffer = np.empty((batch_size, side, side, 3), dtype=np.uint8)
        self._images = list(self._buffer)
        self._grounds: list[Image | None] = [None] * batch_size
        self._windows: list[list[Window]] = [[] for _ in range(batch_size)]
        self._known: dict[int, tuple[Image, Image, Sequence[Window]]] = {}
        self._ground = lru_cache(maxsize=16)(self._ground_of)
        self._windows_of = lru_cache(maxsize=1024)(self._windows_by_cell)
        is_still = design.values("jitter") == (0,) and design.values("distractors") == (0,)
        is_one_in_all_cells = is_still and design.is_crossed and "category" not in design.rows.factor_names
        self._draw = (self._put_known if is_one_in_all_cells else self._put) if is_plain(composer) else self._render

    def __call__(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of these scenes, uint8 `[scene, height, width, 3]`; good until the next call.

        Raises:
            ValueError: There are more than the batch size.
        """
        if len(indices) > len(self._images):
            raise ValueError(f"a batch has {len(self._images)} pictures at most, got {len(indices)}")
        for place, index in enumerate(indices):
            self._draw(place, index)
        return self._buffer[: len(indices)]

    def _render(self, place: int, index: int) -> None:
        render(self._composer.scene(index), self._composer.pools, out=self._images[place])

    def _put(self, place: int, index: int) -> None:
        """Objects on a plain ground."""
        scene = self._composer.scene(index)
        image = self._wiped(place, self._ground(scene.background))
        for x, y, pixels in patches(self._composer, scene):
            window = (slice(y, y + pixels.shape[0]), slice(x, x + pixels.shape[1]))
            image[window] = pixels
            self._windows[place].append(window)

    def _put_known(self, place: int, index: int) -> None:
        """One object on a plain ground, its pixels the same in every cell: a patch that is kept."""
        shown, cell = divmod(index, self._composer.design.n_cells)
        known = self._known.get(shown)
        if known is None:
            known = self._learn(shown)
        ground, pixels, windows = known
        window = windows[cell]
        self._wiped(place, ground)[window] = pixels
        self._windows[place].append(window)

    def _learn(self, shown: int) -> tuple[Image, Image, Sequence[Window]]:
        if len(self._known) >= _KEPT_PATCHES:
            self._known.clear()
        composer = self._composer
        scene = composer.scene(shown * composer.design.n_cells)
        drawn, _, _ = placed(scene, scene.objects[0], composer.pools)
        windows = self._windows_of(drawn.window_px, drawn.offset_px, drawn.alpha.shape)
        self._known[shown] = self._ground(scene.background), patches(composer, scene)[0][2], windows
        return self._known[shown]

    def _windows_by_cell(
        self, window_px: int, offset_px: tuple[int, int], shape: tuple[int, int]
    ) -> Sequence[Window]:
        design, size_px = self._composer.design, self._composer.size_px
        corners = (window_corner(design.grid, size_px, cell, window_px) for cell in design.crossed_cells or ())
        at = ((x + offset_px[0], y + offset_px[1]) for x, y in corners)
        return tuple((slice(y, y + shape[0]), slice(x, x + shape[1])) for x, y in at)

    def _ground_of(self, background: Value) -> Image:
        plain = self._composer.pools.ground(background).pixels(0, self._composer.size_px)
        return np.ascontiguousarray(plain)  # a picture in memory is copied ten times faster than one value is spread

    def _wiped(self, place: int, ground: Image) -> Image:
        """The picture at a place with nothing but its ground."""
        image, windows = self._images[place], self._windows[place]
        if self._grounds[place] is not ground:
            image[:] = ground
            self._grounds[place] = ground
        else:
            for window in windows:
                image[window] = ground[window]
        windows.clear()
        return image


def batches(
    composer: Composer, indices: Sequence[int], batch_size: int
) -> Iterator[tuple[Sequence[int], NDArray[np.uint8]]]:
    """The pictures of many scenes, batch by batch, in one buffer that is used again.

    Yields:
        The indices of a batch, and its pictures, uint8 `[scene, height, width, 3]`, good until the next.
    """
    draw = Batches(composer, batch_size)
    for start in range(0, len(indices), batch_size):
        chunk = indices[start : start + batch_size]
        yield chunk, draw(chunk)
