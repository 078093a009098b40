"""Examples as folders of pictures: `data-00000-of-00001/00000000.png`, and a line each in its `metadata.jsonl`.

This is the layout that `datasets` calls "imagefolder": each folder's metadata.jsonl names its pictures by
`file_name` and has the other columns of `rows`. A folder is a shard: it appears whole or not at all. Pictures are
named by their number in the set and not by their id: "civet-test-000000.png" would be taken for a split's name,
and its metadata left behind.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from evensight.datasets.examples import ExampleSet
from evensight.progress import Advance
from evensight.runs import atomic_folder
from evensight.storage.rows import Located, example_row, image_name, json_row
from evensight.storage.shards import ShardFormat, encoded_rows

METADATA_NAME = "metadata.jsonl"


class FolderShards(ShardFormat):
    """Shards as folders of pictures with their metadata."""

    name = "folder"
    shard_rows = 10_000
    stem = "data-{:05d}-of-{:05d}"

    @override
    def write(self, examples: ExampleSet, rows: range, path: Path, advance: Advance) -> None:
        with atomic_folder(path, receipt=True) as temporary:
            lines = []
            for index, (example, encoded) in zip(rows, encoded_rows(examples, rows), strict=True):
                file_name = image_name(f"{index:08d}", encoded)
                (temporary / file_name).write_bytes(encoded)
                lines.append(json_row({"file_name": file_name, **example_row(example)}) + "\n")
                advance()
            (temporary / METADATA_NAME).write_text("".join(lines), encoding="utf-8")


def rows_of(path: Path) -> Iterator[Located]:
    """The rows of a shard with the places of their images."""
    for line in (path / METADATA_NAME).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        picture = path / Path(row.pop("file_name")).name
        yield row, (picture, 0, picture.stat().st_size)
