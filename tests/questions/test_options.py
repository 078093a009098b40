from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Grid
from evensight.questions.options import crossed_slot, dealt_slots, order_options

N_SHOWN = 48  # the objects of civet-test: 4 shapes x 6 colours x 2 sizes


def unevenness(slots: Sequence[int], n_options: int = 9) -> int:
    """The difference between the most and the least frequent slot."""
    counts = [Counter(slots)[slot] for slot in range(n_options)]
    return max(counts) - min(counts)


@given(st.integers(2, 9), st.data())
def test_the_answer_stands_at_its_slot_among_all_options(n: int, data: st.DataObject) -> None:
    options = AREAS[:n]
    answer = data.draw(st.sampled_from(options))
    slot = data.draw(st.integers(0, n - 1))
    ordered = order_options(options, answer, slot, np.random.default_rng(data.draw(st.integers(0, 99))))
    assert ordered[slot] == answer
    assert sorted(ordered) == sorted(options)


def test_the_order_of_the_others_is_drawn() -> None:
    rng = np.random.default_rng(0)
    at_first = Counter(order_options(AREAS, "center", 4, rng)[0] for _ in range(1600))
    assert set(at_first) == set(AREAS) - {"center"}
    assert max(at_first.values()) < 260  # 200 are expected, with a standard deviation of 13


def test_the_same_generator_gives_the_same_order() -> None:
    orders = {order_options(AREAS, "center", 4, np.random.default_rng(7)) for _ in range(3)}
    assert len(orders) == 1


@pytest.mark.parametrize("slot", [-1, 9])
def test_a_slot_that_is_not_there_raises(slot: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 8"):
        order_options(AREAS, "center", slot, np.random.default_rng(0))


def test_an_answer_that_is_no_option_raises() -> None:
    with pytest.raises(ValueError, match="middle"):
        order_options(AREAS, "middle", 0, np.random.default_rng(0))


def crossed() -> list[tuple[int, int, int, str, int]]:
    """Object, row, column, area and slot of all questions of civet-test."""
    return [
        (shown, cell.row, cell.col, PAPER_GRID.area_of(cell), crossed_slot(cell, PAPER_GRID, shown, 9))
        for shown in range(N_SHOWN)
        for cell in PAPER_GRID.cells()
    ]


@pytest.mark.parametrize(("place", "name"), [(1, "row"), (2, "column"), (3, "area")])
def test_every_object_has_every_slot_once_in_each_row_column_and_area(place: int, name: str) -> None:
    times = Counter((question[0], question[place], question[4]) for question in crossed())
    assert len(times) == N_SHOWN * 9 * 9, name
    assert set(times.values()) == {1}, name


def test_the_slots_of_a_cell_differ_by_one_question_at_most() -> None:
    for cell in PAPER_GRID.cells():
        assert unevenness([crossed_slot(cell, PAPER_GRID, shown, 9) for shown in range(N_SHOWN)]) <= 1


@pytest.mark.parametrize("divisor", [1, 2, 12, 24])
def test_any_set_of_objects_has_all_slots_equally_often_in_each_area(divisor: int) -> None:
    times = Counter((shown // divisor, area, slot) for shown, _, _, area, slot in crossed())
    assert set(times.values()) == {divisor}


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(4, 7), Grid(12, 12)])
def test_the_slots_of_a_cell_are_even_on_other_grids(grid: Grid) -> None:
    for cell in grid.cells():
        assert unevenness([crossed_slot(cell, grid, shown, 9) for shown in range(20)]) <= 1


questions = st.lists(
    st.tuples(
        st.sampled_from(("top", "center", "bottom")), st.integers(0, 2), st.integers(0, 2), st.sampled_from("abcd")
    ),
    max_size=120,
)
"""For each question its place on three levels, from the widest to the narrowest, and its kind."""


def deal(asked: Sequence[tuple[Hashable, ...]], n_options: int, seed: int = 0) -> list[int]:
    kinds = [question[-1] for question in asked]
    return dealt_slots([question[:-1] for question in asked], kinds, n_options, np.random.default_rng(seed))


@given(questions, st.integers(2, 9))
def test_dealt_slots_are_even_in_every_place_and_every_wider_one(
    asked: list[tuple[Hashable, ...]], n_options: int
) -> None:
    slots = deal(asked, n_options)
    for depth in range(4):
        for group in {question[:depth] for question in asked}:
            dealt = [slot for slot, question in zip(slots, asked, strict=True) if question[:depth] == group]
            assert unevenness(dealt, n_options) <= 1


@given(questions, st.integers(2, 9))
def test_dealt_slots_are_even_in_every_kind_at_the_same_time(
    asked: list[tuple[Hashable, ...]], n_options: int
) -> None:
    slots = deal(asked, n_options)
    for kind in "abcd":
        dealt = [slot for slot, question in zip(slots, asked, strict=True) if question[-1] == kind]
        assert unevenness(dealt, n_options) <= 1


@given(questions)
def test_there_is_one_slot_a_question(asked: list[tuple[Hashable, ...]]) -> None:
    slots = deal(asked, 9)
    assert len(slots) == len(asked)
    assert set(slots) <= set(range(9))


def test_slots_are_dealt_by_the_generator_alone() -> None:
    asked = [("top", k % 3, k % 5, "abcd"[k % 4]) for k in range(100)]
    assert deal(asked, 9) == deal(asked, 9)
    assert deal(asked, 9) != deal(asked, 9, seed=1)
