"""What a model answers on the controls of a set, beside what it answers on the set itself."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evensight.datasets.controls import Black, Mirrored, mirrored_answer
from evensight.datasets.swapped import WrongPhoto
from evensight.evaluation.beside import Beside, beside
from evensight.evaluation.results import Results
from evensight.questions.parsing import Outcome
from evensight.statistics import PriorReliance, Proportion, prior_reliance, proportion

_SIDES = {"left", "right"}


@dataclass(frozen=True, slots=True)
class Consistency:
    """How often the answer on the mirrored picture is the mirror of the answer on the picture.

    Only questions count that have a valid answer on both. An answer in the middle column is its own mirror, so who
    says "center" always is consistent there: the answers that name a side tell more.

    Attributes:
        overall: Of all answers.
        sides: Of those that name left or right on the picture.
        middle: Of the others.
    """

    overall: Proportion
    sides: Proportion
    middle: Proportion


def controls_beside(results: Results) -> dict[str, Beside]:
    """The model's figures on each control, by the control's name; by area where the object is on the control."""
    return {
        name: beside(_correct(table), table["area"].to_pylist(), results.correct, results.images)
        for name, table in results.controls.items()
    }


def consistency(results: Results) -> Consistency | None:
    """Whether the model's answers are mirrored with the picture; None if it wasn't asked about mirrored ones."""
    if Mirrored.name not in results.controls:
        return None
    answers = zip(results.column("parsed"), results.controls[Mirrored.name]["parsed"].to_pylist(), strict=True)
    valid = [(given, mirrored) for given, mirrored in answers if given is not None and mirrored is not None]
    is_same = np.array([mirrored_answer(given) == mirrored for given, mirrored in valid], dtype=bool)
    is_side = np.array([bool(_SIDES & set(given.split(" "))) for given, _ in valid], dtype=bool)
    return Consistency(_share(is_same), _share(is_same[is_side]), _share(is_same[~is_side]))


def reliances(results: Results) -> dict[str, PriorReliance]:
    """How far the answers stay the same where the picture is taken away (black, or another photograph), by control.

    Only questions count that have a valid answer on both.
    """
    found = {}
    for name in set(results.controls) & {Black.name, WrongPhoto.name}:
        pairs = list(zip(results.column("parsed"), results.controls[name]["parsed"].to_pylist(), strict=True))
        valid = [k for k, (given, without) in enumerate(pairs) if given is not None and without is not None]
        given, without = ([pairs[k][side] for k in valid] for side in (0, 1))
        found[name] = prior_reliance(given, without, results.images[valid])
    return dict(sorted(found.items()))


def _correct(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([value == Outcome.CORRECT for value in table["outcome"].to_pylist()], dtype=bool)


def _share(hits: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Proportion:
    return proportion(int(hits.sum()), int(hits.size))
