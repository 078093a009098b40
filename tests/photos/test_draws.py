from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evensight.errors import InputError
from evensight.photos.draws import Draw, available, drawn

Objects = list[tuple[int, str]]
"""The area and the category of each object; its id is its place."""
objects = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["cat", "dog"])), max_size=80)
CROSSED = [(area, name) for area in range(9) for name in ("cat", "dog")]


def of(draw: Draw, things: Objects, seed: int = 0, ids: list[int] | None = None) -> list[int]:
    return drawn(
        draw, [area for area, _ in things], [name for _, name in things], ids or list(range(len(things))), seed
    )


@given(objects, st.integers(0, 5))
def test_by_default_all_are_taken(things: Objects, seed: int) -> None:
    assert of(Draw(), things, seed) == list(range(len(things)))


@given(objects, st.integers(1, 80), st.integers(0, 5))
def test_as_many_as_asked_for(things: Objects, n: int, seed: int) -> None:
    if n > len(things):
        with pytest.raises(
            InputError, match=rf"`{n:,}` photographs' objects are asked for, and there are {len(things):,}"
        ):
            of(Draw(n=n), things, seed)
    else:
        taken = of(Draw(n=n), things, seed)
        assert len(set(taken)) == n
        assert taken == sorted(taken)


@given(objects, st.integers(0, 5))
def test_a_balanced_draw_has_equally_many_of_each_area(things: Objects, seed: int) -> None:
    there = Counter(area for area, _ in things)
    least = min(there[area] for area in range(9))
    if least == 0:
        with pytest.raises(InputError, match="no balanced set can be drawn"):
            of(Draw(balance="area"), things, seed)
        return
    taken = Counter(things[k][0] for k in of(Draw(balance="area"), things, seed))
    assert taken == dict.fromkeys(range(9), least)


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["cat", "dog"])), max_size=60), st.integers(0, 5))
def test_a_draw_balanced_by_category_has_equally_many_of_each_pair(more: Objects, seed: int) -> None:
    things = [*CROSSED, *more]
    taken = Counter(things[k] for k in of(Draw(balance="area-category"), things, seed))
    for name in ("cat", "dog"):
        least = min(things.count((area, name)) for area in range(9))
        assert {taken[area, name] for area in range(9)} == {least}


def test_a_category_that_is_not_in_all_areas_is_left_out_of_a_draw_by_category() -> None:
    things = [*((area, "cat") for area in range(9)), (0, "dog"), (1, "dog")]
    assert of(Draw(balance="area-category"), things) == list(range(9))
    with pytest.raises(InputError, match="no category has an object in each of the nine areas"):
        of(Draw(balance="area-category"), things[1:])


def test_so_many_of_each_area() -> None:
    things = [*CROSSED, *CROSSED]
    assert Counter(things[k][0] for k in of(Draw(balance="area", per_area=3), things)) == dict.fromkeys(range(9), 3)
    with pytest.raises(InputError, match="`5` objects of each area are asked for, and `top left` has 4"):
        of(Draw(balance="area", per_area=5), things)


@given(st.permutations(range(30)), st.integers(1, 30))
def test_what_is_drawn_depends_on_ids_and_not_on_the_order(order: list[int], n: int) -> None:
    things = [(0, "cat")] * 30
    taken = {order[k] for k in of(Draw(n=n), things, ids=order)}
    assert taken == set(of(Draw(n=n), things))


@given(st.integers(2, 29), st.integers(0, 5))
def test_what_falls_out_is_replaced_and_the_rest_stays(n: int, seed: int) -> None:
    things = [(0, "cat")] * 30
    before = of(Draw(n=n), things, seed)
    left = [k for k in range(30) if k != before[0]]
    after = {left[k] for k in of(Draw(n=n), things[1:], seed, left)}
    assert set(before[1:]) < after
    assert len(after) == n


def test_another_seed_draws_others() -> None:
    things = [(0, "cat")] * 200
    assert len({tuple(of(Draw(n=20), things, seed)) for seed in range(5)}) == 5


def test_every_object_is_drawn_about_equally_often() -> None:
    n_seeds, things = 400, [(0, "cat")] * 20
    times = Counter(k for seed in range(n_seeds) for k in of(Draw(n=5), things, seed))
    # A quarter of 400 draws: 100 with a standard deviation of 8.7; 5 of these on either side.
    assert all(abs(times[k] - 100) < 44 for k in range(20))


def test_what_there_is_to_draw_from() -> None:
    assert available([0, 0, 8, 4], ["dog", "cat", "cat", "dog"]) == {
        "cat": (1, 0, 0, 0, 0, 0, 0, 0, 1),
        "dog": (1, 0, 0, 0, 1, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    "settings",
    [{"n": 5, "balance": "area"}, {"n": 5, "like": "civet-train"}, {"per_area": 3}, {"n": 0}, {"balance": "cell"}],
)
def test_draws_that_can_not_be(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Draw.model_validate(settings)
