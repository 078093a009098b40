"""Reading the shards of a stored set back: its rows as one table, its images as they are asked for."""

import json
import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from evensight.errors import InputError
from evensight.runs import RunManifest
from evensight.storage import folders, webdataset
from evensight.storage.rows import OPTIONAL_FIELDS, OTHERS_FIELD, Located, schema
from evensight.storage.shards import Layout, ShardFormat

_CACHED_GROUPS = 32


class Reader(ABC):
    """The rows and images of some shards.

    Attributes:
        table: The rows, in order, without their images.
    """

    table: pa.Table

    @abstractmethod
    def encoded(self, index: int) -> bytes:
        """The image of row `index`, as the bytes of a file."""


class ParquetReader(Reader):
    """Parquet files: images are read by row groups, of which the last used are kept."""

    def __init__(self, paths: list[Path], factors: tuple[str, ...]) -> None:
        """Reads the rows.

        Raises:
            InputError: A column is missing.
        """
        self.table = _table(paths, factors)
        sizes = [(path, k, size) for path in paths for k, size in enumerate(_group_sizes(path))]
        files = {path: _identity(path) for path in paths}
        self._groups = [(str(path), files[path], k) for path, k, _ in sizes]
        self._ends = list(accumulate(size for *_, size in sizes))

    @override
    def encoded(self, index: int) -> bytes:
        k = bisect_right(self._ends, index)
        images = _images_of_group(os.getpid(), *self._groups[k])
        return bytes(images[index - (self._ends[k - 1] if k else 0)].as_py())


class JsonReader(Reader):
    """Rows that are JSON, and images that lie somewhere in files."""

    def __init__(self, located: Iterator[Located], factors: tuple[str, ...]) -> None:
        """Reads the rows.

        Raises:
            InputError: A row isn't what a stored set writes.
        """
        found = list(located)
        columns = schema(factors).remove(schema(factors).get_field_index("image"))
        rows = [{**row, "others": json.loads(row["others"])} for row, _ in found]
        missing = {name for row in rows for name in columns.names if name not in row}
        if missing:
            raise InputError(f"a row lacks {', '.join(sorted(missing))}")
        self.table = pa.Table.from_pylist(rows, schema=columns)
        self._at = [place for _, place in found]

    @override
    def encoded(self, index: int) -> bytes:
        path, offset, size = self._at[index]
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


def reader(
    folder: Path, manifest: RunManifest, formats: Mapping[str, ShardFormat], factors: tuple[str, ...]
) -> Reader:
    """What reads a stored set, by the format that its manifest names.

    Raises:
        InputError: It names none of the formats, or files that it doesn't list.
    """
    name = manifest.config.get("format", "parquet")
    if name not in formats:
        raise InputError(f"`{folder}` is stored as {name}: expected {', '.join(formats)}")
    paths = _shards(folder, manifest, formats[name])
    if name == "parquet":
        return ParquetReader(paths, factors)
    read: Callable[[Path], Iterator[Located]] = folders.rows_of if name == "folder" else webdataset.rows_of
    return JsonReader((row for path in paths for row in read(path)), factors)


def _shards(folder: Path, manifest: RunManifest, shard_format: ShardFormat) -> list[Path]:
    n_shards = manifest.facts.get("n_shards", 1)  # sets of before had one file
    if not 1 <= n_shards <= len(manifest.files):
        raise InputError(f"`{folder}` has {len(manifest.files)} files by its manifest: expected {n_shards}")
    names = [shard_format.shard_name(k, Layout(n_shards, 1)) for k in range(n_shards)]
    listed = {name.split("/")[0] for name in manifest.files}
    if not set(names) <= listed:
        raise InputError(f"`{folder}`: its manifest doesn't list `{min(set(names) - listed)}`")
    return [folder / name for name in names]


def _table(paths: list[Path], factors: tuple[str, ...]) -> pa.Table:
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


def _identity(path: Path) -> tuple[int, ...]:
    """What differs between two files that have had one name: another set may be stored where this one was."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=_CACHED_GROUPS)
def _images_of_group(_pid: int, path: str, _identity: tuple[int, ...], group: int) -> pa.Array:
    """A row group's images; the process is part of the key, for a reader doesn't survive a fork."""
    file = pq.ParquetFile(path, memory_map=True)
    images = file.read_row_group(group, ["image"], use_threads=False)["image"].combine_chunks()
    return images.field("bytes")
