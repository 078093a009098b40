"""A part of a set in which every cell has its share."""

from collections import Counter

import pytest

from evensight.datasets.orders import Order
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import subset
from evensight.errors import InputError
from evensight.scenes.compose import SceneDesign


def test_every_cell_of_a_balanced_set_has_as_many(mini_train: SceneDesign) -> None:
    whole = SceneExamples(mini_train, 64, 0)
    part = subset(whole, 81, 3)
    assert Counter(example.cell for example in part) == Counter({example.cell: 1 for example in whole})
    assert [example.id for example in part] == [example.id for example in subset(whole, 81, 3)]
    assert {example.id for example in part} != {example.id for example in subset(whole, 81, 4)}
    assert {example.id for example in part} <= {example.id for example in whole}


def test_a_part_that_is_placed_unevenly_stays_so() -> None:
    whole = Order("civet-train-photo", 64).examples()
    n_whole, n_part = (Counter(example.area for example in of) for of in (whole, subset(whole, 405, 0)))
    assert sum(n_part.values()) == 405
    assert all(abs(n_part[area] - n / 4) <= 3 for area, n in n_whole.items())


def test_the_whole_is_itself_and_more_is_refused(mini_train: SceneDesign) -> None:
    whole = SceneExamples(mini_train, 64, 0)
    assert subset(whole, len(whole), 0) is whole
    with pytest.raises(InputError, match="has 162 examples: expected as many at most, got 163"):
        subset(whole, 163, 0)
