"""Sprites: one object drawn once, as a coverage mask and its colours, ready to be put on an image.

A sprite is cut to its bounds and knows where it lies in its *window*: a square whose centre is the object's
anchor (the centre of its box, or its centroid), so that an object is placed by placing its window. The window's
side has the parity of the image's side; then rounding is the same on both sides of the image.

Coverage comes from 8 x 8 samples a pixel (at some edges 32 x 32) in exact symmetric positions about the window's
centre, and shapes are symmetric to the bit: the sprite of a look turned the other way is the mirrored sprite, in
alpha, colours and place. Sheen shades from straight above, so that it tells nothing of left and right.

How large a shape is drawn is a choice, because no choice makes all things equal: with `fit="box"` the larger
side of the box is a whole number of pixels, the same for all shapes of a size; with `fit="area"` the area is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, isfinite
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evensight.errors import InputError, one_of
from evensight.scenes.shapes import SHAPES, Points, Shape, rotated

Fit = Literal["box", "area"]
"""What is the same for all shapes of a size: the larger side of their boxes, or their areas."""
Anchor = Literal["box", "centroid"]
"""What lies on the centre of the window: the centre of the box, or the centroid."""

SHEENS = ("none", "matte", "glossy")
AREA_SHARE = min(shape.area for shape in SHAPES.values()) / 4
"""The area of a shape with `fit="area"` and side 1: the share that the leanest of all shapes has of its square,
so that a lean one is as large as with `fit="box"` and all others smaller."""

_SAMPLES, _FINE_SAMPLES = 8, 32  # along each side of a pixel; powers of 2, so that their places are exact
_MAX_SAMPLES = 1 << 15  # at once, to bound the memory that a large sprite takes


@dataclass(frozen=True, slots=True)
class Look:
    """What an object looks like, all but its size and place.

    Attributes:
        shape: A name in `shapes.SHAPES`.
        rgb: The colour, 0 to 255 each.
        sheen: One of `SHEENS`.
        rotation_deg: How far it is turned, counter-clockwise as seen; the light stays above.
        fit: What is the same for all shapes of a size.
        anchor: Which point of it is placed.

    Raises:
        InputError: One of these is none of its values.
    """

    shape: str
    rgb: tuple[int, int, int]
    sheen: str = "none"
    rotation_deg: float = 0.0
    fit: Fit = "box"
    anchor: Anchor = "box"

    def __post_init__(self) -> None:
        choices: Mapping[str, tuple[str, ...]] = {
            "shape": tuple(SHAPES),
            "sheen": SHEENS,
            "fit": ("box", "area"),
            "anchor": ("box", "centroid"),
        }
        for what, known in choices.items():
            if getattr(self, what) not in known:
                raise one_of(f"the {what}", getattr(self, what), known)
        if len(self.rgb) != 3 or not all(isinstance(level, int) and 0 <= level <= 255 for level in self.rgb):
            raise InputError(f"the colour `{self.rgb}` is not one: expected three whole numbers from 0 to 255")
        if not isfinite(self.rotation_deg):
            raise InputError(f"the rotation `{self.rotation_deg}` is not one: expected a number of degrees")


class Reach(NamedTuple):
    """How far an object reaches from its anchor, in pixels, none below 0."""

    left_px: float
    up_px: float
    right_px: float
    down_px: float


@dataclass(frozen=True, eq=False)
class Sprite:
    """An object's pixels, cut to its bounds.

    Attributes:
        alpha: Coverage, uint8 `[height, width]`; 255 is fully covered. The first and last rows and columns
            have a covered pixel each, so the sprite's bounds are the object's box.
        rgb: Colours, uint8 `[height, width, 3]`.
        offset_px: Where the sprite's top left pixel lies, `(x, y)`, from the window's top left corner.
        window_px: The side of the window, whose centre is the object's anchor.
    """

    alpha: NDArray[np.uint8]
    rgb: NDArray[np.uint8]
    offset_px: tuple[int, int]
    window_px: int

    def __post_init__(self) -> None:
        self.alpha.setflags(write=False)
        self.rgb.setflags(write=False)

    @cached_property
    def area_px(self) -> float:
        """The covered area in pixels, partly covered ones in part."""
        return int(self.alpha.sum(dtype=np.int64)) / 255

    @cached_property
    def centroid_px(self) -> tuple[float, float]:
        """The centre of gravity of the coverage, `(x, y)`, from the sprite's top left corner."""
        total, (twice_x, twice_y) = _twice_moments(self.alpha)
        return twice_x / (2 * total), twice_y / (2 * total)


