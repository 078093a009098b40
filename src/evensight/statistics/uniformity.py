"""Whether the accuracy is the same in all cells, and which cell is worst.

That cells are *not seen to differ* is no proof that they are equal: for that see `equivalence`.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evensight.statistics.estimates import CONFIDENCE, Test, read_counts, read_filled
from evensight.statistics.proportions import simultaneous_proportions
from evensight.statistics.spreads import true_spread


def uniformity_test(correct: ArrayLike, n: ArrayLike, rng: np.random.Generator, n_resamples: int = 9_999) -> Test:
    """Tests that the accuracy is the same in all cells.

    Pearson's chi-square over the cells, with its null distribution by permutation: the same number of correct
    answers dealt at random to the questions (a multivariate hypergeometric draw), which is exact in size also
    where cells have few questions. A small p-value says that the cells differ. Without questions both are NaN.

    Questions are dealt one by one, so they are to be independent: where many share an image, the p-value is too
    small.
    """
    correct_, n_ = read_filled(correct, n)
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
class WorstCell:
    """The cell of lowest accuracy, with intervals that know that it was picked.

    Attributes:
        index: Which cell it is, in the order of the counts, flat; the first of equals; -1 where none has questions.
        n: How many questions it has.
        estimate: Its observed accuracy. As the lowest of many it is too low on average.
        low: The lower end of the interval for this cell's true accuracy.
        high: The upper end.
        expected: The accuracy to expect of it on new questions: its own, drawn to the mean by as much of the
            differences between cells as is noise (James and Stein's estimate; Efron and Morris 1975).
        lowest_low: The lower end of the interval for the lowest true accuracy of all cells, whichever cell has it.
        lowest_high: The upper end.
    """

    index: int
    n: int
    estimate: float
    low: float
    high: float
    expected: float
    lowest_low: float
    lowest_high: float


def worst_cell(correct: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> WorstCell:
    """The cell of lowest accuracy, honest about being the worst of many.

    The intervals are `simultaneous_proportions`: at least `confidence` for all cells at once, so also for the one
    that was picked, and for the lowest of all true accuracies.
    """
    correct_, n_ = read_counts(correct, n)
    if not n_.any():
        return WorstCell(-1, 0, nan, nan, nan, nan, nan, nan)
    cells = simultaneous_proportions(correct_, n_, confidence)
    filled = [k for k, cell in enumerate(cells) if cell.n]
    index = min(filled, key=lambda k: cells[k].estimate)
    worst = cells[index]
    return WorstCell(
        index=index,
        n=worst.n,
        estimate=worst.estimate,
        low=worst.low,
        high=worst.high,
        expected=_expected(correct_, n_, index),
        lowest_low=min(cells[k].low for k in filled),
        lowest_high=min(cells[k].high for k in filled),
    )


def _expected(correct: NDArray[np.int64], n: NDArray[np.int64], index: int) -> float:
    """The cell's accuracy, drawn to the mean by the share of the variance that is noise."""
    mean = float(correct.sum() / n.sum())
    variance = np.nan_to_num(true_spread(correct, n)) ** 2
    share = float(correct[index] / n[index])
    noise = max(share * (1 - share), mean * (1 - mean)) / float(n[index])
    kept = variance / (variance + noise) if variance else 0.0
    return mean + float(kept) * (share - mean)
