"""What a probe is tried on, it has never seen: neither the combination nor the picture."""

import numpy as np
import pytest

from evensight.annotations import AREAS, PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.probing.places import Places, places
from evensight.probing.splits import arbitrary, deal, shuffled, splits


@pytest.fixture(scope="module")
def located(four_kinds: SceneExamples) -> Places:
    return places(four_kinds, np.arange(len(four_kinds)))


def test_places_are_those_of_the_examples(located: Places, four_kinds: SceneExamples) -> None:
    for k in (0, 100, 323):
        example = four_kinds[k]
        row, col = int(located.by_target["row"][k]), int(located.by_target["col"][k])
        assert (row, col) == (example.cell.row, example.cell.col)
        assert located.by_target["cell"][k] == row * 9 + col
        assert AREAS[located.classes("area")[k]] == example.question.answer
        assert (located.by_target["area-row"][k], located.by_target["area-col"][k]) == (row // 3, col // 3)
        assert abs(located.by_target["x"][k] - (col + 0.5)) < 0.1
        assert abs(located.by_target["y"][k] - (row + 0.5)) < 0.1
    assert located.n_combinations == 4
    assert np.bincount(located.combinations).tolist() == [81] * 4


def test_combinations_are_on_one_side_and_every_example_is_held_out_once(located: Places) -> None:
    for seed in range(5):
        tested = []
        for split in splits(located, 2, seed):
            assert not set(located.combinations[split.train]) & set(located.combinations[split.test])
            assert len(split.train) == len(split.test) == 162
            tested += split.test.tolist()
        assert sorted(tested) == list(range(324))


def test_seeds_deal_differently(located: Places) -> None:
    assert len({tuple(deal(located, 2, seed)) for seed in range(20)}) > 2


def test_a_picture_is_never_on_both_sides(located: Places) -> None:
    shared = Places(located.ids, PAPER_GRID, located.by_target, located.combinations, np.arange(324) // 4)
    for split in splits(shared, 2, 0):
        assert len(split.test) == 162
        assert not set(shared.pictures[split.train]) & set(shared.pictures[split.test])


def test_too_few_combinations_are_refused(located: Places) -> None:
    with pytest.raises(InputError, match="4 combinations of attributes: expected at least 6"):
        list(splits(located, 3, 0))


def test_shuffled_labels_keep_every_count_and_tell_nothing(located: Places) -> None:
    labels = located.classes("area")
    dealt = shuffled(labels, located.combinations, 0)
    for combination in range(4):
        of_it = located.combinations == combination
        assert np.bincount(dealt[of_it]).tolist() == np.bincount(labels[of_it]).tolist()
    assert 0.03 < (dealt == labels).mean() < 0.22
    assert (shuffled(labels, located.combinations, 1) != dealt).any()


def test_arbitrary_labels_depend_on_the_cell_alone_and_are_as_frequent(located: Places) -> None:
    labels, cells = located.classes("area"), located.classes("cell")
    given = arbitrary(labels, cells, 0)
    assert all(len(set(given[cells == cell])) == 1 for cell in range(81))
    assert np.bincount(given).tolist() == np.bincount(labels).tolist()
    assert (given == labels).mean() < 0.4
