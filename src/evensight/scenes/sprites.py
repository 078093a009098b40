"""Sprites: one object drawn once, as a coverage mask and its shaded colours, ready to be put on an image.

A shape is a set of points of the square [-1, 1] x [-1, 1] (y down), the square being the shape's own bounding
box, or for the star the box of equal scale that its width fills. Coverage comes from 8 x 8 samples a pixel in
exact symmetric positions, so a sprite and its mirror image are equal to the bit where the shape is symmetric.
Sheen shades from straight above, so that it tells nothing of left and right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evensight.scenes.factors import COLORS

_SAMPLES = 8
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sprite:
    """An object's pixels, cut to its bounds.

    Attributes:
        alpha: Coverage, uint8 `[height, width]`; 255 is fully covered. Every row and column that touches an
            edge of the sprite has a covered pixel, so the sprite's bounds are the object's box.
        rgb: Colours, uint8 `[height, width, 3]`.
        offset_px: Where the sprite's top left pixel lies, `(x, y)`, in the square it was drawn in.
    """

    alpha: NDArray[np.uint8]
    rgb: NDArray[np.uint8]
    offset_px: tuple[int, int]


@lru_cache(maxsize=4096)
def sprite(shape: str, color: str, sheen: str, extent_px: int) -> Sprite:
    """Draws an object in a square of `extent_px` pixels a side and cuts it to its bounds."""
    alpha = coverage(shape, extent_px)
    rows, cols = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    rgb = _shade(np.array(COLORS[color], dtype=np.float64), sheen, extent_px)
    cut = Sprite(alpha[window].copy(), rgb[window].copy(), (int(cols[0]), int(rows[0])))
    cut.alpha.setflags(write=False)
    cut.rgb.setflags(write=False)
    return cut


def coverage(shape: str, extent_px: int) -> NDArray[np.uint8]:
    """How much of each pixel the shape covers, 0 to 255, uint8 `[extent_px, extent_px]`."""
    n = extent_px * _SAMPLES
    at = (2 * np.arange(n) + 1 - n) / n  # sample positions, symmetric about 0 to the bit
    inside = _SHAPES[shape](at[None, :], at[:, None])
    share = inside.reshape(extent_px, _SAMPLES, extent_px, _SAMPLES).mean(axis=(1, 3))
    covered: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
    return covered


def _square(x: Points, y: Points) -> NDArray[np.bool_]:
    return (np.abs(x) <= 1) & (np.abs(y) <= 1)


def _circle(x: Points, y: Points) -> NDArray[np.bool_]:
    return x**2 + y**2 <= 1


def _triangle(x: Points, y: Points) -> NDArray[np.bool_]:
    return 2 * np.abs(x) <= 1 + y


def _plus(x: Points, y: Points) -> NDArray[np.bool_]:
    return (np.abs(x) <= 1 / 3) | (np.abs(y) <= 1 / 3)


def _star(x: Points, y: Points) -> NDArray[np.bool_]:
    """A pentagram of width 2, a point up: inside at least four of the five lines that its edges lie on.

    With the points on a circle of radius r, each line is r cos 72° from the centre, its normal towards a
    point: the pentagon in the middle is inside all five, a tip is outside one.
    """
    radius = 1 / np.cos(np.pi / 10)  # the widest points lie 18° above the centre
    center_y = radius * (1 - np.cos(np.pi / 5)) / 2  # puts the middle of the box at 0
    sideways, down = np.abs(x), y - center_y  # the mirror symmetry is exact by |x|
    n_inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.int64)
    for k in range(5):
        angle = -np.pi / 2 + 2 * np.pi * k / 5
        n_inside += np.cos(angle) * sideways + np.sin(angle) * down <= radius * np.cos(2 * np.pi / 5)
    return n_inside >= 4


_SHAPES: dict[str, Callable[[Points, Points], NDArray[np.bool_]]] = {
    "square": _square,
    "circle": _circle,
    "triangle": _triangle,
    "star": _star,
    "plus": _plus,
}


def _shade(color: NDArray[np.float64], sheen: str, extent_px: int) -> NDArray[np.uint8]:
    """The colours of a square of `extent_px` pixels a side under a sheen, uint8 `[y, x, 3]`."""
    at = (2 * np.arange(extent_px) + 1 - extent_px) / extent_px
    x, y = np.broadcast_arrays(at[None, :], at[:, None])
    light = np.ones((extent_px, extent_px))
    highlight = np.zeros((extent_px, extent_px))
    falloff = np.clip((x**2 + (y + 0.4) ** 2) / 2.4, 0, 1)
    if sheen == "matte":
        light = 1 - 0.35 * falloff
    if sheen == "glossy":  # darker than matte, so that its highlight shows on white too
        light = 0.8 - 0.35 * falloff
        highlight = 0.9 * np.exp(-((x / 0.34) ** 2 + ((y + 0.42) / 0.2) ** 2))
    shaded = color * light[..., None]
    shaded += (255 - shaded) * highlight[..., None]
    return np.rint(shaded).astype(np.uint8)
