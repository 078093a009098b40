"""A smooth map of the accuracy over the grid, from few terms: how it goes with row, column and distance.

The frame: origin top left, row down, column right. Positions are scaled so that the grid's edges are -1 and 1; the
distance from the centre is 1 in the middle of an edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from evensight.statistics.estimates import CONFIDENCE, Floats
from evensight.statistics.logistic import LogisticFit, fit_logistic

TERMS = ("row", "column", "distance", "row^2", "column^2", "row x column")
"""What a map can be made of: the scaled row and column, the distance, and what is quadratic in them."""
LINEAR = ("row", "column", "distance")
QUADRATIC = ("row", "column", "row^2", "column^2", "row x column")


@dataclass(frozen=True, eq=False, slots=True)
class SmoothMap:
    """The fitted accuracy of each cell, `[row, column]`, with bands, and the fit behind it."""

    fit: LogisticFit
    accuracy: Floats
    low: Floats
    high: Floats


def smooth_map(
    correct: ArrayLike,
    cells: ArrayLike,
    shape: tuple[int, int],
    clusters: ArrayLike | None = None,
    terms: Sequence[str] = LINEAR,
    confidence: float = CONFIDENCE,
    *,
    simultaneous: bool = False,
) -> SmoothMap:
    """Fits the accuracy over the grid by logistic regression on `terms`.

    The bands are those of the linear predictor, turned into probabilities: for each cell by itself, or
    `simultaneous`ly for all of them (Scheffé's quantile; Working and Hotelling 1929). They hold if accuracy goes
    with these terms at all: a single bad cell is not smooth, and `uniformity_test` is for that.

    Args:
        correct: Whether the answer was right, over questions.
        cells: The index of each question's cell, row by row.
        shape: The grid's rows and columns.
        clusters: What stands for the question's image; None where each has its own.
        terms: Of `TERMS`.
        confidence: The coverage of intervals and bands.
        simultaneous: Whether the bands hold for all cells at once.

    Raises:
        ValueError: A term is unknown, or the questions can't tell the terms apart.
    """
    unknown = [term for term in terms if term not in TERMS]
    if unknown:
        raise ValueError(f"`terms` are of {', '.join(TERMS)}, got {', '.join(unknown)}")
    names = ("constant", *terms)
    grid = _design(np.arange(shape[0] * shape[1]), shape, terms)
    fit = fit_logistic(_design(cells, shape, terms), correct, names, clusters, confidence)
    center = grid @ fit.estimates
    error = np.sqrt(np.einsum("ij,jk,ik->i", grid, fit.covariance, grid))
    half = _quantile(len(names), fit.degrees, confidence, simultaneous=simultaneous) * error
    return SmoothMap(fit, *(special.expit(eta).reshape(shape) for eta in (center, center - half, center + half)))


def _design(cells: ArrayLike, shape: tuple[int, int], terms: Sequence[str]) -> Floats:
    """The terms' values, `[question, term]`, a constant first."""
    rows, columns = np.divmod(np.asarray(cells, dtype=np.int64), shape[1])
    y, x = (2 * rows + 1) / shape[0] - 1, (2 * columns + 1) / shape[1] - 1
    known = dict(zip(TERMS, (y, x, np.hypot(y, x), y**2, x**2, y * x), strict=True))
    return np.stack([np.ones_like(y), *(known[term] for term in terms)], axis=1)


def _quantile(n_terms: int, degrees: float, confidence: float, *, simultaneous: bool) -> float:
    if not simultaneous:
        return float(stats.t.ppf((1 + confidence) / 2, degrees))
    if degrees == inf:
        return sqrt(float(stats.chi2.ppf(confidence, n_terms)))
    return sqrt(n_terms * float(stats.f.ppf(confidence, n_terms, degrees)))
