"""p-values of many tests, corrected for one another."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.estimates import Floats


def holm(p_values: ArrayLike) -> Floats:
    """The p-values of many tests, adjusted so that the chance of any false rejection is at most alpha.

    Holm 1979: the k-th smallest of m is multiplied by m - k + 1 and never smaller than the one before; valid
    whatever the dependence of the tests. NaN stays NaN and doesn't count as a test.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def false_discovery(p_values: ArrayLike) -> Floats:
    """The p-values of many tests, adjusted so that at most a share alpha of those up to alpha is expected false.

    Benjamini and Hochberg 1995. Empty for none.
    """
    p = np.asarray(p_values, dtype=np.float64)
    return np.asarray(stats.false_discovery_control(p), dtype=np.float64) if p.size else p
