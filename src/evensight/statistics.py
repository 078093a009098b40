"""Estimates and tests for "where is it right?": every estimate with its n and interval.

Counts come in as arrays over cells, `correct[cell]` out of `n[cell]`; outcomes come in as booleans over
questions. A cell without questions has an estimate of NaN, never 0. Probabilities are fractions (0 to 1);
turning them into percent is the reports' business. Randomness is a required `rng`.
"""

from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""The coverage of every interval unless another one is asked for."""

_DRAWN_COUNTS = 4_000_000  # so many counts of drawn tables are held at once (32 MB)


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of `n` trials with its Wilson interval; without trials all three numbers are NaN."""

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
    interval = stats.binomtest(n_correct, n).proportion_ci(confidence, method="wilson")
    return Proportion(n, n_correct / n, float(interval.low), float(interval.high))


def spread(correct: ArrayLike, n: ArrayLike) -> float:
    """The standard deviation of the cells' accuracies (over the cells that have questions; not corrected).

    This is the figure that papers give. It mixes two things: how the model differs between cells, and the
    noise of `n` questions a cell; `true_spread` takes the noise out. NaN when no cell has questions.
    """
    accuracies = _accuracies(correct, n)
    return float(accuracies.std()) if accuracies.size else nan


def true_spread(correct: ArrayLike, n: ArrayLike) -> float:
    """The standard deviation between cells that is left when sampling noise is taken out.

    The variance of the cells' estimates is the variance of their true accuracies plus the mean of their
    sampling variances, `p (1 - p) / (n - 1)` without bias; the difference, cut off at 0, is the first. The first
    variance is without bias too (divided by one less than the cells), so where there is no noise this is a little
    more than `spread`.
    NaN with fewer than two cells that have at least two questions.
    """
    correct_, n_ = _counts(correct, n)
    enough = n_ >= 2
    if enough.sum() < 2:
        return nan
    p, m = correct_[enough] / n_[enough], n_[enough]
    return sqrt(max(0.0, float(p.var(ddof=1) - np.mean(p * (1 - p) / (m - 1)))))


@dataclass(frozen=True, slots=True)
class Test:
    """A test's statistic and its p-value."""

    statistic: float
    p_value: float


