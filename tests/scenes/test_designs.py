"""The algebra of designs, against sets made by brute force."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import product
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import Grid
from evensight.errors import InputError
from evensight.scenes.catalog import design
from evensight.scenes.designs import Crossed, Design, Minus, Placed, Product, Row, Split, Union, hold_out
from evensight.scenes.factors import COLORS, Factor, Value, cell_factor
from evensight.scenes.placement import MAIN_OBJECT
from evensight.scenes.shapes import SHAPES

Selected = dict[str, tuple[Value, ...]]
Known = frozenset[tuple[Value, ...]]
CELLS = Grid(3, 3).cells()

factors = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(
    lambda sizes: tuple(Factor(f"f{k}", tuple(f"v{j}" for j in range(n))) for k, n in enumerate(sizes))
)


@st.composite
def products(draw: st.DrawFn, names: Sequence[str] = ("a", "b", "c")) -> Product:
    """A product of some values of three factors, and of the cell or not."""
    with_cell = draw(st.booleans())
    some: tuple[Value, ...] = ("x", "y", 3, 0.5)
    values = [draw(st.lists(st.sampled_from(some), min_size=1, max_size=4, unique=True)) for _ in names]
    cells = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4, unique=True))
    found = tuple(Factor(name, tuple(each)) for name, each in zip(names, values, strict=True))
    return Product((*found, Factor("cell", tuple(cells))) if with_cell else found)


def selections(of: Design) -> st.SearchStrategy[dict[str, tuple[Value, ...]]]:
    """Some values of some of a design's factors."""

    def some(name: str) -> st.SearchStrategy[tuple[Value, ...]]:
        return st.lists(st.sampled_from(of.values(name)), min_size=1, max_size=3, unique=True).map(tuple)

    chosen = st.lists(st.sampled_from(of.factor_names), min_size=1, max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: some(name) for name in names}))


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """A product after up to three operations."""
    found: Design = draw(products())
    for _ in range(draw(st.integers(0, 3))):
        selection = draw(selections(found))
        match draw(st.sampled_from(("minus", "where", "crossed"))):
            case "minus":
                found = _or_as_it_was(found, found.__sub__, selection)
            case "where":
                found = _or_as_it_was(found, found.where, selection)
            case _ if "extra" not in found.factor_names:
                found = found.crossed(Factor("extra", (1, 2, 3)))
    return found


def _or_as_it_was(found: Design, changed: Callable[[Selected], Design], selection: Selected) -> Design:
    try:
        return changed(selection)
    except InputError:
        return found


def rows_of(found: Design) -> list[Row]:
    return [found[k] for k in range(len(found))]


def known(found: Design) -> Known:
    rows = rows_of(found)
    assert len({tuple(row.values()) for row in rows}) == len(rows), "a row is there twice"
    return frozenset(tuple(row.values()) for row in rows)


def has(row: Mapping[str, Value], selection: Mapping[str, Sequence[Value]]) -> bool:
    return all(row[name] in values for name, values in selection.items())


def kept(rows: Iterable[Row], selection: Mapping[str, Sequence[Value]], *, wanted: bool) -> Known:
    return frozenset(tuple(row.values()) for row in rows if has(row, selection) == wanted)


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


def test_a_design_of_ten_to_the_twelve_scenes_takes_no_memory_and_no_time() -> None:
    digits = tuple(str(k) for k in range(10))
    whole = Product(tuple(Factor(f"digit {k}", digits) for k in range(12)))
    left = (whole - {"digit 0": ("9",), "digit 11": ("9",)}).crossed(Factor("copy", range(10**6)))
    assert len(whole) == 10**12
    assert "".join(map(str, whole[123_456_789_012].values())) == "123456789012"
    assert len(left) == 99 * 10**10 * 10**6
    assert "".join(map(str, left[len(left) - 1].values())) == "999999999998" + "999999"


def test_a_design_has_fewer_than_two_to_the_63_rows() -> None:
    found = Product((Factor("a", range(2**32)), Factor("b", range(2**31))))
    with pytest.raises(InputError, match=r"2\^63 rows at most.*take a fraction of it"):
        len(found)


@given(designs(), st.data())
def test_the_rows_of_a_restriction_and_of_a_difference_are_the_sets(found: Design, data: st.DataObject) -> None:
    selection = data.draw(selections(found))
    inside, outside = (kept(rows_of(found), selection, wanted=wanted) for wanted in (True, False))
    for rows, make in ((inside, found.where), (outside, found.__sub__)):
        if rows:
            assert known(make(selection)) == rows
            assert make(selection).factor_names == found.factor_names
        else:
            with pytest.raises(InputError, match="has no rows"):
                make(selection)


