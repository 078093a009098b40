"""The results table: one row a question, with all that is known of it and what the model answered.

Every statistic and picture is a query on this table; none needs the model again. It is a Parquet file with the
columns of the stored set (without the image) and

    raw, parsed (null when invalid), outcome
    option_scores, option_tokens, option_priors      in the order of the options; null where they weren't scored
    parsed_by_options, outcome_by_options            what follows from the scores; null where there are none
    model, adapter, processor, batch_size

What the model answered on the set's controls is in tables of the same columns, `controls/NAME.parquet`; their row k
belongs to row k.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evensight.annotations import Grid
from evensight.datasets.controls import CONTROLS
from evensight.datasets.priors import Prior
from evensight.errors import InputError
from evensight.evaluation.answered import read_begun
from evensight.evaluation.rows import result_row, schema
from evensight.evaluation.table_checks import checked_table
from evensight.questions.parsing import Outcome
from evensight.runs import MANIFEST_NAME, RunFolder, RunManifest, one_line

__all__ = [
    "CONTROLS_FOLDER",
    "RESULTS_NAME",
    "Results",
    "control_file",
    "find_evaluations",
    "read_results",
    "result_row",
    "schema",
]

RESULTS_NAME = "results.parquet"
CONTROLS_FOLDER = "controls"

_MAX_CELLS = 2**16
_OF_A_PHOTO = re.compile(r"(.+-\d{12})-\d+")


@dataclass(frozen=True, eq=False)
class Results:
    """An evaluation, read back from its run folder.

    Attributes:
        path: The run folder.
        manifest: Its manifest.
        table: The results table.
        controls: The tables of the controls that were asked, by the control's name.
    """

    path: Path
    manifest: RunManifest
    table: pa.Table
    controls: Mapping[str, pa.Table] = field(default_factory=dict)

    @property
    def set_name(self) -> str:
        """The name of the set that was asked."""
        return str(self.manifest.facts["set"])

    def of_test(self, name: str) -> "Results":
        """The same results, their set called by what a study calls it: two of its tests may ask one set."""
        facts = {**self.manifest.facts, "set": name}
        return replace(self, manifest=replace(self.manifest, facts=facts))

    @property
    def grid(self) -> Grid:
        """The grid of the cells."""
        return Grid(*self.manifest.facts["grid"])

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors of the examples."""
        return tuple(self.manifest.facts["factors"])

    @property
    def of_photos(self) -> bool:
        """Whether the questions are about photographs."""
        return bool(self.manifest.facts.get("of_photos", False))

    @cached_property
    def prior(self) -> Prior | None:
        """Where things usually are, as the set brought it along; None if it brought nothing.

        Raises:
            InputError: It is damaged.
        """
        value = self.manifest.facts.get("prior")
        return None if value is None else Prior.from_json(value)

    @property
    def controls_left_out(self) -> dict[str, str]:
        """The controls that belong beside a score and couldn't be made, with the reasons."""
        return dict(self.manifest.facts.get("controls_left_out") or {})

    def column(self, name: str) -> list[Any]:
        """A column's values, in the order of the questions."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def places(self) -> set[tuple[int, int]]:
        """The cells that have questions, as `(row, col)`."""
        return set(zip(self.column("row"), self.column("col"), strict=True))

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each question was answered correctly."""
        return np.array([value == Outcome.CORRECT for value in self.column("outcome")], dtype=bool)

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """A number for each question's image: questions about one photograph share it.

        A photograph's question is `SPLIT-IMAGE-OBJECT`, the image's number of twelve digits (`photos.selection`).
        """
        names = [match[1] if (match := _OF_A_PHOTO.fullmatch(name)) else name for name in self.column("id")]
        numbers: NDArray[np.int64] = np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
        return numbers

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """The index of each question's cell, row by row."""
        rows, cols = self.table["row"].to_numpy(), self.table["col"].to_numpy()
        index: NDArray[np.int64] = rows.astype(np.int64) * self.grid.cols + cols
        return index


def read_results(path: Path, *, partial: bool = False) -> Results:
    """Reads a finished evaluation or, where that is asked for, what an interrupted one has so far.

    Args:
        path: The run folder.
        partial: Whether one that isn't whole is read too: the rows that are answered, without controls.

    Raises:
        InputError: The folder is not a whole evaluation, or its table is not one.
    """
    is_whole = not partial or RunFolder(path).manifest_path.exists()
    try:
        results = _whole(path) if is_whole else _begun(path)
        is_named = bool(results.set_name)
        _ = results.prior, results.controls_left_out
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        if isinstance(error, InputError) and str(path) in str(error):
            raise
        raise InputError(f"`{path}` can't be read as an evaluation: {one_line(error)}") from error
    if not is_named:
        raise InputError(f"`{path / MANIFEST_NAME}` names no set")
    return results


def _whole(path: Path) -> Results:
    """A finished evaluation, its tables checked."""
    manifest = RunFolder(path).manifest("evaluation")
    RunFolder(path).check_files(manifest)
    table, n = _table(path / RESULTS_NAME, manifest), manifest.facts["n"]
    if len(table) not in (n, n - manifest.facts.get("n_missing", 0)):
        raise InputError(f"`{path / RESULTS_NAME}` has {len(table):,} rows: expected {n:,}")
    controls = {}
    for name in CONTROLS:
        if control_file(name) in manifest.files:
            controls[name] = _table(path / control_file(name), manifest)
            _check_control(table, name, controls[name], path / control_file(name))
    return Results(path, manifest, table, controls)


def _begun(path: Path) -> Results:
    """What an interrupted evaluation has so far."""
    manifest, table = read_begun(path)
    return Results(path, manifest, _checked(table, path, manifest))


def _table(file: Path, manifest: RunManifest) -> pa.Table:
    try:
        table = pq.read_table(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"`{file}` can't be read: {one_line(error)}") from error
    return _checked(table, file, manifest)


def _checked(table: pa.Table, file: Path, manifest: RunManifest) -> pa.Table:
    grid = Grid(*manifest.facts["grid"])
    if grid.rows * grid.cols > _MAX_CELLS:
        raise InputError(f"`{file}` is of a grid of {grid} cells: expected {_MAX_CELLS:,} at most")
    return checked_table(table, schema(tuple(manifest.facts["factors"])), grid, file)


def control_file(name: str) -> str:
    """The path, in the run folder, of the answers on a control."""
    return f"{CONTROLS_FOLDER}/{name}.parquet"


def _check_control(table: pa.Table, name: str, control: pa.Table, file: Path) -> None:
    if control["id"].to_pylist() != [f"{of}-{name}" for of in table["id"].to_pylist()]:
        raise InputError(f"`{file}` doesn't go with `{RESULTS_NAME}` row by row: make the evaluation again")


def find_evaluations(path: Path) -> list[Path]:
    """The evaluation that a folder is, or those that it holds.

    Raises:
        InputError: There is none.
    """
    if not path.is_dir():
        raise InputError(f"`{path}` is not a folder: expected an evaluation, or a folder that holds some")
    if (path / RESULTS_NAME).exists() or (path / MANIFEST_NAME).exists():
        return [path]
    found = sorted(file.parent for file in path.rglob(RESULTS_NAME))
    if not found:
        raise InputError(f"`{path}` holds no evaluation: expected a run of `evensight evaluate`")
    return found
