from math import isnan, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from evensight.statistics import independence_test, mutual_information_bits, normalised_mutual_information


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


def test_the_further_draws_of_a_small_p_value_count() -> None:
    # of the 70 ways to deal, 2 are as extreme; 99 draws are too few to tell, so 990 are made
    p_values = [independence_test([[4, 0], [0, 4]], np.random.default_rng(k), 99).p_value for k in range(20)]
    assert np.mean(p_values) == pytest.approx(2 / 70, abs=0.005)


def test_independence_p_values_are_uniform_when_nothing_is_there() -> None:
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(400):
        a, b = rng.integers(0, 4, 150), rng.integers(0, 5, 150)
        table = np.bincount(a * 5 + b, minlength=20).reshape(4, 5)
        p_values.append(independence_test(table, rng, 199).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 400)
