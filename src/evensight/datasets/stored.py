"""Examples on the disk: Parquet with the images inside, and a manifest that seals the folder.

The columns are `id`, `image` (the Hub's `Image` feature: encoded bytes and a file name), `task`, `question`,
`options`, `answer`, `slot`, `row`, `col`, `area`, `box_xyxy_px`, `frame_wh_px` (the image's size), and one for each
factor. The manifest holds the set's configuration, what it claims to balance, and the hash of the file.
"""

import io
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from typing_extensions import override

from evensight.annotations import Box, Cell, Frame, Grid
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.progress import track
from evensight.questions.tasks import Question
from evensight.runs import RunFolder, RunManifest, atomic_file, fingerprint, hash_files, one_line

DATA_NAME = "data-00000-of-00001.parquet"
_GROUP_ROWS = 256
_GROUP_BYTES = 8_000_000
_CACHED_GROUPS = 64

_FIXED_FIELDS = (
    pa.field("id", pa.string()),
    pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    pa.field("task", pa.string()),
    pa.field("question", pa.string()),
    pa.field("options", pa.list_(pa.string())),
    pa.field("answer", pa.string()),
    pa.field("slot", pa.int32()),
    pa.field("row", pa.int32()),
    pa.field("col", pa.int32()),
    pa.field("area", pa.string()),
    pa.field("box_xyxy_px", pa.list_(pa.float64())),
    pa.field("frame_wh_px", pa.list_(pa.int32())),
)


def schema(factors: tuple[str, ...]) -> pa.Schema:
    """The columns of a stored set with these factors, with the features that the Hub's viewer reads."""
    fields = [*_FIXED_FIELDS, *(pa.field(factor, pa.string()) for factor in factors)]
    features = {field.name: _feature(field.type) for field in fields} | {"image": {"_type": "Image"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(fields, metadata=metadata)


def store(examples: ExampleSet, out: Path, limit: int | None = None) -> RunManifest:
    """Writes a set to a folder, whole or not at all; a folder that holds it already is left as it is.

    Args:
        examples: The set.
        out: The folder.
        limit: Only so many examples, from the first; the set then claims no balance.

    Raises:
        InputError: The folder holds something else.
    """
    n = len(examples) if limit is None else min(limit, len(examples))
    info = examples.info
    config = {**info.config, "n": n}
    inputs = {"data": examples.hash}
    folder = RunFolder(out)
    with folder.locked():
        if folder.is_done("dataset", config, inputs):
            return folder.manifest("dataset")
        folder.begin("dataset", fingerprint("dataset", config, inputs))
        with atomic_file(out / DATA_NAME) as path:
            _write(examples, n, path)
        facts = {
            "name": info.name,
            "n": n,
            "factors": list(info.factors),
            "grid": [info.grid.rows, info.grid.cols],
            "balanced": [list(pair) for pair in info.balanced] if n == len(examples) else [],
            "notes": dict(info.notes),
        }
        manifest = RunManifest("dataset", config, inputs, hash_files(out, "*.parquet"), facts)
        folder.seal(manifest)
        return manifest


class StoredExamples(ExampleSet):
    """A stored set, read back: its table in memory, its images as they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder and checks that it is whole.

        Raises:
            InputError: It is not there, half written, damaged, or not a set.
        """
        run = RunFolder(folder)
        manifest = run.manifest("dataset")
        run.check_files(manifest)
        self._path = folder / DATA_NAME
        try:
            facts = manifest.facts
            self._hash = manifest.files[DATA_NAME]
            self._info = SetInfo(
                str(facts["name"]),
                manifest.config,
                tuple(facts["factors"]),
                Grid(*facts["grid"]),
                tuple((str(given), str(counted)) for given, counted in facts["balanced"]),
                facts["notes"],
            )
            file = pq.ParquetFile(self._path)
            names = schema(self._info.factors).names
            missing = set(names) - set(file.schema_arrow.names)
            if missing:
                raise InputError(f"`{self._path}` lacks the columns {', '.join(sorted(missing))}")
            self._rows = file.read([name for name in names if name != "image"]).to_pylist()
            if len(self._rows) != facts["n"]:
                raise InputError(f"`{self._path}` has {len(self._rows)} rows: expected {facts['n']}")
            for index, row in enumerate(self._rows):
                self._check(index, row)
            sizes = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
        except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"`{folder}` can't be read as a stored set: {one_line(error)}; make it again") from error
        self._at = [(group, k) for group, size in enumerate(sizes) for k in range(size)]

    def _check(self, index: int, row: dict[str, Any]) -> None:
        example, grid = self[index], self._info.grid
        if not _is_file_name(example.id):
            raise InputError(f"the id `{example.id}` in `{self._path}` can't name a picture's file")
        if not (0 <= example.cell.row < grid.rows and 0 <= example.cell.col < grid.cols):
            raise InputError(f"`{example.id}` in `{self._path}` is in a cell that is not on the {grid} grid")
        if row["slot"] != example.question.slot:
            raise InputError(f"`{example.id}` in `{self._path}`: the answer doesn't stand in its slot {row['slot']}")

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    @property
    @override
    def hash(self) -> str:
        return self._hash

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        row = self._rows[index]
        return Example(
            id=row["id"],
            question=Question(row["task"], row["question"], tuple(row["options"]), row["answer"]),
            cell=Cell(row["row"], row["col"]),
            area=row["area"],
            box=Box(*row["box_xyxy_px"]),
            frame=Frame(*row["frame_wh_px"]),
            attributes={factor: row[factor] for factor in self._info.factors},
        )

    @override
    def encoded(self, index: int) -> bytes:
        group, k = self._at[index]
        return bytes(_images_of_group(os.getpid(), str(self._path), group)[k]["bytes"])

    @override
    def image(self, index: int) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self.encoded(index)), formats=("PNG", "JPEG")) as image:
                return image.convert("RGB")
        except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"the image of `{self[index].id}` in `{self._path}` can't be read") from error


