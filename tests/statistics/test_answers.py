from math import isnan

import numpy as np
import pytest
from scipy import stats

from evensight.statistics import answer_bias, centrality, displacements, pull
from evensight.statistics.estimates import Floats, Ints
from simulated import assert_covers, assert_keeps_its_size


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def symmetric(rate: float = 0.3) -> Floats:
    """The chances of each answer for each right one: neighbours are mistaken for one another, both ways alike."""
    y, x = np.indices((3, 3)).reshape(2, -1)
    near = np.exp(-np.hypot(y[:, None] - y, x[:, None] - x)) * (1 - np.eye(9))
    chances = rate * near / near.sum(axis=1).max()
    return np.asarray(chances + np.diag(1 - chances.sum(axis=1)), dtype=np.float64)


def drawn(chances: Floats, asked: Ints, of: np.random.Generator) -> Ints:
    return np.stack([of.multinomial(n, row) for n, row in zip(asked, chances, strict=True)])


def test_stuart_and_maxwells_statistic_for_two_answers_is_mcnemars() -> None:
    found = answer_bias([[50, 20], [8, 30]], rng())
    assert found.test.statistic == pytest.approx((20 - 8) ** 2 / (20 + 8))
    assert found.test.p_value == pytest.approx(stats.binomtest(8, 28).pvalue, abs=0.01)
    assert found.moved == pytest.approx(12 / 108)


def test_stuart_and_maxwells_statistic_for_three_answers_by_the_closed_form() -> None:
    # Fleiss and Everitt 1971: sum of mean off-diagonal counts times squared differences
    table = np.array([[20, 10, 5], [3, 30, 15], [0, 5, 40]])
    d = table.sum(axis=1) - table.sum(axis=0)
    m = (table + table.T) / 2
    top = m[1, 2] * d[0] ** 2 + m[0, 2] * d[1] ** 2 + m[0, 1] * d[2] ** 2
    bottom = 2 * (m[0, 1] * m[1, 2] + m[0, 1] * m[0, 2] + m[0, 2] * m[1, 2])
    found = answer_bias(table, rng(), 20_000)
    assert found.test.statistic == pytest.approx(top / bottom)
    assert found.test.p_value == pytest.approx(stats.chi2.sf(top / bottom, 2), abs=0.005)


def test_each_answers_difference_is_paired_by_question() -> None:
    found = answer_bias([[6, 4], [1, 9]], rng())
    assert [each.estimate for each in found.differences] == pytest.approx([-3 / 20, 3 / 20])
    assert found.differences[0].p_value == pytest.approx(stats.binomtest(1, 5).pvalue)
    assert found.p_corrected[0] == pytest.approx(min(1.0, 2 * found.differences[0].p_value))


def test_right_answers_alone_have_no_bias() -> None:
    found = answer_bias(np.diag([5, 6, 7]), rng())
    assert (found.test.p_value, found.moved, found.moved_by_chance) == (1.0, 0.0, 0.0)
    assert isnan(answer_bias(np.zeros((9, 9)), rng()).moved)


def test_the_bias_test_keeps_its_size_and_finds_a_favourite_answer() -> None:
    of, asked = rng(1), np.full(9, 40)
    p_values = [answer_bias(drawn(symmetric(), asked, of), of, 199).test.p_value for _ in range(200)]
    assert_keeps_its_size(p_values)
    favourite = symmetric()
    favourite[:, 4] += 0.15
    favourite /= favourite.sum(axis=1, keepdims=True)
    found = [answer_bias(drawn(favourite, asked, of), of, 199) for _ in range(50)]
    assert np.mean([each.test.p_value <= 0.05 for each in found]) > 0.9
    assert np.mean([each.moved - each.moved_by_chance for each in found]) > 0.03


def test_what_chance_makes_of_the_distance_is_what_it_is_without_bias() -> None:
    of, asked = rng(2), np.full(9, 40)
    found = [answer_bias(drawn(symmetric(), asked, of), of, 199) for _ in range(100)]
    # right answers are as many each by design, so the observed one varies a little less than under swaps
    assert np.mean([each.moved for each in found]) == pytest.approx(
        np.mean([each.moved_by_chance for each in found]), rel=0.1
    )


def test_the_pull_by_hand() -> None:
    # from 0: one wrong answer, +1; from 1: three wrong answers, -1 each; as many questions each
    assert pull([[9, 1], [3, 7]], [0, 1], rng()).estimate == pytest.approx((1 - 3) / 4)
    # from 1 there were 20 questions: 3 of them weigh as much as 1.5 of 10
    assert pull([[9, 1], [3, 17]], [0, 1], rng()).estimate == pytest.approx((1 - 1.5) / 2.5)


def test_the_pulls_p_value_is_the_binomial_one() -> None:
    found = pull([[9, 1], [8, 2]], [0, 1], rng(), 20_000)
    assert found.p_value == pytest.approx(stats.binomtest(1, 9).pvalue, abs=0.01)
    assert found.n == 9


