"""Examples on the disk: shards, and a manifest that seals the folder.

What the columns are is in `rows`, how shards come to be in `shards`. The manifest holds the set's configuration,
what it claims to balance, and the hashes of the files.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Box, Cell, Frame, Grid, Object
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.questions.tasks import Question
from evensight.runs import RunFolder, RunManifest, hash_json, one_line
from evensight.storage.card import CardNotes
from evensight.storage.formats import FORMATS
from evensight.storage.parquet import ParquetShards
from evensight.storage.readers import reader
from evensight.storage.rows import OPTIONAL_FIELDS, OTHERS_FIELD
from evensight.storage.shards import KIND, ShardStore

_AT_ONCE = 1000
_SAFE_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"


def store(
    examples: ExampleSet,
    out: Path,
    limit: int | None = None,
    *,
    shard_rows: int | None = None,
    notes: CardNotes | None = None,
) -> RunManifest:
    """Writes a set to a folder as Parquet; a folder that holds it already is left as it is.

    Shards that an earlier call finished are kept, whether it was killed or told to write a part of them.

    Args:
        examples: The set.
        out: The folder.
        limit: Only so many examples, from the first; the set then claims no balance.
        shard_rows: How many rows a file has.
        notes: What the card is to say that the set can't know.

    Raises:
        InputError: The folder holds something else, or another process is writing it.
    """
    return ShardStore(examples, out, ParquetShards(), limit, shard_rows, notes).complete()


def store_part(
    examples: ExampleSet,
    out: Path,
    part: tuple[int, int],
    limit: int | None = None,
    *,
    shard_rows: int | None = None,
    notes: CardNotes | None = None,
) -> RunManifest | None:
    """Writes part `(i, n)` of a set's shards, `i` from 1 to `n`; whoever comes last seals the set.

    The parts may be written at the same time, to one folder or, copied together with their hidden files before
    `store` seals them, to several. What results is what `store` alone makes, to the byte.

    Returns:
        The manifest if the set is now whole, else none.

    Raises:
        InputError: There is no such part, the folder holds something else, or another process writes the part.
    """
    return ShardStore(examples, out, ParquetShards(), limit, shard_rows, notes).run(part)


class StoredExamples(ExampleSet):
    """A stored set, read back: its table in memory, in columns; its images as they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder and checks that it is whole.

        Raises:
            InputError: It is not there, half written, damaged, or not a stored set.
        """
        run = RunFolder(folder)
        manifest = run.manifest(KIND)
        run.check_files(manifest)
        self._folder = folder
        try:
            self._info = _info(manifest)
            self._reader = reader(folder, manifest, FORMATS, self._info.factors)
            self._table = self._reader.table
            if len(self._table) != manifest.facts["n"]:
                raise InputError(f"`{folder}` has {len(self._table)} rows: expected {manifest.facts['n']}")
            _check(self._table, self._info.grid, folder)
        except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"`{folder}` can't be read as a stored set: {one_line(error)}; make it again") from error
        files = manifest.files
        self._hash = next(iter(files.values())) if len(files) == 1 else hash_json(dict(files))
        self._columns = {name: self._table[name] for name in self._table.column_names}
        known = {field.name for field in fields(Example)}
        self._optional = [f.name for f in OPTIONAL_FIELDS if f.name in known and f.name in self._columns]

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    @property
    @override
    def hash(self) -> str:
        return self._hash

    def __len__(self) -> int:
        return len(self._table)

    def n_by_cell(self) -> NDArray[np.int64]:
        """How many questions each cell has, row by row."""
        rows, cols = (self._columns[name].to_numpy().astype(np.int64) for name in ("row", "col"))
        grid = self.info.grid
        return np.bincount(rows * grid.cols + cols, minlength=len(grid)).astype(np.int64)

    @override
    def cell(self, index: int) -> Cell:
        return Cell(self._columns["row"][index].as_py(), self._columns["col"][index].as_py())

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"the set has examples 0 to {len(self) - 1}, got {index}")
        return self._checked({name: column[index].as_py() for name, column in self._columns.items()})

    @override
    def __iter__(self) -> Iterator[Example]:
        for start in range(0, len(self), _AT_ONCE):  # rows are read together in a fraction of the time
            yield from map(self._checked, self._table.slice(start, _AT_ONCE).to_pylist())

    def _checked(self, row: dict[str, Any]) -> Example:
        try:
            return self._example(row)
        except (ValueError, TypeError) as error:
            raise InputError(f"`{row['id']}` in `{self._folder}` is no example: {one_line(error)}") from error

    def _example(self, row: dict[str, Any]) -> Example:
        optional = {name: _as_attribute(row[name]) for name in self._optional}
        return Example(
            id=row["id"],
            question=Question(row["task"], row["question"], tuple(row["options"]), row["answer"]),
            cell=Cell(row["row"], row["col"]),
            area=row["area"],
            box=Box(*row["box_xyxy_px"]),
            frame=Frame(*row["frame_wh_px"]),
            attributes={factor: row[factor] for factor in self._info.factors},
            others=tuple(map(_other, row.get("others") or ())),
            **optional,
        )

    @override
    def encoded(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"the set has examples 0 to {len(self) - 1}, got {index}")
        return self._reader.encoded(index)

    @override
    def image(self, index: int) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self.encoded(index)), formats=("PNG", "JPEG")) as image:
                return image.convert("RGB")
        except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"the image of `{self[index].id}` in `{self._folder}` can't be read") from error


def _info(manifest: RunManifest) -> SetInfo:
    facts = manifest.facts
    return SetInfo(
        str(facts["name"]),
        manifest.config,
        tuple(facts["factors"]),
        Grid(*facts["grid"]),
        tuple((str(given), str(counted)) for given, counted in facts["balanced"]),
        facts["notes"],
        bool(facts.get("of_photos", False)),
        facts.get("prior"),
    )


def _check(table: pa.Table, grid: Grid, folder: Path) -> None:
    """Checks what can be seen of all rows at once; the rest is checked when a row becomes an example."""
    optional = {field.name for field in (*OPTIONAL_FIELDS, OTHERS_FIELD)} | {"slot"}
    for name in table.column_names:
        if name not in optional and table[name].null_count:
            raise InputError(f"`{folder}` has rows without a value of `{name}`")
    ids = table["id"]
    odd = pc.filter(ids, pc.invert(pc.match_substring_regex(ids, _SAFE_NAME))).to_pylist()
    for name in odd:
        if not _is_file_name(name):
            raise InputError(f"the id `{name}` in `{folder}` can't name a picture's file")
    for name, n in (("row", grid.rows), ("col", grid.cols)):
        values = table[name].to_numpy()
        wrong = np.flatnonzero((values < 0) | (values >= n))
        if wrong.size:
            raise InputError(f"`{ids[int(wrong[0])]}` in `{folder}` is in a cell that is not on the {grid} grid")
    for batch in table.select(["id", "options", "answer", "slot"]).to_batches():
        _check_slots(batch, folder)


def _check_slots(batch: pa.RecordBatch, folder: Path) -> None:
    n_options = pc.list_value_length(batch["options"]).to_numpy()
    slots = pc.fill_null(batch["slot"], -1).to_numpy()
    has_options = n_options > 0
    fits = (slots >= 0) & (slots < n_options)
    ends = np.cumsum(n_options)
    at = np.where(fits, ends - n_options + slots, 0)
    options = _plain(batch["options"].flatten())
    stands = np.zeros(len(batch), dtype=bool)
    if len(options):
        stands = pc.equal(options.take(pa.array(at)), _plain(batch["answer"])).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(has_options & ~(fits & stands))
    if wrong.size:
        k = int(wrong[0])
        raise InputError(f"`{batch['id'][k]}` in `{folder}`: the answer doesn't stand in its slot {batch['slot'][k]}")


def _plain(texts: pa.Array) -> pa.Array:
    return texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts


def _other(value: dict[str, Any]) -> Object:
    centroid_px = _as_attribute(value["centroid_xy_px"])
    attributes = json.loads(value["attributes"])
    return Object(value["name"], Box(*value["box_xyxy_px"]), attributes, value["mask_area_px"], centroid_px)


def _as_attribute(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_file_name(name: object) -> bool:
    """Whether a text is the name of a file in a folder, and leads nowhere else."""
    return isinstance(name, str) and name.isprintable() and Path(name).name == name != "" and name[0] != "."
