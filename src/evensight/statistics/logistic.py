"""Logistic regression of being right, with Firth's guard against separation and errors that know of shared images."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from evensight.statistics.estimates import CONFIDENCE, Floats, Test

_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One term's coefficient on the log-odds scale, with its interval and the p-value of "it is 0"."""

    name: str
    estimate: float
    error: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, eq=False, slots=True)
class LogisticFit:
    """A fitted logistic regression.

    Attributes:
        coefficients: One for each column, in order; the first is the constant.
        covariance: Of the coefficients, `[term, term]`.
        n: How many questions there were.
        n_clusters: How many images; equal to `n` where each question has its own.
        degrees: The degrees of freedom of the t quantiles; infinite without clusters.
        joint: The test that all coefficients but the constant are 0 (Wald).
    """

    coefficients: tuple[Coefficient, ...]
    covariance: Floats
    n: int
    n_clusters: int
    degrees: float
    joint: Test

    @property
    def estimates(self) -> Floats:
        """The coefficients alone."""
        return np.array([each.estimate for each in self.coefficients])


def fit_logistic(
    columns: Floats,
    correct: ArrayLike,
    names: Sequence[str],
    clusters: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
) -> LogisticFit:
    """Fits log-odds of being right = columns @ coefficients.

    The likelihood is penalised by Jeffreys' prior (Firth 1993; Heinze and Schemper 2002), so that the coefficients
    are finite also where a term separates right from wrong, and nearly without bias elsewhere. Errors are from the
    information matrix; with clusters from the sandwich of the clusters' scores, C / (C - 1) times (CR1: Liang and
    Zeger 1986), with t quantiles of C - 1 degrees of freedom. Intervals and tests are Wald's: where a term
    separates, they are wide rather than exact.

    Args:
        columns: `[question, term]`; the first column is 1.
        correct: Whether the answer was right, over questions.
        names: The terms' names.
        clusters: What stands for the question's image; None where each has its own.
        confidence: The intervals' coverage.

    Raises:
        ValueError: Shapes don't fit, or a term follows from the others.
    """
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(names) != x.shape[1]:
        raise ValueError(f"`columns` is [question, term], got {x.shape} for {y.size} answers and {len(names)} terms")
    if x.shape[0] == 0 or np.linalg.matrix_rank(x.T @ x, hermitian=True) < x.shape[1]:
        raise ValueError(f"the terms {', '.join(names)} can't be told apart: one follows from the others here")
    groups, of_question = _distinct(x)
    n, wins = (np.bincount(of_question, by).astype(np.float64) for by in (np.ones_like(y), y))
    beta, bread = _firth(groups, n, wins)
    covariance, n_clusters, degrees = bread, y.size, inf
    if clusters is not None:
        residuals = y - special.expit(groups @ beta)[of_question]
        scores = _sums_by(clusters, x * residuals[:, None])
        n_clusters = scores.shape[0]
        degrees = float(n_clusters - 1)
        if n_clusters < 2:
            raise ValueError("with a single image, no error can be told: more images are needed")
        covariance = bread @ (scores.T @ scores) @ bread * n_clusters / (n_clusters - 1)
    found = _coefficients(names, beta, covariance, degrees, confidence)
    return LogisticFit(found, covariance, y.size, n_clusters, degrees, _joint(beta, covariance, degrees))


def _distinct(x: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The distinct rows, and which of them each question has: a cell's questions are alike, so these are few."""
    rows = np.ascontiguousarray(x).view(np.dtype((np.void, x.shape[1] * x.itemsize))).ravel()
    _, first, of_question = np.unique(rows, return_index=True, return_inverse=True)
    return x[first], of_question


def _firth(x: Floats, n: Floats, wins: Floats) -> tuple[Floats, Floats]:
    """The penalised coefficients and the inverse information, by Newton's method with halved steps.

    The penalised score is X'(wins - n p + h (1/2 - p)), h the diagonal of the hat matrix, summed over each row's
    questions. A step is halved until the penalised likelihood grows.
    """
    beta: Floats = np.zeros(x.shape[1])
    beta[0] = special.logit((wins.sum() + 0.5) / (n.sum() + 1))
    value = _likelihood(x, n, wins, beta)
    for _ in range(_MOST_STEPS):
        p = special.expit(x @ beta)
        weights = n * p * (1 - p)
        inverse = np.linalg.inv(x.T @ (x * weights[:, None]))
        hat = weights * np.einsum("ij,jk,ik->i", x, inverse, x)
        step = inverse @ (x.T @ (wins - n * p + hat * (0.5 - p)))
        if np.abs(step).max() < 1e-9:
            break
        beta, value = _climb(x, n, wins, beta, step, value)
    return beta, np.asarray(inverse, dtype=np.float64)


def _climb(x: Floats, n: Floats, wins: Floats, beta: Floats, step: Floats, value: float) -> tuple[Floats, float]:
    for _ in range(30):
        further = _likelihood(x, n, wins, beta + step)
        if further >= value - 1e-10 * abs(value):
            break
        step = step / 2
    return beta + step, further


def _likelihood(x: Floats, n: Floats, wins: Floats, beta: Floats) -> float:
    """The log-likelihood and half the logarithm of the information's determinant."""
    eta = x @ beta
    p = special.expit(eta)
    information = x.T @ (x * (n * p * (1 - p))[:, None])
    sign, logarithm = np.linalg.slogdet(information)
    if sign <= 0:
        return -inf
    return float(wins @ special.log_expit(eta) + (n - wins) @ special.log_expit(-eta) + logarithm / 2)


def _sums_by(clusters: ArrayLike, values: Floats) -> Floats:
    """The sums of each column over each cluster, `[cluster, column]`."""
    names = np.asarray(clusters)
    if names.shape != values.shape[:1]:
        raise ValueError(f"each question has one cluster, got {names.shape} for {values.shape[0]} questions")
    index = np.unique(names, return_inverse=True)[1]
    return np.stack([np.bincount(index, column) for column in values.T], axis=1)


def _coefficients(
    names: Sequence[str], beta: Floats, covariance: Floats, degrees: float, confidence: float
) -> tuple[Coefficient, ...]:
    errors = np.sqrt(np.diag(covariance))
    half = float(stats.t.ppf((1 + confidence) / 2, degrees)) * errors
    p_values = 2 * stats.t.sf(np.abs(beta) / errors, degrees)
    rows = zip(names, beta, errors, beta - half, beta + half, p_values, strict=True)
    return tuple(Coefficient(name, *map(float, numbers)) for name, *numbers in rows)


def _joint(beta: Floats, covariance: Floats, degrees: float) -> Test:
    """Wald's test of all coefficients but the first: F with k and C - k degrees of freedom, or chi-square."""
    k = beta.size - 1
    if k == 0 or degrees < k:
        return Test(np.nan, np.nan)
    statistic = float(beta[1:] @ np.linalg.solve(covariance[1:, 1:], beta[1:]))
    if degrees == inf:
        return Test(statistic, float(stats.chi2.sf(statistic, k)))
    left = degrees - k + 1
    return Test(statistic, float(stats.f.sf(statistic * left / (degrees * k), k, left)))
