"""Intervals and a test for figures whose examples come in groups, and are predicted once for each seed.

Scenes of one combination are alike, and so are their errors; the seeds deal the combinations differently. So what is
drawn anew for an interval is groups, and seeds, never single examples.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evensight.statistics import CONFIDENCE

_N_RESAMPLES = 999
_MOST_ENUMERATED = 12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, over `n` examples in `n_groups` groups."""

    n: int
    n_groups: int
    estimate: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether all of the interval is."""
        return self.low > 0


NOTHING = Estimate(0, 0, nan, nan, nan)


def mean_interval(values: ArrayLike, groups: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    """The mean over seeds and examples, with a bootstrap interval over both seeds and groups.

    Args:
        values: What each example counts for, `[seed, example]`: whether it was right, or a difference of two such.
        groups: The group of each example.
        rng: Where the draws come from.
    """
    counted = np.asarray(values, dtype=np.float64)
    return ratio_interval(counted, np.ones_like(counted), groups, rng)


def ratio_interval(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    groups: NDArray[np.int64],
    rng: np.random.Generator,
) -> Estimate:
    """The ratio of two sums over seeds and examples, each `[seed, example]`, with an interval as `mean_interval`."""
    n_seeds, n = numerators.shape
    if n == 0:
        return NOTHING
    index = np.unique(groups, return_inverse=True)[1]
    n_groups = int(index.max()) + 1
    above, below = (_by_group(part, index, n_groups) for part in (numerators, denominators))
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), _N_RESAMPLES)
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), _N_RESAMPLES)
    ratios = np.einsum("rs,sg,rg->r", seeds, above, drawn) / np.einsum("rs,sg,rg->r", seeds, below, drawn)
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(n, n_groups, float(above.sum() / below.sum()), float(low), float(high))


def _by_group(values: NDArray[np.float64], index: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(index, row, n_groups) for row in values])


def sign_test(differences: ArrayLike, groups: NDArray[np.int64], rng: np.random.Generator) -> float:
    """The p-value, two-sided, that the differences' mean is 0, by turning the signs of whole groups.

    With 12 groups or fewer all turns are tried, else 9,999 are drawn.

    Args:
        differences: Of each example, `[seed, example]`; seeds are averaged.
        groups: The group of each example.
        rng: Where the draws come from.
    """
    averaged = np.asarray(differences, dtype=np.float64).mean(axis=0)
    if averaged.size == 0:
        return nan
    index = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(index, averaged)
    if len(sums) <= _MOST_ENUMERATED:
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float((abs(signs @ sums) >= abs(sums.sum()) - 1e-9).mean())
    signs = 1 - 2 * rng.integers(0, 2, (9_999, len(sums)))
    n_extreme = int((abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return (1 + n_extreme) / 10_000
