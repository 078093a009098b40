"""How fast scenes are made, as ratios in one run on one core: against the common way, and against limits.

    python benchmarks/scenes.py --table docs/benchmark-scenes.md --json runs/scenes.json

*The common way*: for each scene Pillow pastes an object that it has kept on a black picture and saves a PNG file.

*Limits*: `fill` writes a picture's pixels once, and knows nothing of scenes. A *warm* fill writes into the same
picture again and again, which then lies in the processor's cache. A program that makes a picture where there was none
can't do that. So the *cold* fill goes through more pictures than the largest cache holds (`cold_bytes`), all of them
touched before, so that no time goes to the system's handing out of pages. `memcpy` copies a picture that was made
before from one such place to another, and is what a set in memory costs.

All ways are timed by turns, and of each the fastest round counts: what other programs do at the time then weighs
least. The process is pinned to one core, so libraries' threads share it.
"""

import argparse
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
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

import evensight
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.randomness import Permutation
from evensight.runs import write_json, write_text
from evensight.scenes.batches import Batches
from evensight.scenes.catalog import build, design, design_file
from evensight.scenes.compose import Composer, SceneDesign
from evensight.scenes.render import render
from evensight.storage.formats import storing

DESIGN = "civet-full"
BATCH = 64
STRETCH = 15 * BATCH
COMMON, COLD, BATCHES = "Pillow: paste on black, save a PNG file", "numpy `fill`, cold", "batches in memory"
PARQUET = "stored as Parquet, with questions and answers"
GOALS = {"common": 100.0, "parquet": 15.0, "bytes": 120.0, "set_up_ms": 50.0, "rss": 1.1, "linear": 1.25}
"""How many times the common way a batch and Parquet are; bytes a scene; sprites' set-up; largest memory and time a
scene over the smallest, from 10^4 to 10^7 scenes."""

PEER = """\
What the peer, CIVET's generator, does was measured once, on another machine (one of 2 shared cores of an AMD EPYC,
Python 3.11, 11,664 scenes), and is not part of the run above: 280 to 310 scenes a second at 336 px and 120 to 136 at
672, 243 MB of memory, 5,000 bytes a scene (1,127 of PNG, 3,900 of JSON). Loading its sprites, 144 times 117 ms, was
44 % of its time at 336 px, saving PNG files 38 %."""


@dataclass(frozen=True)
class Timed:
    """How long a way takes.

    Attributes:
        size_px: The pictures' side.
        way: What was done.
        us_a_scene: The fastest round, microseconds a scene.
        bytes_a_scene: What it leaves on the disk; None for nothing.
    """

    size_px: int
    way: str
    us_a_scene: float
    bytes_a_scene: float | None = None


@dataclass(frozen=True)
class Length:
    """What a fresh process takes to draw so many scenes in batches.

    Attributes:
        n_scenes: How many.
        seconds: All of it.
        us_a_scene: The median of `STRETCH` scenes at a time, so that what other programs do weighs little.
        rss_mib: The most memory that the process ever held.
    """

    n_scenes: int
    seconds: float
    us_a_scene: float
    rss_mib: float


@dataclass(frozen=True)
class Way:
    """Something to time: `run(n)` does it for n scenes and gives the bytes that it left on the disk."""

    name: str
    n_scenes: int
    run: Callable[[int], int]


