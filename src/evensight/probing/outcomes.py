"""What the probes of one site say of all examples: for every target and seed, beside the same probes on the controls.

The unit that a run keeps: a site is wholly done or not begun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.probing.places import CLASSES, Places
from evensight.probing.probes import Features, held_out
from evensight.probing.splits import arbitrary, shuffled
from evensight.runs import atomic_file, is_as_received


@dataclass(frozen=True, eq=False)
class Outcome:
    """What probes say of all examples, for one target and seed.

    Attributes:
        predicted: The class or coordinate of each example, by the probe that didn't see it.
        control: The same where the labels were shuffled.
        control_truth: The shuffled labels.
        arbitrary_right: Whether each example got the arbitrary label of its cell; empty for targets without.
        fold: In which fold each was held out.
        inner_scores: What the folds' probes reached among what they learned from.
        penalties: The folds' penalties.
    """

    predicted: NDArray[Any]
    control: NDArray[Any]
    control_truth: NDArray[Any]
    arbitrary_right: NDArray[np.bool_]
    fold: NDArray[np.int64]
    inner_scores: NDArray[np.float64]
    penalties: NDArray[np.float64]


SiteOutcomes = Mapping[tuple[str, int], Outcome]
"""By target and seed."""


def outcome(features: Features, places: Places, target: str, seed: int, n_folds: int) -> Outcome:
    """Probes all examples for a target, and for its controls with the penalties that it chose."""
    truth = places.by_target[target]
    found = held_out(features, truth, places, seed, n_folds=n_folds)
    same = [[probe.penalty] for probe in found.probes]
    dealt = shuffled(truth, places.combinations, seed)  # type: ignore[type-var]
    control = held_out(features, dealt, places, seed, penalties=same, n_folds=n_folds)
    by_cell = np.zeros(0, np.bool_)
    if target in CLASSES and target != "cell":
        given = arbitrary(places.classes(target), places.classes("cell"), seed)
        by_cell = held_out(features, given, places, seed, penalties=same, n_folds=n_folds).predicted == given
    return Outcome(
        found.predicted,
        control.predicted,
        dealt,
        by_cell,
        found.fold,
        np.array([probe.inner_score for probe in found.probes]),
        np.array([probe.penalty for probe in found.probes]),
    )


def among(places: Places, there: NDArray[np.bool_]) -> Places:
    """The places of some examples alone, their combinations numbered anew."""
    kept = np.flatnonzero(there)
    return replace(
        places,
        ids=tuple(places.ids[k] for k in kept),
        by_target={name: values[kept] for name, values in places.by_target.items()},
        combinations=np.unique(places.combinations[kept], return_inverse=True)[1].astype(np.int64),
        pictures=places.pictures[kept],
    )


def write_outcomes(path: Path, outcomes: SiteOutcomes) -> None:
    """Writes a site's outcomes, whole or not at all."""
    arrays = {
        f"{target}/{seed}/{name}": getattr(one, name)
        for (target, seed), one in outcomes.items()
        for name in Outcome.__dataclass_fields__
    }
    with atomic_file(path, receipt=True) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_outcomes(path: Path, targets: Sequence[str], seeds: Sequence[int]) -> SiteOutcomes | None:
    """Reads a site's outcomes; None where they aren't there, or have changed since they were written."""
    if not is_as_received(path):
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return {
            (target, seed): Outcome(
                **{name: arrays[f"{target}/{seed}/{name}"] for name in Outcome.__dataclass_fields__}
            )
            for target in targets
            for seed in seeds
        }
