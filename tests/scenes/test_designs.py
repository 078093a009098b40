from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import PAPER_GRID
from evensight.errors import InputError
from evensight.scenes.designs import CATALOG, Placed, Product, Union, design
from evensight.scenes.factors import COLORS, SHAPES, Factor
from evensight.scenes.placement import MAIN_OBJECT

CROSSED = ("civet-train", "civet-test", "civet-full")

factors = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(
    lambda sizes: tuple(Factor(f"f{k}", tuple(f"v{j}" for j in range(n))) for k, n in enumerate(sizes))
)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("civet-train", (4 * 1 + 1 * 6) * 2 * 81),
        ("civet-test", 4 * 6 * 2 * 81),
        ("civet-full", 4 * 6 * 3 * 2 * 81),
        ("civet-train-photo", (4 * 1 + 1 * 6) * 2 * 81),
    ],
)
def test_the_designs_have_the_papers_sizes(name: str, n: int) -> None:
    assert len(design(name)) == n


def test_the_sizes_that_the_paper_gives() -> None:
    assert [len(design(name)) for name in CATALOG] == [1620, 3888, 11664, 1620]


@given(factors)
def test_a_product_has_every_combination_once_with_the_last_factor_fastest(given: tuple[Factor, ...]) -> None:
    found = Product(given)
    by_hand = [dict(zip(found.factor_names, values, strict=True)) for values in product(*(f.values for f in given))]
    assert [found[k] for k in range(len(found))] == by_hand


@given(factors, st.data())
def test_a_row_does_not_depend_on_the_others(given: tuple[Factor, ...], data: st.DataObject) -> None:
    found = Product(given)
    index = data.draw(st.integers(0, len(found) - 1))
    assert found[index] == Product(given)[index]


def test_a_design_of_a_billion_scenes_takes_no_memory() -> None:
    digits = tuple(str(k) for k in range(10))
    billion = Product(tuple(Factor(f"digit {k}", digits) for k in range(9)))
    assert len(billion) == 10**9
    assert "".join(map(str, billion[123_456_789].values())) == "123456789"


@pytest.mark.parametrize("name", CATALOG)
def test_rows_come_the_same_in_any_order(name: str) -> None:
    forwards = [design(name).rows[k] for k in range(len(design(name)))]
    shuffled = np.random.default_rng(0).permutation(len(forwards))
    again = design(name).rows
    assert all(again[int(k)] == forwards[k] for k in shuffled)


@pytest.mark.parametrize("index", [-1, 1620, 10**9])
@pytest.mark.parametrize("name", ["civet-train", "civet-train-photo"])
def test_a_row_that_is_not_there_raises(name: str, index: int) -> None:
    with pytest.raises(IndexError, match="rows 0 to 1619"):
        design(name).rows[index]


@pytest.mark.parametrize("name", CROSSED)
def test_every_object_is_in_every_cell_exactly_once(name: str) -> None:
    rows = [design(name).rows[k] for k in range(len(design(name)))]
    times = Counter((tuple(v for f, v in row.items() if f != "cell"), row["cell"]) for row in rows)
    assert set(times.values()) == {1}
    objects = {shown for shown, _ in times}
    assert len(times) == len(objects) * 81


@pytest.mark.parametrize("name", CROSSED)
def test_the_cell_is_the_last_digit_of_the_index(name: str) -> None:
    found = design(name)
    assert all(found.cell(k) == PAPER_GRID.cells()[k % 81] for k in range(len(found)))


def _values(name: str, *wanted: str) -> set[tuple[str, ...]]:
    rows = design(name).rows
    return {tuple(str(rows[k][factor]) for factor in wanted) for k in range(len(rows))}


@pytest.mark.parametrize("train", ["civet-train", "civet-train-photo"])
@pytest.mark.parametrize("test", ["civet-test", "civet-full"])
def test_no_combination_of_shape_and_color_is_trained_and_tested(train: str, test: str) -> None:
    assert not _values(train, "shape", "color") & _values(test, "shape", "color")


