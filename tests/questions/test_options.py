import os
import subprocess
import sys
from collections import Counter
from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Grid
from evensight.questions.options import crossed_slot, dealt_slots, order_options, rank_slot

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
    ordered = order_options(options, answer, slot, data.draw(st.integers(0, 99)), 0)
    assert ordered[slot] == answer
    assert sorted(ordered) == sorted(options)


def test_the_order_of_the_others_is_drawn() -> None:
    at_first = Counter(order_options(AREAS, "center", 4, 0, index)[0] for index in range(1600))
    assert set(at_first) == set(AREAS) - {"center"}
    assert max(at_first.values()) < 260  # 200 are expected, with a standard deviation of 13


def test_the_order_is_a_function_of_seed_and_index() -> None:
    assert order_options(AREAS, "center", 4, 7, 3) == order_options(AREAS, "center", 4, 7, 3)
    orders = {order_options(AREAS, "center", 4, seed, index) for seed in range(5) for index in range(5)}
    assert len(orders) == 25


@pytest.mark.parametrize("slot", [-1, 9])
def test_a_slot_that_is_not_there_raises(slot: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 8"):
        order_options(AREAS, "center", slot, 0, 0)


def test_an_answer_that_is_no_option_raises() -> None:
    with pytest.raises(ValueError, match="middle"):
        order_options(AREAS, "middle", 0, 0, 0)


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


@given(st.lists(st.integers(0, 8), max_size=150), st.integers(2, 9))
def test_rank_slots_are_even_under_each_answer(answers: list[int], n_slots: int) -> None:
    seen: Counter[int] = Counter()
    dealt: dict[int, list[int]] = {}
    for answer in (answer % n_slots for answer in answers):
        dealt.setdefault(answer, []).append(rank_slot(answer, seen[answer], n_slots))
        seen[answer] += 1
    assert all(unevenness(slots, n_slots) <= 1 for slots in dealt.values())


def test_rank_slots_are_even_over_all_where_the_answers_are() -> None:
    # 3 questions of each of 4 answers: 12 questions, each of 4 slots 3 times, though no answer has each slot.
    slots = [rank_slot(answer, rank, 4) for answer in range(4) for rank in range(3)]
    assert Counter(slots) == {0: 3, 1: 3, 2: 3, 3: 3}


Asked = tuple[tuple[Hashable, ...], tuple[Hashable, ...]]

questions = st.lists(
    st.tuples(
        st.tuples(st.sampled_from(("top", "center", "bottom")), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.sampled_from("ab"), st.integers(0, 2)),
    ),
    max_size=120,
)
"""For each question its place on three levels and its kind on two, from the widest to the narrowest."""


def deal(asked: Sequence[Asked], n_slots: int, seed: int = 0) -> list[int]:
    return dealt_slots([place for place, _ in asked], [kind for _, kind in asked], n_slots, seed)


@given(questions, st.integers(2, 9))
def test_dealt_slots_are_even_in_every_place_and_kind_and_all_wider_ones(asked: list[Asked], n_slots: int) -> None:
    slots = deal(asked, n_slots)
    for side, n_levels in ((0, 3), (1, 2)):
        for depth in range(n_levels + 1):
            dealt: dict[Hashable, list[int]] = {}
            for slot, question in zip(slots, asked, strict=True):
                dealt.setdefault(question[side][:depth], []).append(slot)
            assert all(unevenness(group, n_slots) <= 1 for group in dealt.values())


@given(questions)
def test_there_is_one_slot_a_question(asked: list[Asked]) -> None:
    slots = deal(asked, 9)
    assert len(slots) == len(asked)
    assert set(slots) <= set(range(9))


def test_slots_are_dealt_by_the_seed_alone() -> None:
    asked: list[Asked] = [(("top", k % 3, k % 5), ("abcd"[k % 4],)) for k in range(100)]
    assert deal(asked, 9) == deal(asked, 9)
    assert deal(asked, 9) != deal(asked, 9, seed=1)


ANOTHER_PROCESS = """
from evensight.questions.options import dealt_slots
print(dealt_slots([("top", "abcde"[k % 5]) for k in range(60)], [("xyz"[k % 3],) for k in range(60)], 9, 0))
"""


def test_slots_do_not_depend_on_the_process() -> None:
    def dealt(hash_seed: str) -> str:
        command = [sys.executable, "-c", ANOTHER_PROCESS]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert dealt("1") == dealt("2")


def test_slots_within_one_place_and_kind_are_not_in_an_order() -> None:
    asked: list[Asked] = [(("top",), ("a",))] * 90
    slots = deal(asked, 9)
    assert Counter(slots) == dict.fromkeys(range(9), 10)
    assert slots not in (sorted(slots), sorted(slots, reverse=True))


def test_slots_of_a_crossed_property_are_even_under_answer_object_area_and_cell() -> None:
    asked: list[Asked] = [
        ((PAPER_GRID.area_of(cell), cell), (shown % 6, shown)) for shown in range(24) for cell in PAPER_GRID.cells()
    ]
    slots = deal(asked, 6)
    for side in (0, 1):
        for depth in (1, 2):
            dealt: dict[Hashable, list[int]] = {}
            for slot, question in zip(slots, asked, strict=True):
                dealt.setdefault(question[side][:depth], []).append(slot)
            assert all(unevenness(group, 6) <= 1 for group in dealt.values())
