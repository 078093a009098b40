"""Balanced fractions: so many rows fewer, and every pair of factors as even as before."""

from collections import Counter
from itertools import combinations
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import Grid
from evensight.errors import InputError
from evensight.scenes.designs import Product
from evensight.scenes.factors import Factor, cell_factor


@st.composite
def fractions(draw: st.DrawFn, max_rows: int = 1000) -> tuple[list[int], int]:
    """The sizes of three factors or more, and a fraction that there is: three of them have its prime."""
    prime = draw(st.sampled_from((2, 2, 3, 5)))
    sizes = [prime] * 3
    for n in draw(st.lists(st.sampled_from((1, 2, 3, 4, 5, 6)), max_size=5)):
        k = draw(st.integers(0, len(sizes)))
        longer = [*sizes, n] if k == len(sizes) else [*sizes[:k], sizes[k] * n, *sizes[k + 1 :]]
        sizes = longer if prod(longer) <= max_rows else sizes
    return draw(st.permutations(sizes)), prime


def whole(sizes: list[int], grid: Grid | None = None) -> Product:
    factors = tuple(Factor(f"f{k}", tuple(f"{k}{j}" for j in range(n))) for k, n in enumerate(sizes))
    return Product((*factors, cell_factor(grid)) if grid else factors)


CHOSEN = [([2] * 4, 2), ([2] * 7, 16), ([3] * 4, 9), ([4] * 5, 32), ([6] * 3, 6), ([12, 6, 4, 2], 4)]


@given(st.one_of(fractions(), st.sampled_from(CHOSEN)), st.integers(0, 50), st.booleans())
def test_a_fraction_is_balanced(wanted: tuple[list[int], int], seed: int, with_cell: bool) -> None:
    sizes, q = wanted
    base = whole(sizes, Grid(3, 3) if with_cell else None)
    found = base.fraction(q, seed)
    rows = [found[k] for k in range(len(found))]
    assert len(rows) * q == len(base)
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert all(row[f.name] in f.values for row in rows for f in base.factors)
    for one, other in combinations(base.factors, 2):
        pairs = Counter((row[one.name], row[other.name]) for row in rows)
        assert len(pairs) == len(one.values) * len(other.values)
        assert len(set(pairs.values())) == 1, (one.name, other.name)


@given(fractions(400), st.integers(0, 20))
def test_the_rows_of_a_fraction_are_numbered_without_a_gap(wanted: tuple[list[int], int], seed: int) -> None:
    found = whole(wanted[0], Grid(3, 3)).fraction(wanted[1], seed)
    for name in found.factor_names:
        numbers = Counter((found[k][name], found.number_among(k, name)) for k in range(len(found)))
        n_with = len(found) // len(found.values(name))
        assert set(numbers) == {(value, k) for value in found.values(name) for k in range(n_with)}


def test_what_is_shown_is_shown_in_every_cell() -> None:
    found = whole([2, 2, 2], Grid(3, 3)).fraction(2, 0)
    shown = [tuple(found[k].values())[:-1] for k in range(len(found))]
    assert len(found) == 4 * 9
    assert all(len(set(shown[k : k + 9])) == 1 for k in range(0, 36, 9))
    assert [found[k]["cell"] for k in range(9)] == list(Grid(3, 3).cells())


def test_a_half_of_three_by_hand() -> None:
    # a word of all three factors: the rows are those of even, or those of odd, parity
    halves = {
        frozenset(tuple(f.levels(k)) for k in range(4))
        for s in range(20)
        for f in [Product(tuple(Factor(n, (0, 1)) for n in "abc")).fraction(2, s).parts[0]]
    }
    even = frozenset({(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)})
    odd = frozenset({(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)})
    assert halves == {even, odd}


def test_the_seed_chooses_the_fraction() -> None:
    base = whole([3, 6, 6, 2])

    def rows(seed: int) -> list[object]:
        found = base.fraction(6, seed)
        return [tuple(found[k].values()) for k in range(len(found))]

    assert rows(1) == rows(1)
    assert len({tuple(rows(seed)) for seed in range(10)}) > 5


def test_a_fraction_of_a_huge_design_is_found_at_once() -> None:
    found = whole([10] * 16).fraction(10**4, 3)
    assert len(found) == 10**12
    last = found[len(found) - 1]
    assert found[len(found) - 1] == last
    assert found.number_among(len(found) - 1, "f15") < 10**11


@pytest.mark.parametrize(
    ("sizes", "q", "there_is"),
    [
        ([2, 2, 2], 4, "1/2"),
        ([7], 7, "none up to 1/64"),
        ([6, 6, 6, 6], 36, "1/2, 1/3, 1/6, 1/9, 1/18"),
        ([3, 3, 3, 3], 2, "1/3, 1/9"),
    ],
)
def test_a_fraction_that_is_not_there_names_those_that_are(sizes: list[int], q: int, there_is: str) -> None:
    with pytest.raises(InputError, match=rf"no balanced fraction of 1/{q}: .*; there is {there_is}$"):
        whole(sizes).fraction(q, 0)


def test_a_fraction_of_a_union_is_of_each_part() -> None:
    base = whole([2, 2, 4])
    other = Product((Factor("f0", ("x", "y")), *base.factors[1:]))
    found = (base | other).fraction(2, 0)
    assert len(found) == 16
    assert Counter(found[k]["f0"] for k in range(16)) == dict.fromkeys(("00", "01", "x", "y"), 4)
