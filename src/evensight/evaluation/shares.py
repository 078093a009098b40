"""Shares of right answers, and their differences, that know which questions are about one image.

Where each image has one question these are Wilson's interval and McNemar's test; where photographs have several,
whole images are what was drawn, and intervals and tests are by image (`statistics.clustering`, `comparisons`).
"""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evensight.statistics import (
    ClusteredProportion,
    Difference,
    Proportion,
    clustered_difference,
    clustered_proportion,
    is_number,
    paired_difference,
)

Images = NDArray[np.int64]
"""A number for each question's image, over questions."""


def has_own_images(images: Images) -> bool:
    """Whether each question has an image of its own."""
    return np.unique(images).size == images.size


def share(correct: ArrayLike, images: Images) -> ClusteredProportion:
    """The share of right answers."""
    return clustered_proportion(np.asarray(correct, dtype=bool), images)


def shares_by(
    correct: ArrayLike, values: Sequence[Any], levels: Sequence[Any], images: Images
) -> dict[str, Proportion]:
    """The share of right answers among the questions with each of these values."""
    hits, of = np.asarray(correct, dtype=bool), np.asarray([str(value) for value in values])
    return {str(level): share(hits[of == str(level)], images[of == str(level)]) for level in levels}


def mean_share(shares: Any) -> float:
    """The mean of shares, each with the same weight; those of no questions are left out."""
    there = [share.estimate for share in shares if is_number(share.estimate)]
    return float(np.mean(there)) if there else nan


def difference(correct_a: ArrayLike, correct_b: ArrayLike, images: Images) -> Difference:
    """What b has more than a on the same questions."""
    if has_own_images(images):
        return paired_difference(correct_a, correct_b)
    return clustered_difference(correct_a, correct_b, images, np.random.default_rng(0))
