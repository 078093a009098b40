"""What every estimate and test comes back as, and how counts over cells are read.

A cell without questions has an estimate of NaN, never 0. Probabilities are fractions (0 to 1).
"""

from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
"""The coverage of every interval unless another one is asked for."""
ALPHA = 0.05
"""The level of every test that decides something unless another one is asked for."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval; NaN where the data can't say."""

    estimate: float
    low: float
    high: float


NOTHING = Estimate(nan, nan, nan)
"""The estimate that no data allow."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A number from `n` observations with its interval, and the p-value of "it is 0"."""

    n: int
    estimate: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Test:
    """A test's statistic and its p-value."""

    statistic: float
    p_value: float


def is_number(value: float) -> bool:
    """Whether an estimate is there, that is, not NaN."""
    return not isnan(value)


def read_counts(correct: ArrayLike, n: ArrayLike) -> tuple[Ints, Ints]:
    """The counts over cells, flat and whole.

    Raises:
        ValueError: They don't have one count a cell each, or not 0 <= correct <= n.
    """
    correct_ = np.asarray(correct).astype(np.int64).ravel()
    n_ = np.asarray(n).astype(np.int64).ravel()
    if correct_.shape != n_.shape or (correct_ < 0).any() or (correct_ > n_).any():
        raise ValueError("`correct` and `n` have one count a cell each, with 0 <= correct <= n")
    return correct_, n_


def read_filled(correct: ArrayLike, n: ArrayLike) -> tuple[Ints, Ints]:
    """The counts of the cells that have questions."""
    correct_, n_ = read_counts(correct, n)
    return correct_[n_ > 0], n_[n_ > 0]
