"""Files of answers that were made elsewhere, read without trust: JSON lines, CSV or Parquet, a row a question.

A row that has no field for the answer has no answer; one whose field is empty or null has an empty one. A name that
is there twice is an error: one of the two values would be lost unseen.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evensight.errors import InputError
from evensight.runs import one_line

ID_COLUMNS = ("id", "question_id")
"""What the column of ids is usually called, in the order in which they are looked for."""
ANSWER_COLUMNS = ("raw", "response", "prediction", "answer")
"""The same for the answers; "answer" comes last, for beside another of these it is the right one."""
_RIGHT_ANSWERS = "answer"
_OF_A_SET = ("options", "area", "box_xyxy_px", "slot")
"""What stands beside the right answers in a set's own rows."""
_QUESTION = "question"
_FORMATS = ".jsonl, .csv or .parquet"
_EMPTY = "is empty: expected a row with an id and an answer for each question"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BroughtAnswers:
    """Answers by the ids of their questions.

    Attributes:
        path: The file.
        raw: The answers as they came, by id; empty where an empty one was given.
        unanswered: The ids of the rows that have no field for the answer.
        questions: The texts of the questions, by id, as far as the file has them.
    """

    path: Path
    raw: Mapping[str, str]
    unanswered: Sequence[str]
    questions: Mapping[str, str]

    @property
    def ids(self) -> list[str]:
        """All ids in the file: those with an answer, then those without."""
        return [*self.raw, *self.unanswered]


def read_answers(path: Path, id_column: str | None = None, answer_column: str | None = None) -> BroughtAnswers:
    """Reads a file of answers.

    Args:
        path: The file.
        id_column: The name of the column of ids; None for the first of `ID_COLUMNS` that is there.
        answer_column: The name of the column of answers; None for the first of `ANSWER_COLUMNS` that is there.

    Raises:
        InputError: It can't be read, is empty, lacks a column, has a name or an id twice, or seems to hold a set's
            right answers where `answer_column` doesn't say that they are meant.
    """
    reader = _READERS.get(path.suffix.casefold())
    if not path.is_file():
        raise InputError(f"`{path}` is not a file: expected answers as {_FORMATS}")
    if reader is None:
        raise InputError(f"`{path}` is of no known format: expected answers as {_FORMATS}")
    if not path.stat().st_size:
        raise InputError(f"`{path}` {_EMPTY}")
    try:
        return _answers(path, *reader(path), id_column, answer_column)
    except InputError:
        raise
    except (ValueError, csv.Error, pa.ArrowException, OSError, RecursionError, OverflowError) as error:
        raise InputError(f"`{path}` can't be read as answers ({_FORMATS}): {one_line(error)}") from error


def some(names: Sequence[str], what: str) -> str:
    """The first of some names, and how many more there are: "the id `a` and 3 more"."""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"the {what} `{names[0]}`{more}"


def _answers(
    path: Path, columns: Sequence[str], rows: Sequence[Row], id_column: str | None, answer_column: str | None
) -> BroughtAnswers:
    ids = _column(columns, id_column, ID_COLUMNS, "ids", path)
    answers = _column(columns, answer_column, ANSWER_COLUMNS, "answers", path)
    if answer_column is None:
        _refuse_right_answers(columns, answers, path)
    if not rows:
        raise InputError(f"`{path}` {_EMPTY}")
    named = list(zip([_id(row.get(ids), k, path) for k, row in enumerate(rows)], rows, strict=True))
    twice = _twice(name for name, _ in named)
    if twice:
        raise InputError(f"`{path}` has {some(twice, 'id')} twice: expected one answer for each question")
    return BroughtAnswers(
        path,
        {name: _text(row[answers]) for name, row in named if answers in row},
        [name for name, row in named if answers not in row],
        {name: row[_QUESTION] for name, row in named if isinstance(row.get(_QUESTION), str)},
    )


def _parquet(path: Path) -> tuple[list[str], list[Row]]:
    names = pq.read_schema(path).names
    _refuse_doubled(names, path, "column")
    wanted = [name for name in names if name != "image"]
    return wanted, pq.read_table(path, columns=wanted).to_pylist()


def _csv(path: Path) -> tuple[list[str], list[Row]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file, strict=True))
    head, *body = [line for line in lines if line] or [[]]
    _refuse_doubled(head, path, "column")
    for k, line in enumerate(body, start=2):
        if len(line) != len(head):
            raise InputError(f"`{path}` has {len(line)} columns in row {k}: expected {len(head)}, as in its head")
    return head, [dict(zip(head, line, strict=True)) for line in body]


def _json_lines(path: Path) -> tuple[list[str], list[Row]]:
    rows = list(_json_rows(path))
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for k, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=partial(_object, path, k))
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"`{path}` has no JSON in line {k}: {one_line(error)}") from error
            if not isinstance(row, dict):
                raise InputError(f"`{path}` has no JSON object in line {k}: got {type(row).__name__}")
            yield row


def _object(path: Path, k: int, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of line `k`."""
    _refuse_doubled([key for key, _ in pairs], path, "key", f" in line {k}")
    return dict(pairs)


_READERS: Mapping[str, Callable[[Path], tuple[list[str], list[Row]]]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _column(columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, path: Path) -> str:
    found = next((name for name in ((wanted,) if wanted else usual) if name in columns), None)
    if found is None:
        names = f"`{wanted}`" if wanted else f"one of {', '.join(usual)}"
        got = ", ".join(columns) or "none"
        raise InputError(f"`{path}` has no column of {what}: expected {names}, got {got}")
    return found


def _refuse_right_answers(columns: Sequence[str], answers: str, path: Path) -> None:
    """Makes sure that a column which nobody named isn't the one of a set's right answers."""
    beside = [name for name in _OF_A_SET if name in columns]
    if answers == _RIGHT_ANSWERS and beside:
        raise InputError(
            f"`{path}` has `{answers}` beside `{beside[0]}`, as a set has its right answers: expected a model's; "
            f"name their column with `--answer-column` (`--answer-column {answers}` if these are meant)"
        )


def _refuse_doubled(names: Sequence[str], path: Path, what: str, where: str = "") -> None:
    twice = _twice(names)
    if twice:
        raise InputError(f"`{path}` has {some(twice, what)} twice{where}: expected each name once")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, n in Counter(names).items() if n > 1]


def _id(value: Any, k: int, path: Path) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        got = one_line(ValueError(value))
        raise InputError(f"`{path}` has no id in row {k + 1}: expected the id of a question, got `{got}`")
    return str(value)


def _text(value: Any) -> str:
    """An answer as text: null is the empty one, and what is no text is JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode(errors="backslashreplace").decode()  # half a character of JSON can't be stored
