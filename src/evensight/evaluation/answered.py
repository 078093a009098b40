"""Questions and their answers become a results table; also while only some are answered.

While a set is being asked its questions lie beside the journal, and what the run is; so what is answered can be read
at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.evaluation.journal import read_journal
from evensight.evaluation.rows import answered_row, question_schema, schema
from evensight.models.answering import Answer
from evensight.runs import RunManifest, atomic_file, has_receipt, is_as_received, read_json, write_json
from evensight.storage.rows import example_row

PARTS = ".parts"
"""The folder in a run's for what is not yet whole."""
_MAY_CHANGE = {"server", "server_version", "system_fingerprint", "notes", "controls_left_out"}
"""What a run that goes on may find changed: where the server is, and what it calls its state."""
_QUESTIONS, _BEGUN = "questions.parquet", "begun.json"
_AT_ONCE = 2000


def write_begun(out: Path, examples: ExampleSet, run: RunManifest, provenance: Mapping[str, Any]) -> None:
    """Keeps what is needed to read a run while it goes on; where it is there, it has to be the same.

    Args:
        out: The run folder.
        examples: What is asked.
        run: What its manifest will be, so far.
        provenance: What each row says of who answers.

    Raises:
        InputError: The run was begun with somebody else, or otherwise.
    """
    begun = {"run": asdict(run), "provenance": dict(provenance)}
    path = out / PARTS / _BEGUN
    if not has_receipt(path):
        write_questions(examples, out / PARTS)
        write_json(path, begun, receipt=True)
    elif not is_as_received(path):
        raise InputError(f"`{path}` is damaged, so who has answered isn't known: remove `{out}`, and begin anew")
    else:
        _check_same(out, read_json(path, "run that has begun"), begun)


def _check_same(out: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Checks that a run goes on with whom it began: a table holds one model's answers, from one kind of machine.

    Raises:
        InputError: Somebody else answers now, or otherwise.
    """
    try:
        facts = [{**each["run"]["facts"], **each["provenance"]} for each in (old, new)]
    except (KeyError, TypeError) as error:
        raise InputError(f"`{out}` has begun, but what it is can't be read: remove it, and begin anew") from error
    for name in sorted((facts[0].keys() | facts[1].keys()) - _MAY_CHANGE):
        before, now = (each.get(name) for each in facts)
        if before != now:
            raise InputError(
                f"`{out}` was begun with {name} `{before}`, and now it is `{now}`: answers of both don't belong into "
                "one table; go on as it was begun, or choose a new folder"
            )


def write_questions(examples: ExampleSet, folder: Path) -> Path:
    """Writes a set's questions as a table, unless it is there and unchanged, and gives its path."""
    path, columns = folder / _QUESTIONS, question_schema(examples.info.factors)
    if is_as_received(path):
        return path
    with (
        atomic_file(path, receipt=True) as temporary,
        pq.ParquetWriter(temporary, columns, compression="zstd") as writer,
    ):
        coming = map(example_row, examples)
        while rows := list(islice(coming, _AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(rows, schema=columns))
    return path


def read_begun(out: Path) -> tuple[RunManifest, pa.Table]:
    """What a run that isn't whole will say of itself, and the rows that are answered, in the order of the set.

    Raises:
        InputError: It hasn't begun, or can't be read.
    """
    value = read_json(out / PARTS / _BEGUN, "run that has begun")
    for name in (_BEGUN, _QUESTIONS):
        if not is_as_received(out / PARTS / name):
            raise InputError(f"`{out / PARTS / name}` is damaged: run the command of `{out}` again")
    try:
        run = RunManifest.from_json(value["run"])
        questions, factors = out / PARTS / _QUESTIONS, tuple(run.facts["factors"])
        return run, answered_table(questions, factors, read_journal(out / PARTS), value["provenance"])
    except (LookupError, TypeError, ValueError, OverflowError, OSError, pa.ArrowException) as error:
        raise InputError(f"`{out}` has begun, but what it has so far can't be read: run its command again") from error


def answered_table(
    questions: Path, factors: tuple[str, ...], answers: Mapping[int, Answer], provenance: Mapping[str, Any]
) -> pa.Table:
    """The rows of the questions that have an answer.

    Args:
        questions: The table that `write_questions` wrote.
        factors: The names of its examples' attributes.
        answers: The answers by the questions' places.
        provenance: `model`, `adapter`, `processor` and `batch_size`.
    """
    columns, tables, start = schema(factors), [], 0
    with pq.ParquetFile(questions) as file:
        for batch in file.iter_batches(_AT_ONCE):
            there = ((row, answers.get(k)) for k, row in enumerate(batch.to_pylist(), start))
            rows = [answered_row(row, one, provenance) for row, one in there if one is not None and one.fault is None]
            tables.append(pa.Table.from_pylist(rows, schema=columns))
            start += len(batch)
    return pa.concat_tables(tables) if tables else columns.empty_table()


def with_priors(
    answers: Mapping[int, Answer], priors: Mapping[int, Answer], of_example: Sequence[int | None]
) -> dict[int, Answer]:
    """The answers with what their options score on black images.

    Args:
        answers: The answers by the questions' places.
        priors: The answers on black images by their numbers.
        of_example: The number of each question's black image; None of open ones.
    """
    numbers = {k: number for k, number in enumerate(of_example) if number is not None}
    return {
        k: replace(one, option_priors=priors[numbers[k]].option_scores) if k in numbers else one
        for k, one in answers.items()
    }
