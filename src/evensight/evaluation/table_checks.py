"""Whether a results table can be what it says: each column of its kind, each value one that can stand there.

Figures are computed from columns, and a column of another kind, a doubled row or an outcome that is none would give
a wrong figure rather than an error. So a table is looked at once, as columns, when it is read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evensight.annotations import AREAS, Grid
from evensight.errors import InputError
from evensight.questions.parsing import Outcome
from evensight.runs import one_line

_MAY_BE_NULL = frozenset(
    [
        *("slot", "mask_area_px", "centroid_xy_px", "certainty", "others", "parsed", "adapter", "processor"),
        *("option_scores", "option_tokens", "option_priors", "parsed_by_options", "outcome_by_options", "batch_size"),
    ]
)
_SCORES = ("option_scores", "option_tokens", "option_priors")
_AGAIN = "make the evaluation again"


def checked_table(table: pa.Table, expected: pa.Schema, grid: Grid, path: Path) -> pa.Table:
    """The table with its columns as they have to be; columns that aren't known stay as they are.

    Args:
        table: The table.
        expected: The columns of a results table (`rows.schema`).
        grid: The grid that its questions' cells lie on.
        path: Where it is, for the error's message.

    Raises:
        InputError: A column is missing or of another kind, or a value can't be.
    """
    try:
        table.validate(full=True)  # texts, too: Parquet keeps bytes that are none
    except pa.ArrowException as error:
        raise InputError(f"`{path}` can't be read: {one_line(error)}") from error
    missing = [name for name in expected.names if name not in table.column_names]
    if missing:
        raise InputError(f"`{path}` lacks the columns {', '.join(missing)}")
    for field in expected:
        column = _of_its_kind(table[field.name], field, path)
        table = table.set_column(table.column_names.index(field.name), field, column)
    fault = next(_faults(table, grid), None)
    if fault is not None:
        raise InputError(f"`{path}` holds {fault}: {_AGAIN}")
    return table


def _of_its_kind(column: pa.ChunkedArray, field: pa.Field, path: Path) -> pa.ChunkedArray:
    if column.null_count and field.name not in _MAY_BE_NULL:
        raise InputError(f"`{path}` has no `{field.name}` in {column.null_count:,} rows: {_AGAIN}")
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise InputError(
            f"`{path}` has `{field.name}` as {column.type}: expected {field.type} ({one_line(error)})"
        ) from error


def _faults(table: pa.Table, grid: Grid) -> Iterator[str]:
    """What can't be, in words."""
    known: dict[str, Sequence[str | None]] = {
        "outcome": list(Outcome),
        "outcome_by_options": [Outcome.CORRECT, Outcome.WRONG, None],
        "area": AREAS,
    }
    for name, values in known.items():
        others = set(pc.unique(table[name]).to_pylist()) - set(values)
        if others:
            yield f"the {name} `{others.pop()}`"
    ids = table["id"].to_pylist()
    if len(set(ids)) < len(ids):
        yield f"the question `{Counter(ids).most_common(1)[0][0]}` twice"
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    if not (((rows >= 0) & (rows < grid.rows)).all() and ((cols >= 0) & (cols < grid.cols)).all()):
        yield f"a question whose cell isn't on its grid of {grid}"
    boxes, frames = _numbers(table["box_xyxy_px"], 4), _numbers(table["frame_wh_px"], 2)
    if boxes is None or not np.isfinite(boxes).all() or not (boxes[:, :2] < boxes[:, 2:]).all():
        yield "a box that is none"
    if frames is None or not (frames >= 1).all():
        yield "a picture without a size"
    yield from _faults_of_options(table)


def _numbers(column: pa.ChunkedArray, n: int) -> np.ndarray[Any, Any] | None:
    """The numbers of lists of so many, `[row, number]`; None if one is longer, shorter, or holds none."""
    lengths = pc.list_value_length(column)
    flat = pc.list_flatten(column)
    if flat.null_count or not pc.all(pc.equal(lengths, n), min_count=0).as_py():
        return None
    numbers: np.ndarray[Any, Any] = flat.to_numpy().reshape(-1, n)
    return numbers


def _faults_of_options(table: pa.Table) -> Iterator[str]:
    options: Sequence[Sequence[str | None]] = table["options"].to_pylist()
    if None in set(chain.from_iterable(options)):
        yield "an option that is none"
    slots, answers = table["slot"].to_pylist(), table["answer"].to_pylist()
    for names, slot, answer in zip(options, slots, answers, strict=True):
        if names and not (slot is not None and 0 <= slot < len(names) and names[slot] == answer):
            yield "a question without its right answer among the options"
            return
    for name in _SCORES:
        values = table[name].to_pylist()
        if any(
            one is not None and (len(one) != len(of) or None in one) for one, of in zip(values, options, strict=True)
        ):
            yield f"{name} of another number than there are options"
            return
    tokens = pc.list_flatten(table["option_tokens"])
    if not pc.all(pc.greater(tokens, 0), min_count=0).as_py():
        yield "an option of no tokens"
