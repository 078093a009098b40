"""A part of a set in which every cell has its share."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evensight.datasets.mixtures import Mixture
from evensight.datasets.orders import Order
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import subset
from evensight.errors import InputError
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import StoredExamples, store


def test_every_cell_of_a_balanced_set_has_as_many(mini_train: SceneDesign) -> None:
    whole = SceneExamples(mini_train, 64, 0)
    part = subset(whole, 81, 3)
    assert Counter(example.cell for example in part) == Counter({example.cell: 1 for example in whole})
    assert [example.id for example in part] == [example.id for example in subset(whole, 81, 3)]
    assert {example.id for example in part} != {example.id for example in subset(whole, 81, 4)}
    assert {example.id for example in part} <= {example.id for example in whole}


def test_it_says_and_shows_of_each_example_what_the_set_does(mini_train: SceneDesign, tmp_path: Path) -> None:
    whole = SceneExamples(mini_train, 64, 0)
    part = subset(whole, 81, 3)
    store(Mixture("both", part, subset(Order("ladder-black", 64).examples(), 81, 0), 0), tmp_path / "stored")
    for examples in (whole, part, StoredExamples(tmp_path / "stored"), Order("civet-train-photo", 64).examples()):
        some = range(0, len(examples), 40)
        assert [examples.cell(k) for k in some] == [examples[k].cell for k in some]
    index = {example.id: k for k, example in enumerate(whole)}
    for k in range(0, 81, 9):
        original = index[part[k].id]
        assert part.encoded(k) == whole.encoded(original)
        assert np.array_equal(part.pixels(k), whole.pixels(original))


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
