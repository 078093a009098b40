"""How fast scenes are made, as ratios against the common way and against limits, in one run on one core.

    python benchmarks/generation.py

The common way: for each scene Pillow pastes the object on a black image and saves it as a PNG file. The limit
for pixels in memory: filling the image once with zeros.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from evensight.datasets.examples import SceneExamples
from evensight.datasets.stored import store
from evensight.scenes.designs import design
from evensight.scenes.render import render, scene

DESIGN = design("civet-test")


def main() -> None:
    """Times each way and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=1000, help="how many scenes each way makes")
    parser.add_argument("--size", type=int, nargs="+", default=[336, 672], help="the images' sides in pixels")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts")
    arguments = parser.parse_args()
    for size_px in arguments.size:
        report(size_px, arguments.scenes, arguments.repeats)


def report(size_px: int, n: int, repeats: int) -> None:
    """Prints the table for one image size."""
    ways: dict[str, Callable[[], None]] = {
        "common way: Pillow, a PNG file each": lambda: common_way(size_px, n),
        "limit: numpy fill": lambda: fill(size_px, n),
        "scenes in memory": lambda: in_memory(size_px, n),
        "examples in memory (pixels, question, answer)": lambda: examples_in_memory(size_px, n),
        "stored as Parquet with questions": lambda: stored(size_px, n),
    }
    seconds = {name: min(timed(way) for _ in range(repeats)) for name, way in ways.items()}
    common = next(iter(seconds.values()))
    table = Table(title=f"{n} scenes of {DESIGN.name}, {size_px} px, one core, best of {repeats}")
    for column in ("way", "µs a scene", "scenes/s", "x common way"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, took in seconds.items():
        table.add_row(name, f"{1e6 * took / n:,.1f}", f"{n / took:,.0f}", f"{common / took:.1f}")
    Console().print(table)


def timed(way: Callable[[], None]) -> float:
    """How many seconds it takes."""
    begun = time.perf_counter()
    way()
    return time.perf_counter() - begun


def common_way(size_px: int, n: int) -> None:
    """Draws a square with Pillow and saves a file, n times."""
    cell = size_px // 9
    with tempfile.TemporaryDirectory() as folder:
        for k in range(n):
            image = Image.new("RGB", (size_px, size_px))
            x, y = cell * (k % 9), cell * (k // 9 % 9)
            ImageDraw.Draw(image).rectangle((x, y, x + cell - 1, y + cell - 1), fill=(255, 0, 0))
            image.save(Path(folder) / f"{k}.png")


def fill(size_px: int, n: int) -> None:
    """Fills an image with zeros, n times, into one buffer."""
    image = np.empty((size_px, size_px, 3), dtype=np.uint8)
    for _ in range(n):
        image.fill(0)


def in_memory(size_px: int, n: int) -> None:
    """Renders n scenes."""
    for k in range(n):
        render(scene(DESIGN, k, size_px))


def examples_in_memory(size_px: int, n: int) -> None:
    """Makes n examples with their images."""
    examples = SceneExamples(DESIGN, size_px, 0)
    for k in range(n):
        examples.image(k)
        examples[k]


def stored(size_px: int, n: int) -> None:
    """Stores n examples."""
    with tempfile.TemporaryDirectory() as folder:
        store(SceneExamples(DESIGN, size_px, 0), Path(folder) / "set", limit=n)


if __name__ == "__main__":
    main()
