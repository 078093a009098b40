"""Rows into one Parquet file, a bounded number of bytes in memory at a time, with the Hub's features."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evensight.progress import track
from evensight.runs import atomic_file

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""The type of the Hub's `Image` feature: encoded bytes and a file name."""

_GROUP_ROWS = 256
_GROUP_BYTES = 8_000_000


def schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    """The columns with the metadata from which `datasets` knows their features, pictures among them."""
    features = {name: _feature(kind) for name, kind in columns.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(columns.items()), metadata=metadata)


def write_rows(path: Path, columns: pa.Schema, rows: Iterable[tuple[dict[str, Any], int]], n: int) -> None:
    """Writes a Parquet file, whole or not at all.

    Args:
        path: The file.
        columns: Its schema.
        rows: The rows, each with the size of its picture in bytes.
        n: How many there are.
    """
    group: list[dict[str, Any]] = []
    n_bytes = 0
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, columns, compression="zstd") as writer:
        for row, size in track(rows, "writing rows", n, "examples"):
            group.append(row)
            n_bytes += size
            if len(group) == _GROUP_ROWS or n_bytes > _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema=columns))
                group, n_bytes = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=columns))


def _feature(kind: pa.DataType) -> Any:
    if kind == PICTURE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"_type": "Value", "dtype": str(kind)}
