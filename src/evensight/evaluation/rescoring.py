"""Scoring again from raw answers: the outcomes that today's rules of reading give, and what changed, without a model.

The rules are in `docs/answers.md`. Every column but `parsed` and `outcome` stays as it is; the answers on controls
are read again as well.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from evensight.annotations import Box, Frame
from evensight.errors import InputError
from evensight.evaluation.results import RESULTS_NAME, Results, control_file
from evensight.evaluation.written import tables, write_tables
from evensight.questions.parsing import outcome, parse_answer
from evensight.questions.tasks import Question
from evensight.runs import (
    MANIFEST_NAME,
    RunFolder,
    RunManifest,
    atomic_file,
    hash_file,
    hash_files,
    hash_json,
    versions,
)

_PICTURES = "pictures"
_READ = ("task", "question", "options", "answer", "box_xyxy_px", "frame_wh_px", "raw")


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose outcome changed: its id, the raw answer, the outcomes, and what is read now."""

    id: str
    raw: str
    before: str
    after: str
    parsed: str | None


@dataclass(frozen=True)
class Rescored:
    """An evaluation with its new outcomes.

    Attributes:
        results: The results; its path is that of the old ones.
        changes: The questions whose outcomes changed, in order.
        control_changes: How many changed on each control, by its name.
    """

    results: Results
    changes: tuple[Change, ...]
    control_changes: dict[str, int]


def rescore(results: Results) -> Rescored:
    """Reads all raw answers of an evaluation again.

    Raises:
        InputError: A row of its table is no question.
    """
    table = rescored_table(results.table, results.path / RESULTS_NAME)
    controls = {
        name: rescored_table(old, results.path / control_file(name)) for name, old in results.controls.items()
    }
    changed = {name: len(_changes(results.controls[name], new)) for name, new in controls.items()}
    return Rescored(
        Results(results.path, results.manifest, table, controls), tuple(_changes(results.table, table)), changed
    )


def rescored_table(table: pa.Table, path: Path) -> pa.Table:
    """A results table with `parsed` and `outcome` as the rules are today.

    Raises:
        InputError: A row is no question; `path` is where the table is.
    """
    read = [_read(row, path) for row in table.select(_READ).to_pylist()]
    for name, values in (("parsed", [parsed for parsed, _ in read]), ("outcome", [came for _, came in read])):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    return table


def _read(row: dict[str, Any], path: Path) -> tuple[str | None, str]:
    try:
        question = Question(row["task"], row["question"], tuple(row["options"] or ()), row["answer"])
        box, frame = Box(*row["box_xyxy_px"]), Frame(*row["frame_wh_px"])
    except (TypeError, ValueError) as error:
        raise InputError(f"`{path}` holds a row that is no question: {error}") from error
    raw = row["raw"] or ""
    return parse_answer(raw, question), outcome(raw, question, box, frame).value


def _changes(old: pa.Table, new: pa.Table) -> list[Change]:
    columns = [old["id"], old["raw"], old["outcome"], new["outcome"], new["parsed"]]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return [Change(*row) for row in rows if row[2] != row[3]]


def write_rescored(rescored: Rescored, out: Path) -> RunManifest:
    """Writes an evaluation with its new outcomes to a folder of its own; its manifest says what it was made of.

    Raises:
        InputError: The folder isn't free.
    """
    old = rescored.results.manifest
    source = rescored.results.path
    made_of = {"manifest": hash_file(source / MANIFEST_NAME), "results": hash_file(source / RESULTS_NAME)}
    config = {**old.config, "scored_again": made_of | {"outcomes": _hash(rescored.results)}}
    facts = {**old.facts, "scored_again": {"of": old.fingerprint, "n_changed": len(rescored.changes)}}
    manifest = RunManifest(
        "evaluation", config, {**old.inputs, "results": made_of["results"]}, {}, facts, _versions(old)
    )
    return write_evaluation(replace(rescored.results, path=out, manifest=manifest), pictures=source / _PICTURES)


def write_evaluation(results: Results, pictures: Path | None = None) -> RunManifest:
    """Writes an evaluation's tables and figures to its path, and seals it; one that is there already stays.

    Args:
        results: The evaluation, with a manifest that lists no files yet.
        pictures: A folder of pictures to copy, if it is there.

    Raises:
        InputError: The folder isn't free.
    """
    folder, manifest = RunFolder(results.path), results.manifest
    with folder.locked():
        if not folder.is_done(manifest.kind, manifest.config, manifest.inputs):
            folder.begin(manifest.kind, manifest.fingerprint)
            write_tables(results)
            for picture in sorted(pictures.iterdir()) if pictures and pictures.is_dir() else ():
                with atomic_file(results.path / _PICTURES / picture.name) as path:
                    shutil.copyfile(picture, path)
            folder.seal(replace(manifest, files=hash_files(results.path)))
        return folder.manifest(manifest.kind)


def _hash(results: Results) -> str:
    """The hash of all outcomes, of the controls' too: other rules make another run."""
    return hash_json({name: table["outcome"].to_pylist() for name, table in tables(results)})


def _versions(old: RunManifest) -> dict[str, str]:
    """The versions that answered, and evensight's that read the answers."""
    return {**old.versions, "evensight": versions()["evensight"]}
