"""The formats that a set can be stored in, by name, and the one way to store it in any of them."""

import re
from collections.abc import Mapping
from pathlib import Path

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError, one_of
from evensight.storage.card import CardNotes
from evensight.storage.folders import FolderShards
from evensight.storage.parquet import ParquetShards
from evensight.storage.shards import ShardFormat, ShardStore
from evensight.storage.webdataset import WebDatasetShards

FORMATS: Mapping[str, ShardFormat] = {
    shard_format.name: shard_format for shard_format in (ParquetShards(), FolderShards(), WebDatasetShards())
}
"""Parquet files, folders of pictures, tar files; `StoredExamples` reads all of them."""


def storing(
    examples: ExampleSet,
    out: Path,
    format_name: str,
    limit: int | None = None,
    *,
    shard_rows: int | None = None,
    notes: CardNotes | None = None,
) -> ShardStore:
    """A set on its way into a folder: `complete()` stores all of it, `run((i, n))` a part.

    Raises:
        InputError: There is no format of that name.
    """
    if format_name not in FORMATS:
        raise one_of("the format", format_name, FORMATS, "choose one of these")
    return ShardStore(examples, out, FORMATS[format_name], limit, shard_rows, notes)


def part_of(text: str) -> tuple[int, int]:
    """What `i/n` says: part `i` of `n`, counted from 1.

    Raises:
        InputError: It says nothing of the kind.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text, re.ASCII)
    if not match or int(match[1]) > int(match[2]):
        raise InputError(f"the shard `{text}` is none: expected i/n with i from 1 to n, as in 1/4")
    return int(match[1]), int(match[2])
