"""Reading the question files that others train on: JSON lines, JSON and Parquet, row by row and without trust.

A row may hold its question plainly (`question`, `answer`, `options`), as TRL does (`prompt` and `completion`, or
`messages`) or as ShareGPT does (`conversations`); its options may stand in the question ("Choose from [...]"). Where
its object is may be given as `row` and `col`, as `cell`, or as a box: `box_xyxy_px`, or COCO's `bbox`, with the
image's size. Every other word or whole number is a column of its own. A row that can't be used is counted under the
reason, and the rest goes on: `accepted + rejected = total`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from evensight.annotations import AREAS, PAPER_GRID, Box, Frame, Grid
from evensight.audits.columns import AuditTable, Column, Target, column, constructed
from evensight.audits.record_pictures import RecordPictures
from evensight.errors import InputError
from evensight.runs import one_line

SUFFIXES = (".jsonl", ".json", ".parquet")
_QUESTION = ("question", "query", "instruction")
_ANSWER = ("answer", "response", "output", "label")
_OPTIONS = ("options", "choices")
_ID = ("id", "question_id", "sample_id")
_TURNS = ("conversations", "messages", "prompt", "completion")
_PLACE = ("row", "col", "column", "cell", "box_xyxy_px", "bbox", "bbox_xyxy_px", "width", "height", "frame_wh_px")
_PICTURE = ("image", "images")
_NESTED = ("attributes", "metadata", "meta")
_USED = frozenset((*_QUESTION, *_ANSWER, *_OPTIONS, *_ID, *_TURNS, *_PLACE, *_PICTURE, *_NESTED, "slot", "area"))
_CHOOSE = re.compile(r"Choose from \[([^\]]+)\]")
_ASKING = {"user", "human"}
_ANSWERING = {"assistant", "gpt", "model"}


class UnusableError(Exception):
    """A row that can't be used; the message is the reason, for counting."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a row says.

    Attributes:
        number: Its place in the file, from 0.
        id: Its name.
        question: The whole question, if there is one.
        answer: The right answer, if there is one.
        options: The options in their order; none where they aren't known.
        row: Its object's row in the grid.
        col: Its column.
        area: Its area's name.
        target: Its object's box in its frame.
        factors: What else it says.
    """

    number: int
    id: str
    question: str | None
    answer: str | None
    options: tuple[str, ...]
    row: int | None
    col: int | None
    area: str | None
    target: Target | None
    factors: Mapping[str, str] = field(default_factory=dict)

    @property
    def slot(self) -> int | None:
        """The answer's place among the options, if both are known."""
        wanted = _plain(self.answer or "")
        return next((k for k, option in enumerate(self.options) if _plain(option) == wanted), None)


def read_records(path: Path) -> AuditTable:
    """The table of a file of questions.

    Raises:
        InputError: It isn't there, is of another kind, or has no row that can be used.
    """
    if not path.is_file():
        raise InputError(f"`{path}` is not there: expected a stored set, or a file of {', '.join(SUFFIXES)}")
    rejected: dict[str, list[str]] = defaultdict(list)
    pictures = RecordPictures(path)
    records = []
    for number, row in enumerate(_rows(path)):
        try:
            records.append(_record(number, row, pictures))
        except UnusableError as reason:
            rejected[str(reason)].append(f"row {number}")
    records = _whole(records, rejected)
    if not records:
        found = ", ".join(f"{len(names)} x {reason}" for reason, names in rejected.items()) or "no rows"
        raise InputError(
            f"`{path}` has nothing to audit: expected rows with a question and an answer, or with row and col, or "
            f"with a box and the image's size; got {found}"
        )
    return _table(path.name, records, rejected, pictures)


def _rows(path: Path) -> Iterator[Any]:
    """The file's rows, whatever they are; a line that isn't JSON is None."""
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix == ".jsonl":
            with path.open("rb") as lines:
                yield from (_parsed(line) for line in lines if line.strip())
        elif path.suffix == ".json":
            content = json.loads(path.read_bytes())
            lists = [v for v in content.values() if isinstance(v, list)] if isinstance(content, dict) else [content]
            if not lists or not isinstance(lists[0], list):
                raise InputError(f"`{path}` holds no list of rows: expected a JSON list of objects")
            yield from lists[0]
        else:
            raise InputError(f"`{path}` is not known: expected a folder, or a file of {', '.join(SUFFIXES)}")
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"`{path}` can't be read as {path.suffix[1:]}: {one_line(error)}") from error


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _parquet_rows(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name not in _PICTURE]
            n_rows = file.metadata.num_rows
            if not names:
                yield from ({} for _ in range(n_rows))
            for batch in file.iter_batches(columns=names) if names else ():
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise InputError(f"`{path}` can't be read as Parquet: {one_line(error)}") from error


