"""A set as columns: the light table that an audit counts, whatever format the set came in.

A column holds a value for each row as a number into its list of levels, so that counting a pair of columns is one
`bincount`. Rows may also know the question's text, where its object is and how to get its picture; each of these is
optional, for other people's sets don't say everything. Nothing here reads a picture before it is asked to.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evensight.annotations import AREAS, Box, Frame, Grid
from evensight.datasets.examples import Example, ExampleSet

PLACE_COLUMNS = ("row", "col", "cell", "area")
_OFFERED = "Choose from ["
_PLACE_WORDS = re.compile(
    r"(?:top|bottom|upper|lower|above|below|left|right|middle|cent(?:er|re)|row|col|column|and|[\d\s,.;:()\[\]-])+",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Column:
    """A value for each row.

    Attributes:
        levels: The values that there can be, in their natural order, also those that don't occur.
        codes: Each row's value as an index into `levels`, `[row]`.
    """

    levels: tuple[str, ...]
    codes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.codes.size and not 0 <= int(self.codes.min()) <= int(self.codes.max()) < len(self.levels):
            raise ValueError(f"codes are from 0 to {len(self.levels) - 1}, got {self.codes.min()}-{self.codes.max()}")

    @property
    def values(self) -> list[str]:
        """Each row's value in words."""
        return [self.levels[code] for code in self.codes]

    @property
    def counts(self) -> dict[str, int]:
        """How often each level occurs."""
        n = np.bincount(self.codes, minlength=len(self.levels))
        return dict(zip(self.levels, n.tolist(), strict=True))

    @property
    def n_seen(self) -> int:
        """How many of the levels occur."""
        return int(np.unique(self.codes).size)


def column(values: Sequence[str], levels: Sequence[str] | None = None) -> Column:
    """The column of these values; its levels are those that occur, sorted, unless others are given."""
    known = tuple(sorted(set(values)) if levels is None else dict.fromkeys((*levels, *sorted(set(values)))))
    number = {level: k for k, level in enumerate(known)}
    return Column(known, np.fromiter((number[value] for value in values), dtype=np.int64, count=len(values)))


@dataclass(frozen=True, slots=True)
class Target:
    """Where the object that a row is about should be seen.

    Attributes:
        box: Its bounds.
        frame: The size of the image that the bounds are of.
        name: What it is ("star"), for comparing masks of things of one kind.
        mask_area_px: How many square pixels of it are said to be visible; none where that isn't known.
    """

    box: Box
    frame: Frame
    name: str = ""
    mask_area_px: float | None = None


class NoPictureError(Exception):
    """A row's picture isn't there or can't be decoded; the message is the reason, for counting."""


@dataclass(frozen=True, eq=False)
class AuditTable:
    """A set as columns.

    Attributes:
        name: The set's name.
        ids: The rows' ids.
        columns: The columns, by name; the first of a pair is what is `given` when nothing is claimed of the pair.
        factors: Those columns that say what is shown, for comparing sets.
        claims: The pairs `(given, counted)` that the set claims to balance.
        by_construction: Pairs, in any order, of which one gives the other because of what they mean (a cell and
            its area; the place and the answer to the question where it is): no fault, and not tested.
        questions: Each row's whole question; empty where the set has none.
        targets: Each row's object; empty where no place is known.
        picture: Gives a row's picture, RGB, or raises `NoPictureError`; none where the set has no pictures.
        faults: What is wrong with rows, each in a sentence that names the row.
        rejected: Rows that can't be used, by reason: their names.
        selection: What each rule left of the objects of photographs, by area (`PhotoExamples`); none of other sets.
    """

    name: str
    ids: tuple[str, ...]
    columns: Mapping[str, Column]
    factors: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    by_construction: frozenset[frozenset[str]] = frozenset()
    questions: tuple[str, ...] = ()
    targets: tuple[Target | None, ...] = ()
    picture: Callable[[int], Image.Image] | None = None
    faults: tuple[str, ...] = ()
    rejected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    selection: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        lengths = {name: each.codes.size for name, each in self.columns.items()}
        lengths |= {"questions": len(self.questions) or len(self), "targets": len(self.targets) or len(self)}
        wrong = {name: n for name, n in lengths.items() if n != len(self)}
        if wrong:
            raise ValueError(f"every column has {len(self)} rows, got {wrong}")

    def __len__(self) -> int:
        return len(self.ids)

    def table(self, given: str, counted: str) -> NDArray[np.int64]:
        """How often each pair of values occurs, `[level of given, level of counted]`."""
        a, b = self.columns[given], self.columns[counted]
        shape = len(a.levels), len(b.levels)
        return np.bincount(a.codes * shape[1] + b.codes, minlength=shape[0] * shape[1]).reshape(shape)


def tabulate(examples: ExampleSet) -> AuditTable:
    """The table of one of our sets; its rows are also compared with themselves (see `row_faults`)."""
    info, rows = examples.info, list(examples)
    columns = example_columns(rows, info.factors, info.grid)
    asked = tuple(row.question.text for row in rows)
    targets = tuple(Target(row.box, row.frame, _name(row), _mask_area_px(row)) for row in rows)
    faults = [fault for row in rows for fault in row_faults(row, info.grid)]
    return AuditTable(
        info.name,
        tuple(row.id for row in rows),
        columns,
        info.factors,
        tuple(info.balanced),
        constructed(columns),
        asked,
        targets,
        examples.image,
        tuple(faults),
        selection=_selection(info.notes),
    )


