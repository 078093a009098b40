from math import isnan

import numpy as np
import pytest
from scipy import optimize, stats

from evensight.statistics import equivalence_test
from evensight.statistics.equivalence import AgainstRest, accuracy_under, binomial_chances
from simulated import assert_keeps_its_size


def test_many_questions_in_equal_cells_are_within_the_margin() -> None:
    found = equivalence_test([1800] * 9, [2000] * 9)
    assert found.holds
    assert found.p_value <= 0.05
    assert all(cell.within for cell in found.cells)
    assert found.smallest_delta < 0.05


def test_few_questions_show_nothing_however_equal_the_cells() -> None:
    found = equivalence_test([18] * 9, [20] * 9)
    assert not found.holds
    assert found.smallest_delta > 0.05


def test_one_cell_off_is_enough_and_is_named() -> None:
    found = equivalence_test([1800] * 8 + [1500], [2000] * 9)
    assert not found.holds
    assert [cell.within for cell in found.cells] == [True] * 8 + [False]
    assert found.p_value == max(cell.p_value for cell in found.cells) == found.cells[8].p_value
    assert found.cells[8].deviation == pytest.approx(0.75 - (8 * 0.9 + 0.75) / 9)


def test_the_p_value_is_the_score_tests_where_there_are_many_questions() -> None:
    # Farrington and Manning's z, by their restricted likelihood maximised numerically
    n, n_rest, k, k_rest, delta = 3_000, 24_000, 2_570, 21_600, 0.05
    margin = delta * (n + n_rest) / n_rest

    def unlikely(rest: float) -> float:
        low = stats.binom.logpmf(k, n, rest - margin) + stats.binom.logpmf(k_rest, n_rest, rest)
        return -float(low)

    rest = float(optimize.minimize_scalar(unlikely, bounds=(margin + 1e-6, 1 - 1e-6), method="bounded").x)
    error = np.sqrt((rest - margin) * (1 - rest + margin) / n + rest * (1 - rest) / n_rest)
    expected = stats.norm.sf((k / n - k_rest / n_rest + margin) / error)
    counts = [k, *[k_rest // 8] * 8], [n] * 9
    assert equivalence_test(*counts, delta=delta).cells[0].p_value == pytest.approx(expected, rel=0.05)
    ratio, difference = np.array([n_rest / n]), np.array([-margin])
    under = accuracy_under(np.array([k / n]), np.array([k_rest / n_rest]), ratio, difference)
    assert under[0] + margin == pytest.approx(rest, abs=1e-5)


def test_the_mirror_of_right_and_wrong_changes_nothing() -> None:
    n, k = np.array([400, 500, 450, 600]), np.array([370, 455, 400, 550])
    there, back = equivalence_test(k, n), equivalence_test(n - k, n)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.smallest_delta == pytest.approx(back.smallest_delta)


def test_the_smallest_margin_is_where_the_test_turns() -> None:
    n, k = np.full(9, 300), np.array([270, 268, 275, 260, 271, 269, 280, 266, 270])
    least = equivalence_test(k, n).smallest_delta
    assert equivalence_test(k, n, delta=least + 1e-4).holds
    assert not equivalence_test(k, n, delta=least - 1e-4).holds


def test_cells_without_questions_are_not_spoken_of() -> None:
    found = equivalence_test([1800, 0, 1800], [2000, 0, 2000])
    assert found.n_cells == 2
    assert isnan(found.cells[1].p_value)
    assert not found.cells[1].within
    assert found.p_value == equivalence_test([1800, 1800], [2000, 2000]).p_value


def test_one_cell_is_not_compared_with_itself() -> None:
    found = equivalence_test([5], [10])
    assert isnan(found.p_value)
    assert not found.holds


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, 5.0])
def test_a_margin_that_is_none_raises(delta: float) -> None:
    with pytest.raises(ValueError, match="margin between 0 and 1"):
        equivalence_test([1, 1], [2, 2], delta=delta)


@pytest.mark.parametrize(("n", "p"), [(7, 0.3), (48, 0.99), (3, 1.0), (3, 0.0)])
def test_binomial_chances_are_scipys(n: int, p: float) -> None:
    k = np.arange(-2, n + 3)
    expected = stats.binom.pmf(k, n, p)
    assert binomial_chances(k, np.array(n), np.array(p)).tolist() == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize("n_cells", [2, 9, 81])
@pytest.mark.parametrize(
    ("n", "rest", "delta"), [(48, 0.95, 0.1), (200, 0.9, 0.05), (500, 0.99, 0.05), (500, 0.6, 0.05)]
)
def test_a_cell_just_at_the_margin_is_taken_to_be_within_in_one_of_twenty_cases(
    n_cells: int, n: int, rest: float, delta: float
) -> None:
    rng, draws = np.random.default_rng(3), 2_000
    sizes, n_rest = np.full(draws, n), np.full(draws, n * (n_cells - 1))
    lower = rest - delta * n_cells / (n_cells - 1)
    cells = AgainstRest(sizes, n_rest, rng.binomial(n, lower, draws) / n, rng.binomial(n_rest, rest) / n_rest)
    assert_keeps_its_size(list(cells.p_values(delta)))
    assert n < 500 or np.mean(cells.p_values(delta) <= 0.05) > 0.03  # nor is it shy where there is much to see
    mirrored = AgainstRest(sizes, n_rest, 1 - cells.share, 1 - cells.share_rest)
    assert_keeps_its_size(list(mirrored.p_values(delta)))


def test_the_whole_test_keeps_its_size_and_is_not_idle() -> None:
    # one cell at the margin, the others within it and with enough questions to be seen there
    rng, n = np.random.default_rng(4), np.full(9, 800)
    p = np.full(9, 0.9)
    p[4] = 0.9 - 0.05 * 9 / 8
    p_values = [AgainstRest.of(rng.binomial(n, p), n).p_values(0.05).max() for _ in range(1_000)]
    assert_keeps_its_size(p_values)
    assert np.mean(np.array(p_values) <= 0.05) > 0.02
