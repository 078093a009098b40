"""What several seeds say: seeds and questions are both drawn, and another draw of either gives other numbers.

A bootstrap of three to five seeds makes too little of them: its variance of S seeds is (S - 1) / S of what it should
be, and its quantiles are nearly normal where Student's t with S - 1 degrees of freedom is due. An interval over
questions alone makes nothing of them. So the variance is put together from its parts, as in a two-way table of seeds
and questions (Searle, Casella and McCulloch 1992): what varies from seed to seed, and what questions add to it. One
sum with Satterthwaite's degrees of freedom would be too narrow where few seeds look alike by chance; so each part has
the half-width of its own quantile, and the squares of the half-widths are added (Zou and Donner 2008).
"""

from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from evensight.statistics.clustering import cluster_sums
from evensight.statistics.estimates import CONFIDENCE, NOTHING, Estimate, Floats


@dataclass(frozen=True, slots=True)
class SeedsEstimate:
    """A mean over seeds and questions, or a difference of two.

    Attributes:
        n_seeds: How many seeds (of both runs, where two are compared).
        n: How many questions each seed answered.
        estimate: The mean, or the difference.
        low: The lower end of its interval, for other seeds and other questions of the same kind.
        high: The upper end.
        degrees: The degrees of freedom of the seeds' part.
        p_value: Of "it is 0"; it speaks of differences.
        seed_spread: The standard deviation between seeds with the noise of the questions taken out; of a difference
            with independent seeds, that of the two runs' together.
    """

    n_seeds: int
    n: int
    estimate: float
    low: float
    high: float
    degrees: float
    p_value: float
    seed_spread: float


