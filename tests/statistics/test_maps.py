import numpy as np
import pytest
from scipy import special

from evensight.statistics import QUADRATIC, TERMS, smooth_map
from evensight.statistics.maps import _design
from simulated import assert_covers

GRID = (9, 9)


def test_the_frame_has_rows_down_columns_right_and_edges_at_one() -> None:
    top_left, center, right_of_center = _design([0, 40, 44], GRID, TERMS)
    corner = 8 / 9
    assert top_left.tolist() == pytest.approx(
        [1, -corner, -corner, np.hypot(corner, corner), corner**2] + [corner**2] * 2
    )
    assert center.tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert right_of_center.tolist() == pytest.approx([1, 0, corner, corner, 0, corner**2, 0])


def test_a_map_falls_to_the_side_where_answers_are_wrong() -> None:
    rng, cells = np.random.default_rng(0), np.tile(np.arange(81), 40)
    found = smooth_map(rng.random(cells.size) < np.where(cells % 9 > 5, 0.5, 0.9), cells, GRID)
    by_name = {each.name: each for each in found.fit.coefficients}
    assert by_name["column"].high < 0
    assert by_name["row"].low < 0 < by_name["row"].high
    assert found.accuracy[4, 0] > found.accuracy[4, 8]
    assert found.fit.joint.p_value < 1e-6


def test_turning_the_grid_turns_the_map() -> None:
    rng, cells = np.random.default_rng(1), np.tile(np.arange(81), 10)
    correct = rng.random(cells.size) < special.expit(2 - cells / 40)
    there, back = smooth_map(correct, cells, GRID), smooth_map(correct, 9 * (cells % 9) + cells // 9, GRID)
    assert np.allclose(back.accuracy, there.accuracy.T)
    assert np.allclose(back.low, there.low.T)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_bands_cover_a_map_that_is_smooth(simultaneous: bool) -> None:
    rng, cells = np.random.default_rng(2), np.tile(np.arange(81), 12)
    truth = special.expit(_design(np.arange(81), GRID, ["row", "column", "distance"]) @ [1.5, 0.4, -0.2, -0.8])
    truth = truth.reshape(GRID)
    pointwise, all_at_once = [], []
    for _ in range(300):
        found = smooth_map(rng.random(cells.size) < truth.ravel()[cells], cells, GRID, simultaneous=simultaneous)
        inside = (found.low <= truth) & (truth <= found.high)
        pointwise.append(bool(inside[7, 2]))
        all_at_once.append(bool(inside.all()))
    if simultaneous:
        assert_covers(all_at_once, most=1.0)
    else:
        assert_covers(pointwise)
        assert np.mean(all_at_once) < 0.93


def test_a_grid_of_one_row_has_no_row_term() -> None:
    with pytest.raises(ValueError, match="can't be told apart"):
        smooth_map([True, False, True, True], [0, 1, 2, 3], (1, 4))
    assert smooth_map([True, False, True, True], [0, 1, 2, 3], (1, 4), terms=["column"]).accuracy.shape == (1, 4)


def test_an_unknown_term_raises_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"row, column, distance, .+, got colour"):
        smooth_map([True], [0], GRID, terms=["colour"])


def test_quadratic_terms_find_a_bad_middle() -> None:
    rng, cells = np.random.default_rng(3), np.tile(np.arange(81), 40)
    off = np.hypot(cells // 9 - 4, cells % 9 - 4)
    found = smooth_map(rng.random(cells.size) < special.expit(off / 2), cells, GRID, terms=QUADRATIC)
    assert found.high[4, 4] < found.low[0, 0]
