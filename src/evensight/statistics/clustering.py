"""Shares of questions of which some share an image: such answers are alike, so there is less to know from them.

A *cluster* is what the questions of one image have in common; clusters are independent of one another. All that
follows needs only two numbers of each: how many questions it has, and the sum of its values.
"""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.estimates import CONFIDENCE, Floats
from evensight.statistics.proportions import Proportion, proportion, wilson_ends


@dataclass(frozen=True, slots=True)
class ClusteredProportion(Proportion):
    """A share of `n` questions with an interval that knows which of them share an image.

    Attributes:
        n_clusters: How many images there are.
        n_effective: How many independent questions would tell as much.
        design_effect: How many times larger the variance is than that of independent questions.
        method: "wilson" where every image has one question, else "cluster-robust".
    """

    n_clusters: int
    n_effective: float
    design_effect: float
    method: str


def clustered_proportion(
    correct: ArrayLike, clusters: ArrayLike, confidence: float = CONFIDENCE
) -> ClusteredProportion:
    """The share of correct answers where questions may share an image.

    Where each image has one question this is `proportion`. Else it is Wilson's interval with the number of
    questions divided by the design effect (Rao and Scott 1992; Dean and Pagano 2015) and Student's t for the normal
    distribution. The variance is the cluster-robust one without bias for independent questions (CR2: Bell and
    McCaffrey 2002), its degrees of freedom Satterthwaite's under questions that are alike as they are here (Imbens
    and Kolesár 2016). The design effect is never taken to be below 1, and where all answers are right, or all
    wrong, as if all questions of an image had one answer. With a single image nothing can be said: NaN.

    Args:
        correct: Whether the answer was right, over questions.
        clusters: What stands for the question's image, over the same questions.
        confidence: The interval's coverage.

    Raises:
        ValueError: The two don't have the same length.
    """
    values, sizes = cluster_sums(np.asarray(correct, dtype=bool), clusters)
    n, n_correct = int(sizes.sum()), int(values.sum())
    if (sizes == 1).all():
        plain = proportion(n_correct, n, confidence)
        effect = 1.0 if n else nan
        return ClusteredProportion(n, plain.estimate, plain.low, plain.high, n, float(n), effect, "wilson")
    share = n_correct / n
    mean = clustered_mean(values, sizes, share * (1 - share))
    likely = share * (1 - share) / n
    effect = max(1.0, mean.error**2 / likely) if likely else float(np.square(sizes).sum() / n)
    low, high = nan, nan
    if sizes.size > 1:
        quantile = float(stats.t.ppf((1 + confidence) / 2, mean.degrees))
        low, high = wilson_ends(share, n / effect, quantile)
    return ClusteredProportion(n, share, low, high, sizes.size, n / effect, effect, "cluster-robust")


def cluster_sums(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Floats]:
    """The sum of the values and the number of questions of each cluster, clusters in sorted order.

    Raises:
        ValueError: The two don't have the same length.
    """
    of_questions, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    if of_questions.shape != names.shape or names.ndim != 1:
        raise ValueError(f"each question has one cluster, got {of_questions.shape} and {names.shape} of them")
    index = np.unique(names, return_inverse=True)[1]
    sums, sizes = np.bincount(index, of_questions), np.bincount(index)
    return sums.astype(np.float64), sizes.astype(np.float64)


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over questions, its standard error, and the degrees of freedom of that."""

    estimate: float
    error: float
    degrees: float


def clustered_mean(sums: Floats, sizes: Floats, variance: float) -> ClusteredMean:
    """The mean over all questions of clusters, with its cluster-robust standard error (CR2).

    The mean is a regression on nothing but a constant, whose hat matrix is 11'/n; so the residual sum of a cluster
    with the share w of the questions is divided by sqrt(1 - w), and all of it needs only sums over clusters.
    """
    n = sizes.sum()
    if sizes.size < 2:
        return ClusteredMean(float(sums.sum() / n) if n else nan, nan, nan)
    mean, weights = sums.sum() / n, sizes / n
    residuals = sums - mean * sizes
    error = sqrt(float((np.square(residuals) / (1 - weights)).sum())) / float(n)
    alike = _alikeness(residuals, sizes, variance)
    return ClusteredMean(float(mean), error, _degrees(weights, sizes * (1 + (sizes - 1) * alike)))


def _alikeness(residuals: Floats, sizes: Floats, variance: float) -> float:
    """How much two questions of a cluster are correlated, 0 to 1, by the method of moments.

    The squares of the residual sums are expected to add up to variance * ((1 - r) n + r * sum of sizes^2).
    """
    n, pairs = float(sizes.sum()), float((sizes * (sizes - 1)).sum())
    if not pairs or variance <= 0:
        return 0.0
    return float(np.clip((np.square(residuals).sum() / variance - n) / pairs, 0.0, 1.0))


def _degrees(weights: Floats, variances: Floats) -> float:
    """Satterthwaite's degrees of freedom of the CR2 variance, if the clusters' sums had these variances.

    They are (tr G)^2 / tr G^2 for G_gh = sqrt(s_g s_h) (v_g [g = h] - w_h v_g - w_g v_h + w_g w_h V), with
    s = 1 / (1 - w) and V the sum of v; the double sum is multiplied out.
    """
    total, scale = variances.sum(), 1 / (1 - weights)
    diagonal = scale * (variances - 2 * weights * variances + weights**2 * total)
    all_ = 2 * (scale * weights**2).sum() * (scale * variances**2).sum()
    all_ += (total * (scale * weights**2).sum()) ** 2 + 2 * (scale * weights * variances).sum() ** 2
    all_ -= 4 * total * (scale * weights**2).sum() * (scale * weights * variances).sum()
    own = np.square(scale * (weights**2 * total - 2 * weights * variances)).sum()
    squares = all_ - own + np.square(diagonal).sum()
    return float(diagonal.sum() ** 2 / squares) if squares > 0 else inf
