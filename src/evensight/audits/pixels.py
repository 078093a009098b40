"""What only the pictures can say: which are the same, and which show less than their label says.

Two pictures are the same when their size and their RGB pixels are; the bytes of their files don't matter. An object
is compared with the ground around it: a ring around its box, to whose colours (CIE L*a*b*, in which a distance of
about 2.3 is just noticeable) a plane is fitted, so that a gradient is no object. What is left of the pixels in the
box is set against what is left of the ring's own. Each picture is read once and let go.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evensight.annotations import Box
from evensight.audits.columns import AuditTable, NoPictureError, Target
from evensight.pictures.decoding import pixel_hash
from evensight.progress import track

FAINT_DELTA_E = 5.0
"""An object whose colours differ less than this from its ground's (plus what the ground itself varies) is faint."""

BEYOND, EMPTY, FAINT, EDGE, HIDDEN, SIZE = (
    "cut off: its box goes beyond the picture",
    "empty: inside its box there is nothing but the ground's one colour",
    "faint: inside its box the picture is like around it",
    "at the edge: its box ends where the picture ends, so it may be cut off",
    "hidden: it shows much less of itself than others of its name and size do",
    "another size: the picture hasn't the size that the set says",
)
CERTAIN = (BEYOND, EMPTY, SIZE)
"""What needs no threshold. The others are doubts, for somebody to look at."""

_SHARE_OF_GROUND = 0.1  # of what the ground varies by itself
_SHARE_HIDDEN = 0.4  # of the usual share of its box that an object covers
_FEWEST_ALIKE = 5
_SAMPLES_A_SIDE = 32
_QUANTILES = np.concatenate([[0.05], np.arange(0.1, 0.95, 0.1), [0.95]])


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a set's pictures say.

    Attributes:
        hashes: Each row's picture's `pixel_hash`; None where it can't be read.
        seen: Ids by what is not as the label says (`BEYOND`, `EMPTY`, ...).
        unreadable: Ids by the reason why there is no picture.
    """

    hashes: tuple[bytes | None, ...]
    seen: Mapping[str, Sequence[str]]
    unreadable: Mapping[str, Sequence[str]]

    @property
    def n_read(self) -> int:
        """How many rows have a picture that can be read."""
        return sum(each is not None for each in self.hashes)

    @property
    def n_different(self) -> int:
        """How many different pictures there are."""
        return len({each for each in self.hashes if each is not None})


def look_at(table: AuditTable) -> Pictures:
    """Reads every picture of a set once: its hash, and whether it shows what the row says."""
    hashes: list[bytes | None] = []
    seen, unreadable = defaultdict(list), defaultdict(list)
    for index, name in enumerate(track(table.ids, f"looking at {table.name}", len(table), "pictures")):
        target = table.targets[index] if table.targets else None
        image = None
        try:
            image = _picture(table, index)
            hashes.append(pixel_hash(image))
        except NoPictureError as reason:
            unreadable[str(reason)].append(name)
            hashes.append(None)
        for what in faults_of(target, image) if target else ():
            seen[what].append(name)
    seen[HIDDEN] += [table.ids[index] for index in hidden(table.targets)]
    order = (BEYOND, EMPTY, SIZE, FAINT, EDGE, HIDDEN)
    return Pictures(tuple(hashes), {what: seen[what] for what in order if seen[what]}, dict(unreadable))


def faults_of(target: Target, image: Image.Image | None) -> list[str]:
    """What a row's picture shows less of than the row says; without a picture only its box is looked at."""
    x0, y0, x1, y1 = target.box.xyxy_px
    width, height = target.frame.width_px, target.frame.height_px
    if min(x0, y0) < -0.5 or x1 > width + 0.5 or y1 > height + 0.5:  # a rounded box is not beyond
        return [BEYOND]
    found = [EDGE] if min(x0, y0) <= 0 or x1 >= width or y1 >= height else []
    if image is None:
        return found
    if image.size != (width, height):
        return [SIZE]
    pixels = np.asarray(image)
    if is_empty(pixels, target.box):
        return [EMPTY, *found]
    seen = visibility(pixels, target.box)
    return [FAINT, *found] if seen is not None and not seen.is_clear else found


@dataclass(frozen=True, slots=True)
class Visibility:
    """How an object stands out from its ground.

    Attributes:
        contrast: The largest difference between the same quantile inside the box and around it, in L*a*b* units.
        expected: How large it gets without an object: what one hardly notices, and of what the ground varies by
            itself a share that is larger the fewer the pixels are.
    """

    contrast: float
    expected: float

    @property
    def is_clear(self) -> bool:
        """Whether it stands out by more than could be expected without an object."""
        return self.contrast >= self.expected


