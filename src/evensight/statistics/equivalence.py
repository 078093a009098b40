"""Whether the accuracy is the same everywhere, up to a margin: a test that can say yes.

A test of "all cells are equal" can only fail to see a difference. Here the hypotheses are turned around: that some
cell is off by the margin or more is what has to be rejected. Each cell is tested against all other cells, for being
too low and for being too high; "within the margin everywhere" is claimed only when all of these tests reject
(intersection-union: Berger 1982; two one-sided tests: Schuirmann 1987), so its p-value is the largest of them and
no correction for many cells is needed.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evensight.statistics.estimates import ALPHA, Floats, Ints, read_counts

DELTA = 0.05
"""The margin unless another one is asked for: five points."""


@dataclass(frozen=True, slots=True)
class CellEquivalence:
    """Whether one cell's accuracy lies within the margin of the overall accuracy.

    Attributes:
        n: How many questions the cell has.
        deviation: Its accuracy less the overall accuracy.
        p_value: Of "it is off by the margin or more"; NaN without questions.
        within: Whether that is rejected. This holds for the cell alone, not for all that are within at once.
        smallest_delta: The smallest margin that it would be within of.
    """

    n: int
    deviation: float
    p_value: float
    within: bool
    smallest_delta: float


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether each cell's accuracy lies within the margin of the overall accuracy.

    Attributes:
        delta: The margin.
        alpha: The test's level.
        n_cells: How many cells have questions; only these are spoken of.
        overall: The overall accuracy, over all questions.
        p_value: Of "some cell is off by the margin or more".
        holds: Whether that is rejected.
        smallest_delta: The smallest margin for which it would be.
        cells: The verdict for each cell, in the order of the counts.
    """

    delta: float
    alpha: float
    n_cells: int
    overall: float
    p_value: float
    holds: bool
    smallest_delta: float
    cells: tuple[CellEquivalence, ...]