def test_errors_between_neighbours_pull_nowhere_though_corners_lie_at_the_edge() -> None:
    table = np.rint(1000 * symmetric())
    found = pull(table, centrality(), rng(), 999)
    assert found.estimate == pytest.approx(0.0, abs=0.01)
    assert found.p_value > 0.5


@pytest.mark.parametrize(
    "asked", [np.full(9, 40), np.array([80, 20, 80, 20, 200, 20, 80, 20, 80])], ids=["even", "uneven"]
)
def test_the_pull_test_keeps_its_size_and_its_interval_covers(asked: Ints) -> None:
    of = rng(3)
    found = [pull(drawn(symmetric(), asked, of), centrality(), of, 199) for _ in range(1_000)]
    assert_keeps_its_size([each.p_value for each in found])
    assert_covers([each.low <= 0 <= each.high for each in found])


def test_a_pull_to_the_centre_is_found_and_covered() -> None:
    of, chances = rng(4), symmetric(0.2)
    chances[:, 4] += 0.08
    chances /= chances.sum(axis=1, keepdims=True)
    truth = pull(np.rint(1e7 * chances), centrality(), of, 9).estimate
    found = [pull(drawn(chances, np.full(9, 60), of), centrality(), of, 199) for _ in range(600)]
    assert_covers([each.low <= truth <= each.high for each in found])
    assert np.mean([each.p_value <= 0.05 for each in found]) > 0.8


def test_no_wrong_answers_pull_nowhere_that_can_be_said() -> None:
    assert isnan(pull(np.diag([3, 4]), [0, 1], rng()).estimate)
    assert isnan(pull([[3, 1], [0, 4]], [0, 1], rng()).low)


def test_mirroring_the_areas_mirrors_the_displacements() -> None:
    table = rng(5).integers(0, 12, (9, 9))
    mirror = np.arange(9).reshape(3, 3)[:, ::-1].ravel()
    there, back = displacements(table), displacements(table[np.ix_(mirror, mirror)])
    for area, image in zip(there, (back[k] for k in mirror), strict=True):
        assert image.dx.estimate == pytest.approx(-area.dx.estimate)
        assert (image.dx.low, image.dx.high) == pytest.approx((-area.dx.high, -area.dx.low))
        assert image.dy == area.dy


def test_displacements_by_hand() -> None:
    table = np.zeros((9, 9), dtype=int)
    table[0, [0, 1, 2, 8]] = (
        5,
        2,
        1,
        1,
    )  # from the top left: two one step right, one two steps, one two right, two down
    found = displacements(table)[0]
    assert (found.n, found.dx.estimate, found.dy.estimate) == (4, 6 / 4, 2 / 4)
    assert found.dx.low < 6 / 4 < found.dx.high <= 2
    assert isnan(displacements(table)[1].dx.estimate)


def test_wrong_answers_that_agree_still_have_an_interval() -> None:
    table = np.zeros((9, 9), dtype=int)
    table[0, 1] = 3
    found = displacements(table)[0].dx
    assert found.estimate == 1.0
    assert found.low < 0.9


def test_the_displacements_interval_covers() -> None:
    of, chances = rng(6), symmetric(0.5)
    wrong = chances[3] * (np.arange(9) != 3)
    truth = float((wrong.reshape(3, 3).sum(axis=0) @ np.arange(3)) / wrong.sum())
    hits = []
    for _ in range(1_000):
        table = np.zeros((9, 9), dtype=np.int64)
        table[3] = of.multinomial(120, chances[3])
        found = displacements(table)[3].dx
        hits.append(found.low <= truth <= found.high)
    assert_covers(hits)


def test_a_table_that_is_not_square_raises() -> None:
    with pytest.raises(ValueError, match="as many each"):
        answer_bias(np.zeros((9, 10)), rng())
    with pytest.raises(ValueError, match="`score`"):
        pull(np.eye(9), [1, 2], rng())
    with pytest.raises(ValueError, match="3 x 3"):
        displacements(np.eye(4))


def test_with_more_questions_on_one_side_the_pulls_p_value_is_by_rates() -> None:
    # 12 were mistaken, of 30 and 10 questions: under equal rates each is one of the 30 with a chance of 3/4
    found = pull([[25, 5], [7, 3]], [0, 1], rng(), 20_000)
    k = np.arange(13)
    off = np.abs(k / 30 - (12 - k) / 10)
    expected = stats.binom.pmf(k, 12, 0.75)[off >= off[5] - 1e-9].sum()
    assert found.p_value == pytest.approx(expected, abs=0.01)


def test_the_pulls_error_is_that_of_two_rates() -> None:
    found = pull([[80, 20], [30, 20]], [0, 1], rng(), 9)
    there, back = 0.2, 0.6  # the pull is (there - back) / (there + back)
    total = (there + back) ** 2
    of_there, of_back = there * (1 - there) / 99, back * (1 - back) / 49
    error = np.sqrt((2 * back / total) ** 2 * of_there + (2 * there / total) ** 2 * of_back)
    assert found.estimate == pytest.approx(-0.5)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 49) * error)
