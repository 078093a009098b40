from math import comb, isnan, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from evensight.statistics import (
    clustered_difference,
    differences_by_cell,
    evenness_test,
    paired_difference,
    uniformity_test,
)
from simulated import assert_covers, assert_keeps_its_size

Z = 1.959963984540054  # the normal distribution's 97.5 % point


def test_a_p_value_by_resampling_is_never_zero() -> None:
    # The data themselves are one of the draws: 1 of 1 + 99.
    rng = np.random.default_rng(0)
    assert uniformity_test([0, 100], [100, 100], rng, 99).p_value == pytest.approx(0.01)
    cells, a, b = np.repeat([0, 1], 60), np.repeat([False, True], 60), np.tile([False, True], 60)
    assert evenness_test(a, b, cells, rng, 99).p_value == pytest.approx(0.01)


def _paired(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_mcnemar_by_hand() -> None:
    # 7 questions only one of the two got right, one of them a: 2 (C(7, 0) + C(7, 1)) / 2^7
    found = paired_difference(*_paired(10, 1, 6, 3))
    assert found.p_value == pytest.approx(2 * (comb(7, 0) + comb(7, 1)) / 2**7)
    assert found.estimate == pytest.approx(5 / 20)
    assert found.n == 20


def test_the_paired_interval_is_walds_with_half_a_question_added_to_each_outcome() -> None:
    found = paired_difference(*_paired(10, 1, 6, 3))
    values, weights = np.array([0, -1, 1, 0]), np.array([10.5, 1.5, 6.5, 3.5])
    mean = np.average(values, weights=weights)
    error = Z * sqrt(np.average((values - mean) ** 2, weights=weights) / weights.sum())
    assert (found.low, found.high) == pytest.approx((mean - error, mean + error))


def test_the_paired_interval_covers_the_difference() -> None:
    rng = np.random.default_rng(6)
    outcomes = rng.choice(4, (800, 80), p=[0.6, 0.07, 0.15, 0.18])  # both, only a, only b, neither
    found = [paired_difference(np.isin(row, (0, 1)), np.isin(row, (0, 2))) for row in outcomes]
    assert 0.935 <= np.mean([d.low <= 0.08 <= d.high for d in found]) <= 0.98


def test_swapping_the_runs_turns_the_difference_around() -> None:
    a, b = _paired(3, 1, 5, 2)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))
    assert back.p_value == pytest.approx(there.p_value)


def test_equal_runs_do_not_differ() -> None:
    found = paired_difference([True, False, True], [True, False, True])
    assert (found.estimate, found.p_value) == (0.0, 1.0)


def test_the_difference_of_no_questions_is_not_a_number() -> None:
    found = paired_difference([], [])
    assert found.n == 0
    assert all(map(isnan, (found.estimate, found.low, found.high, found.p_value)))


def test_runs_of_different_lengths_raise() -> None:
    with pytest.raises(ValueError, match="same questions"):
        paired_difference([True], [True, False])


def test_equal_runs_are_equally_even() -> None:
    a = [True, False, True, True]
    found = evenness_test(a, a, [0, 0, 1, 1], np.random.default_rng(0), 99)
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_the_evenness_statistic_by_hand() -> None:
    # a has 0 and 1 in the two cells, b has 1/2 in both
    a, b = [False, False, True, True], [True, False, True, False]
    assert evenness_test(a, b, [0, 0, 1, 1], np.random.default_rng(0), 9).statistic == pytest.approx(0.5)


def test_the_evenness_test_finds_the_more_even_run() -> None:
    rng = np.random.default_rng(7)
    cells = np.repeat(np.arange(9), 20)
    a, b = rng.random(180) < np.where(cells % 2, 0.95, 0.4), rng.random(180) < 0.7
    found = evenness_test(a, b, cells, rng, 199)
    assert found.statistic > 0
    assert found.p_value <= 0.05


def test_the_evenness_test_rejects_equal_runs_in_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(8)
    cells = np.repeat(np.arange(9), 8)
    p = np.where(cells % 2, 0.9, 0.6)
    p_values = [evenness_test(rng.random(72) < p, rng.random(72) < p, cells, rng, 59).p_value for _ in range(2_000)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 2_000)


