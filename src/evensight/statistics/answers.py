"""Where the answers go: what is said too often, and what is said instead of the right answer.

A *confusion* counts questions by right answer (rows) and given answer (columns), invalid ones left out. The null of
all tests here is symmetry: i is taken for j as readily as j for i. It needs no idea of how hard anything is, and a
corner, from which all other areas lie inwards, pulls nowhere under it. Given how many questions were mistaken one way
or the other, the numbers of each way are binomial then, so the tests are exact.
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.comparisons import Difference, difference_of_counts
from evensight.statistics.corrections import holm
from evensight.statistics.estimates import CONFIDENCE, NOTHING, Effect, Estimate, Floats, Ints, Test


@dataclass(frozen=True, slots=True)
class AnswerBias:
    """How the distribution of the given answers differs from that of the right ones.

    Attributes:
        n: How many questions have a valid answer.
        test: That both distributions are the same (Stuart and Maxwell's statistic).
        moved: The share of answers that would have to be others for the two to be the same (the total variation
            distance). Chance alone makes it more than 0.
        moved_by_chance: What chance alone makes of it, on average.
        differences: For each answer the share that is given less the share that is right, with McNemar's p-value.
        p_corrected: These p-values, corrected for one another (Holm).
    """

    n: int
    test: Test
    moved: float
    moved_by_chance: float
    differences: tuple[Difference, ...]
    p_corrected: tuple[float, ...]


def answer_bias(
    confusion: ArrayLike, rng: np.random.Generator, n_resamples: int = 9_999, confidence: float = CONFIDENCE
) -> AnswerBias:
    """Tests the given answers' distribution against the right ones', question by question.

    The statistic is d' V^- d, d the given less the right counts and V their variance from the questions that were
    answered wrong (Stuart 1955; Maxwell 1970), with its null distribution by swapping right and given answer in each
    question. Swapping changes d alone, so a draw is a binomial for each pair of answers.

    Args:
        confusion: `[right answer, given answer]`, counts.
        rng: Where the swaps come from.
        n_resamples: How many are drawn.
        confidence: The intervals' coverage.

    Raises:
        ValueError: The table is not square, or has negative counts.
    """
    table = _square(confusion)
    n, right, given = int(table.sum()), table.sum(axis=1), table.sum(axis=0)
    if n == 0:
        none = Difference(0, nan, nan, nan, nan)
        return AnswerBias(0, Test(nan, nan), nan, nan, (none,) * len(table), (nan,) * len(table))
    same = np.diag(table)
    found = [
        difference_of_counts(n, int(of_right), int(of_given), confidence)
        for of_right, of_given in zip(right - same, given - same, strict=True)
    ]
    drawn = _swapped(table, rng, n_resamples)
    mistaken = table + table.T - 2 * np.diag(same)
    inverse = np.linalg.pinv(np.diag(mistaken.sum(axis=1)) - mistaken, hermitian=True)
    statistic = float((given - right) @ inverse @ (given - right))
    n_extreme = int((np.einsum("ij,jk,ik->i", drawn, inverse, drawn) >= statistic * (1 - 1e-9)).sum())
    return AnswerBias(
        n=n,
        test=Test(statistic, (1 + n_extreme) / (1 + n_resamples)),
        moved=float(np.abs(given - right).sum()) / (2 * n),
        moved_by_chance=float(np.abs(drawn).sum(axis=1).mean()) / (2 * n),
        differences=tuple(found),
        p_corrected=tuple(map(float, holm([each.p_value for each in found]))),
    )


def _swapped(table: Ints, rng: np.random.Generator, n_resamples: int) -> Ints:
    """The given less the right counts, `[draw, answer]`, when right and given are swapped at random."""
    i, j = np.triu_indices(len(table), 1)
    both = table[i, j] + table[j, i]
    moved = 2 * rng.binomial(both, 0.5, size=(n_resamples, both.size)) - both  # more i taken for j than j for i
    to_answer = np.zeros((both.size, len(table)), dtype=np.int64)
    to_answer[np.arange(both.size), i], to_answer[np.arange(both.size), j] = -1, 1
    return np.asarray(moved @ to_answer)


def pull(
    confusion: ArrayLike,
    score: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 9_999,
    confidence: float = CONFIDENCE,
) -> Effect:
    """How much more of `score` the wrong answers have than the right ones, on average over wrong answers.

    With the score -distance from the centre it is the pull to the centre; with the column, to the right; with 1 for
    one slot and 0 for the others, to that slot. Each right answer's questions have the same weight in all, so that
    a set with more questions in one place has no pull from that. The interval is that of a ratio of sums from
    independent samples (a sample a right answer; linearised, Student's t with the number of wrong answers less one);
    the p-value is two-sided, by swaps, where i is taken for j at the rate of j for i.

    Args:
        confusion: `[right answer, given answer]`, counts of valid answers.
        score: Of each answer.
        rng: Where the swaps come from.
        n_resamples: How many are drawn.
        confidence: The interval's coverage.

    Raises:
        ValueError: The table is not square with a score for each answer, or has negative counts.
    """
    table, of_answer = _square(confusion), np.asarray(score, dtype=np.float64)
    if of_answer.shape != table.shape[:1]:
        raise ValueError(f"`score` has one number for each of {len(table)} answers, got {of_answer.shape}")
    wrong = table - np.diag(np.diag(table))
    n_wrong, asked = int(wrong.sum()), table.sum(axis=1).astype(np.float64)
    if n_wrong == 0:
        return Effect(0, nan, nan, nan, nan)
    weights = np.divide(1.0, asked, out=np.zeros_like(asked), where=asked > 0)
    change = of_answer[None, :] - of_answer[:, None]
    rates = float((weights[:, None] * wrong).sum())
    estimate = float((weights[:, None] * wrong * change).sum()) / rates
    error = _ratio_error(table, (change - estimate) * (1 - np.eye(len(table))), weights) / rates
    half = float(stats.t.ppf((1 + confidence) / 2, n_wrong - 1)) * error if n_wrong > 1 else nan
    drawn = _mirrored(wrong, asked, change * weights[:, None], rng, n_resamples) / rates
    n_extreme = int((np.abs(drawn) >= abs(estimate) - 1e-9).sum())
    return Effect(n_wrong, estimate, estimate - half, estimate + half, (1 + n_extreme) / (1 + n_resamples))


def _ratio_error(table: Ints, residuals: Floats, weights: Floats) -> float:
    """The standard error of the sum of weighted residuals, each right answer's questions a sample of its own."""
    asked = table.sum(axis=1)
    means = weights * (table * residuals).sum(axis=1)
    squares = np.maximum(0.0, weights * (table * residuals**2).sum(axis=1) - means**2)  # not a rounding below 0
    return sqrt(float((squares / np.maximum(asked - 1, 1))[asked > 0].sum()))


def _mirrored(wrong: Ints, asked: Floats, change: Floats, rng: np.random.Generator, n_resamples: int) -> Floats:
    """The sum of `change` over wrong answers, a draw each, when i is taken for j at the rate of j for i."""
    i, j = np.triu_indices(len(wrong), 1)
    here = (wrong[i, j] + wrong[j, i] > 0) & (asked[i] + asked[j] > 0)
    i, j = i[here], j[here]
    both = wrong[i, j] + wrong[j, i]
    there = rng.binomial(both, asked[i] / (asked[i] + asked[j]), size=(n_resamples, both.size))
    return np.asarray(there @ change[i, j] + (both - there) @ change[j, i], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Displacement:
    """Where the wrong answers lie from the right one, in areas: dx to the right, dy down; of `n` wrong answers."""

    n: int
    dx: Estimate
    dy: Estimate


def displacements(
    confusion: ArrayLike, shape: tuple[int, int] = (3, 3), confidence: float = CONFIDENCE
) -> tuple[Displacement, ...]:
    """The mean displacement from right to wrong answer, for each right area in reading order.

    Half an answer is added in each column (row) that the answer can lie in, so that few wrong answers which agree
    don't have an interval of no width (as Agresti and Min 2005 do for differences); then it is Student's t interval
    of the mean. By geometry a corner's wrong answers lie inwards: for a pull that allows for this see `pull`.

    Args:
        confusion: `[right area, given area]`, counts of valid answers, areas in reading order.
        shape: Rows and columns of areas.
        confidence: The intervals' coverage.

    Raises:
        ValueError: The table is not square over the areas, or has negative counts.
    """
    table = _square(confusion)
    if len(table) != shape[0] * shape[1]:
        raise ValueError(f"`confusion` has {len(table)} areas, `shape` has {shape[0]} x {shape[1]}")
    found = []
    for area, row in enumerate(table):
        wrong = row.copy()
        wrong[area] = 0
        of_grid, (y, x) = wrong.reshape(shape), divmod(area, shape[1])
        dx = _mean_step(of_grid.sum(axis=0), x, confidence)
        found.append(Displacement(int(wrong.sum()), dx, _mean_step(of_grid.sum(axis=1), y, confidence)))
    return tuple(found)


def _mean_step(counts: Ints, start: int, confidence: float) -> Estimate:
    """The mean of the steps from `start`, of counts by where they end."""
    n, steps = int(counts.sum()), np.arange(counts.size) - start
    if n < 2:
        return Estimate(float(counts @ steps), nan, nan) if n else NOTHING
    padded = counts + 0.5
    center = float(padded @ steps / padded.sum())
    variance = float(padded @ (steps - center) ** 2 / padded.sum())
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sqrt(variance / padded.sum())
    low, high = max(float(steps[0]), center - half), min(float(steps[-1]), center + half)
    return Estimate(float(counts @ steps / n), low, high)


def centrality(shape: tuple[int, int] = (3, 3)) -> Floats:
    """The score of `pull` for the pull to the centre: less the distance from it, in areas, in reading order."""
    y, x = np.indices(shape)
    return np.asarray(-np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2).ravel())


def _square(confusion: ArrayLike) -> Ints:
    table = np.asarray(confusion).astype(np.int64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or (table < 0).any():
        raise ValueError(f"`confusion` counts [right answer, given answer], as many each, got {table.shape}")
    return table
