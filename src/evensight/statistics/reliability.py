"""Whether a model is as often right as it says: the reliability diagram and the expected calibration error (ECE).

The plain ECE is above 0 for a perfect model too, for |accuracy - confidence| of a bin is never negative; the more so
the fewer questions a bin has (Kumar, Liang and Ma 2019; Roelofs et al. 2022). Resampling the questions only adds to
that. So the interval is a test turned around, which knows what noise alone makes of the figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from evensight.statistics.estimates import CONFIDENCE, NOTHING, Estimate, Floats
from evensight.statistics.proportions import Proportion, proportion

_LEAST_IN_BIN = 100  # with fewer, gaps are not normal enough and the interval is too narrow


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Questions of about the same confidence: its mean, and the share that was right."""

    confidence: float
    accuracy: Proportion


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a model's confidence goes with being right.

    Attributes:
        n: How many questions there are.
        bins: The reliability diagram: bins of as many questions each, by rising confidence.
        ece: The mean over questions of the bins' |accuracy - confidence|, as papers give it; too high by noise.
        ece_true: The same without the noise of few questions a bin (median-unbiased), with its interval. It is of
            these bins: what differs within a bin stays unseen, so the error without bins is at least this.
        p_value: Of "confidence is the chance of being right".
        overconfidence: The mean confidence less the accuracy.
    """

    n: int
    bins: tuple[ReliabilityBin, ...]
    ece: float
    ece_true: Estimate
    p_value: float
    overconfidence: Estimate


def calibration(
    probabilities: ArrayLike, right: ArrayLike, n_bins: int = 10, confidence: float = CONFIDENCE
) -> Calibration:
    """The calibration of the option that each question's probabilities put first.

    Args:
        probabilities: `[question, option]`, each row adding up to 1; questions with fewer options have zeros.
        right: The index of each question's right option.
        n_bins: How many bins, of as many questions each; fewer where a bin would have less than 100.
        confidence: The intervals' coverage.

    Raises:
        ValueError: Shapes don't fit, or rows are no probabilities.
    """
    table, index = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.int64)
    if table.ndim != 2 or index.shape != table.shape[:1]:
        raise ValueError(f"`probabilities` is [question, option] with one right option each, got {table.shape}")
    if not (np.abs(table.sum(axis=1) - 1) < 1e-4).all() or not (table >= 0).all():
        raise ValueError("`probabilities` are each 0 or more, and add up to 1 in each row")
    return confidence_calibration(table.max(axis=1, initial=0.0), table.argmax(axis=1) == index, n_bins, confidence)


def confidence_calibration(
    stated: ArrayLike, correct: ArrayLike, n_bins: int = 10, confidence: float = CONFIDENCE
) -> Calibration:
    """`calibration` from the stated confidence of each answer, 0 to 1, and whether it was right.

    The interval's ends are the ECEs under which the observed one is just not too high or too low to believe. Gaps
    of a given ECE are taken on a line: the observed gaps, all larger or smaller by one factor. The observed ECE then
    is a weighted sum of folded normals, whose mean and variance are exact and whose shape is taken to be a gamma's.
    It is the ECE of these questions' confidences in these bins.

    Raises:
        ValueError: Lengths differ, or a confidence is not between 0 and 1.
    """
    says, is_right = np.asarray(stated, dtype=np.float64), np.asarray(correct, dtype=bool)
    if says.shape != is_right.shape or says.ndim != 1 or not ((says >= 0) & (says <= 1 + 1e-6)).all():
        raise ValueError(f"each answer has one confidence between 0 and 1, got {says.shape} for {is_right.shape}")
    if says.size == 0:
        return Calibration(0, (), nan, NOTHING, nan, NOTHING)
    order = np.argsort(says, kind="stable")
    parts = np.array_split(order, max(1, min(n_bins, says.size // _LEAST_IN_BIN)))
    gaps = _Gaps(
        weights=np.array([part.size for part in parts]) / says.size,
        gaps=np.array([is_right[part].mean() - says[part].mean() for part in parts]),
        errors=np.array([_error(is_right[part] - says[part], says[part]) for part in parts]),
    )
    if_true = np.array([sqrt(float((says[part] * (1 - says[part])).sum())) / part.size for part in parts])
    return Calibration(
        n=says.size,
        bins=tuple(
            ReliabilityBin(float(says[part].mean()), proportion(int(is_right[part].sum()), part.size, confidence))
            for part in parts
        ),
        ece=gaps.ece,
        ece_true=gaps.interval(confidence),
        p_value=1 - gaps.chance_of_less(0.0, if_true),
        overconfidence=_mean(says - is_right, confidence),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Gaps:
    """The bins' accuracy less confidence, with weights and standard errors."""

    weights: Floats
    gaps: Floats
    errors: Floats

    @property
    def ece(self) -> float:
        return float(self.weights @ np.abs(self.gaps))

    def chance_of_less(self, at: float, errors: Floats) -> float:
        """How probable it is to see at most this ECE, if the true gaps are `at` times these."""
        mean, variance = _folded_moments(at * self.gaps, errors)
        mean_of_sum, variance_of_sum = float(self.weights @ mean), float(self.weights**2 @ variance)
        if variance_of_sum <= 0:
            return float(self.ece >= mean_of_sum - 1e-12)
        scale = variance_of_sum / mean_of_sum
        return float(special.gammainc(mean_of_sum / scale, self.ece / scale))

    def interval(self, confidence: float) -> Estimate:
        """The ECE at which the observed one is the median, and those at which it is just believable."""
        tail = (1 - confidence) / 2
        low, middle, high = (self._where(chance) * self.ece for chance in (1 - tail, 0.5, tail))
        return Estimate(middle, low, high)

    def _where(self, chance: float) -> float:
        """The factor at which the chance of seeing at most this falls to `chance`; 0 if it is less from the start."""
        rest: Callable[[float], float] = lambda at: self.chance_of_less(at, self.errors) - chance  # noqa: E731
        if rest(0.0) <= 0:
            return 0.0
        end = 1.0
        while rest(end) > 0 and end < 1024:
            end *= 2
        return float(optimize.brentq(rest, 0.0, end, xtol=1e-7)) if rest(end) < 0 else end


def _folded_moments(means: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """The mean and variance of |x| for normal x (Leone, Nelson and Nottingham 1961)."""
    safe = np.maximum(errors, 1e-12)
    ratio = means / safe
    mean = safe * sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + means * (1 - 2 * special.ndtr(-ratio))
    return mean, np.maximum(0.0, means**2 + safe**2 - mean**2)


def _error(residuals: Floats, stated: Floats) -> float:
    """The standard error of a bin's gap; where all or none were right, at least that of the stated confidence."""
    n = residuals.size
    seen = float(residuals.var(ddof=1)) if n > 1 else 0.0
    right = residuals + stated
    if right.min() == right.max():
        seen = max(seen, float((stated * (1 - stated)).mean()))
    return sqrt(seen / n)


def _mean(values: Floats, confidence: float) -> Estimate:
    """The mean with Student's t interval; no interval for a single value."""
    if values.size < 2:
        return Estimate(float(values.mean()), nan, nan)
    half = float(stats.t.ppf((1 + confidence) / 2, values.size - 1) * values.std(ddof=1)) / sqrt(values.size)
    mean = float(values.mean())
    return Estimate(mean, mean - half, mean + half)
