"""Comparisons of two runs on the same questions, always paired question by question."""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evensight.statistics.clustering import cluster_sums
from evensight.statistics.corrections import holm
from evensight.statistics.estimates import CONFIDENCE, Floats, Ints, Test
from evensight.statistics.spreads import spread


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
    a, b = _pair(correct_a, correct_b)
    return difference_of_counts(a.size, int((a & ~b).sum()), int((b & ~a).sum()), confidence)


def difference_of_counts(n: int, only_a: int, only_b: int, confidence: float = CONFIDENCE) -> Difference:
    """`paired_difference` from how many of the `n` questions only a, and only b, got right."""
    if n == 0:
        return Difference(0, nan, nan, nan, nan)
    p_value = stats.binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0
    m, lost, won = n + 2, only_a + 0.5, only_b + 0.5
    center = (won - lost) / m
    error = float(stats.norm.ppf((1 + confidence) / 2)) * sqrt((won + lost - (won - lost) ** 2 / m) / m**2)
    return Difference(n, (only_b - only_a) / n, max(-1.0, center - error), min(1.0, center + error), float(p_value))


@dataclass(frozen=True, slots=True)
class CellDifference:
    """How two runs differ in a cell, and the p-value corrected for all cells (Holm)."""

    cell: int
    difference: Difference
    p_corrected: float


def differences_by_cell(
    correct_a: ArrayLike, correct_b: ArrayLike, cells: ArrayLike, n_cells: int
) -> tuple[CellDifference, ...]:
    """`paired_difference` in each of `n_cells` cells; those without questions are NaN and don't count as tests.

    Args:
        correct_a: Whether run a was right, over questions.
        correct_b: Whether run b was right, over the same questions.
        cells: The index of each question's cell.
        n_cells: How many cells there are.
    """
    a, b = _pair(correct_a, correct_b)
    n, only_a, only_b = _by_cell(a, b, np.asarray(cells, dtype=np.int64), n_cells)
    found = [difference_of_counts(*map(int, counts)) for counts in zip(n, only_a, only_b, strict=True)]
    corrected = holm([difference.p_value for difference in found])
    return tuple(
        CellDifference(cell, difference, float(p))
        for cell, (difference, p) in enumerate(zip(found, corrected, strict=True))
    )


def clustered_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    clusters: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 1_999,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Compares two runs question by question where questions may share an image, by a bootstrap of images.

    Whole images are drawn; in each draw the difference is divided by its own cluster-robust standard error
    (bootstrap-t; Hall 1988, symmetric), so that few images don't make the interval too narrow. The p-value belongs
    to the interval: it is at most 1 - `confidence` just where the interval leaves out 0. Images with the same
    numbers of questions, won and lost are one kind, so a draw is one multinomial over kinds. Where the runs differ
    in no image alike, the interval is `paired_difference`'s with an image as one question.

    Args:
        correct_a: Whether run a was right, over questions.
        correct_b: Whether run b was right, over the same questions.
        clusters: What stands for the question's image, over the same questions.
        rng: Where the draws come from.
        n_resamples: How many are drawn.
        confidence: The interval's coverage.

    Raises:
        ValueError: Lengths differ.
    """
    a, b = _pair(correct_a, correct_b)
    sums, sizes = cluster_sums(b.astype(np.float64) - a, clusters)
    if sizes.size == 0:
        return Difference(0, nan, nan, nan, nan)
    kinds, counts = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    estimate, error = (float(x[0]) for x in _means(counts[None], kinds))
    if error <= 0:
        whole = difference_of_counts(sizes.size, int((sums < 0).sum()), int((sums > 0).sum()), confidence)
        return Difference(a.size, estimate, whole.low, whole.high, whole.p_value)
    drawn, errors = _means(rng.multinomial(sizes.size, counts / counts.sum(), size=n_resamples), kinds)
    off = np.abs(drawn - estimate)
    distances = np.where(errors > 0, off / np.where(errors > 0, errors, 1), np.where(off > 1e-12, np.inf, 0.0))
    n_extreme = int((distances >= abs(estimate) / error - 1e-9).sum())
    rank = min(n_resamples, int(np.ceil(confidence * (n_resamples + 1)))) - 1
    half = float(np.sort(distances)[rank]) * error
    p_value = (1 + n_extreme) / (1 + n_resamples)
    return Difference(a.size, estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p_value)


def _means(counts: Ints, kinds: Floats) -> tuple[Floats, Floats]:
    """The mean over questions and its cluster-robust error, for each row of how often each kind of image is drawn."""
    sums, sizes = kinds
    n_clusters, n = counts.sum(axis=1), counts @ sizes
    mean = counts @ sums / n
    squares = counts @ sums**2 - 2 * mean * (counts @ (sums * sizes)) + mean**2 * (counts @ sizes**2)
    error = np.sqrt(np.maximum(squares, 0.0) * n_clusters / np.maximum(n_clusters - 1, 1)) / n
    return mean, np.where(error > 1e-12, error, 0.0)


def evenness_test(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    cells: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 999,
) -> Test:
    """Tests that two runs are equally even over the cells.

    The statistic is `spread(a) - spread(b)`; it is positive when b is more even. Its null distribution swaps
    the two runs' outcomes question by question, each with probability 1/2; the p-value is two-sided. Swapping
    changes something only where one of the two was right, so a draw is a binomial for each cell.

    The null is that the two runs are exchangeable, so a difference of accuracy alone can reject it: the noise of
    few questions a cell shrinks near 0 and 1. Before saying "more even", also see that the less even run's cells
    differ at all (`uniformity_test`) and that its `true_spread` is the larger one. Without questions both are NaN.

    Args:
        correct_a: Whether run a was right, over questions.
        correct_b: Whether run b was right, over the same questions.
        cells: The index of each question's cell.
        rng: Where the swaps come from.
        n_resamples: How many swaps are drawn.
    """
    a, b = _pair(correct_a, correct_b)
    if a.size == 0:
        return Test(nan, nan)
    index = np.asarray(cells, dtype=np.int64)
    n, only_a, only_b = _by_cell(a, b, index)
    both = np.bincount(index, a & b, n.size).astype(np.int64)
    observed = spread(both + only_a, n) - spread(both + only_b, n)
    filled = n > 0
    n, both, single = n[filled], both[filled], (only_a + only_b)[filled]
    to_a = rng.binomial(single, 0.5, size=(n_resamples, n.size))
    drawn = ((both + to_a) / n).std(axis=1) - ((both + single - to_a) / n).std(axis=1)
    n_extreme = int((np.abs(drawn) >= abs(observed) - 1e-12).sum())
    return Test(observed, (1 + n_extreme) / (1 + n_resamples))


def _pair(correct_a: ArrayLike, correct_b: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"the runs answer the same questions, got {a.shape} and {b.shape} of them")
    return a, b


def _by_cell(a: NDArray[np.bool_], b: NDArray[np.bool_], index: Ints, n_cells: int = 0) -> tuple[Ints, Ints, Ints]:
    """How many questions each cell has, and how many of them only a, and only b, got right."""
    n = np.bincount(index, minlength=n_cells)
    only_a, only_b = (np.bincount(index, only, n.size).astype(np.int64) for only in (a & ~b, b & ~a))
    return n, only_a, only_b