@given(designs(), st.data())
def test_a_design_and_what_was_taken_out_of_it_are_together_the_whole(found: Design, data: st.DataObject) -> None:
    selection = data.draw(selections(found))
    try:
        inside, outside = found.where(selection), found - selection
    except InputError:
        return
    both = inside | outside
    assert known(both) == known(found)
    assert rows_of(both) == rows_of(inside) + rows_of(outside)
    assert not inside.overlaps(outside)
    with pytest.raises(ValueError, match="share no combination"):
        found | inside


@given(designs())
def test_crossing_shows_each_row_with_each_value(found: Design) -> None:
    crossed = found.crossed(Factor("more", ("m", "n")))
    at = crossed.factor_names.index("more")
    assert at >= len(crossed.factor_names) - 2
    expected = {(*row[:at], value, *row[at:]) for row in known(found) for value in ("m", "n")}
    assert known(crossed) == expected


@given(designs())
def test_the_rows_with_a_value_are_numbered_without_a_gap(found: Design) -> None:
    for name in found.factor_names:
        numbers: dict[Value, list[int]] = {}
        for index, row in enumerate(rows_of(found)):
            numbers.setdefault(row[name], []).append(found.number_among(index, name))
        for each in numbers.values():
            assert sorted(each) == list(range(len(each)))
        assert set(found.values(name)) == set(numbers)


@given(designs())
def test_what_is_shown_is_numbered_whatever_the_cell(found: Design) -> None:
    seen: dict[int, set[tuple[Value, ...]]] = {}
    for index, row in enumerate(rows_of(found)):
        number, first = found.shown(index)
        seen.setdefault(number, set()).add(tuple(v for name, v in row.items() if name != "cell"))
        assert first <= index
        assert found.shown(first) == (number, first)
        for name in set(found.factor_names) - {"cell"}:
            assert found.shown_number_among(index, name) == found.shown_number_among(first, name)
            assert found[first][name] == row[name]
    assert list(seen) == list(range(len(seen)))
    assert all(len(shown) == 1 for shown in seen.values())


@given(designs())
def test_what_is_shown_with_a_value_is_numbered_without_a_gap(found: Design) -> None:
    for name in set(found.factor_names) - {"cell"}:
        firsts = [index for index in range(len(found)) if found.shown(index)[1] == index]
        numbers = Counter((found[index][name], found.shown_number_among(index, name)) for index in firsts)
        counts = Counter(found[index][name] for index in firsts)
        assert set(numbers) == {(value, k) for value, n in counts.items() for k in range(n)}


@given(designs())
def test_the_expression_names_the_factors_and_their_values(found: Design) -> None:
    text = str(found)
    assert "object at" not in text
    assert "Factor(" not in text
    for name in found.factor_names:
        assert f"{name}{{" in text
        assert name == "cell" or all(str(value) in text for value in found.values(name))


def test_expressions_by_hand() -> None:
    found = Product((Factor("shape", ("star", "plus")), Factor("size", (0.5,)), cell_factor(Grid(3, 3))))
    assert str(found) == "shape{star, plus} x size{0.5} x cell{9}"
    assert str(found - {"shape": ("plus",)}) == f"({found}) - (shape{{plus}})"
    assert str(found.where({"shape": ("plus",)})) == f"({found}) where (shape{{plus}})"
    assert str(found.crossed(Factor("copy", range(1, 8)))) == f"({found}) x copy{{1 to 7}}"
    other = Product((Factor("shape", ("ring",)), *found.factors[1:]))
    assert str(found | other) == f"({found}) + ({other})"


@given(designs(), st.data())
def test_a_split_holds_out_the_selected_rows_and_trains_all_others(found: Design, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(selections(found), min_size=1, max_size=3))
    rows = rows_of(found)
    held = frozenset(tuple(row.values()) for row in rows if any(has(row, each) for each in chosen))
    trained = known(found) - held
    try:
        split = hold_out(found, chosen)
    except InputError as error:
        missed = [
            value
            for each in chosen
            if len(each) > 1
            for name, values in each.items()
            for value in values
            if not any(row[found.factor_names.index(name)] == value for row in trained)
        ]
        empty = [each for each in chosen if not any(has(row, each) for row in rows)]
        assert missed or empty or not trained, error  # noqa: PT017 - the error must have a cause
        return
    assert known(split.train) == trained
    assert known(split.test) == held