def test_differences_by_cell_are_paired_and_corrected() -> None:
    cells = np.repeat([0, 2], 20)
    a, b = np.r_[np.zeros(20), np.ones(20)] > 0, np.r_[np.ones(10), np.zeros(10), np.ones(20)] > 0
    first, empty, third = differences_by_cell(a, b, cells, 3)
    assert first.difference == paired_difference(a[:20], b[:20])
    assert first.p_corrected == pytest.approx(2 * stats.binomtest(10, 10).pvalue)
    assert isnan(empty.p_corrected)
    assert (third.cell, third.p_corrected) == (2, 1.0)


def test_images_that_copy_one_another_give_the_difference_of_images() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.random(50) < 0.6, rng.random(50) < 0.75
    found = clustered_difference(np.repeat(a, 4), np.repeat(b, 4), np.repeat(np.arange(50), 4), rng, 4_000)
    plain = clustered_difference(a, b, np.arange(50), rng, 4_000)
    assert found.estimate == pytest.approx(b.mean() - a.mean())
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.03)


def test_the_drawing_of_kinds_is_the_drawing_of_images() -> None:
    # the same bootstrap, image by image
    rng = np.random.default_rng(10)
    images = np.repeat(np.arange(30), rng.integers(1, 5, 30))
    a, b = rng.random(images.size) < 0.5, rng.random(images.size) < 0.65
    sums, sizes = np.bincount(images, b * 1.0 - a), np.bincount(images)

    def mean_and_error(of: NDArray[np.int64]) -> tuple[float, float]:
        mean = sums[of].sum() / sizes[of].sum()
        squares = np.square(sums[of] - mean * sizes[of]).sum()
        return float(mean), sqrt(squares * 30 / 29) / float(sizes[of].sum())

    mean, error = mean_and_error(np.arange(30))
    drawn = [mean_and_error(rng.integers(0, 30, 30)) for _ in range(4_000)]
    half = error * np.quantile([abs(m - mean) / e for m, e in drawn], 0.95)
    found = clustered_difference(a, b, images, rng, 8_000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


@pytest.mark.parametrize("n_images", [15, 60])
def test_the_clustered_difference_covers_and_keeps_its_size(n_images: int) -> None:
    rng, found = np.random.default_rng(11), []
    images = np.repeat(np.arange(n_images), 4)
    for _ in range(800):
        hard = np.repeat(rng.beta(2, 1, n_images), 4)
        ways = np.repeat(rng.random(n_images) < 0.5, 4)  # whole images suit one run or the other
        a, b = (rng.random(images.size) < np.clip(hard + np.where(ways, s, -s), 0, 1) for s in (0.15, -0.15))
        found.append(clustered_difference(a, b, images, rng, 399))
    assert_covers([each.low <= 0 <= each.high for each in found], most=0.97)
    assert_keeps_its_size([each.p_value for each in found])
    # the p-value and the interval say the same
    assert [each.p_value <= 0.05 for each in found] == [not each.low <= 0 <= each.high for each in found]


def test_runs_that_never_differ_have_the_interval_of_as_many_images() -> None:
    found = clustered_difference([True] * 12, [True] * 12, np.repeat(np.arange(3), 4), np.random.default_rng(0), 99)
    plain = paired_difference([True] * 3, [True] * 3)
    assert (found.n, found.low, found.high, found.p_value) == (12, plain.low, plain.high, 1.0)
    assert isnan(clustered_difference([], [], [], np.random.default_rng(0)).low)


def test_the_evenness_p_value_is_the_exact_one() -> None:
    # 4 questions in each of 2 cells; one run alone is right in 3 of the first (a) and 2 of the second (b)
    a, b = [1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 1, 1, 0, 0]
    chances = np.outer(stats.binom.pmf(np.arange(4), 3, 0.5), stats.binom.pmf(np.arange(3), 2, 0.5))
    i, j = np.indices((4, 3))  # so many of them go to a: it has 1 + i and j right, b 4 - i and 2 - j
    off = np.abs(1 + i - j) / 8 - np.abs(4 - i - (2 - j)) / 8
    found = evenness_test(a, b, np.repeat([0, 1], 4), np.random.default_rng(0), 20_000)
    assert found.statistic == pytest.approx(4 / 8 - 1 / 8)
    assert found.p_value == pytest.approx(chances[np.abs(off) >= 3 / 8 - 1e-9].sum(), abs=0.012)


def test_no_questions_are_neither_even_nor_uneven() -> None:
    assert isnan(evenness_test([], [], [], np.random.default_rng(0), 9).p_value)
