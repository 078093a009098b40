"""Baselines: what one reaches on the questions of photographs without a model and without looking.

They are there for questions that ask for one of the nine areas. Where the set brings a prior, learned on training
photographs, the guesses are those of `datasets.priors`; without one only "center" can be said.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from evensight.annotations import AREAS, Box, Frame
from evensight.datasets.priors import ALWAYS_CENTER, CATEGORY, CATEGORY_LEVELLED, Prior
from evensight.evaluation.beside import Beside, beside
from evensight.evaluation.results import Results

_CATEGORY_COLUMN = "category"
_OF_CATEGORIES = (CATEGORY, CATEGORY_LEVELLED)


def baselines(results: Results) -> dict[str, Beside]:
    """What each baseline reaches, by name; none for sets of other things than photographs and areas."""
    if not results.of_photos or not asks_for_areas(results):
        return {}
    answers, areas = results.column("answer"), results.column("area")
    return {
        name: beside(
            np.array([guess == answer for guess, answer in zip(guesses, answers, strict=True)], dtype=bool),
            areas,
            results.correct,
            results.images,
        )
        for name, guesses in _guesses(results, results.prior).items()
    }


def usual_places(results: Results) -> Sequence[str] | None:
    """Where things of each question's category usually are; None where that isn't known."""
    if not results.of_photos or results.prior is None or not asks_for_areas(results):
        return None
    return _guesses(results, results.prior).get(CATEGORY)


def asks_for_areas(results: Results) -> bool:
    """Whether each of the questions has the nine areas for options, and there is one."""
    options = set(map(frozenset, results.column("options")))
    return options == {frozenset(AREAS)}


def _guesses(results: Results, prior: Prior | None) -> Mapping[str, Sequence[str]]:
    """What each baseline answers to each question."""
    n = results.table.num_rows
    if prior is None:
        return {ALWAYS_CENTER: ["center"] * n}
    knows_category = _CATEGORY_COLUMN in results.factors
    categories = results.column(_CATEGORY_COLUMN) if knows_category else [""] * n
    by_question = [
        prior.guesses(category, Box(*box).share_of(Frame(*frame)))
        for category, box, frame in zip(
            categories, results.column("box_xyxy_px"), results.column("frame_wh_px"), strict=True
        )
    ]
    names = [name for name in by_question[0] if knows_category or name not in _OF_CATEGORIES]
    return {name: [guesses[name] for guesses in by_question] for name in names}
