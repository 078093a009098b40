"""Evaluations that a test writes itself, as `evensight evaluate` would leave them, with hostile text in them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evensight.annotations import AREAS, PAPER_GRID, Box, Cell, Frame
from evensight.datasets.controls import controlled
from evensight.datasets.examples import Example
from evensight.evaluation.results import Results, control_file, read_results, result_row, schema
from evensight.questions.tasks import Question
from evensight.runs import RunFolder, RunManifest, hash_files
from made_photos import Listed

HOSTILE = (
    "<script>window.hacked = 1; alert(1)</script>",
    '" onmouseover="window.hacked = 1" x="',
    "</script><img src=x onerror=window.hacked=1>",
    "a\x00b\x1b[31m\u202egnp.exe\u2066",
    "]]><!-- &amp; {{ 7 * 7 }} ${7 * 7} 'quoted'",
)
SIZE_PX = 90
FRAME = Frame(SIZE_PX, SIZE_PX)

Say = Callable[[Example], str]


def right(example: Example) -> str:
    return example.question.answer


def center_only(example: Example) -> str:
    """Says "center" whatever is asked: right in one area of the nine."""
    return "center"


def wrong(example: Example) -> str:
    return "top left" if example.question.answer != "top left" else "center"


def half(example: Example) -> str:
    """Right for half of the questions, chosen by a hash of their ids: no cell differs but by chance."""
    return right(example) if hashlib.sha256(example.id.encode()).digest()[0] < 128 else wrong(example)


def examples(
    n_per_cell: int = 8, *, name: str = "toy", category: Sequence[str] = ("cat",), skip: Sequence[Cell] = ()
) -> list[Example]:
    """Questions about every cell but those to skip, with the options and the category in turn."""
    found: list[Example] = []
    side = SIZE_PX / 9
    for cell in (cell for cell in PAPER_GRID.cells() if cell not in skip):
        for k in range(n_per_cell):
            i, area = len(found), PAPER_GRID.area_of(cell)
            options = AREAS[i % 9 :] + AREAS[: i % 9]
            shown = category[i % len(category)]
            text = f"Where is the {shown}? Choose from [{', '.join(options)}]."
            x, y = cell.col * side, cell.row * side
            box = Box(x + 2, y + 2, x + side - 2, y + side - 2)
            question = Question("absolute-position", text, options, area)
            found.append(Example(f"{name}-{i:04d}-{k}", question, cell, area, box, FRAME, {"category": shown}))
    return found


def write_run(
    path: Path,
    say: Say,
    asked: Sequence[Example] | None = None,
    *,
    set_name: str = "toy",
    adapter: str | None = None,
    pictures: int = 0,
    picture_px: int = SIZE_PX,
    model: str = "m",
    controls: Mapping[str, Say] | None = None,
    prior: Mapping[str, Any] | None = None,
    left_out: Mapping[str, str] | None = None,
) -> Results:
    """Writes a whole evaluation as `evensight evaluate` would leave it, and reads it back.

    With `controls`, what is said on each, it is one of photographs, which `prior` and `left_out` belong to too.
    """
    asked = examples() if asked is None else asked
    provenance = {"model": model, "adapter": adapter, "processor": "p", "batch_size": 4}
    rows = [result_row(example, say(example), provenance) for example in asked]
    path.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema(("category",))), path / "results.parquet")
    for name, says in (controls or {}).items():
        file = path / control_file(name)
        file.parent.mkdir(exist_ok=True)
        told = [result_row(example, says(example), provenance) for example in controlled(Listed(asked), name, 0)]
        pq.write_table(pa.Table.from_pylist(told, schema=schema(("category",))), file)
    for k, example in enumerate(asked[:: max(1, len(asked) // pictures)] if pictures else []):
        (path / "pictures").mkdir(exist_ok=True)
        shade = (20 + 9 * k) % 256
        Image.new("RGB", (picture_px, picture_px), (shade, 90, 160)).save(path / "pictures" / f"{example.id}.png")
    facts = {
        "set": set_name,
        "n": len(asked),
        "grid": [9, 9],
        "factors": ["category"],
        "balanced": [["area", "slot"]],
        "notes": {"description": f"toy questions {HOSTILE[0]}"},
        "of_photos": controls is not None,
        "prior": prior,
        "controls_left_out": left_out or {},
    }
    data = {"design": set_name, "size_px": SIZE_PX}
    inputs = {"model": model} | ({"adapter": adapter} if adapter else {})
    config = {"model": model, "data": data, "path": HOSTILE[2]}
    RunFolder(path).seal(RunManifest("evaluation", config, inputs, hash_files(path), facts))
    return read_results(path)


def hash_of(example: Example) -> int:
    return hashlib.sha256(example.id.encode()).digest()[1]
