"""Answers that were made elsewhere: a table of ids and answers, read without trust and scored against a stored set.

The table is JSON lines, CSV or Parquet. Every id has to be one of the set's, and every question has to have one
answer, unless missing ones are allowed: these are left out of the results and counted apart, not as wrong. A row
that lacks the column (JSON lines without the key) has no answer; one whose answer is null or empty has given none,
which is invalid.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.evaluation.results import Results, result_row, schema
from evensight.runs import RunManifest, hash_file, hash_json, one_line

ID_COLUMNS = ("id", "question_id")
"""What the column of ids is usually called, in the order in which they are looked for."""
ANSWER_COLUMNS = ("raw", "response", "prediction", "answer")
"""The same for the answers; "answer" comes last, for beside another of these it is the right one."""
_QUESTION = "question"
_OF_A_SET = frozenset({"options", "area", "box_xyxy_px", "slot"})
"""Columns of a set's own questions: beside them `answer` is the right answer."""
_ABSENT = object()
"""Stands where a row lacks a column that others have."""
_FORMATS = ".jsonl, .csv or .parquet"


@dataclass(frozen=True, slots=True)
class BroughtAnswers:
    """Answers by the ids of their questions.

    Attributes:
        path: The file.
        raw: The answers as they came, by id; empty where there is none.
        questions: The texts of the questions, by id, as far as the file has them.
    """

    path: Path
    raw: Mapping[str, str]
    questions: Mapping[str, str]


def read_answers(path: Path, id_column: str | None = None, answer_column: str | None = None) -> BroughtAnswers:
    """Reads a file of answers.

    Args:
        path: The file.
        id_column: The name of the column of ids; None for the first of `ID_COLUMNS` that is there.
        answer_column: The name of the column of answers; None for the first of `ANSWER_COLUMNS` that is there.

    Raises:
        InputError: It can't be read, is empty, lacks a column, has an id twice, or its answers may be the right ones.
    """
    columns = _columns_of(path)
    ids = _column(columns, id_column, ID_COLUMNS, "ids", path)
    answers = _column(columns, answer_column, ANSWER_COLUMNS, "answers", path)
    if answer_column is None and answers == ANSWER_COLUMNS[-1] and (own := sorted(_OF_A_SET & set(columns))):
        raise InputError(
            f"`{path}` has `{own[0]}` beside `{answers}`, so these look like the right answers, not a model's: name "
            "the column of the model's with `--answer-column`"
        )
    if not columns[ids]:
        raise InputError(f"`{path}` is empty: expected a row with an id and an answer for each question")
    names = [_id(value, k, path) for k, value in enumerate(columns[ids])]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(f"`{path}` has {_some(twice, 'id')} twice: expected one answer for each question")
    questions = dict(zip(names, columns.get(_QUESTION, ()), strict=False))
    given = zip(names, columns[answers], strict=True)
    return BroughtAnswers(
        path,
        {name: _text(value) for name, value in given if value is not _ABSENT},
        {name: text for name, text in questions.items() if isinstance(text, str)},
    )


def score_answers(
    answers: BroughtAnswers, examples: ExampleSet, out: Path, *, allow_missing: bool = False
) -> Results:
    """The results of answers to a stored set, not yet written; its manifest names `n_missing` in its facts.

    Args:
        answers: The answers.
        examples: The set.
        out: Where the results will be.
        allow_missing: Whether questions may have no answer; they are left out.

    Raises:
        InputError: The answers are to another set, to questions that it doesn't have, or not to all of its questions.
    """
    asked = {example.id: example for example in examples}
    _check(answers, {name: example.question.text for name, example in asked.items()}, examples.info.name)
    missing = [name for name in asked if name not in answers.raw]
    if missing and not allow_missing:
        raise InputError(
            f"`{answers.path}` lacks answers to {len(missing):,} of the {len(asked):,} questions of "
            f"`{examples.info.name}`, such as `{missing[0]}`: bring them, or pass `--allow-missing`"
        )
    provenance = {"model": answers.path.name, "adapter": None, "processor": None, "batch_size": None}
    rows = [
        result_row(example, answers.raw[name], provenance) for name, example in asked.items() if name in answers.raw
    ]
    table = pa.Table.from_pylist(rows, schema=schema(examples.info.factors))
    return Results(out, _manifest(answers, examples, table, len(missing)), table)


