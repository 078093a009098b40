from collections import Counter
from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evensight.randomness import Permutation, below, mix, shuffled, unit


def test_a_draw_depends_on_each_of_its_arguments() -> None:
    draws = [mix(0, "a", 0), mix(1, "a", 0), mix(0, "b", 0), mix(0, "a", 1), mix(0, "a", 0, 0), mix(0, "a")]
    assert len(set(draws)) == len(draws)


def test_a_draw_is_the_same_on_every_machine() -> None:
    assert mix(0, "jitter", 5) == 0x3EE9C6CBAA7D2747


@given(st.integers(0, 2**80), st.integers(0, 2**200))
def test_any_seed_and_index_can_be_mixed(seed: int, index: int) -> None:
    assert 0 <= mix(seed, "x", index) < 2**64


def test_bits_are_even() -> None:
    ones = [sum(mix(3, "bits", k) >> bit & 1 for k in range(4000)) for bit in range(64)]
    assert min(stats.binomtest(n, 4000).pvalue for n in ones) > 1e-5


def test_below_is_even() -> None:
    counts = Counter(below(9, 1, "nine", k) for k in range(9000))
    assert set(counts) == set(range(9))
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_unit_is_uniform() -> None:
    draws = [unit(1, "u", k) for k in range(5000)]
    assert min(draws) >= 0
    assert max(draws) < 1
    assert stats.kstest(draws, "uniform").pvalue > 1e-3


def test_all_orders_are_equally_likely() -> None:
    orders = Counter(tuple(shuffled("abcd", 0, "order", k)) for k in range(12000))
    assert len(orders) == factorial(4)
    assert stats.chisquare(list(orders.values())).pvalue > 1e-3


@given(st.lists(st.integers(), max_size=60), st.integers(0, 99))
def test_an_order_has_the_same_items(items: list[int], seed: int) -> None:
    assert sorted(shuffled(items, seed, "order")) == sorted(items)


@given(st.integers(1, 400), st.integers(0, 2**64 - 1))
def test_a_permutation_has_every_place_once(n: int, key: int) -> None:
    permutation = Permutation(n, key)
    assert sorted(permutation[k] for k in range(n)) == list(range(n))


def test_a_permutation_of_very_many_needs_no_memory() -> None:
    permutation = Permutation(10**15, 1)
    assert len({permutation[k] for k in range(1000)}) == 1000


def test_permutations_of_other_keys_are_others() -> None:
    places = [[Permutation(81, key)[k] for k in range(81)] for key in range(20)]
    assert len({tuple(order) for order in places}) == 20
    firsts = Counter(Permutation(6, mix(0, "key", key))[0] for key in range(6000))
    assert stats.chisquare(list(firsts.values())).pvalue > 1e-3


@pytest.mark.parametrize("index", [-1, 5])
def test_a_place_that_is_not_there_raises(index: int) -> None:
    with pytest.raises(IndexError, match="places 0 to 4"):
        Permutation(5, 0)[index]
