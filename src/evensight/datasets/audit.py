"""The balance certificate: what a set's questions give away before anybody looks at the pictures.

For every pair of columns `(given, counted)` a set may claim balance: among the questions with one value of
`given`, all values of `counted` are equally frequent, as evenly as whole numbers allow. The audit counts. It
also checks that the set is true to itself: the answer is the object's area, the slot points to the answer, the
cell is where the box's centre is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evensight.annotations import AREAS, Grid
from evensight.datasets.examples import Example, ExampleSet
from evensight.statistics import mutual_information_bits

POSITION_TASK = "absolute-position"


@dataclass(frozen=True, slots=True)
class Balance:
    """How evenly `counted` is spread given `given`.

    Attributes:
        given: The column whose values are held fixed.
        counted: The column whose values are counted.
        min: The smallest count of a pair of their values.
        max: The largest.
        max_minus_min: The largest difference between two values of `counted` under one value of `given`.
        bits: Their mutual information; 0 when neither tells anything of the other.
        even: Whether no difference is larger than whole numbers force it to be.
        claimed: Whether the set claims this.
    """

    given: str
    counted: str
    min: int
    max: int
    max_minus_min: int
    bits: float
    even: bool
    claimed: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        name: The set's name.
        n: How many questions it has.
        counts: How often each value of each column occurs.
        balances: The pairs of columns, those that are claimed first.
        faults: Questions that contradict themselves, each with its id.
    """

    name: str
    n: int
    counts: dict[str, dict[str, int]]
    balances: tuple[Balance, ...]
    faults: tuple[str, ...]

    @property
    def broken(self) -> tuple[Balance, ...]:
        """The balances that are claimed and don't hold."""
        return tuple(balance for balance in self.balances if balance.claimed and not balance.even)

    @property
    def ok(self) -> bool:
        """Whether all that the set says of itself is so."""
        return not self.broken and not self.faults

    def as_json(self) -> dict[str, Any]:
        """The audit as JSON."""
        return {**asdict(self), "ok": self.ok}


def audit(examples: ExampleSet) -> Audit:
    """Counts what there is in a set and compares it with what the set claims."""
    info = examples.info
    rows = list(examples)
    columns = _columns(rows, info.factors)
    levels = {name: _levels(name, values, info.grid) for name, values in columns.items()}
    levels["slot"] = [str(k) for k in range(max((len(row.question.options) for row in rows), default=1))]
    claimed = tuple(info.balanced)
    others = [(given, "answer") for given in (*info.factors, "slot")] + [("answer", "slot")]
    pairs = [*claimed, *(pair for pair in others if pair not in claimed)]
    balances = tuple(
        _balance(given, counted, columns, levels, claimed=(given, counted) in claimed)
        for given, counted in pairs
        if given in columns and counted in columns
    )
    counts = {name: _counts(columns[name], levels[name]) for name in columns if name not in ("cell", "id")}
    faults = [*_duplicates(columns["id"]), *(f for row in rows for f in _faults(row, info.grid))]
    missing = {name for pair in claimed for name in pair} - set(columns)
    faults += [f"the set claims balance of `{name}`, which it has no column for" for name in sorted(missing)]
    return Audit(info.name, len(rows), counts, balances, tuple(faults))


def _columns(rows: Sequence[Example], factors: tuple[str, ...]) -> dict[str, list[str]]:
    return {
        "id": [row.id for row in rows],
        **{factor: [row.attributes[factor] for row in rows] for factor in factors},
        "answer": [row.question.answer for row in rows],
        "slot": [str(row.question.slot) for row in rows],
        "row": [str(row.cell.row) for row in rows],
        "col": [str(row.cell.col) for row in rows],
        "cell": [f"{row.cell.row},{row.cell.col}" for row in rows],
        "area": [row.area for row in rows],
    }


def _levels(name: str, values: Sequence[str], grid: Grid) -> list[str]:
    """All values that a column can have, also those that don't occur, in their natural order."""
    match name:
        case "row":
            return [str(k) for k in range(grid.rows)]
        case "col":
            return [str(k) for k in range(grid.cols)]
        case "cell":
            return [f"{cell.row},{cell.col}" for cell in grid.cells()]
        case "area":
            return list(AREAS)
        case "slot":
            return [str(k) for k in range(max(map(int, values), default=0) + 1)]
        case _:
            return sorted(set(values))


def _balance(
    given: str,
    counted: str,
    columns: dict[str, list[str]],
    levels: dict[str, list[str]],
    *,
    claimed: bool,
) -> Balance:
    rows, cols = levels[given], levels[counted]
    table = np.zeros((len(rows), len(cols)), dtype=np.int64)
    row_of, col_of = ({level: k for k, level in enumerate(known)} for known in (rows, cols))
    for pair, n in Counter(zip(columns[given], columns[counted], strict=True)).items():
        table[row_of[pair[0]], col_of[pair[1]]] = n
    difference = table.max(axis=1) - table.min(axis=1)
    unavoidable = (table.sum(axis=1) % len(cols) > 0).astype(np.int64)
    return Balance(
        given,
        counted,
        int(table.min()),
        int(table.max()),
        int(difference.max()),
        mutual_information_bits(table),
        bool((difference <= unavoidable).all()),
        claimed,
    )


def _counts(values: Sequence[str], levels: Sequence[str]) -> dict[str, int]:
    counted = Counter(values)
    return {level: counted[level] for level in levels}


def _duplicates(ids: Sequence[str]) -> list[str]:
    return [f"`{name}` occurs {n} times: an id is unique" for name, n in Counter(ids).items() if n > 1]


def _faults(example: Example, grid: Grid) -> list[str]:
    faults = []
    if not example.question.text.endswith(f"Choose from [{', '.join(example.question.options)}]."):
        faults.append(f"`{example.id}`: the question doesn't list its options in their order")
    if example.area != grid.area_of(example.cell):
        faults.append(f"`{example.id}`: the area is `{example.area}`, its cell is in another")
    if example.cell != grid.cell_at(example.box.center_px, example.frame):
        faults.append(f"`{example.id}`: the centre of its box is not in its cell")
    if example.question.task == POSITION_TASK and example.question.answer != example.area:
        faults.append(f"`{example.id}`: the answer is `{example.question.answer}`, the object is in `{example.area}`")
    return faults
