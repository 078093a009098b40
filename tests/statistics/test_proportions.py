from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.statistics import is_number, proportion

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