def equivalence_test(correct: ArrayLike, n: ArrayLike, delta: float = DELTA, alpha: float = ALPHA) -> Equivalence:
    """Tests that each cell's accuracy lies within `delta` of the overall accuracy.

    A cell with the share w of all questions is within delta of the overall accuracy just where it is within
    delta / (1 - w) of the other cells' accuracy r. The p-value of "lower by the margin" is the chance that the
    observed difference, or a larger one, comes from a cell at r - margin: exact in the cell's binomial, normal in
    the accuracy of the many other questions. r is the most likely one under that hypothesis (Farrington and
    Manning 1990). Where the other cells differ among themselves, their accuracy varies less than is allowed for.

    Args:
        correct: How many answers were right, over cells.
        n: How many questions there were, over cells.
        delta: The margin, between 0 and 1.
        alpha: The level.

    Raises:
        ValueError: The margin is not between 0 and 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"`delta` is a margin between 0 and 1, got {delta}")
    correct_, n_ = read_counts(correct, n)
    filled = np.flatnonzero(n_)
    if filled.size < 2:
        return Equivalence(delta, alpha, filled.size, nan, nan, False, nan, tuple(map(_unsaid, n_)))
    against = AgainstRest.of(correct_[filled], n_[filled])
    overall = float(correct_.sum() / n_.sum())
    p_values, smallest = against.p_values(delta), _smallest_deltas(against, alpha)
    cells = [_unsaid(m) for m in n_]
    for k, p, least in zip(filled, p_values, smallest, strict=True):
        off = float(correct_[k] / n_[k]) - overall
        cells[k] = CellEquivalence(int(n_[k]), off, float(p), bool(p <= alpha), float(least))
    p_value = float(p_values.max())
    return Equivalence(
        delta, alpha, filled.size, overall, p_value, p_value <= alpha, float(smallest.max()), tuple(cells)
    )


def _unsaid(n: int) -> CellEquivalence:
    return CellEquivalence(int(n), nan, nan, False, nan)


@dataclass(frozen=True, eq=False, slots=True)
class AgainstRest:
    """Cells, each against all other questions: counts and accuracies, over cells."""

    n: Ints
    n_rest: Ints
    share: Floats
    share_rest: Floats

    @classmethod
    def of(cls, correct: Ints, n: Ints) -> "AgainstRest":
        """Each cell against the rest; there are at least two cells."""
        n_rest = n.sum() - n
        return cls(n, n_rest, correct / n, (correct.sum() - correct) / n_rest)

    def p_values(self, delta: float | Floats) -> Floats:
        """The p-value of "this cell is off by delta or more", over cells."""
        margin = np.minimum(np.broadcast_to(delta, self.n.shape) * (1 + self.n / self.n_rest), 1.0)
        too_low = p_of_lower(self.share, self.share_rest, self.n, self.n_rest, margin)
        too_high = p_of_lower(1 - self.share, 1 - self.share_rest, self.n, self.n_rest, margin)
        return np.maximum(too_low, too_high)


def p_of_lower(share: Floats, share_rest: Floats, n: Ints, n_rest: Ints, margin: Floats) -> Floats:
    """The p-value of "the cell's accuracy is lower than the others' by the margin or more", over cells."""
    rest = np.clip(accuracy_under(share, share_rest, n_rest / n, -margin) + margin, margin, 1.0)
    return chance_of_difference(share - share_rest, rest - margin, rest, n, n_rest)


def accuracy_under(share: Floats, share_rest: Floats, ratio: Floats, difference: Floats) -> Floats:
    """The most likely accuracy of a cell, if it is the others' plus `difference` (Farrington and Manning 1990).

    It is a root of the cubic equation of their appendix; `ratio` is the others' number of questions by the cell's.
    """
    a = 1 + ratio
    b = -(a + share + ratio * share_rest + difference * (ratio + 2))
    c = difference**2 + difference * (2 * share + a) + share + ratio * share_rest
    d = -share * difference * (1 + difference)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.copysign(np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    cosine = np.divide(v, u**3, out=np.ones_like(v), where=np.abs(u) > 1e-9)
    return np.asarray(2 * u * np.cos((np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3) - b / (3 * a))


def chance_of_difference(difference: Floats, p: Floats, p_rest: Floats, n: Ints, n_rest: Ints) -> Floats:
    """The chance of a difference "cell less others" of at least so much, for these true accuracies, over cells."""
    reach = int(min(n.max(), 4 * np.sqrt(n.max()) + 2))  # eight standard deviations at least
    k = np.rint(n * p).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    chances = binomial_chances(k, n[:, None], p[:, None])
    error = np.sqrt(np.maximum(p_rest * (1 - p_rest) / n_rest, 1e-18))[:, None]
    # then the others' accuracy is at most k / n - difference; half a question, as theirs are counts too
    most = k / n[:, None] - difference[:, None] + 0.5 / n_rest[:, None]
    return np.asarray(np.minimum(1.0, (chances * special.ndtr((most - p_rest[:, None]) / error)).sum(axis=1)))


def binomial_chances(k: Ints, n: Ints, p: Floats) -> Floats:
    """The binomial probabilities of k of n, 0 where k is not in 0 to n; broadcast."""
    there = (k >= 0) & (k <= n)
    m = np.where(there, k, 0)
    ways = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
    logarithm = ways + special.xlogy(m, p) + special.xlog1py(n - m, -p)
    return np.asarray(np.where(there, np.exp(logarithm), 0.0))


def _smallest_deltas(against: AgainstRest, alpha: float) -> Floats:
    """The smallest margin that each cell would be within of, to 1e-5, by bisection; 1 where there is none."""
    low, high = np.zeros(against.n.size), np.ones(against.n.size)
    for _ in range(17):
        middle = (low + high) / 2
        rejects = against.p_values(middle) <= alpha
        low, high = np.where(rejects, low, middle), np.where(rejects, middle, high)
    return high
