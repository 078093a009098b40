from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.statistics import false_discovery, holm
from simulated import assert_keeps_its_size


def test_false_discovery_by_hand() -> None:
    # Benjamini and Hochberg: p_(k) m / k, made monotone from the largest down
    assert false_discovery([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery([]).size == 0


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03, 0.2: times 4, 3, 2, 1, and never less than the one before
    assert holm([0.03, 0.01, 0.2, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.2, 0.06])


def test_holm_leaves_out_what_was_not_tested_and_stops_at_one() -> None:
    adjusted = holm([0.6, nan, 0.7])
    assert adjusted[[0, 2]].tolist() == [1.0, 1.0]
    assert isnan(adjusted[1])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]) -> None:
    rejected, alpha = set(), 0.05
    for step, k in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[k] * (len(p_values) - step) > alpha:
            break
        rejected.add(k)
    assert set(np.flatnonzero(holm(p_values) <= alpha)) == rejected


def test_holm_seldom_rejects_any_of_many_true_nulls() -> None:
    rng = np.random.default_rng(1)
    assert_keeps_its_size([float(holm(rng.random(81)).min()) for _ in range(2_000)])