def uniformity_test(correct: ArrayLike, n: ArrayLike, rng: np.random.Generator, n_resamples: int = 9_999) -> Test:
    """Tests that the accuracy is the same in all cells.

    Pearson's chi-square over the cells, with its null distribution by permutation: the same number of correct
    answers dealt at random to the questions (a multivariate hypergeometric draw), which is exact in size also
    where cells have few questions. A small p-value says that the cells differ. Without questions both are NaN.
    """
    correct_, n_ = _counts(correct, n)
    filled = n_ > 0
    correct_, n_ = correct_[filled], n_[filled]
    total_correct, total = int(correct_.sum()), int(n_.sum())
    if total == 0:
        return Test(nan, nan)
    if total_correct in (0, total):
        return Test(0.0, 1.0)
    rate = total_correct / total
    scale = n_ * rate * (1 - rate)

    def chi_square(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((np.square(counts - n_ * rate) / scale).sum(axis=-1), dtype=np.float64)

    observed = float(chi_square(correct_))
    drawn = rng.multivariate_hypergeometric(n_, total_correct, size=n_resamples, method="marginals")
    n_extreme = int((chi_square(drawn) >= observed - 1e-9).sum())
    return Test(observed, (1 + n_extreme) / (1 + n_resamples))


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two accuracies on the same `n` questions, `b - a`, with its interval and p-value."""

    n: int
    estimate: float
    low: float
    high: float
    p_value: float


def paired_difference(correct_a: ArrayLike, correct_b: ArrayLike, confidence: float = CONFIDENCE) -> Difference:
    """Compares two runs question by question.

    The p-value is McNemar's exact test on the questions that only one of the two got right; the interval is
    Wald's after adding half a question to each of the four outcomes (Agresti and Min 2005).

    Args:
        correct_a: Whether run a was right, over questions.
        correct_b: Whether run b was right, over the same questions in the same order.
        confidence: The interval's coverage.

    Raises:
        ValueError: The two don't have the same length.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"the runs answer the same questions, got {a.shape} and {b.shape} of them")
    n, only_a, only_b = a.size, int((a & ~b).sum()), int((b & ~a).sum())
    if n == 0:
        return Difference(0, nan, nan, nan, nan)
    p_value = stats.binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0
    m, lost, won = n + 2, only_a + 0.5, only_b + 0.5
    center = (won - lost) / m
    error = float(stats.norm.ppf((1 + confidence) / 2)) * sqrt((won + lost - (won - lost) ** 2 / m) / m**2)
    return Difference(n, (only_b - only_a) / n, max(-1.0, center - error), min(1.0, center + error), float(p_value))


def evenness_test(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    cells: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 999,
) -> Test:
    """Tests that two runs are equally even over the cells.

    The statistic is `spread(a) - spread(b)`; it is positive when b is more even. Its null distribution swaps
    the two runs' outcomes question by question, each with probability 1/2; the p-value is two-sided.

    The null is that the two runs are exchangeable, so a difference of accuracy alone can reject it: the noise of
    few questions a cell shrinks near 0 and 1. Before saying "more even", also see that the less even run's cells
    differ at all (`uniformity_test`) and that its `true_spread` is the larger one.

    Args:
        correct_a: Whether run a was right, over questions.
        correct_b: Whether run b was right, over the same questions.
        cells: The index of each question's cell.
        rng: Where the swaps come from.
        n_resamples: How many swaps are drawn.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    index = np.asarray(cells, dtype=np.int64)
    n = np.bincount(index)

    def spread_difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
        return spread(np.bincount(index, first, n.size), n) - spread(np.bincount(index, second, n.size), n)

    observed = spread_difference(a, b)
    n_extreme = 0
    for _ in range(n_resamples):
        swap = rng.random(a.size) < 0.5
        drawn = spread_difference(np.where(swap, b, a), np.where(swap, a, b))
        n_extreme += abs(drawn) >= abs(observed) - 1e-12
    return Test(observed, (1 + n_extreme) / (1 + n_resamples))


def mutual_information_bits(counts: ArrayLike) -> float:
    """The mutual information, in bits, of the two factors of a table of counts; 0 when it is empty.

    It is 0 exactly when the table's cells are the products of its margins: then neither factor tells
    anything about the other.
    """
    table = np.asarray(counts, dtype=np.float64)
    total = table.sum()
    if total == 0:
        return 0.0
    joint = table / total
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    bits = float((joint[there] * np.log2(joint[there] / independent[there])).sum())
    return 0.0 if bits < 1e-12 else bits


def normalised_mutual_information(counts: ArrayLike) -> float:
    """The mutual information of a table's two factors as a share, 0 to 1, of the smaller of their entropies.

    1 says that one of the factors determines the other, 0 that neither tells anything of it. Of the usual
    normalisations this one (by the minimum) alone reaches 1 also where the factors have different numbers of
    levels. A factor that doesn't vary has nothing to tell: 0.
    """
    table = np.asarray(counts, dtype=np.float64)
    most = min(_entropy_bits(table.sum(axis=1)), _entropy_bits(table.sum(axis=0)))
    return min(1.0, mutual_information_bits(table) / most) if most > 0 else 0.0


def independence_test(counts: ArrayLike, rng: np.random.Generator, n_resamples: int = 999) -> Test:
    """Tests that the two factors of a table of counts have nothing to do with one another.

    The statistic is `normalised_mutual_information`. Its null distribution is by permutation: one column's values
    dealt at random to the questions, which gives each table of the same margins its hypergeometric chance; so the
    tables are drawn, not the questions. Where fewer than 10 of the draws are as extreme, ten times as many are
    drawn in all, so that a small p-value is not cut off at 1 / (1 + n_resamples) when many tests are corrected for
    one another; as these draws can only confirm what was small already, the test keeps its size. Without any
    mutual information p is 1 at once. Without counts both are NaN.

    Args:
        counts: How often each pair of values occurs, `[level of a, level of b]`.
        rng: Where the tables come from.
        n_resamples: How many are drawn at first.
    """
    table = np.asarray(counts, dtype=np.int64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if table.size == 0:
        return Test(nan, nan)
    observed = normalised_mutual_information(table)
    if observed == 0.0:
        return Test(0.0, 1.0)
    n_extreme, n_drawn = _as_extreme(table, rng, n_resamples), n_resamples
    if n_extreme < 10:
        n_extreme += _as_extreme(table, rng, 9 * n_resamples)
        n_drawn *= 10
    return Test(observed, (1 + n_extreme) / (1 + n_drawn))


def _as_extreme(table: NDArray[np.int64], rng: np.random.Generator, n_resamples: int) -> int:
    """How many of the tables drawn with this one's margins have at least its mutual information.

    With the margins fixed, mutual information grows with the sum of n log n over the table's cells alone.
    """
    margins = table.sum(axis=1), table.sum(axis=0)
    n = np.arange(min(int(margin.max()) for margin in margins) + 1)
    n_log_n = n * np.log(np.maximum(n, 1))
    observed = float(n_log_n[table].sum())
    tables = stats.random_table(*margins)
    n_extreme, left = 0, n_resamples
    while left:
        n_now = min(left, max(1, _DRAWN_COUNTS // table.size))
        drawn = tables.rvs(n_now, random_state=rng).reshape(n_now, -1).astype(np.int64)
        n_extreme += int((n_log_n[drawn].sum(axis=1) >= observed - 1e-9 * max(1.0, observed)).sum())
        left -= n_now
    return n_extreme


def false_discovery(p_values: ArrayLike) -> NDArray[np.float64]:
    """The p-values of many tests, adjusted so that at most a share alpha of those up to alpha is expected false.

    Benjamini and Hochberg 1995. Empty for none.
    """
    p = np.asarray(p_values, dtype=np.float64)
    return np.asarray(stats.false_discovery_control(p), dtype=np.float64) if p.size else p


def _entropy_bits(counts: NDArray[np.float64]) -> float:
    shares = counts[counts > 0] / max(counts.sum(), 1.0)
    return float(-(shares * np.log2(shares)).sum())


def is_number(value: float) -> bool:
    """Whether an estimate is there, that is, not NaN."""
    return not isnan(value)


def _counts(correct: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    correct_ = np.asarray(correct).astype(np.int64).ravel()
    n_ = np.asarray(n).astype(np.int64).ravel()
    if correct_.shape != n_.shape or (correct_ < 0).any() or (correct_ > n_).any():
        raise ValueError("`correct` and `n` have one count a cell each, with 0 <= correct <= n")
    return correct_, n_


def _accuracies(correct: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    correct_, n_ = _counts(correct, n)
    filled = n_ > 0
    return np.asarray(correct_[filled] / n_[filled], dtype=np.float64)
