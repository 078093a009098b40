from math import isnan, sqrt

import numpy as np
import pytest
from scipy import linalg, stats

from evensight.statistics import clustered_proportion, proportion
from evensight.statistics.clustering import cluster_sums, clustered_mean
from simulated import assert_covers

SIZES = np.array([1, 2, 3, 12])


def test_one_question_an_image_is_wilsons() -> None:
    found, plain = clustered_proportion([True, False, True], ["a", "b", "c"]), proportion(2, 3)
    assert (found.low, found.high, found.method) == (plain.low, plain.high, "wilson")
    assert (found.n_clusters, found.design_effect, found.n_effective) == (3, 1.0, 3.0)


def test_questions_that_copy_one_another_count_once() -> None:
    answers = np.array([True, True, False, True, False, True, True, True])
    found = clustered_proportion(np.repeat(answers, 4), np.repeat(np.arange(8), 4))
    # variance p q / (C - 1) for images, p q / 4C for questions
    assert found.design_effect == pytest.approx(4 * 8 / 7)
    assert (found.n, found.n_clusters, found.method) == (32, 8, "cluster-robust")
    share, n, t = 0.75, 32 / (4 * 8 / 7), stats.t.ppf(0.975, 7)
    for end in (found.low, found.high):
        assert abs(share - end) == pytest.approx(t * sqrt(end * (1 - end) / n))


def test_the_cluster_robust_error_is_the_regressions_by_matrices() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.choice(SIZES, 12)
    clusters = np.repeat(np.arange(12), sizes)
    y = (rng.random(clusters.size) < 0.6).astype(float)
    variance = y.mean() * (1 - y.mean())
    found = clustered_mean(*cluster_sums(y, clusters), variance)
    # CR2 and Satterthwaite as Bell and McCaffrey write them, on the whole matrices
    n, x = y.size, np.ones((y.size, 1))
    residual_maker = np.eye(n) - x @ x.T / n
    columns, meat = [], 0.0
    for c in range(12):
        of = clusters == c
        adjust = linalg.inv(linalg.sqrtm(np.eye(of.sum()) - np.ones((of.sum(), of.sum())) / n).real)
        meat += float((adjust @ (y[of] - y.mean())).sum()) ** 2
        columns.append(residual_maker[:, of] @ adjust @ x[of, 0])
    assert found.error == pytest.approx(sqrt(meat) / n)
    residuals, pairs = y - y.mean(), float((sizes * (sizes - 1)).sum())
    squares = sum(residuals[clusters == c].sum() ** 2 for c in range(12))
    alike = np.clip((squares / variance - n) / pairs, 0, 1)
    omega = np.where(clusters[:, None] == clusters, alike, 0.0) + (1 - alike) * np.eye(n)
    inner = np.stack(columns, axis=1).T @ omega @ np.stack(columns, axis=1)
    assert found.degrees == pytest.approx(np.trace(inner) ** 2 / np.square(inner).sum())


def test_images_of_one_size_have_one_degree_less_than_images() -> None:
    sums, sizes = cluster_sums([1, 0, 1, 1, 0, 0, 1, 0], np.repeat(np.arange(4), 2))
    found = clustered_mean(sums, sizes, 0.25)
    assert found.degrees == pytest.approx(3)
    assert found.error == pytest.approx(np.std(sums / 2, ddof=1) / sqrt(4))


def test_all_right_counts_images_not_questions() -> None:
    found = clustered_proportion([True] * 20, np.repeat(np.arange(5), 4))
    t = stats.t.ppf(0.975, 4)
    assert (found.low, found.high) == pytest.approx((5 / (5 + t**2), 1.0))


def test_a_single_image_says_nothing_of_others() -> None:
    found = clustered_proportion([True, False], [7, 7])
    assert found.estimate == 0.5
    assert isnan(found.low)
    assert isnan(clustered_proportion([], []).estimate)


def test_answers_and_images_that_do_not_fit_raise() -> None:
    with pytest.raises(ValueError, match="one cluster"):
        clustered_proportion([True, False], [1])


@pytest.mark.parametrize("sizes", [np.array([4]), SIZES], ids=["equal", "unequal"])
@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_the_clustered_interval_covers(sizes: np.ndarray, alike: float) -> None:
    rng, p, hits, plain = np.random.default_rng(1), 0.75, [], []
    for _ in range(1_000):
        clusters = np.repeat(np.arange(80), rng.choice(sizes, 80))
        of_image = rng.beta(p * (1 / alike - 1), (1 - p) * (1 / alike - 1), 80) if alike else np.full(80, p)
        correct = rng.random(clusters.size) < of_image[clusters]
        found = clustered_proportion(correct, clusters)
        hits.append(found.low <= p <= found.high)
        wilson = proportion(int(correct.sum()), correct.size)
        plain.append(wilson.low <= p <= wilson.high)
    # the design effect is never taken to be below 1, so independent questions are covered a little more often
    assert_covers(hits, most=0.96 if alike else 0.97)
    assert not alike or np.mean(plain) < 0.9
