"""The rows of a probing run's tables, from what its probes said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.probing.intervals import Estimate, mean_interval, ratio_interval
from evensight.probing.layout import Site
from evensight.probing.outcomes import Outcome, SiteOutcomes
from evensight.probing.places import CLASSES, Places
from evensight.statistics import proportion


def probe_rows(site: Site, outcomes: SiteOutcomes, places: Places) -> Iterator[dict[str, Any]]:
    """A row of `probes.parquet` for each target and seed."""
    for (target, seed), one in outcomes.items():
        truth = places.by_target[target]
        yield {
            "position": site.position,
            "layer": site.state,
            "target": target,
            "seed": seed,
            "n": len(truth),
            "n_groups": places.n_combinations,
            **(_of_classes(one, truth, places) if target in CLASSES else _of_coordinates(one, truth, places)),
            "inner_score": float(one.inner_scores.mean()),
            "penalty": float(one.penalties.mean()),
        }


def _of_classes(one: Outcome, truth: NDArray[Any], places: Places) -> dict[str, float | None]:
    found = estimate([one], truth, places)
    control = float((one.control == one.control_truth).mean())
    return {
        "accuracy": found.estimate,
        "low": found.low,
        "high": found.high,
        "chance": float(np.bincount(truth.astype(np.int64)).max() / len(truth)),
        "control_accuracy": control,
        "selectivity": found.estimate - control,
        "arbitrary_accuracy": float(one.arbitrary_right.mean()) if len(one.arbitrary_right) else None,
    }


def _of_coordinates(one: Outcome, truth: NDArray[Any], places: Places) -> dict[str, float]:
    found = estimate([one], truth, places)
    control = 1 - float(np.square(one.control - one.control_truth).mean() / one.control_truth.var())
    return {
        "r2": found.estimate,
        "low": found.low,
        "high": found.high,
        "control_r2": control,
        "selectivity": found.estimate - control,
        "error_cells": float(np.abs(one.predicted - truth).mean()),
    }


def estimate(outcomes: Sequence[Outcome], truth: NDArray[Any], places: Places) -> Estimate:
    """The accuracy, or for coordinates R2, over the seeds' outcomes, with its interval over seeds and groups."""
    predicted = np.stack([one.predicted for one in outcomes])
    rng = np.random.default_rng(0)
    if predicted.dtype.kind == "i":
        return mean_interval(predicted == truth, places.combinations, rng)
    spread = np.broadcast_to(np.square(truth - truth.mean()), predicted.shape)
    lost = ratio_interval(np.square(predicted - truth), spread, places.combinations, rng)
    return Estimate(lost.n, lost.n_groups, 1 - lost.estimate, 1 - lost.high, 1 - lost.low)


def cell_rows(site: Site, outcomes: SiteOutcomes, places: Places) -> Iterator[dict[str, Any]]:
    """A row of `cells.parquet` for each target of classes and each cell that has examples."""
    cells, grid = places.classes("cell"), places.grid
    n_by_cell = np.bincount(cells, minlength=len(grid))
    for target in dict.fromkeys(target for target, _ in outcomes if target in CLASSES):
        of_seeds = [one.predicted for (name, _), one in outcomes.items() if name == target]
        share = (np.stack(of_seeds) == places.by_target[target]).mean(axis=0)
        right = np.bincount(cells, share, len(grid))
        for cell in np.flatnonzero(n_by_cell):
            n = int(n_by_cell[cell])
            found = proportion(round(float(right[cell])), n)
            yield {
                "position": site.position,
                "layer": site.state,
                "target": target,
                "row": int(cell) // grid.cols,
                "col": int(cell) % grid.cols,
                "n": n,
                "accuracy": float(right[cell]) / n,
                "low": min(found.low, float(right[cell]) / n),
                "high": max(found.high, float(right[cell]) / n),
            }


def chosen_outcome(by_layer: Mapping[int, Outcome]) -> tuple[Outcome, NDArray[np.int64]]:
    """The outcome of each fold's best layer among what its probe learned from, and which one each example had."""
    layers = list(by_layer)
    first = by_layer[layers[0]]
    best = np.argmax([by_layer[layer].inner_scores for layer in layers], axis=0)
    layer_of = np.array(layers)[best][first.fold]

    def picked(name: str) -> NDArray[Any]:
        columns = np.stack([getattr(by_layer[layer], name) for layer in layers])
        found: NDArray[Any] = (
            columns[best[first.fold], np.arange(columns.shape[1])] if columns.shape[1] else columns[0]
        )
        return found

    names = ("predicted", "control", "control_truth", "arbitrary_right")
    inner = np.array([by_layer[layers[k]].inner_scores[fold] for fold, k in enumerate(best)])
    penalties = np.array([by_layer[layers[k]].penalties[fold] for fold, k in enumerate(best)])
    outcome = Outcome(
        **{name: picked(name) for name in names}, fold=first.fold, inner_scores=inner, penalties=penalties
    )
    return outcome, layer_of
