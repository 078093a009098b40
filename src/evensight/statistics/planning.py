"""What a number of questions can show, said before the model is asked anything."""

from collections.abc import Callable
from math import ceil, inf, nan, sqrt

import numpy as np
from scipy import optimize, special, stats

from evensight.statistics.equivalence import DELTA, accuracy_under, binomial_chances, chance_of_difference
from evensight.statistics.estimates import ALPHA, Floats

POWER = 0.8
"""The chance of showing what is there, unless another one is asked for."""
_MOST = 10_000_000


def equivalence_power(
    n_per_cell: int, accuracy: float, n_cells: int, delta: float = DELTA, alpha: float = ALPHA
) -> float:
    """The chance that `equivalence_test` holds, if all cells have this accuracy.

    A cell passes when its accuracy less the others' lies between two limits, where the test's p-values are `alpha`;
    the chance of that is exact in the cell's binomial. All cells have to pass; they are nearly independent, two
    cells excepted, which pass together.

    Args:
        n_per_cell: Questions in each cell.
        accuracy: The true accuracy of all cells.
        n_cells: How many cells there are, at least 2.
        delta: The margin.
        alpha: The test's level.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(accuracy, n_cells, delta)
    least = _limit(n_per_cell, accuracy, n_cells, delta, alpha)
    most = -_limit(n_per_cell, 1 - accuracy, n_cells, delta, alpha)
    if least >= most:
        return 0.0
    passes = _chance_above(least, n_per_cell, accuracy, n_cells) - _chance_above(most, n_per_cell, accuracy, n_cells)
    return float(max(0.0, passes) ** (n_cells if n_cells > 2 else 1))


def questions_per_cell(
    accuracy: float, n_cells: int, delta: float = DELTA, power: float = POWER, alpha: float = ALPHA
) -> int:
    """How many questions each cell needs for `equivalence_test` to hold with this power, if all cells are equal.

    It is the smallest number from which on the power is reached (as counts are whole, power doesn't only grow: the
    next few numbers are looked at too). In a set with one question a scene it is the number of scenes a cell.

    Raises:
        ValueError: A number is out of its range, or ten million questions a cell would not do.
    """
    _check(accuracy, n_cells, delta)

    def enough(n: int) -> bool:
        return equivalence_power(n, accuracy, n_cells, delta, alpha) >= power

    n = _first(enough)
    while True:
        short = [m for m in range(n, n + max(4, n // 50)) if not enough(m)] if n < 2_000 else []
        if not short:
            return n
        n = short[-1] + 1


def detectable_drop(
    n_per_cell: int, accuracy: float, n_cells: int, power: float = POWER, alpha: float = ALPHA
) -> float:
    """How far one cell has to lie below all others for `uniformity_test` to see it with this power.

    The chi-square statistic then is about non-central with noncentrality n d^2 (1 - 1/K) / (p (1 - p)). NaN if even
    a cell that is never right would not be seen.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(accuracy, n_cells, DELTA)
    critical = float(stats.chi2.ppf(1 - alpha, n_cells - 1))

    def lacking(drop: float) -> float:
        mean = accuracy - drop / n_cells
        noncentrality = n_per_cell * drop**2 * (1 - 1 / n_cells) / (mean * (1 - mean))
        return power - float(stats.ncx2.sf(critical, n_cells - 1, noncentrality))

    return nan if lacking(accuracy) > 0 else float(optimize.brentq(lacking, 1e-9, accuracy))


def detectable_difference(n: int, discordant: float, power: float = POWER, alpha: float = ALPHA) -> float:
    """The smallest difference of two runs on the same `n` questions that McNemar's exact test sees with this power.

    Args:
        n: How many questions both answer.
        discordant: The share of questions that only one of the two gets right, 0 to 1. The difference is a part of
            it; where runs agree more, smaller differences show.
        power: The chance of seeing it.
        alpha: The level of the two-sided test.

    Returns:
        The difference of the accuracies; NaN if even a difference as large as `discordant` would not be seen.

    Raises:
        ValueError: `discordant` is not a share.
    """
    if not 0 < discordant <= 1:
        raise ValueError(f"`discordant` is a share of the questions, more than 0 and at most 1, got {discordant}")
    center, reach = n * discordant, 8 * sqrt(n * discordant) + 8
    pairs = np.arange(max(0, int(center - reach)), min(n, int(center + reach)) + 1)
    weights = stats.binom.pmf(pairs, n, discordant)
    limit = np.asarray(stats.binom.ppf(alpha / 2, pairs, 0.5))  # rejects up to here, or to one less
    least = limit - (np.asarray(stats.binom.cdf(limit, pairs, 0.5)) > alpha / 2)

    def lacking(difference: float) -> float:
        won = (1 + difference / discordant) / 2
        rejects = stats.binom.cdf(least, pairs, 1 - won) + stats.binom.cdf(least, pairs, won)
        return power - float(weights @ np.where(least >= 0, rejects, 0.0))

    return nan if lacking(discordant) > 0 else float(optimize.brentq(lacking, 0.0, discordant, xtol=1e-7))


def _limit(n: int, accuracy: float, n_cells: int, delta: float, alpha: float) -> float:
    """The least "cell less others" at which "lower by the margin" is rejected, if the others have `accuracy`."""
    m, m_rest = np.array([n]), np.array([n * (n_cells - 1)])
    margin = np.array([delta * n_cells / (n_cells - 1)])
    others = np.array([accuracy])

    def lacking(difference: float) -> float:
        share = np.clip(others + difference, 0.0, 1.0)
        rest = np.clip(accuracy_under(share, others, m_rest / m, -margin) + margin, margin, 1.0)
        return float(chance_of_difference(np.array([difference]), rest - margin, rest, m, m_rest)[0]) - alpha

    return float(optimize.brentq(lacking, -1.0, 1.0, xtol=1e-9)) if lacking(1.0) < 0 < lacking(-1.0) else inf


def _chance_above(limit: float, n: int, accuracy: float, n_cells: int) -> float:
    """The chance that a cell's accuracy less the others' is at least `limit`, if all are equal."""
    reach = int(min(n, 4 * sqrt(n) + 2))
    k = np.unique(np.clip(round(n * accuracy) + np.arange(-reach, reach + 1), 0, n))
    chances: Floats = binomial_chances(k, np.array(n), np.array(accuracy))
    error = sqrt(accuracy * (1 - accuracy) / (n * (n_cells - 1)))
    return float((chances * special.ndtr((k / n - limit - accuracy) / error)).sum())


def _first(enough: Callable[[int], bool]) -> int:
    """The first number that is enough, if enough stays enough: by doubling, then by halves."""
    high = 2
    while not enough(high):
        if high > _MOST:
            raise ValueError(
                f"more than {_MOST:,} questions a cell would be needed: ask for less power or a larger margin"
            )
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = ceil((low + high) / 2)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(accuracy: float, n_cells: int, delta: float) -> None:
    if not 0 < accuracy < 1:
        raise ValueError(f"`accuracy` lies between 0 and 1, got {accuracy}")
    if n_cells < 2:
        raise ValueError(f"`n_cells` is at least 2, got {n_cells}")
    if not 0 < delta < 1:
        raise ValueError(f"`delta` is a margin between 0 and 1, got {delta}")