@lru_cache(maxsize=4096)
def sprite(look: Look, side_px: float, parity: int) -> Sprite:
    """Draws an object.

    Args:
        look: What it looks like.
        side_px: Its nominal side: with `fit="box"` the larger side of its box before rounding, with
            `fit="area"` the side of the square of which it covers `AREA_SHARE`. At least 1.
        parity: Of the window's side: 0 for an image with an even side, 1 for an odd one.

    Raises:
        InputError: The side is below one pixel.
    """
    mask = _mask(_placing_of(look, side_px, parity))
    color = np.array(look.rgb, dtype=np.float64)
    if look.sheen == "none":
        rgb = np.tile(color.astype(np.uint8), (*mask.alpha.shape, 1))
    else:
        light, highlight = _shading(mask, look.sheen)
        shaded = color * light
        shaded += (255 - shaded) * highlight
        rgb = np.rint(shaded).astype(np.uint8)
    return Sprite(mask.alpha, rgb, mask.offset_px, mask.placing.window_px)


def extent_px(side_px: float, parity: int) -> int:
    """The whole number of pixels of a parity that is nearest a side, at least the parity's first."""
    return max(2 * round((side_px - parity) / 2), 2 - 2 * parity) + parity


def bounds_px(look: Look, side_px: float, parity: int) -> tuple[float, float]:
    """The size of the turned shape's box before it is rastered, `(width, height)`; see `sprite`."""
    reach = reach_px(look, side_px, parity)
    return reach.left_px + reach.right_px, reach.up_px + reach.down_px


def reach_px(look: Look, side_px: float, parity: int) -> Reach:
    """How far the turned shape reaches from its anchor before it is rastered; see `sprite`."""
    return _placing_of(look, side_px, parity).reach_px


