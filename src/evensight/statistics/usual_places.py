"""Whether wrong answers go to where things of their kind usually are."""

from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.estimates import CONFIDENCE, Effect, Floats, Ints


def usual_place_pull(
    right: ArrayLike,
    given: ArrayLike,
    usual: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 1_999,
    confidence: float = CONFIDENCE,
) -> Effect:
    """How much oftener wrong answers are a thing's usual place than they would be by chance.

    By chance means: with the usual place of another question that has the same right answer. So neither a place that
    is said often, nor one that is usual for many things, makes a pull by itself; only their going together does. The
    estimate is the share of wrong answers at the usual place less that share by chance, whose expectation is exact;
    the interval is Student's t of these differences; the p-value is two-sided, by dealing usual places anew among the
    questions with the same right answer.

    Args:
        right: The right answer of each question, as a number.
        given: The answer that was given, of valid ones.
        usual: The usual place of what the question is about.
        rng: Where the deals come from.
        n_resamples: How many are drawn.
        confidence: The interval's coverage.

    Raises:
        ValueError: Lengths differ.
    """
    r, g, u = (np.asarray(values, dtype=np.int64) for values in (right, given, usual))
    if not r.shape == g.shape == u.shape or r.ndim != 1:
        raise ValueError(
            f"each question has a right, a given and a usual answer, got {r.shape}, {g.shape}, {u.shape}"
        )
    wrong = g != r
    n = int(wrong.sum())
    if n == 0:
        return Effect(0, nan, nan, nan, nan)
    above = (g == u)[wrong] - _by_chance(r, g, u)[r[wrong], g[wrong]]
    estimate = float(above.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * float(above.std(ddof=1)) / sqrt(n) if n > 1 else nan
    observed = float((g == u)[wrong].mean())
    drawn = _matches(r, g, u, rng, n_resamples) / n
    n_extreme = int((np.abs(drawn - (observed - estimate)) >= abs(estimate) - 1e-12).sum())
    p_value = (1 + n_extreme) / (1 + n_resamples)
    return Effect(n, estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p_value)


def _by_chance(right: Ints, given: Ints, usual: Ints) -> Floats:
    """How often each place is usual among the questions with each right answer, `[right, place]`."""
    size = int(max(right.max(), given.max(), usual.max())) + 1
    counts = np.zeros((size, size))
    np.add.at(counts, (right, usual), 1)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _matches(right: Ints, given: Ints, usual: Ints, rng: np.random.Generator, n_resamples: int) -> Ints:
    """How many wrong answers are the usual place, when usual places are dealt anew among the same right answers.

    A deal is a table of given by usual answers with the margins as they are; its cells are drawn one after the other,
    each hypergeometric given those before, in all deals at once.
    """
    size = int(max(right.max(), given.max(), usual.max())) + 1
    found = np.zeros(n_resamples, dtype=np.int64)
    for one in np.unique(right):
        of_given, of_usual = (np.bincount(values[right == one], minlength=size) for values in (given, usual))
        left = np.tile(of_usual, (n_resamples, 1))
        for said in np.flatnonzero(of_given):
            to_deal, pool = np.full(n_resamples, of_given[said]), left.sum(axis=1)
            for place in range(size):
                pool -= left[:, place]
                drawn = rng.hypergeometric(left[:, place], pool, to_deal)
                left[:, place] -= drawn
                to_deal -= drawn
                if place == said != one:
                    found += drawn
    return found
