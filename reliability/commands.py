"""The commands that are put on trial, and the small inputs that they run on: real processes, the embedded model.

Each writes one folder. Sets are of 36 scenes, so that a whole run takes seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

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
    """

    name: str
    words: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    reads_hashed: bool = True

    def line(self, out: Path) -> list[str]:
        """The command line, as a user's shell would run it."""
        return [sys.executable, "-m", "evensight", *(word.replace(OUT, str(out)) for word in self.words)]


def environment(cache: Path) -> dict[str, str]:
    """The environment of a run: offline, one thread, a cache of its own."""
    own = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **own, "EVENSIGHT_CACHE": str(cache), "EVENSIGHT_SERVER_KEY": "", "COLUMNS": "1000"}


@contextmanager
def commands(root: Path) -> Iterator[Mapping[str, Command]]:
    """The commands by name, their inputs made below `root`; a server answers while the block runs."""
    root.mkdir(parents=True, exist_ok=True)
    designs = {"squares": SQUARES, "stars": STARS}
    for name, text in designs.items():
        (root / f"{name}.yaml").write_text(text)
    study = STUDY.replace("SQUARES", str(root / "squares.yaml")).replace("STARS", str(root / "stars.yaml"))
    (root / "study.yaml").write_text(study)
    photos = photographs(root / "photos")
    squares, stars = stored(root, "squares"), stored(root, "stars")
    embedded = ("--model", "embedded", "--data", str(stars))
    tune = ("finetune", "--model", "embedded", "--data", str(squares))
    with answering() as url:
        found = (
            Command("generate", ("generate", str(root / "squares.yaml"), "--size", "108", "--out", OUT)),
            Command("photos", ("photos", "make", str(photos), "--split", "val2017", "--out", OUT), (photos,), False),
            Command(
                "finetune",
                (*tune, "--epochs", "2", "--batch-size", "9", "--checkpoint-steps", "2", "--out", OUT),
                (squares,),
            ),
            Command(
                "evaluate",
                ("evaluate", *embedded, "--by", "both", "--batch-size", "9", "--out", OUT),
                (stars,),
            ),
            Command(
                "evaluate at a server",
                ("evaluate", "--server", url, "--model", "said", "--data", str(stars), "--out", OUT),
                (stars,),
            ),
            Command(
                "probe",
                ("probe", *embedded, "--seeds", "1", "--intervention", "9", "--out", OUT),
                (stars,),
            ),
            Command("study", ("study", str(root / "study.yaml"), "--out", OUT)),
        )
        yield {command.name: command for command in found}


def stored(root: Path, name: str) -> Path:
    """A stored set of a design beside it."""
    out = root / name
    line = [sys.executable, "-m", "evensight", "generate", str(root / f"{name}.yaml"), "--size", "108"]
    subprocess.run([*line, "--out", str(out)], check=True, env=environment(root / "cache"), stdout=subprocess.DEVNULL)
    return out


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
    """The SHA-256 of every file below a folder, by its path; the lock, which is empty, aside."""
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
