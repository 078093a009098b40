import numpy as np
import pytest
from scipy import optimize, special, stats

from evensight.statistics import fit_logistic
from evensight.statistics.estimates import Floats
from simulated import assert_covers


def columns(rng: np.random.Generator, n: int) -> Floats:
    return np.stack([np.ones(n), rng.normal(size=n), rng.integers(0, 2, n)], axis=1)


def penalised(x: Floats, y: Floats, beta: Floats) -> float:
    p = special.expit(x @ beta)
    information = x.T @ (x * (p * (1 - p))[:, None])
    likelihood = float(np.where(y > 0, np.log(p), np.log1p(-p)).sum())
    return -likelihood - float(np.linalg.slogdet(information)[1]) / 2


def test_the_coefficients_are_the_penalised_likelihoods_maximum() -> None:
    rng = np.random.default_rng(0)
    x = columns(rng, 120)
    y = (rng.random(120) < special.expit(x @ [0.5, -0.8, 1.2])).astype(float)

    def unlikely(beta: Floats) -> float:
        return penalised(x, y, beta)

    expected = optimize.minimize(unlikely, [0.0, 0.0, 0.0], method="BFGS").x
    fit = fit_logistic(x, y, ["constant", "a", "b"])
    assert fit.estimates.tolist() == pytest.approx(expected.tolist(), abs=1e-4)
    p = special.expit(x @ fit.estimates)
    information = x.T @ (x * (p * (1 - p))[:, None])
    errors = [each.error for each in fit.coefficients]
    assert errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(information))).tolist())
    assert fit.coefficients[1].p_value == pytest.approx(2 * stats.norm.sf(abs(fit.estimates[1]) / errors[1]))


def test_a_constant_alone_is_the_log_odds_with_half_a_question_added() -> None:
    # Jeffreys' prior on one probability adds half a success and half a failure
    fit = fit_logistic(np.ones((20, 1)), np.arange(20) < 14, ["constant"])
    assert fit.estimates[0] == pytest.approx(np.log(14.5 / 6.5))
    assert np.isnan(fit.joint.p_value)


def test_what_is_separated_has_finite_coefficients() -> None:
    x = np.stack([np.ones(20), np.arange(20) < 10], axis=1)
    fit = fit_logistic(x, np.arange(20) < 10, ["constant", "first half"])
    # two groups by themselves: half a question is added to each outcome
    assert fit.estimates.tolist() == pytest.approx([np.log(0.5 / 10.5), 2 * np.log(10.5 / 0.5)], rel=1e-6)
    all_right = fit_logistic(x, np.ones(20), ["constant", "first half"])
    assert np.isfinite(all_right.estimates).all()


def test_the_sandwich_is_the_clusters_scores_outer_products() -> None:
    rng = np.random.default_rng(1)
    x, clusters = columns(rng, 90), np.repeat(np.arange(30), 3)
    y = (rng.random(90) < 0.6).astype(float)
    fit = fit_logistic(x, y, ["constant", "a", "b"], clusters)
    p = special.expit(x @ fit.estimates)
    bread, meat = np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None])), np.zeros((3, 3))
    for c in range(30):
        score = x[clusters == c].T @ (y - p)[clusters == c]
        meat += np.outer(score, score)
    assert fit.covariance.ravel().tolist() == pytest.approx((bread @ meat @ bread * 30 / 29).ravel().tolist())
    assert (fit.n, fit.n_clusters, fit.degrees) == (90, 30, 29)


def test_the_joint_test_of_one_term_is_that_terms_own() -> None:
    rng = np.random.default_rng(2)
    x, y = columns(rng, 90)[:, :2], rng.random(90) < 0.6
    for clusters in (None, np.repeat(np.arange(30), 3)):
        fit = fit_logistic(x, y, ["constant", "a"], clusters)
        assert fit.joint.p_value == pytest.approx(fit.coefficients[1].p_value)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_coefficients_interval_covers(clustered: bool) -> None:
    rng, hits, hits_naive = np.random.default_rng(3), [], []
    slope = 0.8
    for _ in range(500):
        clusters = np.repeat(np.arange(100), 4)
        a = np.repeat(rng.normal(size=100), 4)  # a term of the image, where sharing images matters most
        x = np.stack([np.ones(400), a], axis=1)
        p = special.expit(0.3 + slope * a)
        u = stats.norm.cdf(np.repeat(rng.normal(size=100), 4) * 0.7**0.5 + rng.normal(size=400) * 0.3**0.5)
        y = (u if clustered else rng.random(400)) < p
        fit = fit_logistic(x, y, ["constant", "a"], clusters if clustered else None).coefficients[1]
        hits.append(fit.low <= slope <= fit.high)
        if clustered:
            naive = fit_logistic(x, y, ["constant", "a"]).coefficients[1]
            hits_naive.append(naive.low <= slope <= naive.high)
    assert_covers(hits)
    assert not clustered or np.mean(hits_naive) < 0.85


def test_terms_that_follow_from_others_raise() -> None:
    x = np.stack([np.ones(9), np.arange(9), 2.0 * np.arange(9)], axis=1)
    with pytest.raises(ValueError, match="can't be told apart"):
        fit_logistic(x, np.arange(9) < 4, ["constant", "a", "twice a"])
    with pytest.raises(ValueError, match="question, term"):
        fit_logistic(x, [True], ["constant", "a", "twice a"])


def test_a_single_image_has_no_error() -> None:
    with pytest.raises(ValueError, match="single image"):
        fit_logistic(np.ones((5, 1)), [1, 0, 1, 1, 0], ["constant"], np.zeros(5))