def visibility(pixels: NDArray[np.uint8], box: Box) -> Visibility | None:
    """How the object in a box stands out from the ring around it; None where the picture leaves no ring.

    Compared are the lightness, the two colour axes and the distance from the ground's colour, each by its quantiles,
    so an object of a twentieth of its box is seen, and a plain one on a noisy ground too. A ground that changes as
    fast as the object is large can't be told from one.

    Args:
        pixels: RGB, `[height, width, 3]`.
        box: The object's bounds.
    """
    window, inside, at = _surroundings(pixels, box)
    if inside.all() or not inside.any() or (~inside).sum() < 12:
        return None
    lab = _lab(window)
    ground, ring = _ground(lab, inside, at)
    rest = np.column_stack([lab - ground, np.linalg.norm(lab - ground, axis=-1)])
    within, around = (np.quantile(rest[part], _QUANTILES, axis=0) for part in (inside, ring))
    contrast = np.abs(within - around).max(axis=0)
    share = _SHARE_OF_GROUND + 1 / np.sqrt(inside.sum())
    expected = FAINT_DELTA_E + share * (around[-1] - around[0])
    best = int(np.argmax(contrast - expected))
    return Visibility(float(contrast[best]), float(expected[best]))


def is_empty(pixels: NDArray[np.uint8], box: Box) -> bool:
    """Whether all pixels in the box and around it have one and the same colour."""
    y0, y1, x0, x1 = _window(pixels, box, margin=1)
    window = pixels[y0:y1, x0:x1]
    return window.size > 0 and bool((window == window[0, 0]).all())


def hidden(targets: Sequence[Target | None]) -> list[int]:
    """The rows whose object covers far less of its box than is usual for those of its name.

    It is compared with the median of its name, where the mask's area is known of at least five.
    """
    share = {
        index: target.mask_area_px / target.box.area_px
        for index, target in enumerate(targets)
        if target is not None and target.mask_area_px is not None
    }
    alike = defaultdict(list)
    for index in share:
        target = targets[index]
        alike[target.name if target else ""].append(index)
    found = []
    for group in alike.values():
        usual = float(np.median([share[index] for index in group]))
        if len(group) >= _FEWEST_ALIKE:
            found += [index for index in group if share[index] < _SHARE_HIDDEN * usual]
    return sorted(found)


def _picture(table: AuditTable, index: int) -> Image.Image:
    if table.picture is None:
        raise NoPictureError("the set has no pictures")
    image = table.picture(index)
    return image if image.mode == "RGB" else image.convert("RGB")


def _window(pixels: NDArray[np.uint8], box: Box, margin: int) -> tuple[int, int, int, int]:
    """The pixels of a box and a margin around it, inside the picture: `y0, y1, x0, x1`."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box.xyxy_px
    left, top = max(0, int(np.floor(x0)) - margin), max(0, int(np.floor(y0)) - margin)
    return top, min(height, int(np.ceil(y1)) + margin), left, min(width, int(np.ceil(x1)) + margin)


def _surroundings(
    pixels: NDArray[np.uint8], box: Box
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """A box with its ring, thinned out: the pixels, which of them are inside, and `(1, x, y)` of each.

    The ring is as wide as a third of the box, and 2 pixels at least. A soft edge can go one pixel beyond a box of
    fractions, and outlines do; the pixels next to the box are in neither.
    """
    side = max(box.x1_px - box.x0_px, box.y1_px - box.y0_px)
    y0, y1, x0, x1 = _window(pixels, box, margin=max(3, round(side / 3)))
    step = max(1, round(max(y1 - y0, x1 - x0) / _SAMPLES_A_SIDE))
    ys, xs = np.arange(y0, y1, step), np.arange(x0, x1, step)
    inner, outer = _window(pixels, box, margin=0), _window(pixels, box, margin=1)
    inside, near = (
        ((ys >= top) & (ys < bottom))[:, None] & ((xs >= left) & (xs < right))[None, :]
        for top, bottom, left, right in (inner, outer)
    )
    used = inside | ~near
    yy, xx = np.meshgrid(ys - y0, xs - x0, indexing="ij")
    at = np.stack([np.ones(yy.shape), xx / max(1, x1 - x0), yy / max(1, y1 - y0)], axis=-1)
    return pixels[yy[used] + y0, xx[used] + x0], inside[used], at[used]


def _ground(
    lab: NDArray[np.float64], inside: NDArray[np.bool_], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The ground's colour at every pixel, the plane that fits the ring best, and which pixels are the ring.

    What lies far off (another object beside this one) is left out of the ring and the plane fitted again.
    """
    ring = kept = np.flatnonzero(~inside)
    rest = np.linalg.norm(lab[ring] - np.median(lab[ring], axis=0), axis=-1)
    plane = np.zeros((3, 3))
    for _ in range(3):
        kept = ring[rest <= max(3 * float(np.median(rest)), 1.0)]
        plane = np.linalg.lstsq(at[kept], lab[kept], rcond=None)[0]
        rest = np.linalg.norm(lab[ring] - at[ring] @ plane, axis=-1)
    return at @ plane, kept


@lru_cache(maxsize=1)
def _linear() -> NDArray[np.float64]:
    """The 256 values of sRGB as linear light (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of sRGB pixels, `[..., 3]`."""
    white = _XYZ.sum(axis=1)
    relative = _linear()[rgb] @ _XYZ.T / white
    delta = 6 / 29
    f = np.where(relative > delta**3, np.cbrt(relative), relative / (3 * delta**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
