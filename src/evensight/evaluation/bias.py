"""Where the answers go: what is said too often, which way the wrong ones point, and what pulls them.

Of the questions that ask for one of the nine areas and have a valid answer; slots of all questions with options.
The estimators, and what their tests assume, are in `statistics.answers`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS
from evensight.evaluation.baselines import usual_places
from evensight.evaluation.results import Results
from evensight.statistics import (
    AnswerBias,
    Displacement,
    Effect,
    answer_bias,
    centrality,
    displacements,
    pull,
    usual_place_pull,
)

_RIGHT = np.tile(np.arange(3), 3)
_DOWN = np.repeat(np.arange(3), 3)
_DRAWS = 1_999
"""How often tests swap answers: p-values go down to 0.0005, and a summary takes a small part of a run."""


@dataclass(frozen=True, slots=True)
class PlaceBias:
    """Where the wrong areas lie.

    Attributes:
        answers: How the given areas' distribution differs from that of the right ones, areas in reading order.
        steps: For each right area, the mean step to the wrong ones.
        to_center: How much nearer to the centre wrong answers are than right ones, in areas; below 0 for the edges.
        to_right: How much further right, in areas.
        down: How much further down, in areas.
        to_usual: How much oftener than by chance they are where things of the category usually are; None where that
            isn't known.
    """

    answers: AnswerBias
    steps: tuple[Displacement, ...]
    to_center: Effect
    to_right: Effect
    down: Effect
    to_usual: Effect | None


@dataclass(frozen=True, slots=True)
class SlotBias:
    """Which places among the options are chosen too often.

    Attributes:
        answers: How the chosen slots' distribution differs from that of the right ones.
        to_first: How much oftener a wrong answer stands first than the right one does.
        to_last: The same of the last.
    """

    answers: AnswerBias
    to_first: Effect
    to_last: Effect


def place_bias(results: Results) -> PlaceBias | None:
    """Where the wrong areas lie; None where no question asks for one of the nine areas."""
    right, given = results.column("answer"), results.column("parsed")
    if not set(right) & set(AREAS):
        return None
    table = confusion(right, given, AREAS)
    return PlaceBias(
        answer_bias(table, _rng(), _DRAWS),
        displacements(table),
        pull(table, centrality(), _rng(), _DRAWS),
        pull(table, _RIGHT, _rng(), _DRAWS),
        pull(table, _DOWN, _rng(), _DRAWS),
        _to_usual(results),
    )


def _to_usual(results: Results) -> Effect | None:
    usual = usual_places(results)
    if usual is None:
        return None
    index = {area: k for k, area in enumerate(AREAS)}
    asked = zip(results.column("answer"), results.column("parsed"), usual, strict=True)
    valid = np.array([[index[name] for name in each] for each in asked if each[1] in index], dtype=np.int64)
    right, given, place = valid.reshape(-1, 3).T
    return usual_place_pull(right, given, place, _rng())


def slot_bias(results: Results) -> SlotBias | None:
    """Which slots are chosen too often; None where questions have no options, or not all as many."""
    options = results.column("options")
    if len(sizes := set(map(len, options))) != 1 or (n_slots := sizes.pop()) < 2:
        return None
    given = [
        names.index(parsed) if parsed in names else None
        for names, parsed in zip(options, results.column("parsed"), strict=True)
    ]
    table = confusion(results.column("slot"), given, range(n_slots))
    first, last = np.eye(n_slots)[0], np.eye(n_slots)[-1]
    return SlotBias(
        answer_bias(table, _rng(), _DRAWS), pull(table, first, _rng(), _DRAWS), pull(table, last, _rng(), _DRAWS)
    )


def confusion(right: list[object], given: list[object], names: range | tuple[str, ...]) -> NDArray[np.int64]:
    """The counts `[right answer, given answer]` of the questions whose answers are both among the names."""
    index = {name: k for k, name in enumerate(names)}
    table = np.zeros((len(index), len(index)), dtype=np.int64)
    for a, b in zip(right, given, strict=True):
        if a in index and b in index:
            table[index[a], index[b]] += 1
    return table


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
