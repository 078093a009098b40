"""The examples of a set as data, for the report's browser: what was asked where, and what each condition said.

The browser's script puts the strings into the page as text. Each is made harmless to look at here (`wording.shown`),
and the data stand in the page as JSON by the templates' `tojson`, in which no character can end their element.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from evensight.evaluation.results import Results
from evensight.questions.parsing import Outcome
from evensight.questions.tasks import INSTRUCTION
from evensight.reports.findings import Evaluated
from evensight.reports.wording import shown

MOST_BROWSED = 2_000
"""How many examples of a set a report has, and of each where there are many sets fewer: `MOST_IN_ALL`."""
MOST_IN_ALL = 24_000
"""How many a report has, times the conditions that answered them."""
_FEWEST = 200
_OPTIONS = " Choose from ["
_SAID_CHARACTERS = 160
_OUTCOMES = (Outcome.CORRECT, Outcome.WRONG, Outcome.INVALID)
"""In the order in which the browser knows them."""


def short_question(question: str) -> str:
    """A question without its options and without the instruction."""
    return question.partition(_OPTIONS)[0].removeprefix(INSTRUCTION).strip()


def browsed(conditions: Sequence[Evaluated], pictured: Sequence[str], n_sets: int = 1) -> dict[str, Any]:
    """The examples of a set for the browser: columns of as many examples each.

    Strings that repeat stand in `strings`, and in the columns as their places there; boxes are in thousandths.

    Args:
        conditions: The set's conditions; the first one's questions are shown.
        pictured: The ids of those whose pictures are in the report: they are there, however many others are.
        n_sets: How many sets the report has.
    """
    most = min(MOST_BROWSED, max(MOST_IN_ALL // (n_sets * len(conditions)), _FEWEST))
    first = conditions[0].results
    chosen = _chosen(first, pictured, most)
    strings: dict[str, int] = {}

    def coded(text: object, limit: int = 300) -> int:
        return strings.setdefault(shown(text, limit), len(strings))

    def column(name: str) -> list[Any]:
        values = first.column(name)
        return [values[k] for k in chosen]

    place = {name: k for k, name in enumerate(pictured)}
    ids = column("id")
    return {
        "n": len(first.table),
        "grid": [first.grid.rows, first.grid.cols],
        "firsts": [list(first.grid.first_rows), list(first.grid.first_cols)],
        "id": [shown(name, 80) for name in ids],
        "picture": [place.get(name) for name in ids],
        "question": [coded(short_question(text)) for text in column("question")],
        "answer": [coded(text, 60) for text in column("answer")],
        "area": [coded(text, 40) for text in column("area")],
        "row": column("row"),
        "col": column("col"),
        "box": [_box(box, frame) for box, frame in zip(column("box_xyxy_px"), column("frame_wh_px"), strict=True)],
        "aspect": [round(width / height, 4) for width, height in column("frame_wh_px")],
        "attributes": {shown(name, 60): [coded(value, 60) for value in column(name)] for name in first.factors},
        "said": [_said(condition, ids, coded) for condition in conditions],
        "strings": list(strings),
    }


def _chosen(results: Results, pictured: Sequence[str], most: int) -> list[int]:
    """The places of the examples that are shown: those with pictures first, and as many others as fit, by hash."""
    ids, kept = results.column("id"), set(pictured)

    def rank(k: int) -> tuple[bool, bytes]:
        return ids[k] not in kept, hashlib.sha256(ids[k].encode("utf-8", "replace")).digest()

    drawn = sorted(range(len(ids)), key=rank)[:most]
    return sorted(drawn, key=lambda k: (ids[k] not in kept, k))


def _box(box: Sequence[float], frame: Sequence[int]) -> list[int]:
    """A box as x, y, width and height, in thousandths of the frame."""
    (x0, y0, x1, y1), (width, height) = box, frame
    return [round(1000 * part) for part in (x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height)]


def _said(condition: Evaluated, ids: Sequence[str], coded: Callable[[object, int], int]) -> list[list[int] | None]:
    """For each id the answer and its outcome; None where it was not asked."""
    answers = (condition.answers.get(name) for name in ids)
    return [answer and [coded(answer[0], _SAID_CHARACTERS), _OUTCOMES.index(answer[1])] for answer in answers]
