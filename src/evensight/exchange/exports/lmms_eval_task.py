"""What lmms-eval calls for an exported task: the picture, the words, the score of an answer, and the figures.

The scoring is evaluation's own (`questions.parsing`); an answer that names no option, or two, or leaves doubt which
one it means, is invalid, which counts as not correct and is reported beside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from evensight.annotations import Box, Frame
from evensight.questions.parsing import Outcome, outcome
from evensight.questions.tasks import Question


def doc_to_visual(doc: Mapping[str, Any]) -> list[Image.Image]:
    """The picture of a row."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The question of a row, instruction and options included."""
    return str(doc["question"])


def scored(doc: Mapping[str, Any], raw: str) -> Outcome:
    """What became of an answer to a row's question."""
    question = Question(doc["task"], doc["question"], tuple(doc["options"]), doc["answer"])
    return outcome(raw, question, Box(*doc["box_xyxy_px"]), Frame(*doc["frame_wh_px"]))


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """An answer's contribution to each metric; `score` is 0 or 1, `picture` the cluster that it is in."""
    found = scored(doc, results[0])
    correct = float(found is Outcome.CORRECT)
    return {
        "accuracy": {"score": correct, "picture": doc["picture"], "outcome": found.value},
        "invalid": {"score": float(found is Outcome.INVALID), "picture": doc["picture"]},
        "worst_cell": {"correct": correct, "cell": doc["cell"]},
    }


def accuracy(items: Sequence[Mapping[str, Any]]) -> float:
    """The share of items whose score is 1."""
    return float(sum(item["score"] for item in items) / len(items))


def worst_cell(items: Sequence[Mapping[str, Any]]) -> float:
    """The accuracy in the cell where it is lowest, of the cells that were asked about."""
    by_cell: dict[str, list[float]] = defaultdict(list)
    for item in items:
        by_cell[item["cell"]].append(item["correct"])
    return min(sum(scores) / len(scores) for scores in by_cell.values())
