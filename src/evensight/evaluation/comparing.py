"""Runs against one another, paired question by question: who is right more often, who more evenly, and where.

Runs are compared on the questions that both have answered, the same in id, words, options and right answer. Several
runs of one condition (its seeds) are compared as one, so that the interval is for other seeds too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evensight.errors import InputError, one_of
from evensight.evaluation.results import Results
from evensight.evaluation.shares import difference
from evensight.statistics import (
    Difference,
    SeedsEstimate,
    Test,
    detectable_difference,
    evenness_test,
    holm,
    seeds_difference,
    true_spread,
    uniformity_test,
)

SAME = ("question", "options", "answer")
"""The columns in which a question is the same in two runs, besides its id."""


@dataclass(frozen=True, slots=True)
class Part:
    """How two runs differ on a part of the questions, and the p-value corrected for all parts (Holm)."""

    name: str
    difference: Difference
    p_corrected: float


@dataclass(frozen=True, slots=True)
class Evenness:
    """How even two runs are over the cells.

    Attributes:
        spread_before: The standard deviation of the first's cells with the noise of few questions taken out.
        spread_after: The second's.
        test: That both are as even; positive where the second is more even.
        before: That the first's cells are all the same.
        after: That the second's are.
    """

    spread_before: float
    spread_after: float
    test: Test
    before: Test
    after: Test


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition against another one, of one run each.

    Attributes:
        before: The first's name.
        after: The second's.
        n: How many questions both have answered.
        n_before: How many the first has.
        n_after: How many the second has.
        accuracy_before: The first's accuracy on the shared questions.
        accuracy_after: The second's.
        difference: What the second has more, with its test.
        detectable: The smallest difference that so many questions, answered as differently, show with a power of
            80 %; NaN if they would show none.
        evenness: Who is more even.
        parts: The difference by what was asked for.
    """

    before: str
    after: str
    n: int
    n_before: int
    n_after: int
    accuracy_before: float
    accuracy_after: float
    difference: Difference
    detectable: float
    evenness: Evenness
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class SeedsComparison:
    """A condition against another one, of several seeds.

    Attributes:
        before: The first's name.
        after: The second's.
        n_seeds_before: How many seeds the first has; with one, nothing is made of its seed.
        n_seeds_after: How many the second has.
        n: How many questions all have answered.
        accuracy_before: The first's mean accuracy on these.
        accuracy_after: The second's.
        difference: What the second has more, for other seeds and other questions.
        spread_before: The mean over seeds of the standard deviation of the cells, without noise.
        spread_after: The second's.
    """

    before: str
    after: str
    n_seeds_before: int
    n_seeds_after: int
    n: int
    accuracy_before: float
    accuracy_after: float
    difference: SeedsEstimate
    spread_before: float
    spread_after: float


def compare(before: Results, after: Results, names: tuple[str, str], by: str | None = None) -> Comparison:
    """Compares two runs.

    Args:
        before: The first.
        after: The second.
        names: What they are called.
        by: A column to compare by, besides all questions: `cell`, `area`, `row`, `col`, `slot`, or a factor.

    Raises:
        InputError: They have no question in common, or one of the same id that differs, or no such column.
    """
    shared, (a, b) = _shared([before, after], names)
    cells, images = shared.cells, shared.images
    differing = float((a != b).mean())
    return Comparison(
        *names,
        n=a.size,
        n_before=len(before.table),
        n_after=len(after.table),
        accuracy_before=float(a.mean()),
        accuracy_after=float(b.mean()),
        difference=difference(a, b, images),
        detectable=detectable_difference(a.size, differing) if differing else nan,
        evenness=_evenness(a, b, cells),
        parts=() if by is None else _parts(shared, a, b, by),
    )


