"""What every evaluation leaves, whoever answered: the facts of the set that was asked, tables and their figures."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evensight.datasets.examples import ExampleSet
from evensight.evaluation.results import RESULTS_NAME, Results, control_file
from evensight.evaluation.summary import summarise
from evensight.runs import atomic_file, write_json


def set_facts(examples: ExampleSet) -> dict[str, Any]:
    """What a manifest says of the set that was asked; `n` is how many questions it has, answered or not."""
    info = examples.info
    return {
        "set": info.name,
        "n": len(examples),
        "grid": [info.grid.rows, info.grid.cols],
        "factors": list(info.factors),
        "balanced": [list(pair) for pair in info.balanced],
        "notes": dict(info.notes),
        "of_photos": info.of_photos,
        "prior": None if info.prior is None else dict(info.prior),
    }


def tables(results: Results) -> Iterator[tuple[str, pa.Table]]:
    """The tables of an evaluation, by their files' names."""
    yield RESULTS_NAME, results.table
    for name, table in results.controls.items():
        yield control_file(name), table


def write_tables(results: Results) -> None:
    """Writes the tables to the results' path, and beside them `summary.json`, each file whole or not at all."""
    for name, table in tables(results):
        with atomic_file(results.path / name) as path:
            pq.write_table(table, path, compression="zstd")
    write_json(results.path / "summary.json", summarise(results).as_json())