def _selection(notes: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a set of photographs notes of its selection; None of other sets, and of notes that were changed."""
    try:
        found = notes["selection"]
        steps = [{"rule": str(step["rule"]), "n_left_out": int(step["n_left_out"])} for step in found["steps"]]
        counts = [[int(n) for n in by_area] for by_area in (*(s["by_area"] for s in found["steps"]), found["asked"])]
    except (KeyError, TypeError, ValueError):
        return None
    if not steps or any(len(by_area) != len(AREAS) or min(by_area) < 0 for by_area in counts):
        return None
    *lefts, asked = counts
    return {"steps": [{**s, "by_area": left} for s, left in zip(steps, lefts, strict=True)], "asked": asked}


def example_columns(rows: Sequence[Example], factors: Sequence[str], grid: Grid) -> dict[str, Column]:
    """The columns of examples: factors, task, answer, place and slot."""
    n_slots = max((len(row.question.options) for row in rows), default=1)
    found = {factor: column([str(row.attributes.get(factor, "–")) for row in rows]) for factor in factors}
    levels = place_levels(grid)
    rest = {
        "task": column([row.question.task for row in rows]),
        "answer": column([row.question.answer for row in rows]),
        "row": column([str(row.cell.row) for row in rows], levels["row"]),
        "col": column([str(row.cell.col) for row in rows], levels["col"]),
        "cell": column([f"{row.cell.row},{row.cell.col}" for row in rows], levels["cell"]),
        "area": column([row.area for row in rows], levels["area"]),
        "slot": column([str(row.question.slot) for row in rows], [str(k) for k in range(n_slots)]),
    }
    if rows and all(row.others for row in rows):  # what a question about two objects names besides
        rest["other"] = column([row.others[0].description for row in rows])
    return found | {name: each for name, each in rest.items() if name not in found}


def place_levels(grid: Grid) -> dict[str, tuple[str, ...]]:
    """All that the columns of places can hold, whether it occurs or not."""
    return {
        "row": tuple(map(str, range(grid.rows))),
        "col": tuple(map(str, range(grid.cols))),
        "cell": tuple(f"{cell.row},{cell.col}" for cell in grid.cells()),
        "area": AREAS,
    }


def constructed(columns: Mapping[str, Column]) -> frozenset[frozenset[str]]:
    """The pairs of columns that belong together because of what they mean.

    These are the places (but a row and a column are free of one another), a task and the answers or wordings that
    only it has, and the answer together with what is asked for: the column that has the answer's own words as its
    values, or the place where the answers are places and the cell gives them.
    """
    here = [name for name in PLACE_COLUMNS if name in columns]
    pairs = {frozenset((a, b)) for a in here for b in here if a != b and {a, b} != {"row", "col"}}
    if "task" in columns:
        pairs |= {frozenset(("task", name)) for name in ("answer", "wording", "slot", "n_options") if name in columns}
    if "answer" in columns:
        asked = _asked_for(columns)
        pairs |= {frozenset(("answer", name)) for name in (here if asked & set(here) else []) + sorted(asked)}
    return frozenset(pairs)


def _asked_for(columns: Mapping[str, Column]) -> set[str]:
    """The columns that some task asks for."""
    answers = columns["answer"]
    task = columns["task"].codes if "task" in columns else np.zeros_like(answers.codes)
    found: set[str] = set()
    for k in np.unique(task):
        rows = np.flatnonzero(task == k)
        found |= {
            name for name, each in columns.items() if name not in ("answer", "slot") and _says(answers, each, rows)
        }
        words = {answers.levels[code] for code in np.unique(answers.codes[rows])}
        if "cell" in columns and all(map(_PLACE_WORDS.fullmatch, words)):
            pairs = np.unique(np.stack([columns["cell"].codes[rows], answers.codes[rows]]), axis=1)
            if pairs.shape[1] == np.unique(pairs[0]).size:
                found.add("cell")
    return found


def _says(answers: Column, other: Column, rows: NDArray[np.int64]) -> bool:
    """Whether in these rows the answer is, word for word, the other column's value."""
    pairs = np.unique(np.stack([answers.codes[rows], other.codes[rows]]), axis=1)
    return pairs.shape[1] > 1 and all(answers.levels[a] == other.levels[b] for a, b in pairs.T)


def row_faults(example: Example, grid: Grid) -> list[str]:
    """Where an example contradicts itself."""
    faults = []
    text, options = example.question.text, ", ".join(example.question.options)
    if _OFFERED in text and f"{_OFFERED}{options}]" not in text:
        faults.append(f"`{example.id}`: the question doesn't list its options in their order")
    if example.area != grid.area_of(example.cell):
        faults.append(f"`{example.id}`: the area is `{example.area}`, its cell is in another")
    if example.cell != grid.cell_at(example.box.center_px, example.frame):
        faults.append(f"`{example.id}`: the centre of its box is not in its cell")
    if example.question.task == "absolute-position" and example.question.answer != example.area:
        faults.append(f"`{example.id}`: the answer is `{example.question.answer}`, the object is in `{example.area}`")
    return faults


def _name(example: Example) -> str:
    kind = example.attributes.get("shape", example.attributes.get("category", ""))
    return " ".join(filter(None, (str(kind), str(example.attributes.get("size", "")))))


def _mask_area_px(example: Example) -> float | None:
    """The visible area, where the examples of this set say it."""
    area = getattr(example, "mask_area_px", None)
    return float(area) if isinstance(area, int | float) and isfinite(area) else None