def _manifest(answers: BroughtAnswers, examples: ExampleSet, table: pa.Table, n_missing: int) -> RunManifest:
    info = examples.info
    inputs = {"answers": hash_file(answers.path), "data": examples.hash}
    read = {"answers": hash_json(dict(answers.raw)), "outcomes": hash_json(table["outcome"].to_pylist())}
    config = {"model": answers.path.name, "data": dict(info.config), **read}
    facts = {
        "set": info.name,
        "n": len(table),
        "n_missing": n_missing,
        "grid": [info.grid.rows, info.grid.cols],
        "factors": list(info.factors),
        "balanced": [list(pair) for pair in info.balanced] if not n_missing else [],
        "notes": dict(info.notes),
        "of_photos": info.of_photos,
        "prior": None if info.prior is None else dict(info.prior),
    }
    return RunManifest("evaluation", config, inputs, {}, facts)


def _check(answers: BroughtAnswers, texts: Mapping[str, str], set_name: str) -> None:
    """Makes sure that the answers are to questions of this set."""
    unknown = [name for name in answers.raw if name not in texts]
    if len(unknown) == len(answers.raw):
        raise InputError(
            f"`{answers.path}` answers another set than `{set_name}`: none of its ids is there, "
            f"such as `{unknown[0]}`; expected ids such as `{next(iter(texts), '')}`"
        )
    if unknown:
        raise InputError(
            f"`{answers.path}` has {_some(unknown, 'id')} that `{set_name}` doesn't have: "
            "expected its ids and no other"
        )
    others = [name for name, text in answers.questions.items() if text != texts[name]]
    if others:
        raise InputError(
            f"`{answers.path}` answers another set than `{set_name}`: the question `{others[0]}` has another text "
            "there"
        )


def _columns_of(path: Path) -> dict[str, list[Any]]:
    reader = _READERS.get(path.suffix.casefold())
    if not path.is_file():
        raise InputError(f"`{path}` is not a file: expected answers as {_FORMATS}")
    if reader is None:
        raise InputError(f"`{path}` is of no known format: expected answers as {_FORMATS}")
    if not path.stat().st_size:
        raise InputError(f"`{path}` is empty: expected a row with an id and an answer for each question")
    try:
        return reader(path)
    except InputError:
        raise
    except (ValueError, csv.Error, pa.ArrowException, RecursionError) as error:
        raise InputError(f"`{path}` can't be read as answers ({_FORMATS}): {one_line(error)}") from error


def _parquet(path: Path) -> dict[str, list[Any]]:
    names = pq.read_schema(path).names
    _refuse_doubled(names, path)
    wanted = [name for name in names if name != "image"]
    return {
        name: column.to_pylist() for name, column in zip(wanted, pq.read_table(path, columns=wanted), strict=True)
    }


def _csv(path: Path) -> dict[str, list[Any]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    head, *body = [row for row in rows if row] or [[]]
    _refuse_doubled(head, path)
    for k, row in enumerate(body, start=2):
        if len(row) != len(head):
            raise InputError(f"`{path}` has {len(row)} columns in row {k}: expected {len(head)}, as in its head")
    return {name: [row[k] for row in body] for k, name in enumerate(head)}


def _json_lines(path: Path) -> dict[str, list[Any]]:
    rows = list(_json_rows(path))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, _ABSENT) for row in rows] for name in names}


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for k, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=lambda pairs: _object(pairs, path))
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"`{path}` has no JSON in line {k}: {one_line(error)}") from error
            if not isinstance(row, dict):
                raise InputError(f"`{path}` has no JSON object in line {k}: got {type(row).__name__}")
            yield row


def _object(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    _refuse_doubled([name for name, _ in pairs], path)
    return dict(pairs)


def _refuse_doubled(names: Sequence[str], path: Path) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(f"`{path}` has {_some(twice, 'column')} twice: expected each name once")


_READERS: Mapping[str, Callable[[Path], dict[str, list[Any]]]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _column(columns: Mapping[str, Any], wanted: str | None, usual: Sequence[str], what: str, path: Path) -> str:
    found = next((name for name in ((wanted,) if wanted else usual) if name in columns), None)
    if found is None:
        names = f"`{wanted}`" if wanted else f"one of {', '.join(usual)}"
        raise InputError(f"`{path}` has no column of {what}: expected {names}, got {', '.join(columns) or 'none'}")
    return found


def _id(value: Any, k: int, path: Path) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InputError(f"`{path}` has no id in row {k + 1}: expected the id of a question, got `{value}`")
    return str(value)


def _text(value: Any) -> str:
    """An answer as text: none is the empty one, and what is no text is JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode(errors="backslashreplace").decode()  # half a character of JSON can't be stored


def _some(names: Sequence[str], what: str) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"the {what} `{names[0]}`{more}"
