from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evensight.statistics import is_number, proportion, simultaneous_proportions
from simulated import assert_covers

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


def test_simultaneous_intervals_are_clopper_and_pearsons_at_sidaks_level() -> None:
    found = simultaneous_proportions([0, 30, 48], [48, 48, 48])
    for k, each in zip((0, 30, 48), found, strict=True):
        exact = stats.binomtest(k, 48).proportion_ci(0.95 ** (1 / 3), method="exact")
        assert (each.low, each.high) == pytest.approx((exact.low, exact.high))


def test_a_cell_without_questions_takes_no_part_in_the_correction() -> None:
    with_empty = simultaneous_proportions([3, 0, 9], [10, 0, 10])
    assert (with_empty[0], with_empty[2]) == simultaneous_proportions([3, 9], [10, 10])
    assert isnan(with_empty[1].low)


def test_simultaneous_intervals_cover_all_cells_at_once() -> None:
    rng = np.random.default_rng(2)
    p, n = np.linspace(0.6, 0.995, 81), np.full(81, 48)
    found = [simultaneous_proportions(rng.binomial(n, p), n) for _ in range(400)]
    assert_covers([all(c.low <= q <= c.high for c, q in zip(cells, p, strict=True)) for cells in found], most=1.0)
