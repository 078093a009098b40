"""Examples on the disk: Parquet shards with the images inside, and a manifest that seals the folder.

What the columns are is in `rows`, how shards come to be in `shards`. The manifest holds the set's configuration,
what it claims to balance, and the hashes of the files.

A row's image and texts are much like its neighbour's, so pages are as large as row groups and nothing is kept in
dictionaries that zstd would not find by itself: a third of the size of Parquet's defaults.
"""

import io
import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image
from typing_extensions import override

from evensight.annotations import Box, Cell, Frame, Grid, Object
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.progress import Advance
from evensight.questions.tasks import Question
from evensight.runs import RunFolder, RunManifest, atomic_file, hash_json, one_line
from evensight.storage.card import CardNotes
from evensight.storage.rows import OPTIONAL_FIELDS, OTHERS_FIELD, example_row, example_table, schema
from evensight.storage.shards import KIND, Layout, ShardFormat, ShardStore, encoded_rows

DATA_NAME = "data-00000-of-00001.parquet"
"""The one file of a set that fits a shard."""
_GROUP_ROWS = 2048
_GROUP_BYTES = 8_000_000
_CACHED_GROUPS = 32
_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "data_page_size": 2 * _GROUP_BYTES,
    "use_dictionary": ["task", "options.list.element", "answer", "area"],
    "write_statistics": False,
}
_SAFE_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"


class ParquetShards(ShardFormat):
    """Shards as Parquet files."""

    name = "parquet"
    shard_rows = 65_536
    stem = "data-{:05d}-of-{:05d}.parquet"

    @override
    def write(self, examples: ExampleSet, rows: range, path: Path, advance: Advance) -> None:
        columns = schema(examples.info.factors)
        with atomic_file(path) as temporary, pq.ParquetWriter(temporary, columns, **_WRITING) as writer:
            for group, images in _groups(examples, rows):
                writer.write_table(example_table(group, images, columns))
                advance(len(group))


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


def _groups(examples: ExampleSet, rows: range) -> Iterator[tuple[list[Example], list[bytes]]]:
    group: list[Example] = []
    images: list[bytes] = []
    n_bytes = 0
    for example, encoded in encoded_rows(examples, rows):
        group.append(example)
        images.append(encoded)
        n_bytes += len(encoded)
        if len(group) == _GROUP_ROWS or n_bytes > _GROUP_BYTES:
            yield group, images
            group, images, n_bytes = [], [], 0
    if group:
        yield group, images


class StoredExamples(ExampleSet):
    """A stored set, read back: its table in memory, in columns; its images as they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder and checks that it is whole.

        Raises:
            InputError: It is not there, half written, damaged, or not a set that is stored as Parquet.
        """
        run = RunFolder(folder)
        manifest = run.manifest(KIND)
        run.check_files(manifest)
        self._folder = folder
        try:
            self._info = _info(manifest)
            self._paths = _data_files(folder, manifest)
            self._table = _read(self._paths, self._info.factors)
            if len(self._table) != manifest.facts["n"]:
                raise InputError(f"`{folder}` has {len(self._table)} rows: expected {manifest.facts['n']}")
            _check(self._table, self._info.grid, folder)
            sizes = [(path, k, size) for path in self._paths for k, size in enumerate(_group_sizes(path))]
        except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"`{folder}` can't be read as a stored set: {one_line(error)}; make it again") from error
        data = {path.name: manifest.files[path.name] for path in self._paths}
        self._hash = next(iter(data.values())) if len(data) == 1 else hash_json(data)
        self._groups = [(str(path), k) for path, k, _ in sizes]
        self._ends = list(accumulate(size for *_, size in sizes))
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

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"the set has examples 0 to {len(self) - 1}, got {index}")
        row = {name: column[index].as_py() for name, column in self._columns.items()}
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
        k = bisect_right(self._ends, index)
        path, group = self._groups[k]
        return bytes(_images_of_group(os.getpid(), path, group)[index - (self._ends[k - 1] if k else 0)].as_py())

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
    )


def _data_files(folder: Path, manifest: RunManifest) -> list[Path]:
    made_as = manifest.config.get("format", ParquetShards.name)
    if made_as != ParquetShards.name:
        raise InputError(f"`{folder}` is stored as {made_as}: expected a set that is stored as parquet")
    n_shards = manifest.facts.get("n_shards", 1)  # sets of before had one file
    if not 1 <= n_shards <= len(manifest.files):
        raise InputError(f"`{folder}` has {len(manifest.files)} files by its manifest: expected {n_shards}")
    layout = Layout(n_shards, 1)
    names = [ParquetShards().shard_name(k, layout) for k in range(n_shards)]
    if not set(names) <= set(manifest.files):
        raise InputError(f"`{folder}`: its manifest doesn't list `{min(set(names) - set(manifest.files))}`")
    return [folder / name for name in names]


def _read(paths: list[Path], factors: tuple[str, ...]) -> pa.Table:
    """All rows of all files but for the images; words that recur are kept once."""
    columns = schema(factors)
    needed = set(columns.names) - {field.name for field in (*OPTIONAL_FIELDS, OTHERS_FIELD)}
    recurring = ["task", "answer", "area", "options.list.element", *factors]
    tables = []
    for path in paths:
        names = set(pq.read_schema(path).names)
        if needed - names:
            raise InputError(f"`{path}` lacks the columns {', '.join(sorted(needed - names))}")
        file = pq.ParquetFile(path, read_dictionary=recurring)
        wanted = [name for name in columns.names if name != "image" and name in names]
        tables += [file.read_row_group(k, wanted) for k in range(file.num_row_groups)]
    return pa.concat_tables(tables) if tables else columns.empty_table()


def _group_sizes(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]


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


@lru_cache(maxsize=_CACHED_GROUPS)
def _images_of_group(_pid: int, path: str, group: int) -> pa.Array:
    """A row group's images; the process is part of the key, for a reader doesn't survive a fork."""
    file = pq.ParquetFile(path, memory_map=True)
    images = file.read_row_group(group, ["image"], use_threads=False)["image"].combine_chunks()
    return images.field("bytes")


__all__ = ["DATA_NAME", "ParquetShards", "StoredExamples", "example_row", "schema", "store", "store_part"]
