"""How fast annotations of COCO's size are read, and in how much memory, against two other readers.

    python benchmarks/photos.py --table docs/benchmark-photos.md

The file is made with a seed, as large as COCO's instances_train2017.json: 118,287 images, 860,001 annotations,
polygons as long as COCO's, about 460 MB. Its images are empty files, which evensight looks for and the other readers
don't.

Each reading is a process of its own; the time is from after its imports to its result, the fastest of the rounds; the
memory is the most that the process ever held, the largest of the rounds. The file lies in the system's cache, as it
has just been written. It ends with 1 where a goal was missed.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import numpy as np

import evensight
from evensight.caches import CACHE_VARIABLE
from evensight.runs import write_text

N_IMAGES, N_ANNOTATIONS, N_CATEGORIES = 118_287, 860_001, 80
GOALS = {"seconds": 20.0, "cached_seconds": 2.0, "mb": 1500.0}
FIRST, CACHED, JSON, PYCOCOTOOLS = (
    "evensight, first time",
    "evensight, from its cache",
    "json.load",
    "pycocotools.COCO",
)
SET = "made2017"


@dataclass(frozen=True)
class Reading:
    """What reading the file took.

    Attributes:
        way: Who read it.
        seconds: How long it took.
        mb: The most memory that the process held, in MB (10^6 bytes).
        n_objects: How many annotations were found.
    """

    way: str
    seconds: float
    mb: float
    n_objects: int


def main() -> None:
    """Measures, prints the page, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the fastest counts")
    parser.add_argument("--images", type=int, default=N_IMAGES, help="how many images the file lists")
    parser.add_argument("--annotations", type=int, default=N_ANNOTATIONS, help="how many annotations it lists")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, help="where to write the page")
    parser.add_argument("--read", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read is not None:
        print(json.dumps(asdict(reading(arguments.read, arguments.root))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        n_bytes = make(root, arguments.images, arguments.annotations, arguments.seed)
        readings = rounds(root, arguments.repeats)
    goals = judged(readings)
    text = page(arguments, n_bytes, readings, goals)
    print(text)
    if arguments.table is not None:
        write_text(arguments.table, text)
    if not all(passed for _, _, passed in goals):
        sys.exit(1)


def make(root: Path, n_images: int, n_annotations: int, seed: int) -> int:
    """Makes a set in COCO's layout; gives the bytes of its annotations."""
    (root / SET).mkdir()
    (root / "annotations").mkdir()
    for number in range(1, n_images + 1):
        (root / SET / _file_name(number)).touch()
    path = root / "annotations" / f"instances_{SET}.json"
    with path.open("w") as file:
        file.write('{"info": {"description": "made"}, "licenses": [], "images": [')
        _write_list(file, map(_image, range(1, n_images + 1)))
        file.write('], "annotations": [')
        _write_list(file, _annotations(n_images, n_annotations, np.random.default_rng(seed)))
        file.write('], "categories": [')
        _write_list(file, ({"supercategory": "thing", "id": k, "name": f"thing {k}"} for k in range(N_CATEGORIES)))
        file.write("]}")
    return path.stat().st_size


def _write_list(file: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    for k, entry in enumerate(entries):
        file.write(f"{', ' if k else ''}{json.dumps(entry)}")


def _file_name(number: int) -> str:
    return f"{number:012d}.jpg"


def _image(number: int) -> dict[str, Any]:
    return {
        "license": 3,
        "file_name": _file_name(number),
        "coco_url": f"http://images.cocodataset.org/train2017/{_file_name(number)}",
        "height": 480,
        "width": 640,
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
        "id": number,
    }


def _annotations(n_images: int, n: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    numbers = rng.permutation(np.arange(1, n + 1)).tolist()
    owners = rng.integers(1, n_images + 1, n).tolist()
    categories = rng.integers(0, N_CATEGORIES, n).tolist()
    crowds = (rng.random(n) < 0.012).tolist()
    lengths = np.maximum(rng.lognormal(2.95, 0.62, n).astype(int), 3).tolist()
    in_two = (rng.random(n) < 0.1).tolist()
    for k in range(n):
        x, y, width, height = np.round(rng.uniform((0, 0, 2, 2), (400, 300, 240, 180)), 2).tolist()
        points = np.round(rng.uniform((x, y), (x + width, y + height), (lengths[k], 2)), 2).ravel().tolist()
        outline: Any = [points[:6], points] if in_two[k] else [points]
        yield {
            "segmentation": {"counts": [int(v) for v in points], "size": [480, 640]} if crowds[k] else outline,
            "area": round(width * height / 2, 4),
            "iscrowd": int(crowds[k]),
            "image_id": owners[k],
            "bbox": [x, y, width, height],
            "category_id": categories[k],
            "id": numbers[k],
        }


def read_with_evensight(root: Path) -> Callable[[], int]:
    """Reads it as `evensight photos` does."""
    from evensight.coco.reading import read_split

    return lambda: len(read_split(root, SET).objects)


def read_with_json(root: Path) -> Callable[[], int]:
    """Turns all of it into Python's objects, and no more."""

    def read() -> int:
        with (root / "annotations" / f"instances_{SET}.json").open() as file:
            return len(json.load(file)["annotations"])

    return read


def read_with_pycocotools(root: Path) -> Callable[[], int]:
    """Reads it with COCO's own tools, which index it too."""
    from pycocotools.coco import COCO

    def read() -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return len(COCO(str(root / "annotations" / f"instances_{SET}.json")).anns)

    return read


WAYS = {
    FIRST: read_with_evensight,
    CACHED: read_with_evensight,
    JSON: read_with_json,
    PYCOCOTOOLS: read_with_pycocotools,
}


def reading(way: str, root: Path) -> Reading:
    """Reads it in this process."""
    read = WAYS[way](root)
    begun = time.perf_counter()
    n_objects = read()
    return Reading(way, time.perf_counter() - begun, most_memory_mb(), n_objects)


def most_memory_mb() -> float:
    """The most memory that this process ever held.

    `ru_maxrss` is not asked on Linux: there a process begins with that of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def rounds(root: Path, repeats: int) -> list[Reading]:
    """All ways by turns, each in a fresh process; every round begins with a cache of its own, which is empty."""
    found: dict[str, list[Reading]] = {way: [] for way in WAYS}
    for number in range(repeats):
        for way in WAYS:
            found[way].append(fresh(way, root, root / f"cache-{number}"))
    return [
        Reading(way, min(r.seconds for r in each), max(r.mb for r in each), each[0].n_objects)
        for way, each in found.items()
    ]


def fresh(way: str, root: Path, cache: Path) -> Reading:
    """`reading` in a process of its own."""
    command = [sys.executable, __file__, "--read", way, "--root", str(root)]
    environment = os.environ | {CACHE_VARIABLE: str(cache)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603
    return Reading(**json.loads(done.stdout))


Judged = tuple[str, str, bool]
"""A goal, what was found, and whether it was reached."""


def judged(readings: Sequence[Reading]) -> list[Judged]:
    """Each goal with what was found."""
    by_way = {each.way: each for each in readings}
    first, cached = by_way[FIRST], by_way[CACHED]
    return [
        (
            f"the first time under {GOALS['seconds']:.0f} s",
            f"{first.seconds:.1f} s",
            first.seconds < GOALS["seconds"],
        ),
        (f"the first time under {GOALS['mb']:,.0f} MB", f"{first.mb:,.0f} MB", first.mb < GOALS["mb"]),
        (
            f"from the cache under {GOALS['cached_seconds']:.0f} s",
            f"{cached.seconds:.1f} s",
            cached.seconds < GOALS["cached_seconds"],
        ),
        (
            "the same number of annotations for all",
            " / ".join(f"{each.n_objects:,}" for each in readings),
            len({each.n_objects for each in readings}) == 1,
        ),
    ]


def page(arguments: argparse.Namespace, n_bytes: int, readings: Sequence[Reading], goals: Sequence[Judged]) -> str:
    """The page in Markdown."""
    own = readings[0]
    versions = ", ".join(f"{name} {version(name)}" for name in ("msgspec", "pyarrow", "numpy", "pycocotools"))
    lines = [
        "# How fast annotations are read",
        "",
        "Made by `make bench-photos` (`benchmarks/photos.py`, which says how each figure is taken) in one run on "
        f"{_processor()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}, "
        f"evensight {evensight.__version__}. A made file of {arguments.images:,} images, {arguments.annotations:,} "
        f"annotations and {n_bytes / 1e6:,.0f} MB (COCO's instances_train2017.json lists 118,287 and 860,001). "
        f"Each in a process of its own, best of {arguments.repeats}.",
        "",
        "Evensight checks each entry, hashes the file, looks for each image in its folder, and the first time writes "
        "its cache. json.load only makes Python's objects of it; pycocotools makes an index of these.",
        "",
        "| way | seconds | memory, MB | seconds, x evensight's first | memory, x evensight's first |",
        "|---|---:|---:|---:|---:|",
    ]
    for each in readings:
        ratios = f"{each.seconds / own.seconds:.2f} | {each.mb / own.mb:.2f}"
        lines.append(f"| {each.way} | {each.seconds:.1f} | {each.mb:,.0f} | {ratios} |")
    lines += ["", "## Goals", "", "| goal | found | |", "|---|---|---|"]
    lines += [f"| {goal} | {found} | {'reached' if passed else '**missed**'} |" for goal, found, passed in goals]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or "unknown"


if __name__ == "__main__":
    main()
