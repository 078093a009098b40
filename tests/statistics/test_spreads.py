from math import isnan, sqrt

import numpy as np
import pytest

from evensight.statistics import spread, true_spread


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
