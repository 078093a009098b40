"""Parquet shards, with the images inside.

A row's image and texts are much like its neighbour's, so pages are as large as row groups and nothing is kept in
dictionaries that zstd would not find by itself: a third of the size of Parquet's defaults.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from typing_extensions import override

from evensight.datasets.examples import Example, ExampleSet
from evensight.progress import Advance
from evensight.runs import atomic_file
from evensight.storage.rows import example_table, schema
from evensight.storage.shards import ShardFormat, encoded_rows

DATA_NAME = "data-00000-of-00001.parquet"
"""The one file of a set that fits a shard."""
_GROUP_ROWS = 2048
_GROUP_BYTES = 8_000_000
_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "data_page_size": 2 * _GROUP_BYTES,
    "use_dictionary": ["task", "options.list.element", "answer", "area"],
    "write_statistics": False,
}


class ParquetShards(ShardFormat):
    """Shards as Parquet files."""

    name = "parquet"
    shard_rows = 65_536
    stem = "data-{:05d}-of-{:05d}.parquet"

    @override
    def write(self, examples: ExampleSet, rows: range, path: Path, advance: Advance) -> None:
        columns = schema(examples.info.factors)
        with atomic_file(path, receipt=True) as temporary, pq.ParquetWriter(temporary, columns, **_WRITING) as writer:
            for group, images in _groups(examples, rows):
                writer.write_table(example_table(group, images, columns))
                advance(len(group))


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
