from math import sqrt

import numpy as np
import pytest
from scipy import stats

from evensight.statistics import independence_test, uniformity_test


def test_the_uniformity_statistic_is_pearsons() -> None:
    correct, n = np.array([3, 9, 5]), np.array([10, 10, 12])
    table = np.array([correct, n - correct])
    found = uniformity_test(correct, n, np.random.default_rng(0), n_resamples=9)
    assert found.statistic == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)


def test_the_uniformity_p_value_is_the_exact_one() -> None:
    # 2 of 4 correct, both in the first cell: 2 of the 6 ways to deal them are as extreme.
    found = uniformity_test([2, 0], [2, 2], np.random.default_rng(0), n_resamples=20_000)
    assert found.p_value == pytest.approx(1 / 3, abs=0.015)


def test_the_uniformity_test_rejects_equal_cells_in_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(4)
    n = np.array([1, 2, 3, 5, 8, 13, 5, 3, 2])
    p_values = [uniformity_test(rng.binomial(n, 0.9), n, rng, 99).p_value for _ in range(500)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 500)


def test_the_uniformity_test_finds_one_bad_cell() -> None:
    rng = np.random.default_rng(5)
    n, p = np.full(81, 48), np.full(81, 0.95)
    p[40] = 0.6
    assert all(uniformity_test(rng.binomial(n, p), n, rng, 199).p_value <= 0.05 for _ in range(20))


def test_cells_without_questions_change_nothing_in_the_uniformity_test() -> None:
    with_empty = uniformity_test([3, 0, 9], [10, 0, 10], np.random.default_rng(0), 99)
    assert with_empty == uniformity_test([3, 9], [10, 10], np.random.default_rng(0), 99)


@pytest.mark.parametrize("correct", [[0, 0], [4, 4]])
def test_all_right_or_all_wrong_is_uniform(correct: list[int]) -> None:
    assert uniformity_test(correct, [4, 4], np.random.default_rng(0), 9).p_value == 1.0


def test_independence_p_values_are_uniform_when_nothing_is_there() -> None:
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(400):
        a, b = rng.integers(0, 4, 150), rng.integers(0, 5, 150)
        table = np.bincount(a * 5 + b, minlength=20).reshape(4, 5)
        p_values.append(independence_test(table, rng, 199).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 400)