def compare_seeds(
    before: Sequence[Results], after: Sequence[Results], names: tuple[str, str], *, paired: bool = False
) -> SeedsComparison:
    """Compares two conditions, of which one at least has several seeds.

    Args:
        before: The first's runs.
        after: The second's.
        names: What the conditions are called.
        paired: Whether run k of both stands for the same seed.

    Raises:
        InputError: The runs have no question in common, or one that differs; or seeds are paired and not as many.
    """
    if paired and len(before) != len(after):
        raise InputError(f"paired seeds are as many in both, got {len(before)} and {len(after)} runs")
    labels = [f"{names[0]}"] * len(before) + [f"{names[1]}"] * len(after)
    shared, correct = _shared([*before, *after], labels)
    a, b = np.stack(correct[: len(before)]), np.stack(correct[len(before) :])
    fixed = min(len(a), len(b)) == 1  # a single run has no seeds to vary: the other's differences from it do
    if fixed:
        n_seeds = max(len(a), len(b))
        wide_a, wide_b = (np.repeat(x, n_seeds // len(x), axis=0) for x in (a, b))
    else:
        wide_a, wide_b = a, b
    return SeedsComparison(
        *names,
        n_seeds_before=len(a),
        n_seeds_after=len(b),
        n=a.shape[1],
        accuracy_before=float(a.mean()),
        accuracy_after=float(b.mean()),
        difference=seeds_difference(wide_a, wide_b, shared.images, paired_seeds=paired or fixed),
        spread_before=_mean_spread(a, shared.cells),
        spread_after=_mean_spread(b, shared.cells),
    )


def _shared(runs: Sequence[Results], names: Sequence[str]) -> tuple[Results, list[NDArray[np.bool_]]]:
    """The first run's rows of the questions that all have answered, and who was right on these."""
    tables = [_by_id(run) for run in runs]
    first = tables[0]
    ids = [name for name in first if all(name in table for table in tables[1:])]
    if not ids:
        raise InputError(
            f"the runs {', '.join(f'`{name}`' for name in dict.fromkeys(names))} have no question in common: they "
            "answer different sets"
        )
    for name, table in zip(names[1:], tables[1:], strict=True):
        for of in ids:
            if table[of][1] != first[of][1]:
                raise InputError(
                    f"the question `{of}` is not the same in `{names[0]}` and `{name}`: expected the same words, "
                    "options and right answer"
                )
    rows = pa.array([first[of][0] for of in ids])
    shared = Results(runs[0].path, runs[0].manifest, runs[0].table.take(rows))
    return shared, [run.correct[[table[of][0] for of in ids]] for run, table in zip(runs, tables, strict=True)]


def _by_id(run: Results) -> dict[str, tuple[int, tuple[Any, ...]]]:
    """Each question's row and what it is, by its id."""
    asked = zip(*(run.column(name) for name in SAME), strict=True)
    return {
        of: (k, (a, tuple(b or ()), c)) for k, (of, (a, b, c)) in enumerate(zip(run.column("id"), asked, strict=True))
    }


def _parts(shared: Results, a: NDArray[np.bool_], b: NDArray[np.bool_], by: str) -> tuple[Part, ...]:
    values = np.asarray(_values(shared, by))
    levels = sorted(set(values.tolist()), key=lambda value: (len(value), value))
    found = [difference(a[values == one], b[values == one], shared.images[values == one]) for one in levels]
    corrected = holm([each.p_value for each in found])
    return tuple(Part(*each) for each in zip(levels, found, map(float, corrected), strict=True))


def _values(shared: Results, by: str) -> list[str]:
    if by == "cell":
        return [f"{row},{col}" for row, col in zip(shared.column("row"), shared.column("col"), strict=True)]
    columns = ("area", "row", "col", "slot", "task", *shared.factors)
    if by not in columns:
        raise one_of("`--by`", by, ("cell", *columns))
    return [str(value) for value in shared.column(by)]


def _evenness(a: NDArray[np.bool_], b: NDArray[np.bool_], cells: NDArray[np.int64]) -> Evenness:
    n = np.bincount(cells)
    counts = [np.bincount(cells, run, n.size).astype(np.int64) for run in (a, b)]
    alike = [uniformity_test(of, n, np.random.default_rng(0)) for of in counts]
    test = evenness_test(a, b, cells, np.random.default_rng(0), n_resamples=9_999)
    return Evenness(true_spread(counts[0], n), true_spread(counts[1], n), test, *alike)


def _mean_spread(correct: NDArray[np.bool_], cells: NDArray[np.int64]) -> float:
    n = np.bincount(cells)
    return float(np.mean([true_spread(np.bincount(cells, of, n.size), n) for of in correct]))
