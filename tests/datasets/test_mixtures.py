from collections import Counter

import numpy as np
import pytest

from evensight.annotations import Grid
from evensight.datasets.mixtures import Mixture
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.scenes.catalog import design
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from evensight.storage.stored import StoredExamples, store

SIZE_PX = 90


@pytest.fixture(scope="module")
def parts(mini_train: SceneDesign) -> tuple[SceneExamples, SceneExamples]:
    return SceneExamples(mini_train, SIZE_PX, 0), SceneExamples(design("civet-full"), SIZE_PX, 0)


@pytest.fixture(scope="module")
def mixture(parts: tuple[SceneExamples, SceneExamples]) -> Mixture:
    return Mixture("both", *parts, seed=3)


def test_every_example_of_both_is_there_once(mixture: Mixture, parts: tuple[SceneExamples, SceneExamples]) -> None:
    expected = Counter(example.id for part in parts for example in part)
    assert Counter(example.id for example in mixture) == expected
    assert set(expected.values()) == {1}


def test_an_example_is_as_it_was_and_says_where_it_is_from(
    mixture: Mixture, parts: tuple[SceneExamples, SceneExamples]
) -> None:
    by_id = {example.id: (part, k) for part in parts for k, example in enumerate(part)}
    for index in range(0, len(mixture), 997):
        example = mixture[index]
        part, k = by_id[example.id]
        assert example.question == part[k].question
        assert example.attributes["source"] == part.info.name
        assert np.array_equal(mixture.pixels(index), part.pixels(k))
        assert mixture.encoded(index) == part.encoded(k)
        assert np.array_equal(np.asarray(mixture.image(index)), part.pixels(k))


def test_a_factor_that_only_one_of_them_has(mixture: Mixture) -> None:
    assert mixture.info.factors == ("source", "shape", "color", "size", "sheen")
    sheens = {(e.attributes["source"], e.attributes["sheen"]) for e in mixture}
    assert ("mini-train", "–") in sheens
    assert not any(source == "civet-full" and sheen == "–" for source, sheen in sheens)


def test_the_sets_are_shuffled_together_by_the_seed(
    mixture: Mixture, parts: tuple[SceneExamples, SceneExamples]
) -> None:
    sources = [mixture[k].attributes["source"] for k in range(2000)]
    share = len(parts[0]) / len(mixture)
    assert sources.count("mini-train") == pytest.approx(2000 * share, abs=5 * (2000 * share) ** 0.5)
    again, other = Mixture("both", *parts, seed=3), Mixture("both", *parts, seed=4)
    assert [again[k].id for k in range(50)] == [mixture[k].id for k in range(50)]
    assert [other[k].id for k in range(50)] != [mixture[k].id for k in range(50)]


def test_a_mixture_is_stored_and_read_back(mini_train: SceneDesign, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("mixture")
    small = SceneDesign("other", "", mini_train.grid, mini_train.rows)
    mixed = Mixture("both", SceneExamples(mini_train, SIZE_PX, 0), SceneExamples(small, SIZE_PX, 0), seed=0)
    store(mixed, out)
    assert list(StoredExamples(out)) == list(mixed)


def test_two_grids_can_not_be_mixed(mini_train: SceneDesign) -> None:
    grid = Grid(3, 3)
    factors = (factor("shape", ["square"]), factor("color", ["red"]), factor("size", ["large"]), cell_factor(grid))
    coarse = SceneDesign("coarse", "", grid, Product(factors))
    with pytest.raises(InputError, match="`mini-train` is on a 9x9 grid and `coarse` on a 3x3 grid"):
        Mixture("both", SceneExamples(mini_train, SIZE_PX, 0), SceneExamples(coarse, SIZE_PX, 0), seed=0)
