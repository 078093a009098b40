"""What a number of questions can show, said before the model is asked anything."""

from collections.abc import Callable
from math import ceil, inf, nan, sqrt
from typing import Any

import numpy as np
from scipy import optimize, special, stats
from scipy.optimize import elementwise

from evensight.statistics.equivalence import DELTA, accuracy_under, binomial_chances, chance_of_difference
from evensight.statistics.estimates import ALPHA, Floats, Ints

POWER = 0.8
"""The chance of showing what is there, unless another one is asked for."""
_MOST, _FEW = 10_000_000, 200


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
    return _power_between(least, most, n_per_cell, accuracy, n_cells)


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
        next_ = np.arange(n, n + max(4, n // 50)) if n < 2_000 else np.arange(0)
        short = next_[_powers(next_, accuracy, n_cells, delta, alpha) < power]
        if not short.size:
            return n
        n = int(short[-1]) + 1


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


def _powers(n: Ints, accuracy: float, n_cells: int, delta: float, alpha: float) -> Floats:
    """`equivalence_power` of each of some numbers of questions, all at once where they are large.

    With few questions and a wide margin there may be several limits; so that it is the same one, these go one by one.
    """
    if not n.size or n.min() < _FEW:
        return np.array([equivalence_power(int(m), accuracy, n_cells, delta, alpha) for m in n], dtype=np.float64)
    least = _limits(n, accuracy, n_cells, delta, alpha)
    most = -_limits(n, 1 - accuracy, n_cells, delta, alpha)
    bounds = zip(least, most, n, strict=True)
    return np.array([_power_between(low, high, int(m), accuracy, n_cells) for low, high, m in bounds])


def _power_between(least: float, most: float, n: int, accuracy: float, n_cells: int) -> float:
    """The chance that all cells, being equal, lie between two limits of "cell less others"."""
    if least >= most:
        return 0.0
    passes = _chance_above(least, n, accuracy, n_cells) - _chance_above(most, n, accuracy, n_cells)
    return float(max(0.0, passes) ** (n_cells if n_cells > 2 else 1))


def _limit(n: int, accuracy: float, n_cells: int, delta: float, alpha: float) -> float:
    """The least "cell less others" at which "lower by the margin" is rejected, if the others have `accuracy`."""

    def lacking(difference: float) -> float:
        return float(_p_of_lower(np.array([difference]), np.array([n]), accuracy, n_cells, delta)[0]) - alpha

    return float(optimize.brentq(lacking, -1.0, 1.0, xtol=1e-9)) if lacking(1.0) < 0 < lacking(-1.0) else inf


def _limits(n: Ints, accuracy: float, n_cells: int, delta: float, alpha: float) -> Floats:
    """`_limit` of each of some numbers of questions."""

    def lacking(difference: Floats, m: Any) -> Floats:
        return _p_of_lower(difference, np.asarray(m), accuracy, n_cells, delta) - alpha

    bracket = np.full(n.shape, -1.0), np.ones(n.shape)
    found = elementwise.find_root(lacking, bracket, args=(n,), tolerances={"xatol": 1e-9})
    return np.where(found.success, found.x, inf)


def _p_of_lower(difference: Floats, n: Ints, accuracy: float, n_cells: int, delta: float) -> Floats:
    """The p-value of "lower by the margin", if the others have `accuracy`, over differences with their numbers.

    Unlike `equivalence.p_of_lower` it is of differences, also of those that no cell beside that accuracy can have:
    the search for a limit begins there.
    """
    n_rest, others = n * (n_cells - 1), np.full(n.shape, accuracy)
    margin = min(delta * n_cells / (n_cells - 1), 1.0)
    share = np.clip(others + difference, 0.0, 1.0)
    rest = np.clip(accuracy_under(share, others, n_rest / n, np.full(n.shape, -margin)) + margin, margin, 1.0)
    return chance_of_difference(difference, rest - margin, rest, n, n_rest)


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
