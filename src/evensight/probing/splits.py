"""Which examples a probe learns from and which it is tried on, and the labels that it must not be able to learn.

A combination of attributes (red circle) is wholly on one side: a probe that knows where red circles are can't have
learned it from red circles. Nor is a picture ever on both sides.

Two controls. *Shuffled*: the labels of each combination's scenes are dealt among them anew, so nothing in a state
tells them; a probe that does better than chance there was told by the split. *Arbitrary* (after Hewitt and Liang
2019): each cell gets one of the labels at random, each as often as before; what a probe learns of that it owes to
its own capacity, not to how the state is laid out. A target that is the cell itself has no arbitrary control: any
labelling of cells by as many labels is the same task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evensight.errors import InputError
from evensight.probing.places import Places
from evensight.randomness import mix

Value = TypeVar("Value", np.int64, np.float64)


@dataclass(frozen=True, eq=False)
class Split:
    """The examples, by index, that a probe learns from and those that it is tried on."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def splits(places: Places, n_folds: int, seed: int) -> Iterator[Split]:
    """Each example once in a test part: combinations are dealt into folds of about equal size.

    Raises:
        InputError: There are too few combinations for it.
    """
    fold_of = deal(places, n_folds, seed)[places.combinations]
    for fold in range(n_folds):
        is_test = fold_of == fold
        is_shown = np.isin(places.pictures, places.pictures[is_test])
        yield Split(np.flatnonzero(~is_test & ~is_shown), np.flatnonzero(is_test))


def deal(places: Places, n_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each combination: drawn by the seed, each time the fold that has fewest examples.

    Raises:
        InputError: There are fewer than two combinations a fold.
    """
    if places.n_combinations < 2 * n_folds:
        raise InputError(
            f"the set has {places.n_combinations} combinations of attributes: expected at least {2 * n_folds}, so "
            f"that {n_folds} folds can hold some out; take a set with more shapes, colours or categories"
        )
    sizes = np.bincount(places.combinations)
    rng = np.random.default_rng(mix(seed, "probe folds"))
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros(n_folds)
    for combination in rng.permutation(len(sizes)):
        fold_of[combination] = np.argmin(filled)
        filled[fold_of[combination]] += sizes[combination]
    return fold_of


def shuffled(labels: NDArray[Value], combinations: NDArray[np.int64], seed: int) -> NDArray[Value]:
    """The labels or coordinates, dealt anew among the examples of each combination: nothing tells them."""
    rng = np.random.default_rng(mix(seed, "probe control, shuffled"))
    dealt = labels.copy()
    for combination in np.unique(combinations):
        of_it = np.flatnonzero(combinations == combination)
        dealt[of_it] = labels[rng.permutation(of_it)]
    return dealt


def arbitrary(labels: NDArray[np.int64], cells: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Labels by cell, as many cells to each as before, but any cells."""
    rng = np.random.default_rng(mix(seed, "probe control, arbitrary"))
    known, first = np.unique(cells, return_index=True)
    label_of = np.zeros(int(known.max()) + 1, dtype=np.int64)
    label_of[known] = labels[first][rng.permutation(len(known))]
    return label_of[cells]
