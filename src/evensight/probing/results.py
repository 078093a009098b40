"""A probing run's tables, read back: by site, by cell, by example, and what changing a state did.

* `probes.parquet`: a row for each position, layer, target and seed.
* `cells.parquet`: for each position, layer, target and cell how often the probe is right, over all seeds.
* `predictions.parquet`: for each example, position, target and seed what the probe of the layer that was chosen says.
* `intervention.parquet`: for each site and change what the model says then.
* `answers.parquet`: what the model itself said, where an evaluation was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evensight.errors import InputError
from evensight.runs import RunFolder, RunManifest, one_line, read_json

KIND = "probes"
PROBES, CELLS, PREDICTIONS = "probes.parquet", "cells.parquet", "predictions.parquet"
INTERVENTION, ANSWERS, SUMMARY = "intervention.parquet", "answers.parquet", "summary.json"

_SITE = [pa.field("position", pa.string()), pa.field("layer", pa.int32()), pa.field("target", pa.string())]
_FIGURES = ("accuracy", "low", "high", "chance", "control_accuracy", "selectivity", "arbitrary_accuracy")
_OTHERS = ("r2", "control_r2", "error_cells", "inner_score", "penalty")
_SHARES = ("accuracy", "changed", "target", "target_nats")

PROBES_SCHEMA = pa.schema(
    [
        *_SITE,
        pa.field("seed", pa.int32()),
        pa.field("n", pa.int32()),
        pa.field("n_groups", pa.int32()),
        *(pa.field(name, pa.float64()) for name in (*_FIGURES, *_OTHERS)),
    ]
)
CELLS_SCHEMA = pa.schema(
    [
        *_SITE,
        pa.field("row", pa.int32()),
        pa.field("col", pa.int32()),
        pa.field("n", pa.int32()),
        *(pa.field(name, pa.float64()) for name in ("accuracy", "low", "high")),
    ]
)
PREDICTIONS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("group", pa.int32()),
        *_SITE,
        pa.field("seed", pa.int32()),
        pa.field("predicted", pa.int32()),
        pa.field("correct", pa.bool_()),
        pa.field("control_correct", pa.bool_()),
    ]
)
INTERVENTION_SCHEMA = pa.schema(
    [
        *_SITE[:2],
        pa.field("change", pa.string()),
        pa.field("strength", pa.float64()),
        pa.field("direction", pa.string()),
        pa.field("n", pa.int32()),
        pa.field("accuracy_before", pa.float64()),
        *(pa.field(f"{name}{end}", pa.float64()) for name in _SHARES for end in ("", "_low", "_high")),
        pa.field("p_value", pa.float64()),
    ]
)
ANSWERS_SCHEMA = pa.schema(
    [pa.field("id", pa.string()), pa.field("answer", pa.string()), pa.field("correct", pa.bool_())]
)


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said to the questions whose states are probed.

    Attributes:
        path: The evaluation.
        inputs: What identifies the model, the adapter and the set that were asked.
        by_id: The answer, as it was read (None where it names no option), and whether it is right.
    """

    path: Path
    inputs: Mapping[str, str]
    by_id: Mapping[str, tuple[str | None, bool]]

    def check(self, inputs: Mapping[str, str]) -> None:
        """Checks that they are of the model and set that are probed.

        Raises:
            InputError: They aren't.
        """
        for name in ("model", "adapter", "data"):
            if self.inputs.get(name) != inputs.get(name):
                raise InputError(
                    f"`{self.path}` has answers of another {'set' if name == 'data' else name} than the one that is "
                    "probed: name the evaluation of just this model and adapter on just this set"
                )

    def table(self, ids: tuple[str, ...]) -> pa.Table:
        """The answers to some questions, as `answers.parquet` has them."""
        rows = [{"id": id_, "answer": self.by_id[id_][0], "correct": self.by_id[id_][1]} for id_ in ids]
        return pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA)


@dataclass(frozen=True, eq=False)
class ProbeResults:
    """A probing run, read back.

    Attributes:
        path: The run folder.
        manifest: Its manifest.
        summary: Its `summary.json`.
        probes: Its tables.
        cells: See the module.
        predictions: See the module.
        intervention: See the module; None where no state was changed.
        answers: See the module; None where no evaluation was given.
    """

    path: Path
    manifest: RunManifest
    summary: dict[str, Any]
    probes: pa.Table
    cells: pa.Table
    predictions: pa.Table
    intervention: pa.Table | None
    answers: pa.Table | None

    @property
    def positions(self) -> tuple[str, ...]:
        """The positions that were probed, in order."""
        return tuple(dict.fromkeys(self.probes["position"].to_pylist()))

    def chosen(self, position: str, target: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.bool_]]:
        """The ids, the groups, and whether the probes of the chosen layers are right, `[seed, example]`."""
        table = self.predictions
        kept = table.filter(pc.and_(pc.equal(table["position"], position), pc.equal(table["target"], target)))
        seeds = sorted(set(kept["seed"].to_pylist()))
        by_seed = [kept.filter(pc.equal(kept["seed"], seed)) for seed in seeds]
        ids = by_seed[0]["id"].to_pylist() if by_seed else []
        groups = by_seed[0]["group"].to_numpy().astype(np.int64) if by_seed else np.zeros(0, np.int64)
        right = [of["correct"].to_numpy(zero_copy_only=False) for of in by_seed]
        return ids, groups, np.array(right, dtype=bool).reshape(len(right), len(ids))

    def said(self) -> dict[str, bool] | None:
        """Whether the model's own answer to each question is right; None where they weren't given."""
        if self.answers is None:
            return None
        return dict(zip(self.answers["id"].to_pylist(), self.answers["correct"].to_pylist(), strict=True))


def read_probes(path: Path) -> ProbeResults:
    """Reads a finished probing run.

    Raises:
        InputError: The folder is not one, or a file of it is damaged.
    """
    folder = RunFolder(path)
    manifest = folder.manifest(KIND)
    folder.check_files(manifest)
    try:
        tables = {
            name: _table(path / file, schema, file in manifest.files or file in (PROBES, CELLS, PREDICTIONS))
            for name, (file, schema) in _FILES.items()
        }
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"`{path}` can't be read as a probing run: {one_line(error)}") from error
    return ProbeResults(path, manifest, read_json(path / SUMMARY, "summary of probes"), **tables)


_FILES = {
    "probes": (PROBES, PROBES_SCHEMA),
    "cells": (CELLS, CELLS_SCHEMA),
    "predictions": (PREDICTIONS, PREDICTIONS_SCHEMA),
    "intervention": (INTERVENTION, INTERVENTION_SCHEMA),
    "answers": (ANSWERS, ANSWERS_SCHEMA),
}


def _table(path: Path, schema: pa.Schema, is_there: bool) -> Any:
    if not is_there:
        return None
    table = pq.read_table(path)
    missing = sorted(set(schema.names) - set(table.column_names))
    if missing:
        raise InputError(f"`{path}` lacks the columns {', '.join(missing)}: make the run again")
    return table
