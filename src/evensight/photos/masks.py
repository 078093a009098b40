"""COCO's segmentations as coverage: polygons drawn, run lengths spread out; nothing in them is trusted."""

from collections.abc import Iterable
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evensight.annotations import Frame

Mask = NDArray[np.uint8]
"""Coverage, 0 to 255, uint8 `[y, x]`."""
Window = tuple[int, int, int, int]
"""Half-open whole pixels of a photograph, `(x0, y0, x1, y1)`."""

_SAMPLES = 8
_FINE_PX = 1_000_000
"""A larger object than that is drawn with one sample a pixel, to save memory."""
_MARGIN_PX = 4


def mask_of(segmentation: Any, frame: Frame) -> tuple[Mask, Window]:
    """The coverage that a COCO segmentation gives, and where in the photograph it lies, with a margin of zeros.

    Polygons are drawn with 8 x 8 samples a pixel; a run-length code, plain or compressed, is all or nothing.

    Raises:
        ValueError: It is none of COCO's.
    """
    if isinstance(segmentation, dict):
        full = _run_lengths_to_mask(segmentation, frame)
        window = _window_of(*bounds(full > 0), frame)
        return _framed(full, window), window
    polygons = _checked_polygons(segmentation)
    points = np.concatenate(polygons)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    window = _window_of(int(np.floor(x0)), int(np.floor(y0)), ceil(x1), ceil(y1), frame)
    return _drawn(polygons, window), window


def decoded_counts(text: str) -> list[int]:
    """The run lengths in COCO's compressed notation.

    Each is written in characters of 5 bits (from "0" on), low bits first, the sixth bit saying that more follow
    and the highest of the last being the sign; from the fourth on it is the difference to the one before the last
    (`rleFrString` in COCO's `maskApi.c`).

    Raises:
        ValueError: A character is none of these, or the last number isn't complete.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"the run lengths hold `{character!r}`")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits >> 4 & 1) << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value, shift = 0, 0
    if shift:
        raise ValueError("the run lengths break off in the middle of a number")
    return counts


def _run_lengths_to_mask(code: dict[str, Any], frame: Frame) -> Mask:
    if code.get("size") != [frame.height_px, frame.width_px]:
        raise ValueError(f"the mask is of {code.get('size')}, the photograph of {frame}")
    counts = code.get("counts")
    lengths = decoded_counts(counts) if isinstance(counts, str) else counts
    n_pixels = frame.height_px * frame.width_px
    if not isinstance(lengths, list) or not all(type(n) is int and 0 <= n <= n_pixels for n in lengths):
        raise ValueError("the run lengths are not whole numbers")
    if sum(lengths) != n_pixels:
        raise ValueError("the run lengths don't add up to the photograph's pixels")
    values = (np.arange(len(lengths)) % 2 * 255).astype(np.uint8)  # the first run is of what is outside
    return np.repeat(values, lengths).reshape(frame.width_px, frame.height_px).T  # column by column


def _checked_polygons(segmentation: Any) -> list[NDArray[np.float64]]:
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it is neither a list of polygons nor a run-length code")
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon has three points or more, x and y of each")
        if not all(type(v) in (int, float) and isfinite(v) and abs(v) < 1e6 for v in polygon):
            raise ValueError("a polygon's points are finite numbers")
    return [np.array(polygon, dtype=np.float64).reshape(-1, 2) for polygon in segmentation]


def _drawn(polygons: Iterable[NDArray[np.float64]], window: Window) -> Mask:
    x0, y0, x1, y1 = window
    n = _SAMPLES if (x1 - x0) * (y1 - y0) <= _FINE_PX else 1
    canvas = Image.new("L", ((x1 - x0) * n, (y1 - y0) * n))
    pen = ImageDraw.Draw(canvas)
    for polygon in polygons:
        at = (polygon - (x0, y0)) * n
        pen.polygon([(float(x), float(y)) for x, y in at], fill=255)
    return np.array(canvas.reduce(n) if n > 1 else canvas)


def _window_of(x0: int, y0: int, x1: int, y1: int, frame: Frame) -> Window:
    """Bounds and a margin; the margin may lie outside of the photograph, the bounds are cut to it."""
    m = _MARGIN_PX
    x0, x1 = max(x0, 0), min(x1, frame.width_px)
    y0, y1 = max(y0, 0), min(y1, frame.height_px)
    if x1 <= x0 or y1 <= y0:
        raise ValueError("the mask covers nothing")
    return x0 - m, y0 - m, x1 + m, y1 + m


def _framed(full: Mask, window: Window) -> Mask:
    x0, y0, x1, y1 = window
    m = _MARGIN_PX
    return np.pad(full[y0 + m : y1 - m, x0 + m : x1 - m], m)


def bounds(inside: NDArray[np.bool_]) -> Window:
    """The half-open bounds of what is inside; all 0 if nothing is."""
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1
