from math import comb, isnan, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from evensight.statistics import (
    evenness_test,
    false_discovery,
    independence_test,
    is_number,
    mutual_information_bits,
    normalised_mutual_information,
    paired_difference,
    proportion,
    spread,
    true_spread,
    uniformity_test,
)

Z = 1.959963984540054  # the normal distribution's 97.5 % point


@given(st.integers(1, 500), st.data())
def test_wilson_ends_are_where_the_score_test_just_rejects(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    found = proportion(k, n)
    for end in (found.low, found.high):
        assert abs(k / n - end) == pytest.approx(Z * sqrt(end * (1 - end) / n), abs=1e-9)


def test_wilson_by_hand() -> None:
    found = proportion(0, 10)
    assert (found.n, found.estimate) == (10, 0.0)
    assert found.low == pytest.approx(0.0, abs=1e-12)
    assert found.high == pytest.approx(Z**2 / (10 + Z**2))


def test_wilson_covers_95_percent_on_average_over_p() -> None:
    rng = np.random.default_rng(1)
    n = 48
    ends = [proportion(k, n) for k in range(n + 1)]
    p = rng.uniform(0.02, 0.98, 20_000)
    k = rng.binomial(n, p)
    covered = np.mean([ends[j].low <= q <= ends[j].high for j, q in zip(k, p, strict=True)])
    assert 0.94 <= covered <= 0.96


def test_a_higher_confidence_is_a_wider_interval() -> None:
    narrow, wide = proportion(30, 48, 0.8), proportion(30, 48, 0.99)
    assert wide.low < narrow.low < 30 / 48 < narrow.high < wide.high


def test_a_share_of_nothing_is_not_a_number() -> None:
    found = proportion(0, 0)
    assert found.n == 0
    assert all(map(isnan, (found.estimate, found.low, found.high)))
    assert not is_number(found.estimate)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_a_count_outside_its_trials_raises(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="n_correct"):
        proportion(k, n)


def test_spread_by_hand() -> None:
    assert spread([1, 3], [4, 4]) == pytest.approx(0.25)


def test_spread_leaves_out_cells_without_questions() -> None:
    assert spread([1, 0, 3], [4, 0, 4]) == pytest.approx(0.25)
    assert isnan(spread([0, 0], [0, 0]))


def test_spread_takes_a_table_of_cells() -> None:
    assert spread([[1, 3], [3, 1]], [[4, 4], [4, 4]]) == pytest.approx(0.25)


def test_true_spread_by_hand() -> None:
    # variance of 1/4 and 3/4 is 1/8; each has a sampling variance of (3/16)/3 = 1/16; 1/8 - 1/16 = 1/16
    assert true_spread([1, 3], [4, 4]) == pytest.approx(0.25)


def test_true_spread_needs_two_cells_with_two_questions() -> None:
    assert isnan(true_spread([1, 1, 0], [2, 1, 0]))


def test_true_spread_finds_the_spread_behind_the_noise() -> None:
    rng = np.random.default_rng(2)
    p = np.where(np.arange(80) % 2, 0.6, 0.9)
    n = np.full(80, 20)
    found = [true_spread(rng.binomial(n, p), n) ** 2 for _ in range(300)]
    assert np.mean(found) == pytest.approx(float(p.var(ddof=1)), rel=0.03)


def test_equal_cells_have_spread_but_next_to_no_true_spread() -> None:
    rng = np.random.default_rng(3)
    n = np.full(81, 48)
    correct = [rng.binomial(n, 0.8) for _ in range(100)]
    assert np.mean([spread(k, n) for k in correct]) == pytest.approx(sqrt(0.8 * 0.2 / 48), rel=0.05)
    assert np.mean([true_spread(k, n) ** 2 for k in correct]) < 0.1 * 0.8 * 0.2 / 48


def test_counts_that_fit_no_cells_raise() -> None:
    for correct, n in (([3], [2]), ([-1], [2]), ([1, 1], [2])):
        with pytest.raises(ValueError, match="0 <= correct <= n"):
            spread(correct, n)


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


def test_a_p_value_by_resampling_is_never_zero() -> None:
    # The data themselves are one of the draws: 1 of 1 + 99.
    rng = np.random.default_rng(0)
    assert uniformity_test([0, 100], [100, 100], rng, 99).p_value == pytest.approx(0.01)
    cells, a, b = np.repeat([0, 1], 60), np.repeat([False, True], 60), np.tile([False, True], 60)
    assert evenness_test(a, b, cells, rng, 99).p_value == pytest.approx(0.01)


@pytest.mark.parametrize("correct", [[0, 0], [4, 4]])
def test_all_right_or_all_wrong_is_uniform(correct: list[int]) -> None:
    assert uniformity_test(correct, [4, 4], np.random.default_rng(0), 9).p_value == 1.0


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
    p_values = [evenness_test(rng.random(72) < p, rng.random(72) < p, cells, rng, 59).p_value for _ in range(200)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 200)


def test_independent_factors_share_no_information() -> None:
    assert mutual_information_bits(np.outer([1, 2, 3], [5, 7])) == 0.0


def test_identical_factors_share_their_entropy() -> None:
    assert mutual_information_bits(np.diag([6, 6, 6, 6])) == pytest.approx(2.0)
    assert mutual_information_bits(np.diag([1, 3])) == pytest.approx(0.25 * 2 + 0.75 * log2(4 / 3))


def test_mutual_information_by_hand() -> None:
    expected = 0.25 * log2(2) + 0.25 * log2(2 / 3) + 0.5 * log2(4 / 3)
    assert mutual_information_bits([[1, 1], [0, 2]]) == pytest.approx(expected)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_mutual_information_is_the_entropies_of_the_margins_less_the_joint(rows: list[list[int]]) -> None:
    table = np.array(rows)
    if not table.sum():
        assert mutual_information_bits(table) == 0.0
        return
    margins = stats.entropy(table.sum(axis=0), base=2) + stats.entropy(table.sum(axis=1), base=2)
    joint = stats.entropy(table.ravel(), base=2)
    assert mutual_information_bits(table) == pytest.approx(margins - joint, abs=1e-9)
    assert mutual_information_bits(table) == pytest.approx(mutual_information_bits(table.T), abs=1e-9)


def _entropy_bits(shares: list[float]) -> float:
    return -sum(p * log2(p) for p in shares if p > 0)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4))
