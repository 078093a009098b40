"""Stand-ins for photographs, drawn by a few formulas, as a folder in COCO's format.

The gallery in the docs shows what evensight does with photographs, but photographs may not be passed on with it. So
its committed pictures are made of these: landscapes with grain and soft shading, each with one thing in front whose
outline is annotated as a polygon. They are no photographs, and the gallery says so.
"""

import json
from collections.abc import Sequence
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SPLIT = "val2017"
SIZE_WH = (400, 300)
CATEGORIES = ("boat", "egg", "leaf")
_PER_CATEGORY = 4
_FINER = 4

Point = tuple[float, float]
Pixels = NDArray[np.float64]
"""RGB, `[y, x, 3]`, 0 to 255."""


def write_standins(root: Path) -> Path:
    """Draws the stand-ins into a folder in COCO's format, split `val2017`, and gives the folder back."""
    (root / SPLIT).mkdir(parents=True)
    (root / "annotations").mkdir()
    images, annotations = [], []
    for k in range(_PER_CATEGORY * len(CATEGORIES)):
        category = k % len(CATEGORIES)
        outline = _outline(CATEGORIES[category], k)
        name = f"{k:012d}.png"
        pixels = _with_thing(_landscape(k), outline, k)
        Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8)).save(root / SPLIT / name)
        images.append({"id": k, "file_name": name, "width": SIZE_WH[0], "height": SIZE_WH[1]})
        annotations.append(_annotation(k, category + 1, outline))
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1 + k, "name": name} for k, name in enumerate(CATEGORIES)],
    }
    (root / "annotations" / f"instances_{SPLIT}.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def _annotation(k: int, category_id: int, outline: Sequence[Point]) -> dict[str, object]:
    xs, ys = zip(*outline, strict=True)
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    polygon = [round(number, 2) for point in outline for number in point]
    return {
        "id": k,
        "image_id": k,
        "category_id": category_id,
        "bbox": [round(number, 2) for number in box],
        "area": box[2] * box[3] / 2,
        "iscrowd": 0,
        "segmentation": [polygon],
    }


def _landscape(k: int) -> Pixels:
    """A sky over three ranges of hills, nearer ones darker and rougher, with a camera's grain."""
    rng = np.random.default_rng((7, k))
    width, height = SIZE_WH
    y, x = np.mgrid[0:height, 0:width] / height
    warm = rng.uniform(0, 1)
    top, bottom = np.array([90 + 60 * warm, 140, 205 - 70 * warm]), np.array([225, 215 - 20 * warm, 200 - 50 * warm])
    pixels = top + (bottom - top) * y[..., None]
    for distance in range(3):
        ridge = (
            0.42
            + 0.17 * distance
            + 0.05 * sum(np.sin(x * rng.uniform(2, 9) * n + rng.uniform(0, 6)) / n for n in (1, 2, 3))
        )
        green = np.array([125 - 32 * distance, 140 - 22 * distance, 120 - 34 * distance]) + rng.uniform(-15, 15, 3)
        rough = rng.normal(0, 3 + 6 * distance, (height, width))
        soft = np.clip((y - ridge) * height / 2, 0, 1)[..., None]
        shade = green - 40 * (y - ridge)[..., None] + rough[..., None]
        pixels = pixels * (1 - soft) + shade * soft
    return np.asarray(pixels + rng.normal(0, 3, (height, width, 1)), dtype=np.float64)


def _with_thing(pixels: Pixels, outline: Sequence[Point], k: int) -> Pixels:
    """The picture with the outline filled: lit from the upper left, its own colour, its own grain."""
    rng = np.random.default_rng((8, k))
    width, height = SIZE_WH
    fine = Image.new("L", (width * _FINER, height * _FINER))
    ImageDraw.Draw(fine).polygon([(x * _FINER, y * _FINER) for x, y in outline], fill=255)
    mask = np.asarray(fine.resize(SIZE_WH, Image.Resampling.BOX), dtype=np.float64)[..., None] / 255
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    (cx, cy), reach = np.mean(outline, axis=0), np.ptp(np.array(outline), axis=0).max() / 2
    light = 1.05 - 0.55 * np.hypot(x - cx + reach / 3, y - cy + reach / 3) / reach
    base = np.array(_TONES[CATEGORIES[k % len(CATEGORIES)]]) + rng.uniform(-20, 20, 3)
    thing = base * light[..., None] + rng.normal(0, 6, (height, width, 1))
    return np.asarray(pixels * (1 - mask) + thing * mask, dtype=np.float64)


_TONES = {"boat": (205.0, 70.0, 55.0), "leaf": (215.0, 150.0, 40.0), "egg": (190.0, 200.0, 70.0)}


def _outline(category: str, k: int) -> list[Point]:
    """The outline of a thing somewhere near the middle of the picture, in pixels."""
    rng = np.random.default_rng((9, k))
    scale, turn = rng.uniform(62, 84), rng.uniform(-0.25, 0.25)
    cx, cy = SIZE_WH[0] / 2 + rng.uniform(-70, 70), SIZE_WH[1] / 2 + rng.uniform(-25, 25)
    c, s = cos(turn), sin(turn)
    return [(cx + scale * (c * x - s * y), cy + scale * (s * x + c * y)) for x, y in _FIGURES[category]()]


def _egg() -> list[Point]:
    at = [2 * pi * k / 48 for k in range(48)]
    return [(sin(t) * (0.52 - 0.2 * cos(t)) * 1.1, -cos(t) * 0.9) for t in at]


def _leaf() -> list[Point]:
    right = [(0.5 * sin(pi * k / 24) * (1 - 0.12 * (k % 2)), -1 + 1.7 * k / 24) for k in range(24)]
    left = [(-x, y) for x, y in right[::-1]]
    return [*right, (0.05, 0.72), (0.08, 1.0), (-0.02, 1.0), (-0.05, 0.72), *left]


def _boat() -> list[Point]:
    return [(0.02, -1), (0.75, 0.25), (0.1, 0.25), (0.1, 0.38), (1, 0.38), (0.7, 0.8), (-0.65, 0.8), (-1, 0.38),
            (0.02, 0.38), (0.02, 0.25), (-0.5, 0.25)]  # fmt: skip


_FIGURES = {"boat": _boat, "leaf": _leaf, "egg": _egg}
