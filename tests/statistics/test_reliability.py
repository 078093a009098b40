from math import isnan

import numpy as np
import pytest

from evensight.statistics import calibration, confidence_calibration
from evensight.statistics.estimates import Floats
from evensight.statistics.reliability import _folded_moments
from simulated import assert_covers, assert_keeps_its_size


def wavy(stated: Floats, size: float) -> Floats:
    """A chance of being right that is off by up to `size`, this way and that."""
    return np.clip(stated - size * np.sin(5 * stated), 0.0, 1.0)


def test_bins_hold_as_many_questions_each_and_the_ece_is_by_hand() -> None:
    stated = np.repeat([0.3, 0.8], 100)
    correct = np.r_[np.arange(100) < 50, np.arange(100) < 60]
    found = confidence_calibration(stated, correct, n_bins=2)
    assert [(each.confidence, each.accuracy.estimate, each.accuracy.n) for each in found.bins] == [
        pytest.approx((0.3, 0.5, 100)),
        pytest.approx((0.8, 0.6, 100)),
    ]
    assert found.ece == pytest.approx((0.2 + 0.2) / 2)
    assert found.overconfidence.estimate == pytest.approx(0.55 - 0.55)


def test_the_option_that_is_put_first_is_judged() -> None:
    table = [[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]] * 10
    found = calibration(table, [1, 1] * 10, n_bins=1)
    assert found.bins[0].confidence == pytest.approx(0.6)
    assert found.bins[0].accuracy.estimate == 0.5  # of equals the first


def test_few_questions_have_few_bins() -> None:
    assert len(confidence_calibration(np.linspace(0.5, 0.9, 250), np.ones(250)).bins) == 2
    assert len(confidence_calibration([0.5], [True]).bins) == 1
    assert isnan(confidence_calibration([], []).ece)


def test_folded_moments_are_those_of_draws() -> None:
    means, errors = np.array([0.0, 0.5, -2.0]), np.array([1.0, 1.0, 0.5])
    drawn = np.abs(np.random.default_rng(0).normal(means, errors, (400_000, 3)))
    mean, variance = _folded_moments(means, errors)
    assert mean.tolist() == pytest.approx(drawn.mean(axis=0).tolist(), abs=0.005)
    assert variance.tolist() == pytest.approx(drawn.var(axis=0).tolist(), abs=0.01)


def test_a_calibrated_model_has_a_plain_ece_but_next_to_no_true_one() -> None:
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        stated = rng.beta(5, 2, 1_000)
        found.append(confidence_calibration(stated, rng.random(1_000) < stated))
    assert_keeps_its_size([each.p_value for each in found])
    assert np.mean([each.ece_true.low == 0 for each in found]) > 0.95
    assert np.mean([each.ece for each in found]) > 0.025
    assert np.median([each.ece_true.estimate for each in found]) < 0.015


@pytest.mark.parametrize(("size", "n"), [(0.1, 500), (0.1, 3_000), (0.03, 1_000)])
def test_the_interval_of_the_ece_covers_it(size: float, n: int) -> None:
    rng, hits = np.random.default_rng(2), []
    for _ in range(400):
        stated = np.sort(rng.beta(5, 2, n))
        chances = wavy(stated, size)
        found = confidence_calibration(stated, rng.random(n) < chances)
        parts = np.array_split(chances - stated, len(found.bins))
        truth = sum(part.size * abs(part.mean()) for part in parts) / n
        hits.append(found.ece_true.low <= truth <= found.ece_true.high)
    assert_covers(hits)


def test_overconfidence_is_found_with_its_sign() -> None:
    rng = np.random.default_rng(3)
    stated = rng.uniform(0.6, 1.0, 2_000)
    found = confidence_calibration(stated, rng.random(2_000) < stated - 0.1)
    assert found.overconfidence.low > 0.05
    assert found.p_value < 0.001
    assert found.ece_true.low > 0.05


def test_what_is_no_probability_raises() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        calibration([[0.5, 0.6]], [0])
    with pytest.raises(ValueError, match="question, option"):
        calibration([[0.5, 0.5]], [0, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        confidence_calibration([1.5], [True])