def test_every_shape_and_color_of_the_test_is_seen_in_training() -> None:
    for factor in ("shape", "color", "size"):
        assert _values("civet-test", factor) <= _values("civet-train", factor)


def test_the_training_objects_are_the_papers() -> None:
    in_white = {(shape, "white") for shape in ("square", "circle", "triangle", "star")}
    plus = {("plus", color) for color in ("red", "green", "blue", "magenta", "yellow", "cyan")}
    assert _values("civet-train", "shape", "color") == in_white | plus


def test_the_control_shows_the_same_objects_as_the_balanced_set() -> None:
    balanced, control = design("civet-train").rows, design("civet-train-photo").rows
    for k in range(1620):
        assert {**balanced[k], "cell": None} == {**control[k], "cell": None}


def test_the_control_is_drawn_by_its_seed() -> None:
    def cells(seed: int) -> list[object]:
        return [design("civet-train-photo", seed).cell(k) for k in range(300)]

    assert cells(1) == cells(1)
    assert cells(1) != cells(2)


def test_an_unknown_design_is_an_input_error_that_names_all_designs() -> None:
    with pytest.raises(InputError) as caught:
        design("civet-trian")
    assert all(name in str(caught.value) for name in ("civet-trian", *CATALOG))
    assert len(str(caught.value).splitlines()) == 1


def _part(shapes: tuple[str, ...], colors: tuple[str, ...]) -> Product:
    return Product((Factor("shape", shapes), Factor("color", colors)))


def test_a_union_is_one_part_after_the_other() -> None:
    found = Union((_part(("square",), ("red", "blue")), _part(("plus",), ("red",))))
    assert [tuple(found[k].values()) for k in range(len(found))] == [
        ("square", "red"),
        ("square", "blue"),
        ("plus", "red"),
    ]


def test_the_parts_of_a_union_share_no_combination() -> None:
    with pytest.raises(ValueError, match="share no combination"):
        Union((_part(("square", "plus"), ("red",)), _part(("plus",), ("blue", "red"))))


def test_the_parts_of_a_union_have_the_same_factors() -> None:
    with pytest.raises(ValueError, match="same factors"):
        Union((_part(("square",), ("red",)), Product((Factor("shape", ("plus",)),))))


@given(factors, factors)
def test_products_overlap_when_a_row_is_in_both(a: tuple[Factor, ...], b: tuple[Factor, ...]) -> None:
    one = Product(a)
    other = Product(tuple(Factor(f.name, tuple(reversed(f.values[-2:]))) for f in b))
    if one.factor_names != other.factor_names:
        return
    rows = [tuple(one[k].values()) for k in range(len(one))]
    shared = set(rows) & {tuple(other[k].values()) for k in range(len(other))}
    assert one.overlaps(other) == bool(shared)


@pytest.mark.parametrize("values", [(), ("red", "red")])
def test_a_factor_without_values_or_with_one_twice_raises(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="different values"):
        Factor("color", values)


def test_a_product_without_factors_or_with_one_twice_raises() -> None:
    twice = Factor("color", ("red",))
    for none_or_two in ((), (twice, twice)):
        with pytest.raises(ValueError, match="different names"):
            Product(none_or_two)


def test_a_placed_design_keeps_all_but_the_cell() -> None:
    base = design("civet-test").rows
    placed = Placed(base, MAIN_OBJECT, seed=5)
    assert len(placed) == len(base)
    assert placed.factor_names == base.factor_names
    assert {**placed[100], "cell": None} == {**base[100], "cell": None}


def test_the_colors_are_different_and_visible_on_black() -> None:
    assert len(set(COLORS.values())) == len(COLORS)
    assert all(max(rgb) == 255 for rgb in COLORS.values())
    assert len(SHAPES) == len(set(SHAPES))
