from math import isnan

import numpy as np
import pytest
from scipy import stats

from evensight.statistics import (
    detectable_difference,
    detectable_drop,
    equivalence_power,
    planning,
    questions_per_cell,
    uniformity_test,
)
from evensight.statistics.equivalence import AgainstRest


@pytest.mark.parametrize(("accuracy", "n_cells", "delta"), [(0.9, 9, 0.1), (0.95, 81, 0.05), (0.7, 2, 0.1)])
def test_as_many_questions_as_said_give_the_power_that_was_asked_for(
    accuracy: float, n_cells: int, delta: float
) -> None:
    rng, n = np.random.default_rng(0), questions_per_cell(accuracy, n_cells, delta)
    sizes = np.full(n_cells, n)
    passed = [AgainstRest.of(rng.binomial(sizes, accuracy), sizes).p_values(delta).max() <= 0.05 for _ in range(400)]
    assert np.mean(passed) == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 400) + 0.01)


def test_fewer_questions_than_said_are_not_enough() -> None:
    n = questions_per_cell(0.9, 9, 0.1, power=0.9)
    assert equivalence_power(n, 0.9, 9, 0.1) >= 0.9 > equivalence_power(n - 1, 0.9, 9, 0.1)
    assert equivalence_power(n // 4, 0.9, 9, 0.1) < 0.1


@pytest.mark.parametrize(("accuracy", "n_cells", "delta"), [(0.95, 9, 0.05), (0.9, 81, 0.1)])
def test_from_as_many_questions_as_said_the_power_is_kept(accuracy: float, n_cells: int, delta: float) -> None:
    n = questions_per_cell(accuracy, n_cells, delta)
    assert n > 200
    powers = [equivalence_power(m, accuracy, n_cells, delta) for m in range(n - 1, n + n // 50)]
    assert powers[0] < 0.8 <= min(powers[1:])


def test_a_number_behind_which_the_power_falls_again_is_not_enough() -> None:
    powers = [equivalence_power(n, 0.99, 9, 0.3) for n in range(1, 14)]
    assert powers[7] >= 0.5 > powers[8]  # of 8 and of 9 questions
    assert min(powers[9:]) >= 0.5
    assert questions_per_cell(0.99, 9, 0.3, power=0.5) == 10


@pytest.mark.parametrize(("accuracy", "n_cells", "delta"), [(0.95, 9, 0.05), (0.6, 2, 0.1)])
def test_many_numbers_at_once_have_the_power_of_each(accuracy: float, n_cells: int, delta: float) -> None:
    n = np.array([210, 333, 1500])
    found = planning._powers(n, accuracy, n_cells, delta, 0.05)
    expected = [equivalence_power(int(m), accuracy, n_cells, delta) for m in n]
    assert expected[0] < expected[-1]
    assert found == pytest.approx(expected, abs=1e-7)


def test_more_cells_more_power_and_a_smaller_margin_need_more_questions() -> None:
    base = questions_per_cell(0.9, 9, 0.1)
    assert questions_per_cell(0.9, 81, 0.1) > base
    assert questions_per_cell(0.9, 9, 0.1, power=0.95) > base
    assert questions_per_cell(0.9, 9, 0.05) > 3 * base


def test_the_drop_that_the_uniformity_test_sees_is_seen_as_often_as_said() -> None:
    rng, n, p = np.random.default_rng(1), np.full(81, 48), np.full(81, 0.8)
    p[40] -= detectable_drop(48, 0.8, 81)
    seen = [uniformity_test(rng.binomial(n, p), n, rng, 99).p_value <= 0.05 for _ in range(300)]
    assert np.mean(seen) == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 300) + 0.02)


def test_a_few_questions_see_no_drop_at_all() -> None:
    assert isnan(detectable_drop(1, 0.3, 81))


@pytest.mark.parametrize(("n", "discordant"), [(60, 0.4), (400, 0.1), (3_888, 0.05)])
def test_the_difference_that_mcnemar_sees_is_seen_as_often_as_said(n: int, discordant: float) -> None:
    difference = detectable_difference(n, discordant)
    rng = np.random.default_rng(2)
    pairs = rng.binomial(n, discordant, 20_000)
    won = rng.binomial(pairs, (1 + difference / discordant) / 2)
    less = np.minimum(won, pairs - won)
    p_values = np.minimum(1, 2 * stats.binom.cdf(less, pairs, 0.5))
    assert np.mean(p_values <= 0.05) == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 20_000))


def test_runs_that_agree_almost_everywhere_show_no_difference() -> None:
    assert isnan(detectable_difference(50, 0.02))


def test_more_questions_see_smaller_differences() -> None:
    assert detectable_difference(4_000, 0.1) < detectable_difference(400, 0.1) < 0.1


@pytest.mark.parametrize(("accuracy", "n_cells", "delta"), [(1.0, 9, 0.1), (0.9, 1, 0.1), (0.9, 9, 0.0)])
def test_numbers_out_of_range_raise(accuracy: float, n_cells: int, delta: float) -> None:
    with pytest.raises(ValueError, match="`"):
        questions_per_cell(accuracy, n_cells, delta)


def test_what_no_number_of_questions_shows_raises() -> None:
    with pytest.raises(ValueError, match="more than 10,000,000 questions"):
        questions_per_cell(0.5, 9, 1e-5)


def test_a_share_of_discordant_questions_that_is_none_raises() -> None:
    with pytest.raises(ValueError, match="discordant"):
        detectable_difference(100, 0.0)
