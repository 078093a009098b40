"""How much of the answers is there without the picture: the same questions on a black image or with a wrong photo."""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evensight.statistics.clustering import ClusteredProportion, cluster_sums, clustered_proportion
from evensight.statistics.estimates import CONFIDENCE, NOTHING, Estimate, Floats, Ints


@dataclass(frozen=True, slots=True)
class PriorReliance:
    """How far the answers stay the same when the picture is taken away.

    Attributes:
        unchanged: The share of answers that are the same without the picture.
        by_chance: The share that would be, if the two answers to a question had nothing to do with one another but
            kept their frequencies: a model that always says "center" is at 1 here.
        beyond_chance: The unchanged share above that, of what there could be (Cohen's kappa 1960): 0 for nothing of
            a question's answer told without its picture, 1 for all. NaN where both always say the same.
    """

    unchanged: ClusteredProportion
    by_chance: float
    beyond_chance: Estimate


def prior_reliance(
    given: ArrayLike, given_without: ArrayLike, clusters: ArrayLike | None = None, confidence: float = CONFIDENCE
) -> PriorReliance:
    """Compares the answers with those to the same questions without the picture.

    Which questions enter is the caller's choice (those with two valid answers, or with "invalid" as an answer of
    its own). Kappa's interval is from its influence function (Fleiss, Cohen and Everitt 1969), summed over images.

    Args:
        given: The answers with the picture, over questions: numbers or names.
        given_without: The answers without it, over the same questions.
        clusters: What stands for the question's image; None where each has its own.
        confidence: The intervals' coverage.

    Raises:
        ValueError: Lengths differ.
    """
    a, b = np.asarray(given), np.asarray(given_without)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"both answer the same questions, got {a.shape} and {b.shape} of them")
    images = np.arange(a.size) if clusters is None else np.asarray(clusters)
    unchanged = clustered_proportion(a == b, images, confidence)
    if a.size == 0:
        return PriorReliance(unchanged, nan, NOTHING)
    names, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    first, second = codes[: a.size], codes[a.size :]
    shares = [np.bincount(each, minlength=names.size) / a.size for each in (first, second)]
    by_chance = float(shares[0] @ shares[1])
    return PriorReliance(unchanged, by_chance, _kappa(first, second, shares, images, confidence))


def _kappa(first: Ints, second: Ints, shares: list[Floats], images: Ints, confidence: float) -> Estimate:
    """Cohen's kappa with the interval of its linearisation, over images."""
    same, by_chance = (first == second).astype(np.float64), float(shares[0] @ shares[1])
    if by_chance > 1 - 1e-12:
        return NOTHING
    agreed = float(same.mean())
    kappa = (agreed - by_chance) / (1 - by_chance)
    of_chance = shares[1][first] + shares[0][second] - 2 * by_chance
    influence = ((same - agreed) * (1 - by_chance) - (1 - agreed) * of_chance) / (1 - by_chance) ** 2
    sums, _ = cluster_sums(influence, images)
    if sums.size < 2:
        return Estimate(kappa, nan, nan)
    error = sqrt(float(np.square(sums).sum()) * sums.size / (sums.size - 1)) / first.size
    half = float(stats.t.ppf((1 + confidence) / 2, sums.size - 1)) * error
    return Estimate(kappa, max(-1.0, kappa - half), min(1.0, kappa + half))