def mean_over_seeds(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of one figure a seed (a spread, a worst cell, ...), with Student's t interval; NaN for one seed."""
    of_seeds = np.asarray(values, dtype=np.float64)
    if of_seeds.size < 2:
        return Estimate(float(of_seeds.mean()), nan, nan) if of_seeds.size else NOTHING
    half = float(stats.t.ppf((1 + confidence) / 2, of_seeds.size - 1) * of_seeds.std(ddof=1) / sqrt(of_seeds.size))
    mean = float(of_seeds.mean())
    return Estimate(mean, mean - half, mean + half)


def seeds_accuracy(
    correct: ArrayLike, clusters: ArrayLike | None = None, confidence: float = CONFIDENCE
) -> SeedsEstimate:
    """The accuracy over several seeds that answered the same questions.

    With y = mean + seed + question + rest, the variance of the mean is the mean square of the seeds, plus that of the
    questions less that of the rest, divided by seeds x questions.

    Args:
        correct: Whether the answer was right, `[seed, question]`.
        clusters: What stands for the question's image; None where each has its own. Then images are drawn.
        confidence: The interval's coverage.

    Raises:
        ValueError: There are fewer than two seeds or two images, or the shapes don't fit.
    """
    values, n = _by_image(correct, clusters)
    return _of_one(values, n, confidence, least=0.0)


def seeds_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    clusters: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    *,
    paired_seeds: bool = False,
) -> SeedsEstimate:
    """The difference of accuracy, b - a, of two kinds of runs on the same questions, each with several seeds.

    Questions are always paired. Seeds are paired where seed k of both stands for the same thing (the same data order,
    the same start); then it is the accuracy of the differences. Else the seeds' part is that of two samples with
    their own variances (Welch 1947), and the questions' part that of their differences, less what seeds have in it.

    Args:
        correct_a: Whether a was right, `[seed, question]`.
        correct_b: Whether b was right, `[seed, question]`, over the same questions.
        clusters: What stands for the question's image; None where each has its own.
        confidence: The interval's coverage.
        paired_seeds: Whether seed k of a belongs to seed k of b.

    Raises:
        ValueError: There are fewer than two seeds or two images, or the shapes don't fit.
    """
    (a, n), (b, n_b) = _by_image(correct_a, clusters), _by_image(correct_b, clusters)
    if n != n_b or (paired_seeds and a.shape != b.shape):
        raise ValueError(f"both answer the same questions, paired seeds as many times, got {a.shape} and {b.shape}")
    if paired_seeds:
        return _of_one(b - a, n, confidence, least=-1.0)
    estimate, seeds, degrees, rests, spread = float(b.mean() - a.mean()), 0.0, 0.0, 0.0, 0.0
    for values in (a, b):
        of_seeds, _, rest = _mean_squares(values)
        seeds += of_seeds / values.size
        degrees += (of_seeds / values.size) ** 2 / (values.shape[0] - 1)
        rests += rest / values.size
        spread += max(0.0, of_seeds - rest) / values.shape[1]
    questions = float((b.mean(axis=0) - a.mean(axis=0)).var(ddof=1)) / a.shape[1] - rests
    parts = _Parts(seeds, seeds**2 / degrees if degrees else 1.0, max(0.0, questions))
    return parts.around(estimate, a.shape[0] + b.shape[0], n, sqrt(spread), confidence)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a mean's variance: the seeds', with its degrees of freedom, and what the questions add."""

    seeds: float
    degrees: float
    questions: float

    def half(self, tail: float) -> float:
        """The half-width of the interval that leaves out this much on each side."""
        t, z = float(special.stdtrit(self.degrees, tail)), float(special.ndtri(tail))
        return sqrt(t**2 * self.seeds + z**2 * self.questions)

    def p_value(self, estimate: float) -> float:
        """What all intervals that reach 0 leave out at most."""
        if not self.seeds + self.questions:
            return float(estimate == 0)
        lowest = 1e-12
        if self.half(lowest) <= abs(estimate):
            return 2 * lowest
        tail = optimize.brentq(lambda at: self.half(at) - abs(estimate), lowest, 0.5, xtol=1e-14)
        return 2 * float(tail)

    def around(self, estimate: float, n_seeds: int, n: int, seed_spread: float, confidence: float) -> SeedsEstimate:
        """The estimate with its interval and p-value."""
        half, p_value = self.half((1 - confidence) / 2), self.p_value(estimate)
        low, high = max(-1.0, estimate - half), min(1.0, estimate + half)
        return SeedsEstimate(n_seeds, n, estimate, low, high, self.degrees, p_value, seed_spread)


def _of_one(values: Floats, n: int, confidence: float, least: float) -> SeedsEstimate:
    n_seeds, n_images = values.shape
    of_seeds, of_images, rest = _mean_squares(values)
    parts = _Parts(of_seeds / values.size, n_seeds - 1.0, max(0.0, of_images - rest) / values.size)
    found = parts.around(float(values.mean()), n_seeds, n, sqrt(max(0.0, of_seeds - rest) / n_images), confidence)
    return replace(found, low=max(least, found.low))


def _mean_squares(values: Floats) -> tuple[float, float, float]:
    """The mean squares of seeds, images, and the rest, of a table `[seed, image]`."""
    n_seeds, n_images = values.shape
    seeds, images = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = np.square(values - seeds - images + values.mean()).sum() / ((n_seeds - 1) * (n_images - 1))
    return n_images * float(seeds.var(ddof=1)), n_seeds * float(images.var(ddof=1)), float(rest)


def _by_image(correct: ArrayLike, clusters: ArrayLike | None) -> tuple[Floats, int]:
    """The table `[seed, image]` whose mean is the accuracy, and how many questions there are.

    An image with m of the n questions on C images has mean + (C / n) * (sum - mean * m): linear, and the ratio of
    sums has the variance of its mean.
    """
    values = np.asarray(correct, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 2:
        raise ValueError(f"outcomes are [seed, question] with at least two seeds, got {values.shape}")
    n = values.shape[1]
    if clusters is not None and n:
        mean = values.mean()
        sums = [cluster_sums(row, clusters) for row in values]
        values = np.stack([mean + sizes.size / n * (of - mean * sizes) for of, sizes in sums])
    if values.shape[1] < 2:
        raise ValueError("at least two images are needed to say how sure a mean over them is")
    return values, n
