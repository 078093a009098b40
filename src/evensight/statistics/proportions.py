"""Shares of independent questions: Wilson's interval, and intervals for many shares at once."""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.estimates import CONFIDENCE, read_counts


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of `n` trials with its interval; without trials all three numbers are NaN."""

    n: int
    estimate: float
    low: float
    high: float


def proportion(n_correct: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """The share of correct answers with its Wilson score interval (Wilson 1927).

    Args:
        n_correct: How many of the trials were correct.
        n: How many trials there were; 0 gives NaN.
        confidence: The interval's coverage, between 0 and 1.

    Raises:
        ValueError: `n_correct` is not between 0 and `n`.
    """
    if not 0 <= n_correct <= n:
        raise ValueError(f"`n_correct` is between 0 and n={n}, got {n_correct}")
    if n == 0:
        return Proportion(0, nan, nan, nan)
    low, high = wilson_ends(n_correct / n, n, float(stats.norm.ppf((1 + confidence) / 2)))
    return Proportion(n, n_correct / n, low, high)


def wilson_ends(share: float, n: float, quantile: float) -> tuple[float, float]:
    """The two shares p with |share - p| = quantile * sqrt(p (1 - p) / n); `n` need not be whole."""
    square = quantile**2
    center = (share + square / (2 * n)) / (1 + square / n)
    half = quantile * sqrt(share * (1 - share) / n + square / (4 * n**2)) / (1 + square / n)
    low = 0.0 if share == 0 else max(0.0, center - half)
    return low, 1.0 if share == 1 else min(1.0, center + half)


def simultaneous_proportions(
    correct: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Proportion, ...]:
    """The share of each cell, with intervals that cover all cells at once.

    Clopper and Pearson's exact intervals (1934) at Šidák's level, `confidence ** (1 / cells)`: as the cells have
    different questions, all intervals together cover with at least `confidence`, so also the one of a cell that was
    picked for its share. Wilson's would not do: so far out in the tails they cover too little near 0 and 1.
    """
    correct_, n_ = read_counts(correct, n)
    tail = (1 - confidence ** (1 / max(1, int((n_ > 0).sum())))) / 2
    low = np.where(correct_ > 0, stats.beta.ppf(tail, np.maximum(correct_, 1), n_ - correct_ + 1), 0.0)
    high = np.where(correct_ < n_, stats.beta.ppf(1 - tail, correct_ + 1, np.maximum(n_ - correct_, 1)), 1.0)
    return tuple(
        Proportion(int(m), int(k) / int(m), float(a), float(b)) if m else Proportion(0, nan, nan, nan)
        for k, m, a, b in zip(correct_, n_, low, high, strict=True)
    )
