"""How much two factors of a table of counts tell of one another, and the test that it is nothing."""

from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evensight.statistics.estimates import Test

_DRAWN_COUNTS = 4_000_000  # so many counts of drawn tables are held at once (32 MB)


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


def _entropy_bits(counts: NDArray[np.float64]) -> float:
    shares = counts[counts > 0] / max(counts.sum(), 1.0)
    return float(-(shares * np.log2(shares)).sum())
