"""The accuracy by what else is known of a question: its row, its column, how much stands beside the object."""

from evensight.evaluation.results import Results
from evensight.evaluation.shares import shares_by
from evensight.statistics import Proportion


def breakdowns(results: Results) -> dict[str, dict[str, Proportion]]:
    """The accuracy by row and column of the grid, and by each of these that has more than one value.

    `task`: what is asked. `n others`: how many other objects are annotated in the image. What the set's own factors
    are (colours, sizes, categories) is in `Summary.attributes`, areas and slots in fields of their own.
    """
    n_others = [len(others or ()) for others in results.column("others")]
    varying = {"task": results.column("task"), "n others": n_others}
    found = {
        "row": (results.column("row"), list(range(results.grid.rows))),
        "col": (results.column("col"), list(range(results.grid.cols))),
        **{name: (values, sorted(set(values))) for name, values in varying.items() if len(set(values)) > 1},
    }
    return {
        name: shares_by(results.correct, values, levels, results.images) for name, (values, levels) in found.items()
    }
