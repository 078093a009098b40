from math import sqrt

import numpy as np
import pytest
from scipy import stats

from evensight.statistics import proportion, simultaneous_proportions, uniformity_test, worst_cell
from simulated import assert_covers


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


def test_the_worst_cell_is_the_first_of_the_lowest_that_have_questions() -> None:
    found = worst_cell([9, 0, 4, 4], [10, 0, 10, 10])
    assert (found.index, found.n, found.estimate) == (2, 10, 0.4)
    assert worst_cell([0], [0]).index == -1


def test_the_worst_cells_interval_is_the_one_for_all_cells_at_once() -> None:
    cells = simultaneous_proportions([9, 3, 8], [10, 10, 40])
    found = worst_cell([9, 3, 8], [10, 10, 40])
    assert (found.index, found.low, found.high) == (2, cells[2].low, cells[2].high)
    # the lowest true accuracy may be that of the cell with few questions
    assert (found.lowest_low, found.lowest_high) == (cells[1].low, cells[2].high)


def test_the_worst_of_many_equal_cells_is_covered_where_wilsons_interval_is_not() -> None:
    rng = np.random.default_rng(6)
    n, p = np.full(81, 48), 0.8
    found = [worst_cell(rng.binomial(n, p), n) for _ in range(400)]
    assert_covers([each.low <= p <= each.high for each in found], most=1.0)
    wilson = [proportion(round(each.estimate * 48), 48) for each in found]
    assert np.mean([each.high >= p for each in wilson]) < 0.5


def test_the_lowest_true_accuracy_is_covered() -> None:
    rng = np.random.default_rng(7)
    n, p = np.full(81, 48), np.linspace(0.7, 0.98, 81)
    found = [worst_cell(rng.binomial(n, p), n) for _ in range(400)]
    assert_covers([each.lowest_low <= 0.7 <= each.lowest_high for each in found], most=1.0)


def test_what_is_expected_of_the_worst_cell_is_what_new_questions_give() -> None:
    rng = np.random.default_rng(8)
    n, off, plain = np.full(81, 48), [], []
    for _ in range(400):
        p = np.clip(rng.normal(0.8, 0.06, 81), 0.0, 1.0)
        found = worst_cell(rng.binomial(n, p), n)
        off.append(found.expected - p[found.index])
        plain.append(found.estimate - p[found.index])
    assert abs(np.mean(off)) < 0.012
    assert np.mean(plain) < -0.1