def cut_sprite(alpha: NDArray[np.uint8], rgb: NDArray[np.uint8], parity: int, anchor: Anchor = "box") -> Sprite:
    """Makes a sprite of a cut-out object, cut to its bounds.

    Pixels stay as they are, so the anchor lies on the window's centre to the nearest half pixel. Where a box
    of the other parity can't be centred, the half pixel goes to the side that brings the centroid nearer the
    centre, and so to the other side in the mirror image.

    Args:
        alpha: Coverage, uint8 `[height, width]`, covered somewhere.
        rgb: Colours, uint8 `[height, width, 3]`.
        parity: Of the window's side.
        anchor: Which point of the object lies on the window's centre.
    """
    if alpha.dtype != np.uint8 or rgb.dtype != np.uint8 or rgb.shape != (*alpha.shape, 3) or not alpha.any():
        raise ValueError(
            f"a cut-out is a mask with a covered pixel, uint8 [height, width], and its colours, uint8 "
            f"[height, width, 3]; got {alpha.dtype} {list(alpha.shape)} and {rgb.dtype} {list(rgb.shape)}"
        )
    cut, _ = _cut(alpha)
    mask, (height, width) = alpha[cut].copy(), alpha[cut].shape
    total, moments = _twice_moments(mask)
    sides = (width, height)
    twice = [_twice_anchor(n, moment, total, parity, anchor) for n, moment in zip(sides, moments, strict=True)]
    window = max(max(at, 2 * n - at) for at, n in zip(twice, sides, strict=True))
    return Sprite(mask, rgb[cut].copy(), ((window - twice[0]) // 2, (window - twice[1]) // 2), window)


def _twice_anchor(n_px: int, twice_moment: int, total: int, parity: int, anchor: Anchor) -> int:
    """Twice the place of the anchor in a sprite's side of `n_px`: a whole number of the parity.

    All in whole numbers: the centroid is at `twice_moment / (2 * total)`.
    """
    if anchor == "centroid":
        return 2 * ((twice_moment - (parity - 1) * total) // (2 * total)) + parity
    if n_px % 2 == parity:
        return n_px
    return n_px + 1 if twice_moment > n_px * total else n_px - 1


def _twice_moments(alpha: NDArray[np.uint8]) -> tuple[int, tuple[int, int]]:
    """The sum of a mask, and of its values times twice the place of their pixels' centres, for x and y."""
    by_col, by_row = alpha.sum(axis=0, dtype=np.int64), alpha.sum(axis=1, dtype=np.int64)
    return int(by_col.sum()), (_twice_moment(by_col), _twice_moment(by_row))


def _twice_moment(values: NDArray[np.int64]) -> int:
    return int(values @ (2 * np.arange(len(values)) + 1))


def _cut(alpha: NDArray[np.uint8]) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """The rows and columns from the first covered to the last, and the first ones' `(x, y)`."""
    rows, cols = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    return np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], (int(cols[0]), int(rows[0]))


@dataclass(frozen=True)
class _Placing:
    """How a shape lies in its window: all that its mask depends on.

    Attributes:
        shape: The shape, unturned.
        rotation_deg: How far it is turned.
        unit_px: The pixels of one unit of the shape's coordinates.
        box: The turned shape's bounds, `(x0, y0, x1, y1)`, in its coordinates.
        anchor: The turned anchor, `(x, y)`, in its coordinates: it lies on the window's centre.
        parity: Of the window's side.
        fine: Whether the pixels at its edges are to be sampled finely.
    """

    shape: Shape
    rotation_deg: float
    unit_px: float
    box: tuple[float, float, float, float]
    anchor: tuple[float, float]
    parity: int
    fine: bool

    @property
    def reach_px(self) -> Reach:
        x0, y0, x1, y1 = self.box
        x, y = self.anchor
        return Reach(*(self.unit_px * distance for distance in (x - x0, y - y0, x1 - x, y1 - y)))

    @property
    def window_px(self) -> int:
        """The smallest whole side of the parity that holds the shape."""
        least = ceil(2 * max(self.reach_px) - 1e-9)  # a side that is whole but for rounding is whole
        return least + (least + self.parity) % 2

    @property
    def box_center_px(self) -> tuple[float, float]:
        """The centre of the box, `(x, y)`, from the window's centre."""
        center = _center(self.box)
        return self.unit_px * (center[0] - self.anchor[0]), self.unit_px * (center[1] - self.anchor[1])

    @property
    def half_px(self) -> float:
        """Half of the larger side of the box."""
        x0, y0, x1, y1 = self.box
        return self.unit_px * (max(x1 - x0, y1 - y0) / 2)

    def inside(self, x_px: Points, y_px: Points) -> NDArray[np.bool_]:
        """Whether points, from the window's centre, are in the turned shape."""
        x, y = x_px / self.unit_px + self.anchor[0], y_px / self.unit_px + self.anchor[1]
        return self.shape.inside(*rotated(x, y, -self.rotation_deg))


def _placing_of(look: Look, side_px: float, parity: int) -> _Placing:
    shape = SHAPES[look.shape]
    return _placing(shape, shape.reduced_deg(look.rotation_deg), look.fit, look.anchor, side_px, parity)


@lru_cache(maxsize=1024)
def _placing(shape: Shape, rotation_deg: float, fit: Fit, anchor: Anchor, side_px: float, parity: int) -> _Placing:
    if not (1 <= side_px < np.inf) or parity not in (0, 1):
        raise InputError(f"an object's side is at least 1 px (of parity 0 or 1), got `{side_px}` ({parity})")
    box = shape.bounds(rotation_deg)
    if fit == "area":
        unit = side_px * (AREA_SHARE / shape.area) ** 0.5
    else:
        unit = extent_px(side_px, parity) / max(box[2] - box[0], box[3] - box[1])
    x, y = shape.centroid
    turned_x, turned_y = rotated(np.asarray(x), np.asarray(y), rotation_deg)
    point = (float(turned_x), float(turned_y)) if anchor == "centroid" else _center(box)
    return _Placing(shape, rotation_deg, unit, box, point, parity, fit == "area")


def _center(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@dataclass(frozen=True, eq=False)
class _Mask:
    """The coverage of a shape, cut to its bounds, and where these lie in the window."""

    placing: _Placing
    alpha: NDArray[np.uint8]
    offset_px: tuple[int, int]


@lru_cache(maxsize=1024)
def _mask(placing: _Placing) -> _Mask:
    alpha = _coverage(placing)
    cut, offset = _cut(alpha)
    return _Mask(placing, alpha[cut].copy(), offset)


def _coverage(placing: _Placing) -> NDArray[np.uint8]:
    """How much of each pixel of the window the shape covers, uint8 `[window, window]`.

    8 x 8 samples leave an edge along the pixels unsure to 1/8 px, 4 % of a small square's area; so where equal
    areas are promised, the pixels at the edges are sampled again, 32 x 32.
    """
    alpha = _sampled(placing)
    if placing.fine:
        rows, cols = np.nonzero(_near_edge(alpha))
        alpha[rows, cols] = _resampled(placing, cols, rows)
    return alpha


def _sampled(placing: _Placing) -> NDArray[np.uint8]:
    n_px = placing.window_px
    n = n_px * _SAMPLES
    at = (2 * np.arange(n) + 1 - n) / (2 * _SAMPLES)  # in pixels, symmetric about 0 to the bit
    band = max(1, _MAX_SAMPLES // (n * _SAMPLES)) * _SAMPLES
    alpha = np.empty((n_px, n_px), dtype=np.uint8)
    for row in range(0, n, band):
        inside = placing.inside(at[None, :], at[row : row + band, None])
        by_row = inside.reshape(-1, _SAMPLES, n).sum(axis=1, dtype=np.uint8)
        count = by_row.reshape(-1, n_px, _SAMPLES).sum(axis=2, dtype=np.uint8)
        alpha[row // _SAMPLES : (row + band) // _SAMPLES] = _levels(count, _SAMPLES)
    return alpha


def _near_edge(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels are covered in part, or are full beside an empty one or the other way round.

    The latter for edges along the pixels, which can hide between the samples.
    """
    around = np.pad(alpha, 1)
    near = (around > 0) & (around < 255)
    down, right = (around[1:] ^ around[:-1]) == 255, (around[:, 1:] ^ around[:, :-1]) == 255
    near[1:] |= down
    near[:-1] |= down
    near[:, 1:] |= right
    near[:, :-1] |= right
    return near[1:-1, 1:-1]


def _resampled(placing: _Placing, cols: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """How much of the pixels in these columns and rows the shape covers, uint8 `[pixel]`."""
    within = (2 * np.arange(_FINE_SAMPLES) + 1 - _FINE_SAMPLES) / (2 * _FINE_SAMPLES)
    x, y = ((2 * at[:, None, None] + 1 - placing.window_px) / 2 for at in (cols, rows))
    n_at_once = _MAX_SAMPLES // _FINE_SAMPLES**2
    count = np.empty(len(cols), dtype=np.int64)
    for first in range(0, len(cols), n_at_once):
        some = slice(first, first + n_at_once)
        inside = placing.inside(x[some] + within[None, None, :], y[some] + within[None, :, None])
        count[some] = np.count_nonzero(inside, axis=(1, 2))
    return _levels(count, _FINE_SAMPLES)


def _levels(count: NDArray[np.integer], n_samples: int) -> NDArray[np.uint8]:
    """The coverage of pixels with so many of n x n samples covered."""
    levels: NDArray[np.uint8] = np.rint(count * (255 / n_samples**2)).astype(np.uint8)
    return levels


@lru_cache(maxsize=1024)
def _shading(mask: _Mask, sheen: str) -> tuple[Points, Points]:
    """How much light falls on each pixel, and how much of it is highlight, float64 `[y, x, 1]` each.

    The light is laid out over the square around the turned shape's box, from -1 to 1.
    """
    x, y = (
        (offset + np.arange(n) + 0.5 - mask.placing.window_px / 2 - center) / mask.placing.half_px
        for offset, n, center in zip(mask.offset_px, mask.alpha.shape[::-1], mask.placing.box_center_px, strict=True)
    )
    x, y = x[None, :, None], y[:, None, None]
    falloff = np.clip((x**2 + (y + 0.4) ** 2) / 2.4, 0, 1)
    if sheen == "matte":
        return 1 - 0.35 * falloff, np.zeros_like(falloff)
    spot_y = _spot_y(mask.placing)
    highlight = 0.9 * np.exp(-((x / 0.34) ** 2 + ((y - spot_y) / 0.2) ** 2))
    return 0.8 - 0.35 * falloff, highlight  # darker than matte, so that the highlight shows on white too


def _spot_y(placing: _Placing) -> float:
    """Where the highlight's middle is, on the upright through the middle: in the shape, or nobody would see it.

    The point of the shape with some shape above and below that is nearest to -0.42.
    """
    y = np.arange(-110, 111) / 100
    center_x, center_y = placing.box_center_px
    inside = placing.inside(np.asarray(center_x), center_y + placing.half_px * y)
    deep = inside[:-20] & inside[10:-10] & inside[20:]
    spots = y[10:-10][deep]
    return float(spots[np.abs(spots + 0.42).argmin()])
