"""How much the accuracy varies between cells: as papers give it, and without the noise of few questions a cell."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from evensight.statistics.estimates import CONFIDENCE, NOTHING, Estimate, Floats, Ints, read_counts, read_filled


def spread(correct: ArrayLike, n: ArrayLike) -> float:
    """The standard deviation of the cells' accuracies (over the cells that have questions; not corrected).

    This is the figure that papers give. It mixes two things: how the model differs between cells, and the
    noise of `n` questions a cell; `true_spread` takes the noise out. NaN when no cell has questions.
    """
    correct_, n_ = read_filled(correct, n)
    return float((correct_ / n_).std()) if n_.size else nan


def true_spread(correct: ArrayLike, n: ArrayLike) -> float:
    """The standard deviation between cells that is left when sampling noise is taken out.

    The variance of the cells' estimates is the variance of their true accuracies plus the mean of their
    sampling variances, `p (1 - p) / (n - 1)` without bias; the difference, cut off at 0, is the first. The first
    variance is without bias too (divided by one less than the cells), so where there is no noise this is a little
    more than `spread`.
    NaN with fewer than two cells that have at least two questions.
    """
    correct_, n_ = _with_two(correct, n)
    if n_.size < 2:
        return nan
    p = correct_ / n_
    return sqrt(max(0.0, float(p.var(ddof=1) - np.mean(p * (1 - p) / (n_ - 1)))))


def true_spread_interval(correct: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The true spread of these cells with its interval; the lower end is 0 where the cells may all be equal.

    The ends are the true spreads under which the observed variance between cells is just not too large or too
    small to believe (a test turned around). Accuracies of a given spread are taken on a line: the observed ones,
    drawn together or apart around their mean. Along it the variance's distribution is a scaled chi-square with the
    exact mean and variance of that quadratic form of binomial shares (Patnaik 1949; Seber and Lee 2003, theorem
    1.6). Where all answers are right, or all wrong, the upper end is that of a single other cell which would still
    give such answers with a chance of half of 1 - `confidence`.
    """
    correct_, n_ = _with_two(correct, n)
    if n_.size < 2:
        return NOTHING
    tail = (1 - confidence) / 2
    if correct_.sum() in (0, n_.sum()):
        return Estimate(0.0, 0.0, float((1 - tail ** (1 / n_.min())) / sqrt(n_.size)))
    line = _line(correct_, n_)
    observed = float((correct_ / n_).var(ddof=1))
    least = max(observed, 1 / (n_.size * float(n_.max()) ** 2))  # one answer more in one cell
    low = line.where(lambda at: line.chance_of_less(at, observed) - (1 - tail))
    high = line.where(lambda at: line.chance_of_less(at, least) - tail)
    return Estimate(true_spread(correct_, n_), low, high)


@dataclass(frozen=True, slots=True)
class _Line:
    """Accuracies `mean + at * direction`, cut off at 0 and 1."""

    mean: float
    direction: Floats
    n: Ints

    def accuracies(self, at: float) -> Floats:
        return np.clip(self.mean + at * self.direction, 0.0, 1.0)

    def chance_of_less(self, at: float, variance: float) -> float:
        """How probable it is that the observed variance is at most this."""
        mean, around = _moments_of_variance(self.accuracies(at), self.n)
        if around <= 0:
            return float(variance >= mean)
        return float(special.gammainc(mean**2 / around, variance * mean / around))

    def where(self, rest: Callable[[float], float]) -> float:
        """The spread of the place on the line from which on `rest`, which falls, is no longer above 0."""
        if rest(0.0) <= 0:
            return 0.0
        end = 1.0
        while rest(end) > 0 and end < 1024:
            end *= 2
        at = float(optimize.brentq(rest, 0.0, end, xtol=1e-7)) if rest(end) < 0 else end
        return float(self.accuracies(at).std(ddof=1))


def _line(correct: Ints, n: Ints) -> _Line:
    shares = correct / n
    direction = shares - shares.mean()
    if not direction.any():
        direction = np.linspace(-0.1, 0.1, n.size)
    return _Line(float(shares.mean()), direction, n)


def _moments_of_variance(p: Floats, n: Ints) -> tuple[float, float]:
    """The mean and variance of the sample variance of the shares of independent binomials.

    It is x'Ax with A = (I - 11'/K) / (K - 1), so A has 1 / K on its diagonal and -1 / (K (K - 1)) beside it.
    """
    cells = p.size
    two = p * (1 - p) / n
    three = two * (1 - 2 * p) / n
    four = two * (1 + 3 * (n - 2) * p * (1 - p)) / n**2
    pulled = (p - p.mean()) / (cells - 1)
    mean = two.mean() + p.var(ddof=1)
    squares = np.square(two).sum()
    beside = (two.sum() ** 2 - squares) / (cells * (cells - 1)) ** 2
    around = (four - 3 * np.square(two)).sum() / cells**2 + 2 * (squares / cells**2 + beside)
    around += 4 * (np.square(pulled) * two).sum() + 4 * (three * pulled).sum() / cells
    return float(mean), float(around)


def _with_two(correct: ArrayLike, n: ArrayLike) -> tuple[Ints, Ints]:
    """The counts of the cells that have at least two questions."""
    correct_, n_ = read_counts(correct, n)
    return correct_[n_ >= 2], n_[n_ >= 2]