def test_normalised_mutual_information_is_by_its_definition(table: list[list[int]]) -> None:
    # I(a; b) = H(a) + H(b) - H(a, b), a second way to the same number
    n = sum(map(sum, table))
    joint = [k / max(n, 1) for row in table for k in row]
    rows = [sum(row) / max(n, 1) for row in table]
    cols = [sum(col) / max(n, 1) for col in zip(*table, strict=True)]
    least = min(_entropy_bits(rows), _entropy_bits(cols))
    expected = (_entropy_bits(rows) + _entropy_bits(cols) - _entropy_bits(joint)) / least if least > 1e-12 else 0.0
    assert normalised_mutual_information(table) == pytest.approx(expected, abs=1e-9)
    assert normalised_mutual_information(np.transpose(table)) == pytest.approx(expected, abs=1e-9)


def test_what_determines_the_other_has_all_of_its_information() -> None:
    assert normalised_mutual_information([[4, 0, 0], [0, 1, 3]]) == pytest.approx(1.0)
    assert normalised_mutual_information([[2, 2], [3, 3]]) == 0.0
    assert normalised_mutual_information([[5, 7]]) == 0.0


def test_the_independence_p_value_is_the_exact_one() -> None:
    # margins (3, 3) and (3, 3): of the 20 ways to deal, 2 are [[3, 0], [0, 3]] or its mirror
    found = independence_test([[3, 0], [0, 3]], np.random.default_rng(0), n_resamples=20_000)
    assert found.statistic == pytest.approx(1.0)
    assert found.p_value == pytest.approx(2 / 20, abs=0.01)


def test_the_independence_p_value_agrees_with_shuffled_questions() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
    b = np.where(rng.random(60) < 0.25, a, b)

    def nmi(order: NDArray[np.int64]) -> float:
        return normalised_mutual_information(np.bincount(a * 4 + b[order], minlength=12).reshape(3, 4))

    observed = nmi(np.arange(60))
    shuffled = np.mean([nmi(rng.permutation(60)) >= observed - 1e-12 for _ in range(4000)])
    table = np.bincount(a * 4 + b, minlength=12).reshape(3, 4)
    assert independence_test(table, rng, 4000).p_value == pytest.approx(float(shuffled), abs=0.03)


def test_independence_p_values_are_uniform_when_nothing_is_there() -> None:
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(400):
        a, b = rng.integers(0, 4, 150), rng.integers(0, 5, 150)
        table = np.bincount(a * 5 + b, minlength=20).reshape(4, 5)
        p_values.append(independence_test(table, rng, 199).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 400)


def test_a_strong_dependence_is_followed_to_a_smaller_p_value() -> None:
    found = independence_test(np.diag([50, 50, 50]), np.random.default_rng(0), 99)
    assert found.p_value == pytest.approx(1 / 991)


def test_exact_independence_has_p_one_and_no_counts_have_none() -> None:
    rng = np.random.default_rng(0)
    assert independence_test([[4, 8], [2, 4]], rng, 99) == independence_test([[7]], rng, 99)
    assert independence_test([[4, 8], [2, 4]], rng, 99).p_value == 1.0
    assert isnan(independence_test([[0, 0]], rng, 99).p_value)


def test_more_even_than_chance_is_not_extreme() -> None:
    # 20 objects in 9 slots of 81 cells: 2 or 3 each, far more even than dealing at random
    table = np.array([[2 + (k + slot) % 9 // 7 for slot in range(9)] for k in range(81)])
    assert table.sum(axis=1).tolist() == [20] * 81
    assert independence_test(table, np.random.default_rng(0), 199).p_value == 1.0


def test_false_discovery_by_hand() -> None:
    # Benjamini and Hochberg: p_(k) m / k, made monotone from the largest down
    assert false_discovery([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery([]).size == 0


def test_the_further_draws_of_a_small_p_value_count() -> None:
    # of the 70 ways to deal, 2 are as extreme; 99 draws are too few to tell, so 990 are made
    p_values = [independence_test([[4, 0], [0, 4]], np.random.default_rng(k), 99).p_value for k in range(20)]
    assert np.mean(p_values) == pytest.approx(2 / 70, abs=0.005)
