"""Priors by hand, by a second count, and what a damaged one says."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS
from evensight.datasets.priors import BASELINES, Prior, learn
from evensight.errors import InputError

HAND = (
    [("cat", 0.5, "center")] * 30
    + [("cat", 0.5, "top left")] * 12
    + [("kite", 0.01, "top center")] * 8
    + [("kite", 0.01, "center")] * 9
    + [("dog", 0.2, "bottom right"), ("dog", 0.2, "bottom center")]
)

OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(["cat", "dog", "cup"]), st.integers(1, 99).map(lambda n: n / 100), st.sampled_from(AREAS)
    ),
    min_size=1,
    max_size=60,
)


def learned(objects: list[tuple[str, float, str]]) -> Prior:
    categories, shares, areas = zip(*objects, strict=True)
    return learn(categories, shares, areas, "made")


def test_guesses_by_hand() -> None:
    prior = learned(HAND)
    guesses = prior.guesses("kite", 0.5)
    assert list(guesses) == list(BASELINES)
    assert guesses["always center"] == guesses["most frequent area"] == "center"
    assert guesses["category prior"] == "center"
    assert guesses["category prior, areas levelled"] == "top center"  # 8 of 8 there are kites, 9 of 39 in the center
    assert guesses["box-size prior"] == "center"
    assert prior.guesses("cat", 0.5)["category prior, areas levelled"] == "top left"
    assert prior.guesses("dog", 0.2)["category prior"] == "bottom center"  # two equals: the first in reading order


def test_a_category_never_seen_gets_the_most_frequent_area() -> None:
    guesses = learned(HAND).guesses("zebra", 0.5)
    assert guesses["category prior"] == guesses["category prior, areas levelled"] == "center"


def test_an_area_with_one_object_tells_little() -> None:
    """Of one object at the top left one is a kite, of 20 at the top center 15: smoothed 2.6 of 11 and 16.6 of 30."""
    kites = [("kite", 0.5, "top left")] + [("kite", 0.5, "top center")] * 15
    prior = learned([*kites, *[("dog", 0.5, "top center")] * 5, *[("dog", 0.5, "center")] * 79])
    assert prior.guesses("kite", 0.5)["category prior, areas levelled"] == "top center"


def test_of_equals_the_one_that_is_frequent_overall_comes_first() -> None:
    prior = learned([*HAND, *[("sheep", 0.3, "top right"), ("sheep", 0.3, "top center")]])
    assert prior.guesses("sheep", 0.3)["category prior"] == "top center"


def test_sizes_have_bins_with_equally_many_objects() -> None:
    prior = learned([("cat", k / 1000, "center" if k < 500 else "top left") for k in range(800)])
    assert prior.box_share_edges == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert [sum(counts) for counts in prior.box_shares] == [100] * 8
    assert prior.guesses("cat", 0.4999)["box-size prior"] == "center"
    assert prior.guesses("cat", 0.5)["box-size prior"] == "top left"
    assert prior.guesses("cat", 2.0)["box-size prior"] == "top left"


def test_boxes_of_one_size_make_one_bin() -> None:
    assert learned([("cat", 0.5, "center")] * 20).box_share_edges == ()


@given(OBJECTS)
def test_guesses_agree_with_a_second_count(objects: list[tuple[str, float, str]]) -> None:
    prior = learned(objects)
    overall = Counter(area for _, _, area in objects)
    by_category: dict[str, Counter[str]] = defaultdict(Counter)
    for category, _, area in objects:
        by_category[category][area] += 1
    for category in ("cat", "dog", "cup"):
        guesses, counts, n = prior.guesses(category, 0.5), by_category[category], by_category[category].total()
        most = max(counts[area] for area in AREAS)
        assert counts[guesses["category prior"]] == most
        assert overall[guesses["most frequent area"]] == max(overall.values())
        if n:
            rates = {a: (counts[a] + 10 * n / len(objects)) / (overall[a] + 10) for a in AREAS}
            assert rates[guesses["category prior, areas levelled"]] == pytest.approx(max(rates.values()))


@given(OBJECTS)
def test_a_prior_is_read_back_as_it_was(objects: list[tuple[str, float, str]]) -> None:
    prior = learned(objects)
    assert Prior.from_json(json.loads(json.dumps(prior.as_json()))) == prior


@given(OBJECTS, st.randoms())
def test_the_order_of_the_objects_tells_nothing(objects: list[tuple[str, float, str]], random: Any) -> None:
    mixed = list(objects)
    random.shuffle(mixed)
    assert learned(mixed).as_json() == learned(objects).as_json()


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an area is gone": lambda value: value["areas"].pop(),
    "a count is gone": lambda value: value["overall"].pop(),
    "a count is negative": lambda value: value["categories"]["cat"].__setitem__(0, -1),
    "a count is no number": lambda value: value["overall"].__setitem__(0, "many"),
    "a count was changed": lambda value: value["categories"]["cat"].__setitem__(0, 99),
    "an edge is gone": lambda value: value["box_share_edges"].pop(),
    "edges fall": lambda value: value["box_share_edges"].reverse(),
    "a part is gone": lambda value: value.pop("box_shares"),
    "a part is another thing": lambda value: value.update(categories=[1]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_prior_is_one_line(damage: Callable[[dict[str, Any]], Any]) -> None:
    value = learned([("cat", k / 1000, AREAS[k % 9]) for k in range(800)]).as_json()
    assert Prior.from_json(value).as_json() == value
    damage(value)
    with pytest.raises(InputError, match="`prior` in a set's manifest is damaged") as caught:
        Prior.from_json(value)
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_can_be_learned_of_nothing() -> None:
    with pytest.raises(InputError, match="no objects to learn"):
        learn([], [], [], "coco train2017")
