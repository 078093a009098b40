"""The pull to usual places: by hand, of its right size under the null, and seen where it is."""

from math import isnan

import numpy as np
import pytest

from evensight.statistics import usual_place_pull
from evensight.statistics.usual_places import _matches


def drawn(rng: np.random.Generator, n: int, pulled: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Questions whose usual places go with the right answers, and answers of which some go to the usual place."""
    right = rng.integers(0, 9, n)
    usual = np.where(rng.random(n) < 0.4, right, rng.integers(0, 9, n) // 2)
    anything = rng.choice(9, n, p=np.array([4, 1, 1, 1, 6, 1, 1, 1, 4]) / 20)
    given = np.where(rng.random(n) < 0.5, right, anything)
    return right, np.where((given != right) & (rng.random(n) < pulled), usual, given), usual


def test_by_hand() -> None:
    right, given, usual = [0, 0, 0, 1], [1, 2, 0, 0], [1, 1, 2, 0]
    found = usual_place_pull(right, given, usual, np.random.default_rng(0))
    # wrong: the first (said 1 as usual; of 0's usual places 1 is 2 of 3), the second (said 2, which is 1 of 3), the
    # fourth (said 0 as usual, which is 1 of 1)
    assert found.n == 3
    assert found.estimate == pytest.approx(np.mean([1 - 2 / 3, 0 - 1 / 3, 1 - 1]))


def test_without_wrong_answers_nothing_is_said() -> None:
    found = usual_place_pull([0, 1], [0, 1], [1, 1], np.random.default_rng(0))
    assert found.n == 0
    assert isnan(found.estimate)


def test_deals_are_permutations_within_the_same_right_answer() -> None:
    rng = np.random.default_rng(3)
    right, given, usual = drawn(rng, 200, 0.0)
    found = _matches(right, given, usual, rng, 4_000)
    by_hand = []
    for _ in range(4_000):
        dealt = usual.copy()
        for one in range(9):
            dealt[right == one] = rng.permutation(usual[right == one])
        by_hand.append(int(((given == dealt) & (given != right)).sum()))
    assert found.mean() == pytest.approx(np.mean(by_hand), abs=0.2)
    assert found.std() == pytest.approx(np.std(by_hand), rel=0.06)


def test_without_a_pull_the_test_keeps_its_size_and_the_interval_covers_none() -> None:
    found = [
        usual_place_pull(*drawn(np.random.default_rng(seed), 300, 0.0), np.random.default_rng(seed), 199)
        for seed in range(200)
    ]
    assert 0.015 < np.mean([each.p_value <= 0.05 for each in found]) < 0.085
    assert 0.9 < np.mean([each.low <= 0 <= each.high for each in found]) < 0.98
    assert abs(np.mean([each.estimate for each in found])) < 0.01


def test_a_pull_is_seen() -> None:
    found = [
        usual_place_pull(*drawn(np.random.default_rng(seed), 300, 0.3), np.random.default_rng(seed), 199)
        for seed in range(40)
    ]
    assert np.mean([each.p_value <= 0.05 for each in found]) > 0.9
    assert all(each.estimate > 0 for each in found)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="a right, a given and a usual answer"):
        usual_place_pull([0], [0, 1], [0], np.random.default_rng(0))