def main() -> None:
    """Measures, prints the page, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[336, 672], help="the pictures' sides")
    parser.add_argument("--scenes", type=int, default=11_664, help="how many the fast ways make in a round")
    parser.add_argument("--stored", type=int, default=11_664, help="how many are stored in a round")
    parser.add_argument("--repeats", type=int, default=5, help="rounds; the fastest counts")
    parser.add_argument("--most", type=int, default=10_000_000, help="the most scenes that a process draws")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--table", type=Path, help="where to write the page")
    parser.add_argument("--draw", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--set-up", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    pin()
    if arguments.draw is not None:
        print(json.dumps(asdict(drawn(arguments.draw))))
    elif arguments.set_up is not None:
        print(json.dumps(set_up_ms(arguments.set_up)))
    else:
        report(arguments)


def pin() -> None:
    """Keeps the process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def report(arguments: argparse.Namespace) -> None:
    """Measures everything and writes it."""
    timed = [each for side in arguments.size for each in timings(side, arguments)]
    lengths = [fresh_draw(n) for n in (10**4, 10**5, 10**6, 10**7) if n <= arguments.most]
    set_ups = {side: min(fresh_set_up(side) for _ in range(3)) for side in arguments.size}
    start_ups = {name: start_up_ms(code) for name, code in STARTS.items()}
    goals = judged(timed, lengths, set_ups)
    text = page(timed, lengths, {"set_up": set_ups, "start_up": start_ups}, goals)
    print(text)
    if arguments.table is not None:
        write_text(arguments.table, text)
    if arguments.json is not None:
        figures = {
            "machine": machine(),
            "ways": [asdict(each) for each in timed],
            "lengths": [asdict(each) for each in lengths],
            "set_up_ms": set_ups,
            "start_up_ms": start_ups,
            "goals": [{"goal": goal, "found": found, "passed": passed} for goal, found, passed in goals],
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(arguments.json, figures)


def timings(size_px: int, arguments: argparse.Namespace) -> list[Timed]:
    """All ways at one size, timed by turns."""
    with tempfile.TemporaryDirectory() as scratch:
        listed = ways(size_px, arguments.scenes, arguments.stored, Path(scratch))
        best, left = dict.fromkeys((way.name for way in listed), float("inf")), dict[str, int]()
        for _ in range(arguments.repeats):
            for way in listed:
                begun = time.perf_counter()
                left[way.name] = way.run(way.n_scenes)
                best[way.name] = min(best[way.name], (time.perf_counter() - begun) / way.n_scenes)
        return [
            Timed(size_px, way.name, 1e6 * best[way.name], left[way.name] / way.n_scenes or None) for way in listed
        ]


def ways(size_px: int, n: int, n_stored: int, scratch: Path) -> list[Way]:
    """What is timed at one size."""
    shown = design(DESIGN)
    composer, examples = Composer(shown, size_px, 0), SceneExamples(shown, size_px, 0)
    n, few, stored = min(n, len(shown)), max(n // 24, 1), min(n_stored, len(shown))
    cold = Cold(size_px)
    return [
        Way(COMMON, few, partial(common_way, composer, scratch)),
        Way(COLD, n, cold.fill),
        Way("numpy `fill`, warm", n, partial(warm_fill, size_px)),
        Way("`memcpy`, cold", n, cold.copy),
        Way("decoding a PNG file in memory", few, partial(decode, composer)),
        Way(BATCHES, n, drawer(composer)),
        Way(f"{BATCHES}, set-up and buffer included", n, partial(from_nothing, shown, size_px)),
        Way(f"{BATCHES}, shuffled", n, drawer(composer, shuffle=True)),
        Way("`render`, one by one", n // 4 or 1, partial(one_by_one, composer)),
        Way("examples without pixels", n // 4 or 1, partial(without_pixels, examples)),
        Way("examples with pixels", n // 4 or 1, partial(with_pixels, examples)),
        Way(PARQUET, stored, partial(keep, "parquet", examples, scratch)),
        Way(f"{PARQUET}, shuffled", stored, partial(keep, "parquet", Shuffled(examples), scratch)),
        Way("stored as a folder: PNG files and JSON lines", stored, partial(keep, "folder", examples, scratch)),
        Way("stored as WebDataset", stored, partial(keep, "webdataset", examples, scratch)),
    ]


def common_way(composer: Composer, scratch: Path, n: int) -> int:
    """Pastes a kept sprite on a black picture and saves it as a PNG file, n times; gives the files' bytes."""
    side, rgb = composer.size_px, (255, 0, 0)
    cell = side // composer.design.grid.cols
    object_px = round(0.86 * cell)
    sprite = Image.new("RGB", (object_px, object_px), rgb)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for k in range(n):
            picture = Image.new("RGB", (side, side))
            place = composer.design.cell(k)
            picture.paste(sprite, (cell * place.col + 3, cell * place.row + 3))
            picture.save(f"{folder}/{k}.png")
        return size_of(Path(folder))


class Cold:
    """Pictures of one size that are together larger than the largest cache, each touched before."""

    def __init__(self, size_px: int) -> None:
        """Makes the pictures and touches them."""
        n = -(-cold_bytes() // (3 * size_px**2))
        self._pictures = list(np.ones((n, size_px, size_px, 3), dtype=np.uint8))
        self._next = 0

    def fill(self, n: int) -> int:
        """Fills one picture after the other with zeros, going on where it was left."""
        for picture in self._taken(n):
            picture.fill(0)
        return 0

    def copy(self, n: int) -> int:
        """Copies one picture over the one half of the round away."""
        half = len(self._pictures) // 2
        for k, picture in enumerate(self._taken(n), self._next):
            np.copyto(picture, self._pictures[(k + half) % len(self._pictures)])
        return 0

    def _taken(self, n: int) -> Iterator[NDArray[np.uint8]]:
        for _ in range(n):
            self._next = (self._next + 1) % len(self._pictures)
            yield self._pictures[self._next]


def cold_bytes() -> int:
    """How much is written before the same place is written again: 256 MiB, and three times the largest cache."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    caches = [1024 * int(found[1]) for path in sizes if (found := re.match(r"(\d+)K", path.read_text()))]
    return max(256 * 2**20, 3 * max(caches, default=0))


def warm_fill(size_px: int, n: int) -> int:
    """Fills the same picture with zeros, n times."""
    picture = np.ones((size_px, size_px, 3), dtype=np.uint8)
    for _ in range(n):
        picture.fill(0)
    return 0


def decode(composer: Composer, n: int) -> int:
    """Decodes the PNG file of a scene, held in memory, n times."""
    buffer = BytesIO()
    Image.fromarray(render(composer.scene(0))).save(buffer, "PNG")
    for _ in range(n):
        with Image.open(BytesIO(buffer.getvalue())) as picture:
            np.asarray(picture)
    return 0


def drawer(composer: Composer, *, shuffle: bool = False) -> Callable[[int], int]:
    """What draws n scenes in batches into one buffer: the sets in index order, or by a keyed permutation."""
    draw, order = Batches(composer, BATCH), Permutation(len(composer.design), 0)

    def run(n: int) -> int:
        for start in range(0, n, BATCH):
            indices = range(start, min(start + BATCH, n))
            draw([order[k] for k in indices] if shuffle else indices)
        return 0

    return run


def from_nothing(shown: SceneDesign, size_px: int, n: int) -> int:
    """Draws n scenes in batches, with a new buffer and nothing known of the design."""
    return drawer(Composer(shown, size_px, 0))(n)


def one_by_one(composer: Composer, n: int) -> int:
    """Renders n scenes, each into a picture of its own."""
    for k in range(n):
        render(composer.scene(k), composer.pools)
    return 0


def without_pixels(examples: SceneExamples, n: int) -> int:
    """Makes n examples: question, options, answer, annotation."""
    for k in range(n):
        examples[k]
    return 0


def with_pixels(examples: SceneExamples, n: int) -> int:
    """Makes n examples and their pictures."""
    for k in range(n):
        examples.pixels(k)
        examples[k]
    return 0


class Shuffled(ExampleSet):
    """A set in another order."""

    def __init__(self, examples: SceneExamples) -> None:
        """Keeps the set; nothing is made."""
        self._examples = examples
        self._order = Permutation(len(examples), 0)

    @property
    @override
    def info(self) -> SetInfo:
        return self._examples.info

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[self._order[index]]

    @override
    def image(self, index: int) -> Image.Image:
        return self._examples.image(self._order[index])

    @override
    def encoded(self, index: int) -> bytes:
        return self._examples.encoded(self._order[index])


def keep(format_name: str, examples: ExampleSet, scratch: Path, n: int) -> int:
    """Stores n examples with their questions and answers; gives the bytes of the whole folder."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        storing(examples, Path(folder) / "set", format_name, n).complete()
        return size_of(Path(folder))


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def many_scenes() -> SceneDesign:
    """A design of 11 million scenes, none of which is there twice."""
    return build(design_file(DESIGN).model_copy(update={"replicate": 1000}))


def drawn(n: int) -> Length:
    """Draws n scenes of 336 px in batches in this process."""
    draw = Batches(Composer(many_scenes(), 336, 0), BATCH)
    draw(range(BATCH))  # fills the buffer, which is done once however many scenes there are
    ends = [time.perf_counter()]
    for start in range(0, n, BATCH):
        draw(range(start, min(start + BATCH, n)))
        if (start + BATCH) % STRETCH == 0:
            ends.append(time.perf_counter())
    seconds = time.perf_counter() - ends[0]
    return Length(n, seconds, 1e6 * float(np.median(np.diff(ends))) / STRETCH, most_memory_mib())


def most_memory_mib() -> float:
    """The most memory that this process ever held.

    `ru_maxrss` is not asked on Linux: there a process begins with that of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def set_up_ms(size_px: int) -> float:
    """How long it takes in this process to draw all sprites of the design, from nothing."""
    composer = Composer(design(DESIGN), size_px, 0)
    begun = time.perf_counter()
    for shown in range(0, len(composer.design), composer.design.n_cells):
        render(composer.scene(shown))
    return 1000 * (time.perf_counter() - begun)


def fresh_draw(n: int) -> Length:
    """`drawn` in a process of its own."""
    return Length(**json.loads(_fresh("--draw", str(n))))


def fresh_set_up(size_px: int) -> float:
    """`set_up_ms` in a process of its own."""
    return float(json.loads(_fresh("--set-up", str(size_px))))


def _fresh(*options: str) -> str:
    done = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout


STARTS = {
    "python alone": "pass",
    "a design and its first picture": (
        "from evensight.scenes.catalog import design; from evensight.scenes.compose import Composer; "
        "from evensight.scenes.render import render; render(Composer(design('civet-full'), 336, 0).scene(0))"
    ),
    "an example with its picture": (
        "from evensight.datasets.scene_examples import SceneExamples; from evensight.scenes.catalog import design; "
        "set = SceneExamples(design('civet-full'), 336, 0); set[0]; set.image(0)"
    ),
}


def start_up_ms(code: str) -> float:
    """How long a fresh Python takes to run it, the fastest of three."""

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
        return 1000 * (time.perf_counter() - begun)

    return min(once() for _ in range(3))


Judged = tuple[str, str, bool]
"""A goal, what was found, and whether it was reached."""


def judged(timed: Sequence[Timed], lengths: Sequence[Length], set_ups: dict[int, float]) -> list[Judged]:
    """Each goal with what was found."""
    goals: list[Judged] = []
    for side in dict.fromkeys(each.size_px for each in timed):
        us = {each.way: each.us_a_scene for each in timed if each.size_px == side}
        size = {each.way: each.bytes_a_scene for each in timed if each.size_px == side}
        batch, stored, n_bytes = us[COMMON] / us[BATCHES], us[COMMON] / us[PARQUET], size[PARQUET] or 0.0
        found = f"{us[BATCHES]:.1f} against {us[COLD]:.1f} µs"
        goals += [
            (f"{side} px: a batch at 100x the common way", f"{batch:,.0f}x", batch >= GOALS["common"]),
            (f"{side} px: a batch under the time of a cold fill", found, us[BATCHES] < us[COLD]),
            (f"{side} px: Parquet at 15x the common way", f"{stored:.1f}x", stored >= GOALS["parquet"]),
        ]
        if side == 336:
            goals.append((f"{side} px: 120 bytes a scene", f"{n_bytes:.0f}", n_bytes <= GOALS["bytes"]))
        goals.append((f"{side} px: sprites in 50 ms", f"{set_ups[side]:.0f} ms", set_ups[side] < GOALS["set_up_ms"]))
    spread = {
        "memory": ([each.rss_mib for each in lengths], "MiB", GOALS["rss"]),
        "time a scene": ([each.us_a_scene for each in lengths], "µs", GOALS["linear"]),
    }
    for name, (figures, unit, most) in spread.items():
        found = f"{figures[0]:.1f} to {figures[-1]:.1f} {unit}"
        reach = f"{lengths[0].n_scenes:,} to {lengths[-1].n_scenes:,} scenes"
        goals.append((f"{name} grows by {most:g}x at most, {reach}", found, _growth(figures) <= most))
    return goals


def _growth(figures: Sequence[float]) -> float:
    """The most that a later figure is of an earlier one."""
    return max(late / early for k, early in enumerate(figures) for late in figures[k:])


def machine() -> dict[str, str]:
    """What it was measured on."""
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": version("pillow"),
        "evensight": evensight.__version__,
        "cold_mib": f"{cold_bytes() / 2**20:.0f}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or "unknown"


def page(
    timed: Sequence[Timed],
    lengths: Sequence[Length],
    in_fresh: dict[str, dict[int, float] | dict[str, float]],
    goals: Sequence[Judged],
) -> str:
    """The page in Markdown."""
    facts = machine()
    lines = [
        "# How fast scenes are made",
        "",
        "Made by `make bench` (`benchmarks/scenes.py`, which says how each figure is taken) in one run on one core "
        f"of {facts['processor']}, {facts['system']}, Python {facts['python']}, numpy {facts['numpy']}, Pillow "
        f"{facts['pillow']}. Scenes of `{DESIGN}`; the fastest of the rounds. A cold fill or copy goes through "
        f"{facts['cold_mib']} MiB before it comes back, a warm one stays in the cache.",
    ]
    for side in dict.fromkeys(each.size_px for each in timed):
        lines += ["", f"## {side} px", "", *_ways_table([each for each in timed if each.size_px == side])]
    lines += ["", "## From ten thousand scenes to ten million", "", *_lengths_table(lengths)]
    lines += ["", "## In a fresh process", "", "| | ms |", "|---|---:|"]
    lines += [f"| all 144 sprites of `{DESIGN}` at {side} px | {ms:.0f} |" for side, ms in in_fresh["set_up"].items()]
    lines += [f"| start-up: {what} | {ms:.0f} |" for what, ms in in_fresh["start_up"].items()]
    lines += ["", "## Goals", "", "| goal | found | |", "|---|---|---|"]
    lines += [f"| {goal} | {found} | {'reached' if passed else '**missed**'} |" for goal, found, passed in goals]
    return "\n".join([*lines, "", "## The peer", "", PEER]) + "\n"


def _ways_table(timed: Sequence[Timed]) -> list[str]:
    common, cold = (next(each.us_a_scene for each in timed if each.way == way) for way in (COMMON, COLD))
    lines = [
        "| way | µs a scene | scenes a second | x common way | x cold fill | bytes a scene |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for each in timed:
        us, left = each.us_a_scene, "" if each.bytes_a_scene is None else f"{each.bytes_a_scene:,.0f}"
        lines.append(f"| {each.way} | {us:,.1f} | {1e6 / us:,.0f} | {common / us:,.1f} | {cold / us:,.2f} | {left} |")
    return lines


def _lengths_table(lengths: Sequence[Length]) -> list[str]:
    lines = [
        "Each in a process of its own, 336 px, in batches of 64 into one buffer, no scene twice. The first batch, "
        "which fills the buffer, is not counted to the time. The time a scene is the median over stretches of "
        f"{STRETCH} scenes; the memory is the most that the process ever held.",
        "",
        "| scenes | µs a scene | seconds | memory, MiB |",
        "|---:|---:|---:|---:|",
    ]
    return lines + [
        f"| {each.n_scenes:,} | {each.us_a_scene:.2f} | {each.seconds:.2f} | {each.rss_mib:.0f} |" for each in lengths
    ]


if __name__ == "__main__":
    main()
