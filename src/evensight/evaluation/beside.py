"""What stands beside a score: the same questions answered in another way, and how far the score is above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS
from evensight.evaluation.shares import Images, difference, mean_share, share, shares_by
from evensight.statistics import Difference, Proportion


@dataclass(frozen=True, slots=True)
class Beside:
    """What a baseline reaches on the questions, or the model on their control.

    Attributes:
        accuracy: The share of right answers.
        areas: The same for each area, by name.
        area_mean: The mean over the areas, each with the same weight.
        difference: What the model has more on the same questions, with its test.
    """

    accuracy: Proportion
    areas: dict[str, Proportion]
    area_mean: float
    difference: Difference


def beside(
    correct: NDArray[np.bool_], areas: Sequence[Any], model_correct: NDArray[np.bool_], images: Images
) -> Beside:
    """The figures of what stands beside a score.

    Args:
        correct: Whether it is right, question by question.
        areas: The area of each question.
        model_correct: Whether the model is right on the same questions in the same order.
        images: A number for each question's image.
    """
    by_area = shares_by(correct, areas, AREAS, images)
    return Beside(
        share(correct, images), by_area, mean_share(by_area.values()), difference(correct, model_correct, images)
    )
