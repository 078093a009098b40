"""The figures of an evaluation, by hand and by a second way."""

from math import isnan, sqrt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from evensight.annotations import AREAS, PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation.results import Results, result_row, schema
from evensight.evaluation.summary import summarise
from evensight.runs import RunManifest
from evensight.scenes.catalog import design

EXAMPLES = SceneExamples(design("civet-test"), 336, 0)
PROVENANCE = {"model": "m", "adapter": None, "processor": "p", "batch_size": 1}


def results(answers: dict[int, str]) -> Results:
    """The results of answering these examples, by index, with these texts."""
    factors = EXAMPLES.info.factors
    rows = [result_row(EXAMPLES[k], raw, PROVENANCE) for k, raw in answers.items()]
    facts = {"set": "civet-test", "grid": [9, 9], "factors": list(factors)}
    table = pa.Table.from_pylist(rows, schema=schema(factors))
    return Results(Path(), RunManifest("evaluation", {}, {}, {}, facts, {}), table)


def truth(k: int) -> str:
    return EXAMPLES[k].question.answer


def test_invalid_answers_are_counted_apart_and_not_correct() -> None:
    summary = summarise(results({0: truth(0), 1: "no idea", 2: "bottom right", 3: "Top-Center!"}))
    assert summary.n_invalid == 1
    assert (summary.accuracy.n, summary.accuracy.estimate) == (4, 0.5)


def test_an_empty_cell_is_empty() -> None:
    summary = summarise(results({0: truth(0)}))
    empty = [cell for cell in summary.cells if cell.accuracy.n == 0]
    assert len(empty) == 80
    assert all(isnan(cell.accuracy.estimate) for cell in empty)
    assert summary.as_json()["cells"][1]["accuracy"]["estimate"] is None


def test_the_worst_cell_is_one_that_has_questions() -> None:
    answers = {k: truth(k) for k in range(81)} | {40: "top left"}
    summary = summarise(results(answers))
    assert (summary.worst_cell.row, summary.worst_cell.col) == (4, 4)
    assert summary.worst_cell.accuracy.estimate == 0.0


def test_the_spread_over_cells_by_hand() -> None:
    answers = {k: truth(k) if k < 27 else "nothing" for k in range(81)}
    summary = summarise(results(answers))
    assert summary.cell_std == pytest.approx(sqrt(1 / 3 * 2 / 3))


def test_cells_agree_with_counting_the_rows() -> None:
    rng = np.random.default_rng(0)
    answers = {int(k): str(rng.choice(AREAS)) for k in rng.permutation(3888)[:900]}
    summary = summarise(results(answers))
    for cell in summary.cells:
        k = PAPER_GRID.index(PAPER_GRID.cells()[cell.row * 9 + cell.col])
        there = {i: raw for i, raw in answers.items() if i % 81 == k}
        assert cell.accuracy.n == len(there)
        if there:
            assert cell.accuracy.estimate == sum(raw == truth(i) for i, raw in there.items()) / len(there)


def test_the_confusion_counts_every_question_once() -> None:
    rng = np.random.default_rng(1)
    answers = {int(k): str(rng.choice([*AREAS, "hm"])) for k in rng.permutation(3888)[:500]}
    summary = summarise(results(answers))
    confusion = np.array(summary.confusion)
    assert confusion.sum() == 500
    assert confusion[:, 9].sum() == summary.n_invalid
    assert np.trace(confusion) == round(summary.accuracy.estimate * 500)


def test_a_model_that_always_says_center_is_right_in_the_center_only() -> None:
    summary = summarise(results(dict.fromkeys(range(3888), "center")))
    assert summary.accuracy.estimate == pytest.approx(1 / 9)
    assert summary.areas["center"].estimate == 1
    assert summary.most_frequent_answer == pytest.approx(1 / 9)
    assert summary.uniformity.p_value < 0.001


def test_a_model_that_is_always_right_shows_no_difference_between_cells() -> None:
    summary = summarise(results({k: truth(k) for k in range(3888)}))
    assert (summary.cell_std, summary.uniformity.p_value) == (0, 1)


def test_headline_has_the_agreed_names() -> None:
    names = {"accuracy", "n", "low", "high", "n_invalid", "cell_std", "worst_cell"}
    assert names <= set(summarise(results({0: truth(0)})).headline())
