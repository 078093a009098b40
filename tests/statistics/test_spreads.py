from math import isnan, sqrt

import numpy as np
import pytest

from evensight.statistics import spread, true_spread, true_spread_interval
from evensight.statistics.spreads import _moments_of_variance
from simulated import assert_covers


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


def test_the_moments_behind_the_interval_are_those_of_drawn_counts() -> None:
    rng = np.random.default_rng(4)
    p, n = np.array([0.5, 0.7, 0.99, 0.9]), np.array([10, 20, 15, 40])
    drawn = (rng.binomial(n, p, (200_000, 4)) / n).var(axis=1, ddof=1)
    assert _moments_of_variance(p, n) == pytest.approx((drawn.mean(), drawn.var()), rel=0.02)


CELLS = {
    "equal": np.full(81, 0.8),
    "two kinds": np.where(np.arange(81) % 2, 0.6, 0.9),
    "nine areas": np.linspace(0.6, 0.95, 9),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_interval_of_the_true_spread_covers_it(name: str) -> None:
    rng, p = np.random.default_rng(5), CELLS[name]
    n, truth = np.full(p.size, 30), float(p.std(ddof=1)) if name != "equal" else 0.0
    found = [true_spread_interval(rng.binomial(n, p), n) for _ in range(400)]
    # where all are equal only the lower end can be wrong, in 2.5 % of cases
    assert_covers([each.low <= truth <= each.high for each in found], most=0.98 if truth == 0 else 0.96)


def test_all_right_leaves_room_for_one_other_cell_alone() -> None:
    found = true_spread_interval([20] * 9, [20] * 9)
    assert (found.estimate, found.low) == (0.0, 0.0)
    p = 0.025 ** (1 / 20)  # all 20 right with a chance of 2.5 %
    assert found.high == pytest.approx(np.std([1.0] * 8 + [p], ddof=1))
    assert true_spread_interval([0] * 9, [20] * 9) == found


def test_cells_with_the_same_counts_are_not_proof_of_no_spread() -> None:
    found = true_spread_interval([15] * 9, [20] * 9)
    assert found.low == 0.0
    assert found.high > 0.0 or found.estimate == 0.0


def test_one_cell_has_no_spread() -> None:
    assert isnan(true_spread_interval([3], [5]).low)


def test_more_questions_make_the_interval_of_the_spread_narrower() -> None:
    few, many = (true_spread_interval(np.array([12, 16, 19]) * k, [20 * k] * 3) for k in (1, 20))
    assert few.low < many.low < many.high < few.high
