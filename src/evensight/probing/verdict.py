"""Known and not said, or not known: what a probe reads off held-out states beside what the model says.

Both are about the same questions. The layer is the one that did best among the combinations that a probe learned
from, chosen anew for each fold, so that the best of many layers is not flattered. A probe that reads nothing shows
that nothing can be read *linearly there*; one that reads the place shows that it is there, not that the model uses
it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.probing.intervals import Estimate, mean_interval, sign_test

NOT_KNOWN = "not known"
NOT_SAID = "known and not said"
SAID = "known and said"
SAID_BETTER = "said better than read"
OPEN = "known, how much is said is open"
LEVEL = 0.05
MARGIN = 0.05
"""So much more may be read than said, with the whole interval, for it still to be called said."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a place at one position.

    Attributes:
        verdict: One of `NOT_KNOWN`, `NOT_SAID`, `SAID`, `SAID_BETTER`, `OPEN`.
        read: How often the probe reads the area.
        selectivity: By how much more often than with shuffled labels.
        said: How often the model says it.
        difference: `read - said` on the same questions.
        p_value: The test that this is 0, by groups.
        read_where_wrong: How often the probe reads the area where the model's answer is not right.
    """

    verdict: str
    read: Estimate
    selectivity: Estimate
    said: Estimate
    difference: Estimate
    p_value: float
    read_where_wrong: Estimate


def verdict(
    read: NDArray[np.bool_],
    control: NDArray[np.bool_],
    said: NDArray[np.bool_],
    groups: NDArray[np.int64],
    rng: np.random.Generator,
) -> Verdict:
    """Compares what is read with what is said.

    Args:
        read: Whether the probe was right, `[seed, example]`.
        control: Whether the probe of shuffled labels was right by these, `[seed, example]`.
        said: Whether the model was right, `[example]`.
        groups: The examples' combinations.
        rng: Where resamples come from.
    """
    differences = read.astype(np.float64) - said
    selectivity = mean_interval(read.astype(np.float64) - control, groups, rng)
    p_value = sign_test(differences, groups, rng)
    difference = mean_interval(differences, groups, rng)
    return Verdict(
        _called(selectivity, difference, p_value),
        mean_interval(read, groups, rng),
        selectivity,
        mean_interval(said[None], groups, rng),
        difference,
        p_value,
        mean_interval(read[:, ~said], groups[~said], rng),
    )


def _called(selectivity: Estimate, difference: Estimate, p_value: float) -> str:
    if difference.high < 0 and p_value <= LEVEL:
        return SAID_BETTER
    if not selectivity.is_above_zero:
        return NOT_KNOWN
    if difference.is_above_zero and p_value <= LEVEL:
        return NOT_SAID
    return SAID if difference.high <= MARGIN else OPEN


@dataclass(frozen=True, slots=True)
class Change:
    """What a second run changes for the same questions: `b - a` of what is read and of what is said."""

    read: Estimate
    read_p_value: float
    said: Estimate | None
    said_p_value: float | None


def change(
    read: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    said: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None,
    groups: NDArray[np.int64],
    rng: np.random.Generator,
) -> Change:
    """Compares two runs question by question; `read` is `[seed, example]` each, `said` `[example]` each."""
    differences = read[1].mean(axis=0) - read[0].mean(axis=0)
    of_said: tuple[Any, Any] = (None, None)
    if said is not None:
        spoken = said[1].astype(np.float64) - said[0]
        of_said = mean_interval(spoken[None], groups, rng), sign_test(spoken[None], groups, rng)
    return Change(mean_interval(differences[None], groups, rng), sign_test(differences[None], groups, rng), *of_said)
