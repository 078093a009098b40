"""A condition on a set over several seeds: what it reaches, and what it differs from another one by.

Seeds and questions are both drawn, so both are in the intervals (`statistics.seeds`). A condition with one run has
intervals over its questions alone, and its `n_seeds` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.evaluation.results import Results
from evensight.evaluation.shares import difference, has_own_images
from evensight.evaluation.summary import Summary, summarise, without_nan
from evensight.statistics import Estimate, SeedsEstimate, holm, mean_over_seeds, seeds_accuracy, seeds_difference


@dataclass(frozen=True, slots=True)
class Against:
    """What a condition differs by from the one that all are compared with.

    Attributes:
        estimate: The difference of accuracy.
        low: The lower end of its 95 % interval.
        high: The upper end.
        p_value: Of "there is none".
        p_holm: The same, corrected for all comparisons of the study.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """A condition on a test.

    Attributes:
        condition: Its name.
        test: The test's name.
        n: How many questions each run answered.
        n_seeds: How many runs there are.
        n_invalid: How many of their answers named no option, on average.
        accuracy: The share of right answers with its 95 % interval.
        cell_std: The standard deviation over the cells, the runs' mean, with Student's interval over the seeds.
        worst_cell: The accuracy of each run's worst cell, likewise.
        against: The difference from the first condition; None for it, and where they answered other questions.
    """

    condition: str
    test: str
    n: int
    n_seeds: int
    n_invalid: float
    accuracy: Estimate
    cell_std: Estimate
    worst_cell: Estimate
    against: Against | None

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON; what is not known is null."""
        figures: Mapping[str, Any] = {
            "n": self.n,
            "n_seeds": self.n_seeds,
            "n_invalid": self.n_invalid,
            **_named("accuracy", self.accuracy),
            **_named("cell_std", self.cell_std),
            **_named("worst_cell", self.worst_cell),
        }
        of = self.against
        if of is not None:
            figures = {
                **figures,
                "difference": of.estimate,
                "difference_low": of.low,
                "difference_high": of.high,
                "p": of.p_value,
                "p_holm": of.p_holm,
            }
        return dict(without_nan(figures))


def _named(name: str, of: Estimate) -> dict[str, float]:
    return {name: of.estimate, f"{name}_low": of.low, f"{name}_high": of.high}


Runs = Mapping[str, Mapping[str, Sequence[Results]]]
"""Test -> condition -> its runs, one a seed."""


def over_seeds(runs: Runs, first: str) -> tuple[OverSeeds, ...]:
    """The figures of every condition on every test.

    Args:
        runs: The runs.
        first: The condition that the others are compared with, where it is there.
    """
    found = [
        _figures(condition, test, of, None if condition == first else conditions.get(first))
        for test, conditions in runs.items()
        for condition, of in conditions.items()
    ]
    corrected = iter(holm([one.against.p_value for one in found if one.against is not None]))
    return tuple(
        one if one.against is None else replace(one, against=replace(one.against, p_holm=float(next(corrected))))
        for one in found
    )


def _figures(condition: str, test: str, runs: Sequence[Results], first: Sequence[Results] | None) -> OverSeeds:
    summaries = [summarise(run) for run in runs]
    return OverSeeds(
        condition,
        test,
        n=summaries[0].accuracy.n,
        n_seeds=len(runs),
        n_invalid=float(np.mean([of.n_invalid for of in summaries])),
        accuracy=_accuracy(runs, summaries),
        cell_std=mean_over_seeds([of.cell_std for of in summaries]),
        worst_cell=mean_over_seeds([of.worst_cell.accuracy.estimate for of in summaries]),
        against=None if first is None else _against(first, runs),
    )


def _accuracy(runs: Sequence[Results], summaries: Sequence[Summary]) -> Estimate:
    if len(runs) == 1:
        only = summaries[0].accuracy
        return Estimate(only.estimate, only.low, only.high)
    of = seeds_accuracy(_correct(runs), _clusters(runs))
    return Estimate(of.estimate, of.low, of.high)


def _against(first: Sequence[Results], runs: Sequence[Results]) -> Against | None:
    if not _have_same_questions([*first, *runs]):
        return None
    if len(first) == len(runs) == 1:
        one = difference(first[0].correct, runs[0].correct, runs[0].images)
        return Against(one.estimate, one.low, one.high, one.p_value)
    return _over_both(_correct(first), _correct(runs), _clusters(runs))


def _over_both(a: NDArray[np.bool_], b: NDArray[np.bool_], clusters: NDArray[np.int64] | None) -> Against:
    """The difference where one of them, or both, has several runs; one that has a single run was never trained."""
    n_seeds = max(len(a), len(b))
    is_fixed = min(len(a), len(b)) == 1
    if is_fixed:
        a, b = (np.repeat(of, n_seeds // len(of), axis=0) for of in (a, b))
    of: SeedsEstimate = seeds_difference(a, b, clusters, paired_seeds=is_fixed)
    return Against(of.estimate, of.low, of.high, of.p_value)


def _have_same_questions(runs: Sequence[Results]) -> bool:
    names = ("id", "question", "answer")
    return bool(runs[0].correct.size) and all(
        run.column(name) == runs[0].column(name) for run in runs[1:] for name in names
    )


def _correct(runs: Sequence[Results]) -> NDArray[np.bool_]:
    return np.stack([run.correct for run in runs]).astype(bool)


def _clusters(runs: Sequence[Results]) -> NDArray[np.int64] | None:
    images = runs[0].images
    return None if has_own_images(images) else images
