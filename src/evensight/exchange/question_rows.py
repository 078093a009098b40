"""A question as a row of plain values, what became of an answer to it, and figures of many: for other harnesses.

lmms-eval and inspect_ai keep such rows beside their answers and call back to score them, so an answer has the outcome
that evaluation gives it (`questions.parsing`): an answer that names no option, or two, is invalid, which counts as
not correct and is told apart from wrong.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from evensight.annotations import Box, Frame
from evensight.datasets.examples import Example
from evensight.questions.parsing import Outcome, outcome, parse_answer
from evensight.questions.tasks import Question
from evensight.statistics import spread, true_spread

MAX_NEW_TOKENS = 15
"""How long an answer may get, as in `evensight evaluate`."""

CellAnswers = Iterable[tuple[str, bool]]
"""For each answer its question's cell, as `question_row` names it, and whether it is correct."""


def question_row(example: Example, encoded: bytes) -> dict[str, Any]:
    """The row of an example: what scoring needs, and what its answers are grouped by.

    Args:
        example: The example.
        encoded: Its picture's bytes; `picture` is one value for one picture, by which answers are clustered.
    """
    return {
        "id": example.id,
        "picture": hashlib.sha256(encoded).hexdigest()[:16],
        "task": example.question.task,
        "question": example.question.text,
        "options": list(example.question.options),
        "answer": example.question.answer,
        "cell": f"{example.cell.row},{example.cell.col}",
        "area": example.area,
        "box_xyxy_px": list(example.box.xyxy_px),
        "frame_wh_px": [example.frame.width_px, example.frame.height_px],
    }


def scored(row: Mapping[str, Any], raw: str) -> Outcome:
    """What became of an answer to a row's question."""
    return outcome(raw, _question(row), Box(*row["box_xyxy_px"]), Frame(*row["frame_wh_px"]))


def parsed(row: Mapping[str, Any], raw: str) -> str | None:
    """What an answer to a row's question says, in the words of right answers; None if it can't be told."""
    return parse_answer(raw, _question(row))


def worst_cell(answers: CellAnswers) -> float:
    """The accuracy in the cell where it is lowest, of the cells that were asked about."""
    return min(correct / n for correct, n in zip(*_counts(answers), strict=True))


def cell_std(answers: CellAnswers) -> float:
    """The standard deviation of the cells' accuracies, over the cells that were asked about."""
    return spread(*_counts(answers))


def cell_std_true(answers: CellAnswers) -> float:
    """The same with the noise of few questions a cell taken out; NaN where cells have one question each."""
    return true_spread(*_counts(answers))


def _question(row: Mapping[str, Any]) -> Question:
    return Question(row["task"], row["question"], tuple(row["options"]), row["answer"])


def _counts(answers: CellAnswers) -> tuple[list[int], list[int]]:
    """For each cell that was asked about how many answers are correct, and how many there are."""
    by_cell: dict[str, list[bool]] = defaultdict(list)
    for cell, is_correct in answers:
        by_cell[cell].append(is_correct)
    return [sum(answers) for answers in by_cell.values()], [len(answers) for answers in by_cell.values()]