def test_held_out_combinations_were_seen_one_by_one_but_never_together() -> None:
    whole = design("civet-test").rows
    red, star = (
        next(v for v in whole.values(name) if str(v) == word) for name, word in (("color", "red"), ("shape", "star"))
    )
    split = hold_out(whole, [{"shape": (star,), "color": (red,)}])
    train, test = rows_of(split.train), rows_of(split.test)
    assert len(test) == 2 * 81
    assert {(row["shape"], row["color"]) for row in test} == {(star, red)}
    assert not [row for row in train if row["shape"] == star and row["color"] == red]
    assert {row["shape"] for row in train} == set(whole.values("shape"))
    assert {row["color"] for row in train} == set(whole.values("color"))


def test_selections_that_overlap_are_held_out_once_and_whole() -> None:
    abc = Product(tuple(Factor(name, (1, 2, 3)) for name in "abc"))
    split = hold_out(abc, [{"a": (1,), "b": (1,)}, {"a": (1,), "c": (1,)}, {"b": (1,), "c": (1,)}])
    assert (len(split.train), len(split.test)) == (27 - 7, 3 + 2 + 2)


def test_a_value_can_be_held_out_and_a_place() -> None:
    whole = design("civet-test").rows
    for name, n in (("shape", 3888 // 4), ("cell", 3888 // 81)):
        value = whole.values(name)[1]
        split = hold_out(whole, [{name: (value,)}])
        assert len(split.test) == n
        assert split.test.values(name) == (value,)
        assert value not in split.train.values(name)


def test_a_combination_of_which_a_value_is_never_trained_is_not_held_out() -> None:
    ab = Product((Factor("a", (1, 2)), Factor("b", (1, 2))))
    with pytest.raises(InputError, match="leaves no a 1 to train on"):
        hold_out(ab, [{"a": (1,), "b": (1, 2)}])


def test_a_split_that_overlaps_is_an_error() -> None:
    whole = Product((Factor("a", (1, 2, 3)), Factor("b", (1, 2))))
    with pytest.raises(InputError, match="a split's parts share no combination"):
        Split(whole - {"a": (1,)}, whole.where({"a": (1, 2), "b": (1,)}))


def test_selections_that_a_design_can_not_have_are_errors() -> None:
    whole = Product((Factor("a", (1, 2)), Factor("b", (1, 2))))
    for make in (whole.where, whole.__sub__, lambda selection: hold_out(whole, [selection])):
        with pytest.raises(InputError, match="selects by c, which the design doesn't vary: expected some of a, b"):
            make({"c": (1,)})
        with pytest.raises(InputError, match="the design has no a 3, expected some of 1, 2"):
            make({"a": (3,)})


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


@given(products(), products())
def test_designs_overlap_when_a_row_is_in_both(one: Product, other: Product) -> None:
    if one.factor_names == other.factor_names:
        assert one.overlaps(other) == bool(known(one) & known(other))


@given(products(), st.lists(products(), min_size=1, max_size=3))
def test_taking_away_designs_is_taking_away_their_rows(whole: Product, others: list[Product]) -> None:
    others = [each for each in others if each.factor_names == whole.factor_names]
    expected = known(whole) - frozenset().union(*map(known, others))
    if expected:
        left: Design = reduce(Minus, others, cast(Design, whole))
        assert known(left) == expected


@pytest.mark.parametrize("values", [(), ("red", "red")])
def test_a_factor_without_values_or_with_one_twice_raises(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="different values"):
        Factor("color", values)


def test_a_product_without_factors_or_with_one_twice_raises() -> None:
    twice = Factor("color", ("red",))
    for none_or_two in ((), (twice, twice)):
        with pytest.raises(ValueError, match="different names"):
            Product(none_or_two)
    with pytest.raises(ValueError, match="`cell` comes last"):
        Product((cell_factor(Grid(3, 3)), twice))
    with pytest.raises(ValueError, match="has the factor `color` already"):
        Crossed(Product((twice,)), twice)


def test_a_placed_design_keeps_all_but_the_cell() -> None:
    base = design("civet-test").rows
    placed = Placed(base, MAIN_OBJECT, seed=5)
    assert len(placed) == len(base)
    assert placed.factor_names == base.factor_names
    assert {**placed[100], "cell": None} == {**base[100], "cell": None}


def test_what_is_placed_or_a_fraction_is_not_combined_further() -> None:
    base = design("civet-test").rows
    for last in (Placed(base, MAIN_OBJECT, 0), base.fraction(2, 0)):
        with pytest.raises(InputError, match="can't be combined further"):
            last - {"size": ("large",)}


def test_the_colors_are_different_and_visible_on_black() -> None:
    assert len(set(COLORS.values())) == len(COLORS)
    assert all(max(rgb) == 255 for rgb in COLORS.values())
    assert len(SHAPES) == len(set(SHAPES)) >= 12
