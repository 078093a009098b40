"""The commands that are put on trial, and the small inputs that they run on: real processes, the embedded model.

Each writes one folder, or prints. Sets are of 36 scenes, so that a whole run takes seconds. All run on a copy of the
package, so that its own files can be damaged, too.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import evensight
from evensight.runs import hash_file
from said import answering

OUT = "{out}"
"""Stands in a command's words for the folder that it writes."""

SQUARES = """\
name: squares
description: "squares and circles in every cell"
grid: 3x3
parts:
  - {shape: [square, circle], color: [red, yellow], size: [large]}
"""
STARS = """\
name: stars
description: "stars and triangles in every cell"
grid: 3x3
parts:
  - {shape: [star, triangle], color: [blue, green], size: [large]}
"""
STUDY = """\
name: small
model: embedded
size_px: 108
finetune: {epochs: 1, batch_size: 27}
conditions:
  base: {}
  trained: {train: SQUARES}
tests:
  stars: {design: STARS}
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command on trial.

    Attributes:
        name: What it is called in the table.
        words: What follows `evensight`, with `{out}` for its folder.
        reads: The files and folders that it reads, to damage them.
        reads_hashed: Whether these bear hashes, so that no damage can go unseen.
        writes: Whether it writes a folder that a run seals, so that killing it is worth a trial.
        has_workers: Whether it has processes of its own that load data.
        lock: The file in its folder that tells that it is at work.
    """

    name: str
    words: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    reads_hashed: bool = True
    writes: bool = True
    has_workers: bool = False
    lock: str = ".lock"

    def line(self, out: Path) -> list[str]:
        """The command line, as a user's shell would run it."""
        return [sys.executable, "-m", "evensight", *(word.replace(OUT, str(out)) for word in self.words)]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the trials are.

    Attributes:
        root: The folder of the inputs, made for the trials.
        by_name: The commands.
    """

    root: Path
    by_name: Mapping[str, Command]

    @property
    def package(self) -> Path:
        """The copy of the package that runs."""
        return self.root / "package" / "evensight"

    def environment(self, cache: Path, **more: str) -> dict[str, str]:
        """The environment of a run: offline, one thread, a cache of its own."""
        return _environment(self.root, cache) | more


def _environment(root: Path, cache: Path) -> dict[str, str]:
    own = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "COLUMNS": "1000",
        "EVENSIGHT_LOADER_PATIENCE_S": "20",
    }
    ours = {"EVENSIGHT_CACHE": str(cache), "PYTHONPATH": str(root / "package")}
    return {**os.environ, **own, **ours}


@contextmanager
def commands(root: Path, *, are_few: bool = False) -> Iterator[Bench]:
    """The commands, their inputs made below `root`; a server answers while the block runs.

    Args:
        root: A folder that isn't there yet.
        are_few: Whether only those are wanted that read nothing that others have made, which would take a while.
    """
    root.mkdir(parents=True, exist_ok=True)
    ours = Path(evensight.__file__).parent
    shutil.copytree(ours, root / "package" / "evensight", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {"squares": SQUARES, "stars": STARS}.items():
        (root / f"{name}.yaml").write_text(text)
    study = STUDY.replace("SQUARES", str(root / "squares.yaml")).replace("STARS", str(root / "stars.yaml"))
    (root / "study.yaml").write_text(study)
    with answering() as url:
        for name in () if are_few else ("squares", "stars"):
            _run(root, "generate", str(root / f"{name}.yaml"), "--size", "108", "--out", str(root / name))
        found = [*_making(root), *(() if are_few else (*_asking(root, url), *_reading(root)))]
        yield Bench(root, {command.name: command for command in found})


def _making(root: Path) -> tuple[Command, ...]:
    """The commands that read nothing of ours."""
    photos = photographs(root / "photos")
    return (
        Command("generate", ("generate", str(root / "squares.yaml"), "--size", "108", "--out", OUT)),
        Command("photos", ("photos", "make", str(photos), "--split", "val2017", "--out", OUT), (photos,), False),
        Command("study", ("study", str(root / "study.yaml"), "--out", OUT), lock=".locks/trained/.lock"),
    )


def _asking(root: Path, url: str) -> tuple[Command, ...]:
    """The commands that train on a stored set, or ask one."""
    squares, stars = root / "squares", root / "stars"
    embedded = ("--model", "embedded", "--data", str(stars))
    tune = ("finetune", "--model", "embedded", "--data", str(squares), "--epochs", "2", "--batch-size", "9")
    ask = ("evaluate", "--server", url, "--model", "said", "--data", str(stars))
    return (
        Command("finetune", (*tune, "--checkpoint-steps", "2", "--out", OUT), (squares,), has_workers=True),
        Command("evaluate", ("evaluate", *embedded, "--by", "both", "--batch-size", "9", "--out", OUT), (stars,)),
        Command("evaluate at a server", (*ask, "--out", OUT), (stars,)),
        Command("probe", ("probe", *embedded, "--seeds", "1", "--intervention", "9", "--out", OUT), (stars,)),
    )


def _reading(root: Path) -> tuple[Command, ...]:
    """The commands that read what others have made."""
    squares, stars, tuned = root / "squares", root / "stars", root / "tuned"
    ask = ("evaluate", "--model", "embedded", "--data", str(stars))
    _run(root, "finetune", "--model", "embedded", "--data", str(squares), "--epochs", "2", "--out", str(tuned))
    _run(root, *ask, "--out", str(root / "base"))
    _run(root, *ask, "--adapter", str(tuned), "--out", str(root / "trained"))
    runs = (root / "base", root / "trained")
    both = tuple(map(str, runs))
    return (
        Command("evaluate an adapter", (*ask, "--adapter", str(tuned), "--out", OUT), (tuned,), writes=False),
        Command("score", ("score", str(root / "base"), "--out", OUT), runs[:1], writes=False),
        Command("compare", ("compare", *both, "--by", "cell"), runs, writes=False),
        Command("report", ("report", *both, "--out", f"{OUT}/report.html"), runs, writes=False),
        Command("export", ("export", str(stars), "--to", "trl", "--out", OUT), (stars,), writes=False),
        Command("audit", ("audit", str(squares), str(stars)), (squares, stars), writes=False),
    )


def _run(root: Path, *words: str) -> None:
    line = [sys.executable, "-m", "evensight", *words]
    subprocess.run(line, check=True, env=_environment(root, root / "cache"), stdout=subprocess.DEVNULL)


def photographs(root: Path) -> Path:
    """A folder in COCO's layout: 24 photographs of noise with a cat or a dog somewhere."""
    rng = np.random.default_rng(0)
    (root / "val2017").mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    images, annotations = [], []
    for k in range(24):
        x, y = int(rng.integers(0, 130)), int(rng.integers(0, 90))
        pixels = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "val2017" / f"{k}.jpg", "JPEG", quality=90)
        images.append({"id": k, "file_name": f"{k}.jpg", "width": 160, "height": 120})
        box = [x, y, 30, 30]
        annotations.append({"id": k, "image_id": k, "category_id": 1 + k % 2, "bbox": box, "iscrowd": 0, "area": 900})
    listed = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(listed))
    return root


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its path; locks, which are empty, and measured times aside."""
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".durations.jsonl")
    }
