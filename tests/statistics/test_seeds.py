from math import isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from evensight.statistics import mean_over_seeds, seeds_accuracy, seeds_difference
from evensight.statistics.estimates import Floats
from simulated import assert_covers


def outcomes(rng: np.random.Generator, n_seeds: int, of_question: Floats, seed_sd: float) -> np.ndarray:
    """Right or wrong, `[seed, question]`: a question's chance shifted by its seed."""
    chances = of_question + seed_sd * rng.normal(size=(n_seeds, 1))
    return rng.random((n_seeds, of_question.size)) < np.clip(chances, 0.0, 1.0)


def test_the_mean_over_seeds_is_students() -> None:
    found = mean_over_seeds([0.7, 0.8, 0.75])
    expected = stats.t.interval(0.95, 2, 0.75, stats.sem([0.7, 0.8, 0.75]))
    assert (found.low, found.high) == pytest.approx(expected)
    assert isnan(mean_over_seeds([0.7]).low)
    assert isnan(mean_over_seeds([]).estimate)


def test_seeds_that_answer_alike_leave_the_questions_interval() -> None:
    row = np.array([True] * 30 + [False] * 10)
    found = seeds_accuracy(np.stack([row, row, row]))
    # no seed differs: the variance is that of 40 questions, its quantile the normal one
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.std(row, ddof=1) / sqrt(40))
    assert found.seed_spread == 0.0


def test_questions_that_are_alike_leave_the_seeds_interval() -> None:
    rng = np.random.default_rng(0)
    correct = rng.random((4, 500)) < np.array([[0.9], [0.6], [0.8], [0.7]])
    found, of_seeds = seeds_accuracy(correct), mean_over_seeds(correct.mean(axis=1))
    assert (found.high - found.low) / (of_seeds.high - of_seeds.low) == pytest.approx(1.0, abs=0.02)
    assert found.seed_spread == pytest.approx(np.std([0.9, 0.6, 0.8, 0.7], ddof=1), abs=0.03)
    assert found.degrees == 3


@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.08])
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_the_interval_over_seeds_covers_other_seeds_and_questions(n_seeds: int, seed_sd: float) -> None:
    rng, hits = np.random.default_rng(1), []
    for _ in range(500):
        found = seeds_accuracy(outcomes(rng, n_seeds, 0.4 + 0.3 * rng.random(200), seed_sd))
        hits.append(found.low <= 0.55 <= found.high)
    # the squares of two half-widths are added, which errs on the wide side between the two extremes
    assert_covers(hits, most=0.975)


def test_a_bootstrap_of_three_seeds_would_not_cover() -> None:
    rng, hits = np.random.default_rng(2), []
    for _ in range(200):
        means = outcomes(rng, 3, np.full(200, 0.55), 0.08).mean(axis=1)
        low, high = np.quantile(rng.choice(means, (400, 3)).mean(axis=1), [0.025, 0.975])
        hits.append(low <= 0.55 <= high)
    assert np.mean(hits) < 0.85


@pytest.mark.parametrize("seed_sd", [0.0, 0.05])
def test_the_difference_of_two_kinds_of_runs_is_covered(seed_sd: float) -> None:
    rng, hits, p_values = np.random.default_rng(3), [], []
    for _ in range(400):
        of_question = 0.3 + 0.4 * rng.random(150)
        a, b = outcomes(rng, 3, of_question, seed_sd), outcomes(rng, 5, of_question, seed_sd)
        found = seeds_difference(a, b)
        hits.append(found.low <= 0 <= found.high)
        p_values.append(found.p_value)
    assert_covers(hits, most=0.985)
    # the p-value and the interval say the same
    assert [p > 0.05 for p in p_values] == hits


def test_paired_seeds_are_the_accuracy_of_differences() -> None:
    rng = np.random.default_rng(4)
    shift = 0.2 * rng.normal(size=(4, 1))
    a, b = (rng.random((4, 300)) < np.clip(p + shift, 0, 1) for p in (0.5, 0.6))
    paired, apart = seeds_difference(a, b, paired_seeds=True), seeds_difference(a, b)
    assert paired.estimate == pytest.approx(b.mean() - a.mean()) == apart.estimate
    assert paired.high - paired.low < apart.high - apart.low
    assert paired.degrees == 3


def test_images_are_drawn_where_questions_share_them() -> None:
    rng = np.random.default_rng(5)
    one = rng.random((3, 60)) < 0.7
    copied, images = np.repeat(one, 4, axis=1), np.repeat(np.arange(60), 4)
    as_images, as_questions, plain = seeds_accuracy(copied, images), seeds_accuracy(copied), seeds_accuracy(one)
    assert (as_images.low, as_images.high) == pytest.approx((plain.low, plain.high))
    assert as_questions.high - as_questions.low < as_images.high - as_images.low
    assert as_images.n == 240


def test_swapping_the_kinds_turns_the_difference_around() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.random((3, 50)) < 0.5, rng.random((4, 50)) < 0.7
    there, back = seeds_difference(a, b), seeds_difference(b, a)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.p_value == pytest.approx(there.p_value)


def test_one_seed_or_other_questions_raise() -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        seeds_accuracy([[True, False]])
    with pytest.raises(ValueError, match="at least two images"):
        seeds_accuracy([[True, False], [True, True]], [0, 0])
    with pytest.raises(ValueError, match="at least two images"):
        seeds_accuracy(np.ones((2, 0)), [])
    with pytest.raises(ValueError, match="same questions"):
        seeds_difference(np.ones((2, 3)), np.ones((2, 4)))


def test_kinds_that_never_differ_have_p_one() -> None:
    same = np.ones((3, 5), dtype=bool)
    assert seeds_difference(same, same).p_value == 1.0


def test_the_questions_part_is_what_seeds_have_in_common() -> None:
    # (MS of questions - MS of the rest) / seeds is the mean covariance of two seeds' outcomes
    rng = np.random.default_rng(7)
    correct = outcomes(rng, 4, 0.2 + 0.6 * rng.random(90), 0.1)
    covariances = np.cov(correct.astype(float))[~np.eye(4, dtype=bool)]
    t, z = stats.t.ppf(0.975, 3), stats.norm.ppf(0.975)
    half = sqrt(t**2 * correct.mean(axis=1).var(ddof=1) / 4 + z**2 * covariances.mean() / 90)
    found = seeds_accuracy(correct)
    assert (found.high - found.low) / 2 == pytest.approx(half)


def test_an_accuracys_interval_stays_between_0_and_1() -> None:
    correct = np.zeros((3, 20), dtype=bool)
    correct[0, :3] = True
    few, many = seeds_accuracy(correct), seeds_accuracy(~correct)
    assert few.low == 0.0 < few.high < 1.0
    assert (many.low, many.high) == pytest.approx((1 - few.high, 1.0))
