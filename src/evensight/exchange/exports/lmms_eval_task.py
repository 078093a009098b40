"""What lmms-eval calls for an exported task: the picture, the words, the score of an answer, and the figures.

The scoring is evaluation's own (`exchange.question_rows`). What `process_results` gives for a metric goes to the
metric's aggregation; a metric of one area is given by the questions of that area alone. lmms-eval's log of samples
leaves out a question's row, so `accuracy` carries its id along, by which `exchange.answers` reads the log back.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from evensight.exchange import question_rows
from evensight.exchange.question_rows import scored
from evensight.questions.parsing import Outcome


def doc_to_visual(doc: Mapping[str, Any]) -> list[Image.Image]:
    """The picture of a row."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The question of a row, instruction and options included."""
    return str(doc["question"])


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """An answer's contribution to each metric; `score` is 0 or 1, `picture` the cluster that it is in."""
    found = scored(doc, results[0])
    is_correct = found is Outcome.CORRECT
    share = {"score": float(is_correct), "picture": doc["picture"]}
    in_cell = {"correct": is_correct, "cell": doc["cell"]}
    return {
        "accuracy": {"id": doc["id"], "outcome": found.value, **share},
        "invalid": {"score": float(found is Outcome.INVALID), "picture": doc["picture"]},
        "cell_std": in_cell,
        "cell_std_true": in_cell,
        "worst_cell": in_cell,
        area_metric(doc["area"]): share,
    }


def area_metric(area: str) -> str:
    """The name of the metric that is the accuracy in an area."""
    return f"accuracy_{area.replace(' ', '_')}"


def accuracy(items: Sequence[Mapping[str, Any]]) -> float:
    """The share of items whose score is 1."""
    return float(sum(item["score"] for item in items) / len(items))


def cell_std(items: Sequence[Mapping[str, Any]]) -> float:
    """The standard deviation of the cells' accuracies."""
    return question_rows.cell_std(_in_cells(items))


def cell_std_true(items: Sequence[Mapping[str, Any]]) -> float:
    """The same with the noise of few questions a cell taken out."""
    return question_rows.cell_std_true(_in_cells(items))


def worst_cell(items: Sequence[Mapping[str, Any]]) -> float:
    """The accuracy in the cell where it is lowest, of the cells that were asked about."""
    return question_rows.worst_cell(_in_cells(items))


def _in_cells(items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    return ((item["cell"], item["correct"]) for item in items)
