"""What the options' scores say beside the words: how often each rule is right, and what confidence is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evensight.evaluation.option_scores import AGAINST_PRIOR, PER_TOKEN, RULES, SUM, chosen, confidences
from evensight.evaluation.results import Results
from evensight.evaluation.shares import difference, share
from evensight.models.answering import BOTH
from evensight.statistics import Calibration, Difference, Proportion, confidence_calibration


@dataclass(frozen=True, slots=True)
class ByOptions:
    """The figures of scored options, over the questions that have scores.

    Attributes:
        accuracy: The share that is right under each rule of `option_scores.RULES` that could be applied.
        calibration: Of the likeliest option's probability among the options (rule `sum`).
        agreement: How often words and the likeliest option are the same answer; None where words weren't asked for.
        difference: What the likeliest option has more right answers than the words; None likewise.
    """

    accuracy: dict[str, Proportion]
    calibration: Calibration
    agreement: Proportion | None
    difference: Difference | None


def by_options(results: Results) -> ByOptions | None:
    """The figures of scored options; None where none were."""
    there = [k for k, scores in enumerate(results.column("option_scores")) if scores is not None]
    if not there:
        return None

    def column(name: str) -> list[Any]:
        values = results.column(name)
        return [values[k] for k in there]

    images, answers = results.images[there], column("answer")
    said = {rule: _chosen(rule, *map(column, _COLUMNS)) for rule in RULES if _can(rule, column)}
    right = {rule: _same(names, answers) for rule, names in said.items()}
    confidence = confidences(column("option_scores"))
    both = results.manifest.config.get("by") == BOTH
    words = results.correct[there]
    return ByOptions(
        {rule: share(hits, images) for rule, hits in right.items()},
        confidence_calibration(confidence, right[SUM]),
        share(_same(said[SUM], column("parsed")), images) if both else None,
        difference(words, right[SUM], images) if both else None,
    )


_COLUMNS = ("options", "option_scores", "option_tokens", "option_priors")
_NEEDS = {PER_TOKEN: "option_tokens", AGAINST_PRIOR: "option_priors"}


def _can(rule: str, column: Any) -> bool:
    return rule not in _NEEDS or None not in column(_NEEDS[rule])


def _chosen(rule: str, *columns: Any) -> Sequence[str | None]:
    return chosen(rule, *columns)


def _same(one: Sequence[str | None], other: Sequence[str | None]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([a == b for a, b in zip(one, other, strict=True)], dtype=bool)