def _is_file_name(name: object) -> bool:
    """Whether a text is the name of a file in a folder, and leads nowhere else."""
    return isinstance(name, str) and name.isprintable() and Path(name).name == name != "" and name[0] != "."


@lru_cache(maxsize=_CACHED_GROUPS)
def _images_of_group(_pid: int, path: str, group: int) -> list[dict[str, Any]]:
    """A row group's images; the process is part of the key, for a reader doesn't survive a fork."""
    file = pq.ParquetFile(path, memory_map=True)
    images: list[dict[str, Any]] = file.read_row_group(group, ["image"], use_threads=False)["image"].to_pylist()
    return images


def _write(examples: ExampleSet, n: int, path: Path) -> None:
    columns = schema(examples.info.factors)
    with pq.ParquetWriter(path, columns, compression="zstd") as writer:
        for group in track(_groups(examples, n), f"storing {examples.info.name}", n, "examples", weight=len):
            writer.write_table(pa.Table.from_pylist(group, schema=columns))


def _groups(examples: ExampleSet, n: int) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    n_bytes = 0
    for index in range(n):
        encoded = examples.encoded(index)
        n_bytes += len(encoded)
        example = examples[index]
        suffix = "png" if encoded.startswith(b"\x89PNG") else "jpg"
        group.append({**example_row(example), "image": {"bytes": encoded, "path": f"{example.id}.{suffix}"}})
        if len(group) == _GROUP_ROWS or n_bytes > _GROUP_BYTES:
            yield group
            group, n_bytes = [], 0
    if group:
        yield group


def example_row(example: Example) -> dict[str, Any]:
    """An example as a row of a table, without its image."""
    question = example.question
    return {
        "id": example.id,
        "task": question.task,
        "question": question.text,
        "options": list(question.options),
        "answer": question.answer,
        "slot": question.slot,
        "row": example.cell.row,
        "col": example.cell.col,
        "area": example.area,
        "box_xyxy_px": list(example.box.xyxy_px),
        "frame_wh_px": [example.frame.width_px, example.frame.height_px],
        **example.attributes,
    }


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    return {"_type": "Value", "dtype": "float64" if pa.types.is_floating(kind) else str(kind)}
