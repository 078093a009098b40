"""What stands beside a score: the same questions answered in another way, and how far the score is above it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evensight.annotations import AREAS
from evensight.statistics import Difference, Proportion, is_number, paired_difference, proportion


@dataclass(frozen=True, slots=True)
class Beside:
    """What a baseline reaches on the questions, or the model on their control.

    Attributes:
        accuracy: The share of right answers.
        areas: The same for each area, by name.
        area_mean: The mean over the areas, each with the same weight.
        difference: What the model has more on the same questions, with McNemar's test.
    """

    accuracy: Proportion
    areas: dict[str, Proportion]
    area_mean: float
    difference: Difference


def beside(correct: NDArray[np.bool_], areas: Sequence[Any], model_correct: NDArray[np.bool_]) -> Beside:
    """The figures of what stands beside a score.

    Args:
        correct: Whether it is right, question by question.
        areas: The area of each question.
        model_correct: Whether the model is right on the same questions in the same order.
    """
    by_area = shares_by(correct, areas, AREAS)
    return Beside(
        proportion(int(correct.sum()), int(correct.size)),
        by_area,
        mean_share(by_area.values()),
        paired_difference(correct, model_correct),
    )


def shares_by(correct: ArrayLike, values: Sequence[Any], levels: Sequence[Any]) -> dict[str, Proportion]:
    """The share of right answers among the questions with each of these values."""
    hits = np.asarray(correct, dtype=bool)
    n, k = Counter(values), Counter(value for value, hit in zip(values, hits, strict=True) if hit)
    return {str(level): proportion(k[level], n[level]) for level in levels}


def mean_share(shares: Any) -> float:
    """The mean of shares, each with the same weight; those of no questions are left out."""
    there = [share.estimate for share in shares if is_number(share.estimate)]
    return float(np.mean(there)) if there else nan
