"""Intervals over groups and seeds hold what they say, and the test keeps its size."""

from itertools import product

import numpy as np
import pytest

from evensight.probing.intervals import mean_interval, ratio_interval, sign_test


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_estimate_is_the_mean_and_nothing_has_none() -> None:
    values = np.array([[1, 0, 1, 1], [1, 1, 1, 0]])
    found = mean_interval(values, np.array([0, 0, 1, 1]), rng())
    assert (found.n, found.n_groups, found.estimate) == (4, 2, 0.75)
    assert found.low <= 0.75 <= found.high
    assert mean_interval(np.zeros((2, 0)), np.zeros(0, np.int64), rng()).n == 0


def test_intervals_cover_the_truth_where_examples_come_in_groups() -> None:
    """Groups differ by far more than examples do: an interval over examples would miss the truth most times."""
    draw, covered, naive = np.random.default_rng(1), 0, 0
    groups = np.repeat(np.arange(24), 40)
    for _ in range(400):
        values = np.repeat(draw.normal(0.5, 0.2, 24), 40) + draw.normal(0, 0.1, 960)
        found = mean_interval(values[None], groups, draw)
        covered += found.low <= 0.5 <= found.high
        half = 1.96 * values.std() / np.sqrt(960)
        naive += abs(values.mean() - 0.5) < half
    assert 0.89 <= covered / 400 <= 0.98
    assert naive / 400 < 0.5


def test_a_ratio_is_of_sums() -> None:
    found = ratio_interval(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 2.0, 8.0]]), np.arange(3), rng())
    assert found.estimate == 0.5
    assert found.low >= 0.375
    assert found.high <= 1.0


def test_the_sign_test_is_what_all_turns_of_signs_say() -> None:
    differences = np.array([[0.5, 0.2, -0.1, 0.4, 0.3, 0.1]])
    groups = np.array([0, 0, 1, 1, 2, 3])
    sums = [0.7, 0.3, 0.3, 0.1]
    turned = [abs(sum(s * d for s, d in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=4)]
    expected = sum(one >= 1.4 - 1e-9 for one in turned) / 16
    assert sign_test(differences, groups, rng()) == pytest.approx(expected)


@pytest.mark.parametrize("n_groups", [8, 24])
def test_the_sign_test_keeps_its_size_and_has_power(n_groups: int) -> None:
    draw = np.random.default_rng(2)
    groups = np.repeat(np.arange(n_groups), 10)
    p = [sign_test(np.repeat(draw.normal(0, 1, n_groups), 10)[None], groups, draw) for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) < 0.09
    far = [sign_test(np.repeat(draw.normal(1.5, 1, n_groups), 10)[None], groups, draw) for _ in range(20)]
    assert np.mean(np.array(far) <= 0.05) > 0.8
