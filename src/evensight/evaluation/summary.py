"""What an evaluation amounts to: accuracy, how it varies over the cells, and where the wrong answers go.

All of it follows from the results table. Shares are fractions; a cell without questions has n = 0 and NaN.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from evensight.annotations import AREAS
from evensight.datasets.swapped import WrongPhoto
from evensight.evaluation.baselines import baselines
from evensight.evaluation.beside import Beside
from evensight.evaluation.bias import PlaceBias, SlotBias, place_bias, slot_bias
from evensight.evaluation.breakdowns import breakdowns
from evensight.evaluation.by_options import ByOptions, by_options
from evensight.evaluation.controlled import Consistency, consistency, controls_beside, reliances
from evensight.evaluation.evenness import Evenness, evenness
from evensight.evaluation.results import Results
from evensight.evaluation.shares import mean_share, share, shares_by
from evensight.questions.parsing import Outcome
from evensight.statistics import (
    PriorReliance,
    Proportion,
    Test,
    is_number,
    proportion,
    spread,
    true_spread,
    uniformity_test,
)

INVALID = "invalid"
"""The last column of the confusion: answers that name no option."""


@dataclass(frozen=True, slots=True)
class CellResult:
    """A cell's accuracy."""

    row: int
    col: int
    accuracy: Proportion


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one evaluation.

    Attributes:
        accuracy: The share of correct answers; invalid ones are not correct.
        n_invalid: How many answers named no option.
        cells: The accuracy of each cell, row by row.
        areas: The accuracy of each area, by name.
        area_mean: The mean of the areas' accuracies, each with the same weight.
        cell_std: The standard deviation of the cells' accuracies.
        cell_std_true: The same with the noise of few questions a cell taken out.
        worst_cell: The cell of lowest accuracy (the first of equals).
        uniformity: The test that all cells have the same accuracy.
        most_frequent_answer: The share that one would get by always giving the most frequent right answer.
        confusion: For each area the counts of the answers that were given: the nine areas, then `invalid`.
        slots: The accuracy by the right answer's slot.
        attributes: The accuracy by the value of each factor.
        breakdowns: The accuracy by row, column and what else varies.
        evenness: The worst cell, the spread and the test of a margin.
        places: Where wrong areas lie; None where areas aren't asked for.
        chosen_slots: Which places among the options are chosen too often; None without as many options everywhere.
        by_options: What the options' scores say; None where they weren't scored.
        of_photos: Whether the questions are about photographs: then what follows stands beside the score.
        controls: What the model reaches on the controls that it was asked, by name.
        baselines: What is reached without a model, by name.
        mirrored: How often its answers are mirrored with the picture; None if it wasn't asked.
        reliances: How far answers stay the same on each control that takes the picture away, by name.
    """

    accuracy: Proportion
    n_invalid: int
    cells: tuple[CellResult, ...]
    areas: dict[str, Proportion]
    area_mean: float
    cell_std: float
    cell_std_true: float
    worst_cell: CellResult
    uniformity: Test
    most_frequent_answer: float
    confusion: tuple[tuple[int, ...], ...]
    slots: dict[str, Proportion]
    attributes: dict[str, dict[str, Proportion]]
    breakdowns: dict[str, dict[str, Proportion]]
    evenness: Evenness
    places: PlaceBias | None
    chosen_slots: SlotBias | None
    by_options: ByOptions | None
    of_photos: bool = False
    controls: dict[str, Beside] = field(default_factory=dict)
    baselines: dict[str, Beside] = field(default_factory=dict)
    mirrored: Consistency | None = None
    reliances: dict[str, PriorReliance] = field(default_factory=dict)

    @property
    def wrong_photo(self) -> Beside | None:
        """What the model reaches with the wrong photo under each question; None if it wasn't asked."""
        return self.controls.get(WrongPhoto.name)

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON, NaN as null."""
        return dict(without_nan(asdict(self)))

    def headline(self) -> dict[str, Any]:
        """The figures that a table of conditions shows."""
        return dict(
            without_nan(
                {
                    "accuracy": self.accuracy.estimate,
                    "n": self.accuracy.n,
                    "low": self.accuracy.low,
                    "high": self.accuracy.high,
                    "n_invalid": self.n_invalid,
                    "cell_std": self.cell_std,
                    "cell_std_true": self.cell_std_true,
                    "worst_cell": self.worst_cell.accuracy.estimate,
                    "worst_cell_at": [self.worst_cell.row, self.worst_cell.col],
                    "worst_cell_n": self.worst_cell.accuracy.n,
                    "worst_cell_low": self.worst_cell.accuracy.low,
                    "worst_cell_high": self.worst_cell.accuracy.high,
                    "n_cells": sum(cell.accuracy.n > 0 for cell in self.cells),
                    "uniformity_p": self.uniformity.p_value,
                    "area_mean": self.area_mean,
                    "most_frequent_answer": self.most_frequent_answer,
                    "wrong_photo": _figures(self.wrong_photo),
                    "baselines": {name: _figures(of) for name, of in self.baselines.items()},
                }
            )
        )


_SUMMARIES: WeakKeyDictionary[Results, Summary] = WeakKeyDictionary()


def summarise(results: Results) -> Summary:
    """The figures of an evaluation, computed from its table once, for they take half a second."""
    found = _SUMMARIES.get(results)
    if found is None:
        found = _SUMMARIES[results] = _summarised(results)
    return found


def _summarised(results: Results) -> Summary:
    correct, cells, grid = results.correct, results.cells, results.grid
    n_by_cell = np.bincount(cells, minlength=len(grid))
    correct_by_cell = np.bincount(cells, correct, len(grid)).astype(np.int64)
    cell_results = tuple(
        CellResult(cell.row, cell.col, proportion(int(k), int(n)))
        for cell, k, n in zip(grid.cells(), correct_by_cell, n_by_cell, strict=True)
    )
    images = results.images
    areas = shares_by(correct, results.column("area"), AREAS, images)
    answers = Counter(results.column("answer"))
    n = int(correct.size)
    return Summary(
        accuracy=share(correct, images),
        n_invalid=results.column("outcome").count(Outcome.INVALID),
        cells=cell_results,
        areas=areas,
        area_mean=mean_share(areas.values()),
        cell_std=spread(correct_by_cell, n_by_cell),
        cell_std_true=true_spread(correct_by_cell, n_by_cell),
        worst_cell=min(cell_results, key=lambda c: c.accuracy.estimate if is_number(c.accuracy.estimate) else 2.0),
        uniformity=uniformity_test(correct_by_cell, n_by_cell, np.random.default_rng(0)),
        most_frequent_answer=max(answers.values()) / n if n else nan,
        confusion=_confusion(results),
        slots=shares_by(correct, results.column("slot"), _slots(results), images),
        attributes={
            factor: shares_by(correct, results.column(factor), sorted(set(results.column(factor))), images)
            for factor in results.factors
        },
        breakdowns=breakdowns(results),
        evenness=evenness(results, correct_by_cell, n_by_cell),
        places=place_bias(results),
        chosen_slots=slot_bias(results),
        by_options=by_options(results),
        of_photos=results.of_photos,
        controls=controls_beside(results),
        baselines=baselines(results),
        mirrored=consistency(results),
        reliances=reliances(results),
    )


def _slots(results: Results) -> list[int]:
    """The right answers' slots, in order; open questions have none."""
    return sorted({slot for slot in results.column("slot") if slot is not None})


def _figures(of: Beside | None) -> dict[str, Any] | None:
    """The figures of a control or baseline for a table; `p` is of what the model has more on the same questions."""
    if of is None:
        return None
    return {
        "accuracy": of.accuracy.estimate,
        "low": of.accuracy.low,
        "high": of.accuracy.high,
        "area_mean": of.area_mean,
        "difference": of.difference.estimate,
        "p": of.difference.p_value,
    }


def _confusion(results: Results) -> tuple[tuple[int, ...], ...]:
    pairs = Counter(
        zip(results.column("area"), (given or INVALID for given in results.column("parsed")), strict=True)
    )
    return tuple(tuple(pairs[area, given] for given in (*AREAS, INVALID)) for area in AREAS)


def without_nan(value: Any) -> Any:
    """The value with None for NaN and for infinity, which JSON doesn't have; arrays are lists."""
    if isinstance(value, np.ndarray | np.generic):
        return without_nan(value.tolist())
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
