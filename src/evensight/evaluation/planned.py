"""What a set can show, said before it is asked: how many questions its cells have, and how many a claim takes."""

import numpy as np
from numpy.typing import NDArray

from evensight.statistics import DELTA, questions_per_cell

_ACCURACIES = (0.95, 0.8)


def planned(n_by_cell: NDArray[np.int64]) -> str:
    """A line on how many questions the cells have, and how many it takes to show that all are as right.

    Args:
        n_by_cell: How many questions each cell has.
    """
    there = n_by_cell[n_by_cell > 0]
    if there.size < 2:
        return f"{int(there.sum()):,} questions, all in one cell: nothing can be said of evenness"
    have = f"{there.min():,}" if there.min() == there.max() else f"{there.min():,} to {there.max():,}"
    needs = " or ".join(f"{questions_per_cell(accuracy, there.size):,} at {accuracy:.0%}" for accuracy in _ACCURACIES)
    return (
        f"{int(there.sum()):,} questions, {have} in each of {there.size} cells; to show all cells equal within "
        f"±{100 * DELTA:g} points (power 80 %) takes {needs} accuracy"
    )
