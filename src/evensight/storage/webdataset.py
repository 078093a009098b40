"""Examples as WebDataset shards: tar files in which `ID.png` and `ID.json` stand side by side.

The JSON has the columns of `rows`. Headers carry no time and no owner, so the same rows are the same bytes.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from typing_extensions import override

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.progress import Advance
from evensight.runs import atomic_file
from evensight.storage.rows import Located, example_row, image_name, json_row
from evensight.storage.shards import ShardFormat, encoded_rows

_END = bytes(2 * tarfile.BLOCKSIZE)


class WebDatasetShards(ShardFormat):
    """Shards as tar files."""

    name = "webdataset"
    shard_rows = 10_000
    stem = "data-{:05d}-of-{:05d}.tar"

    @override
    def write(self, examples: ExampleSet, rows: range, path: Path, advance: Advance) -> None:
        with atomic_file(path, receipt=True) as temporary, temporary.open("wb") as tar:
            for example, encoded in encoded_rows(examples, rows):
                if "." in example.id:
                    raise InputError(
                        f"the id `{example.id}` has a dot: a WebDataset's keys end at the first one; "
                        "store this set as parquet"
                    )
                _add(tar, image_name(example.id, encoded), encoded)
                _add(tar, f"{example.id}.json", json_row(example_row(example)).encode())
                advance()
            tar.write(_END)


def _add(tar: IO[bytes], name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)  # its defaults: a file of mode 644, of the year 1970 and of nobody
    header.size = len(content)
    tar.write(header.tobuf(tarfile.USTAR_FORMAT))
    tar.write(content)
    tar.write(bytes(-len(content) % tarfile.BLOCKSIZE))


def rows_of(path: Path) -> Iterator[Located]:
    """The rows of a shard with the places of their images."""
    with tarfile.open(path, "r:") as tar:
        picture = None
        for member in tar:
            if not member.name.endswith(".json"):
                picture = (path, member.offset_data, member.size)
                continue
            file = tar.extractfile(member)
            if picture is None or file is None:
                raise InputError(f"`{path}`: `{member.name}` has no picture before it")
            yield json.loads(file.read()), picture
            picture = None
