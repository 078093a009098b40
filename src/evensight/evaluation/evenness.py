"""Whether it is as right everywhere: the worst cell, the spread, and whether all cells lie within a margin."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evensight.evaluation.results import Results
from evensight.evaluation.shares import has_own_images
from evensight.statistics import (
    Equivalence,
    Estimate,
    SmoothMap,
    WorstCell,
    equivalence_test,
    questions_per_cell,
    smooth_map,
    true_spread_interval,
    worst_cell,
)
from evensight.statistics.logistic import LogisticFit


@dataclass(frozen=True, slots=True)
class Evenness:
    """How even the accuracy is over the cells.

    Attributes:
        worst: The worst cell, honest about being the worst of many.
        spread: The standard deviation of the cells' true accuracies, with its interval.
        equivalence: The test that all cells lie within a margin of the overall accuracy.
        needed_per_cell: How many questions a cell that test needs to hold with a power of 80 %, if all cells have
            this overall accuracy; None where that is not between 0 and 1.
        trend: How the log-odds of being right go with row, column and distance from the centre; None where the
            questions can't tell these apart.
    """

    worst: WorstCell
    spread: Estimate
    equivalence: Equivalence
    needed_per_cell: int | None
    trend: LogisticFit | None


def evenness(results: Results, correct_by_cell: NDArray[np.int64], n_by_cell: NDArray[np.int64]) -> Evenness:
    """How even the accuracy is.

    Args:
        results: The evaluation.
        correct_by_cell: How many answers were right, cell by cell.
        n_by_cell: How many questions there were.
    """
    equivalence = equivalence_test(correct_by_cell, n_by_cell)
    fitted = trend(results)
    is_inside = equivalence.n_cells > 1 and 0 < equivalence.overall < 1
    return Evenness(
        worst_cell(correct_by_cell, n_by_cell),
        true_spread_interval(correct_by_cell, n_by_cell),
        equivalence,
        _needed(equivalence.overall, equivalence.n_cells) if is_inside else None,
        None if fitted is None else fitted.fit,
    )


_needed = lru_cache(maxsize=64)(questions_per_cell)
"""It takes a third of a second, and one run is summarised more than once."""


def trend(results: Results) -> SmoothMap | None:
    """The accuracy as a smooth map of row, column and distance; None where the questions can't tell these apart."""
    clusters = None if has_own_images(results.images) else results.images
    shape = (results.grid.rows, results.grid.cols)
    try:
        return smooth_map(results.correct, results.cells, shape, clusters)
    except ValueError:
        return None