def _record(number: int, row: Any, pictures: RecordPictures) -> Record:
    if not isinstance(row, dict):
        raise UnusableError("not a JSON object")
    pictures.note(number, row)
    flat = {**row, **{k: v for name in _NESTED if isinstance(row.get(name), dict) for k, v in row[name].items()}}
    question, answer = _asked(flat)
    options = _options(flat, question)
    target = _target(flat, number, pictures)
    grid_row, grid_col = _cell(flat)
    if target is not None and grid_row is None:
        cell = PAPER_GRID.cell_at(target.box.center_px, target.frame)
        grid_row, grid_col = cell.row, cell.col
    area = flat["area"] if isinstance(flat.get("area"), str) else None
    name = next((str(flat[key]) for key in _ID if isinstance(flat.get(key), str | int)), f"row {number}")
    if question is None and grid_row is None and area is None:
        raise UnusableError("neither a question nor a place")
    return Record(number, name, question, answer, options, grid_row, grid_col, area, target, _factors(flat))


def _asked(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The question and the answer, however they are written."""
    turns = [turn for name in _TURNS if isinstance(row.get(name), list) for turn in row[name]]
    said = [(_speaker(turn), _text(turn)) for turn in turns if isinstance(turn, dict)]
    question = next((text for who, text in said if who in _ASKING and text), None)
    answer = next((text for who, text in said if who in _ANSWERING and text), None)
    plain_question, plain_answer = (
        _first_text(row, (*_QUESTION, "prompt")),
        _first_text(row, (*_ANSWER, "completion")),
    )
    return question or plain_question, answer or plain_answer


def _speaker(turn: Mapping[str, Any]) -> str:
    return str(turn.get("role", turn.get("from", "")))


def _text(turn: Mapping[str, Any]) -> str:
    content = turn.get("content", turn.get("value", ""))
    if isinstance(content, list):
        content = " ".join(str(part["text"]) for part in content if isinstance(part, dict) and part.get("text"))
    return str(content).replace("<image>", " ").strip() if isinstance(content, str) else ""


def _first_text(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    found = (row[name] for name in names if isinstance(row.get(name), str | int) and str(row[name]).strip())
    text = next(found, None)
    return None if text is None else str(text).replace("<image>", " ").strip()


def _options(row: Mapping[str, Any], question: str | None) -> tuple[str, ...]:
    given = next((row[name] for name in _OPTIONS if isinstance(row.get(name), list)), None)
    if given is not None:
        return tuple(map(str, given))
    listed = _CHOOSE.findall(question or "")
    return tuple(part.strip() for part in listed[-1].split(",")) if listed else ()


def _cell(row: Mapping[str, Any]) -> tuple[int | None, int | None]:
    cell = row.get("cell")
    if isinstance(cell, str):
        cell = re.split(r"[,\s]+", cell.strip("()[] "))
    pair = cell if isinstance(cell, list) else [row.get("row"), row.get("col", row.get("column"))]
    if all(part is None for part in pair):
        return None, None
    numbers = [_number(part) for part in pair]
    if len(numbers) != 2 or any(n is None or n != int(n) or not 0 <= n < 10_000 for n in numbers):
        raise UnusableError("row and col that are not two whole numbers from 0")
    return int(numbers[0] or 0), int(numbers[1] or 0)


def _target(row: Mapping[str, Any], number: int, pictures: RecordPictures) -> Target | None:
    key = next((key for key in ("box_xyxy_px", "bbox_xyxy_px", "bbox") if row.get(key) is not None), None)
    if key is None:
        return None
    edges = [_number(edge) for edge in row[key]] if isinstance(row[key], list) else []
    if len(edges) != 4 or any(edge is None for edge in edges):
        raise UnusableError("box without four finite numbers")
    x0, y0, x1, y1 = (edge or 0.0 for edge in edges)
    if key == "bbox":
        x1, y1 = x0 + x1, y0 + y1
    if x1 <= x0 or y1 <= y0:
        raise UnusableError("box without a width and a height")
    frame = _frame(row) or pictures.frame(number)
    if frame is None:
        raise UnusableError("box without the image's size")
    mask_area = _number(row.get("mask_area_px"))
    kind = row.get("shape", row.get("category"))
    return Target(Box(x0, y0, x1, y1), frame, str(kind or ""), mask_area)


def _frame(row: Mapping[str, Any]) -> Frame | None:
    size = row.get("frame_wh_px") or [row.get("width"), row.get("height")]
    sides = [_number(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or any(side is None or side < 1 for side in sides):
        return None
    return Frame(int(sides[0] or 0), int(sides[1] or 0))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = int(value) if value.strip().isdecimal() else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if is_number and isfinite(value) else None


def _factors(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(name): str(value)
        for name, value in row.items()
        if name not in _USED and isinstance(value, str | int) and len(str(value)) <= 100
    }


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" .\n").split())


def _whole(records: list[Record], rejected: dict[str, list[str]]) -> list[Record]:
    """The rows that have what most of the rows have; the others are counted."""
    needed = [
        name
        for name in ("question", "answer", "row", "area", "target")
        if 2 * sum(getattr(record, name) is not None for record in records) > len(records)
    ]
    has_options = 2 * sum(bool(record.options) for record in records) > len(records)
    kept = []
    for record in records:
        lacking = [name for name in needed if getattr(record, name) is None]
        if lacking:
            said = {"row": "place in the grid", "target": "box"}.get(lacking[0], lacking[0])
            rejected[f"without the {said} that the others have"].append(record.id)
        elif has_options and "answer" in needed and record.slot is None:
            rejected["answer that is none of the options"].append(record.id)
        else:
            kept.append(record)
    return kept


def _table(
    name: str, records: Sequence[Record], rejected: Mapping[str, list[str]], pictures: RecordPictures
) -> AuditTable:
    names = list(dict.fromkeys(key for record in records for key in record.factors))
    columns = {key: column([record.factors.get(key, "–") for record in records]) for key in names}
    if all(record.answer is not None for record in records):
        columns["answer"] = column([_plain(record.answer or "") for record in records])
    columns |= _places(records)
    slots = [record.slot for record in records]
    if all(slot is not None for slot in slots):
        n_slots = max(len(record.options) for record in records)
        columns["slot"] = column([str(slot) for slot in slots], [str(k) for k in range(n_slots)])
    asked = all(record.question is not None for record in records)
    placed = any(record.target is not None for record in records)
    has_pictures = pictures.keep([record.number for record in records])
    return AuditTable(
        name,
        tuple(record.id for record in records),
        columns,
        tuple(key for key in names if key != "task"),
        (),
        constructed(columns),
        tuple(record.question or "" for record in records) if asked else (),
        tuple(record.target for record in records) if placed else (),
        pictures if has_pictures else None,
        rejected=dict(rejected),
    )


def _places(records: Sequence[Record]) -> dict[str, Column]:
    """The columns that say where the objects are, as far as that is known of every row."""
    found: dict[str, Column] = {}
    cells = [(record.row, record.col) for record in records if record.row is not None and record.col is not None]
    if len(cells) == len(records):
        from_box = all(record.target is not None for record in records)
        n_rows, n_cols = (max(each) + 1 for each in zip(*cells, strict=True))
        if from_box:
            n_rows, n_cols = max(n_rows, PAPER_GRID.rows), max(n_cols, PAPER_GRID.cols)
        first = min(min(cell) for cell in cells) if not from_box else 0
        rows, cols = [str(k) for k in range(first, n_rows)], [str(k) for k in range(first, n_cols)]
        found["row"] = column([str(row) for row, _ in cells], rows)
        found["col"] = column([str(col) for _, col in cells], cols)
        found["cell"] = column([f"{row},{col}" for row, col in cells], [f"{a},{b}" for a in rows for b in cols])
        grid = Grid(n_rows, n_cols) if first == 0 and min(n_rows, n_cols) >= 3 else None
        if grid and not all(record.area for record in records):
            here = {(cell.row, cell.col): grid.area_of(cell) for cell in grid.cells()}
            found["area"] = column([here[cell] for cell in cells], AREAS)
    if all(record.area for record in records):
        words = [str(record.area) for record in records]
        found["area"] = column(words, AREAS if set(words) <= set(AREAS) else None)
    return found
