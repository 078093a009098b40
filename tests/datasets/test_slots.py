"""Where the right answer stands: every balance that a set claims is counted here, for designs of all kinds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evensight.annotations import AREAS, Grid
from evensight.audits.audit import audit
from evensight.datasets import slots
from evensight.datasets.examples import Example
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.questions.catalog import TASKS
from evensight.scenes.catalog import design, names
from evensight.scenes.compose import SceneDesign
from made_designs import OBJECTS, POOLS, made

Values = dict[str, list[str]]


def columns(rows: Sequence[Example], factors: Sequence[str]) -> Values:
    """The columns that claims are about, one value a question."""
    return {
        **{name: [row.attributes[name] for row in rows] for name in factors},
        "answer": [row.question.answer for row in rows],
        "slot": [str(row.question.slot) for row in rows],
        "row": [str(row.cell.row) for row in rows],
        "col": [str(row.cell.col) for row in rows],
        "cell": [str(row.cell) for row in rows],
        "area": [row.area for row in rows],
    }


def levels(rows: Sequence[Example], values: Values, grid: Grid) -> Values:
    """All that a column could have."""
    known = {
        "row": [str(k) for k in range(grid.rows)],
        "col": [str(k) for k in range(grid.cols)],
        "cell": [str(cell) for cell in grid.cells()],
        "area": list(AREAS),
        "slot": [str(k) for k in range(max(len(row.question.options) for row in rows))],
    }
    return {name: known.get(name) or sorted(set(found)) for name, found in values.items()}


def broken(found: SceneExamples) -> list[str]:
    """The claims that don't hold: some value of `given` has two values of `counted` more unevenly than it must."""
    rows, wrong = list(found), []
    values = columns(rows, found.info.factors)
    all_levels = levels(rows, values, found.info.grid)
    for one, other in found.info.balanced:
        pairs = Counter(zip(values[one], values[other], strict=True))
        known = all_levels[other]
        for value in set(values[one]):
            counts = [pairs[value, each] for each in known]
            if max(counts) - min(counts) > (1 if sum(counts) % len(known) else 0):
                wrong.append(f"{one}={value}: {other} {counts}")
    return wrong


def check(found: SceneExamples) -> None:
    assert broken(found) == []
    report = audit(found)
    assert report.broken == ()
    assert report.faults == ()


@st.composite
def random_designs(draw: st.DrawFn) -> SceneDesign:
    """A design of few objects on a grid of any shape, cut in any way."""
    grid = Grid(draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    part: dict[str, Any] = {
        "shape": ["square", "circle", "star"][: draw(st.integers(2, 3))],
        "color": ["red", "blue"],
    }
    for name, values in (
        ("size", ["large", "small"]),
        ("sheen", ["none", "matte", "glossy"]),
        ("background", ["black", "gradient"]),
        ("distractors", [0, 1, 2]),
        ("distractors", [1]),
        ("wording", [1, 2]),
        ("jitter", [0, 1]),
    ):
        if draw(st.booleans()) and len(part) < 4:
            part[name] = values
    cut: dict[str, Any] = {}
    cells = [f"{cell.row},{cell.col}" for cell in grid.cells()]
    match draw(st.sampled_from(("whole", "cells", "minus", "minus cells", "union", "fraction", "placed"))):
        case "cells":
            part["cell"] = draw(st.lists(st.sampled_from(cells), min_size=1, unique=True))
        case "minus":
            cut["without"] = [{"shape": "square", "color": "red"}]
        case "minus cells":
            some = draw(st.lists(st.sampled_from(cells), min_size=1, max_size=4, unique=True))
            cut["without"] = [{"shape": "square", "cell": some}]
        case "union":
            more = {**part, "shape": "plus", "color": ["red", "blue", "cyan"], "cell": cells[:5]}
            return made(part, more, grid=grid)
        case "fraction" if "sheen" not in part and part.get("distractors") != [0, 1, 2] and len(part["shape"]) == 2:
            cut["fraction"] = 2 if sum(len(v) == 2 for v in part.values()) >= 3 else 1
        case "placed":
            grid, cut["placement"] = Grid(9, 9), "photo-main-object"
    return made(part, grid=grid, **cut)


@given(random_designs(), st.sampled_from(sorted(TASKS)))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_random_designs_are_what_they_claim(found: SceneDesign, task: str) -> None:
    try:
        examples = SceneExamples(found, 240, 0, task)
    except InputError:
        return
    assert broken(examples) == []
    if examples[0].question.options and len({len(row.question.options) for row in examples}) == 1:
        assert ("answer", "slot") in examples.info.balanced


TASKED = {
    "whole": made(OBJECTS, grid=Grid(4, 5)),
    "odd": made({**OBJECTS, "size": ["small", "large"]}, grid=Grid(10, 7)),
    "some cells": made({**OBJECTS, "cell": ["0,0", "2,2", "1,2", "0,1"]}, grid=Grid(3, 3)),
    "different cells": made(OBJECTS, grid=Grid(6, 3), without=[{"shape": "star", "cell": ["0,0", "2,1", "5,2"]}]),
    "unequal parts": made(OBJECTS, {"shape": "plus", "color": ["cyan"]}, grid=Grid(4, 4)),
    "less": made(OBJECTS, grid=Grid(3, 3), without=[{"shape": "star", "color": "red"}]),
    "placed": made(OBJECTS, placement="photo-main-object"),
    "a fraction": made({**OBJECTS, "sheen": ["none", "matte", "glossy"]}, fraction=3, grid=Grid(4, 5)),
    "one other": made({**OBJECTS, "distractors": 1, "size": ["small", "large"]}, grid=Grid(4, 5)),
    "several others": made({**OBJECTS, "distractors": [2, 3]}, grid=Grid(5, 5)),
}


@pytest.mark.parametrize("name", TASKED)
@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("most", [30_000, 0])
def test_every_task_that_can_be_asked_is_what_it_claims(
    name: str, task: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "MAX_DEALT", most)  # 0: as for more questions than are dealt
    try:
        examples = SceneExamples(TASKED[name], 400, 1, task)
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - some tasks can't be asked about some designs
        return
    assert broken(examples) == []


@pytest.mark.parametrize("name", [name for name in names() if len(design(name, pools=POOLS)) < 8000])
def test_shipped_designs_are_what_they_claim(name: str) -> None:
    found = SceneExamples(design(name, pools=POOLS), 336, 0, _task(name), pools=POOLS)
    check(found)
    assert ("answer", "slot") in found.info.balanced or len({len(row.question.options) for row in found}) > 1


def _task(name: str) -> str:
    from evensight.scenes.catalog import design_file

    return design_file(name).task


def test_a_full_grid_claims_every_factor_in_every_place() -> None:
    claimed = set(SceneExamples(made(OBJECTS, grid=Grid(6, 3)), 200, 0).info.balanced)
    assert {(f, place) for f in OBJECTS for place in ("row", "col", "cell", "area")} <= claimed


@pytest.mark.parametrize("grid", [Grid(4, 5), Grid(10, 7), Grid(3, 4)])
def test_a_grid_that_does_not_part_in_three_claims_no_areas(grid: Grid) -> None:
    claimed = SceneExamples(made(OBJECTS, grid=grid), 400, 0).info.balanced
    assert not [pair for pair in claimed if pair[1] == "area"]
    assert ("shape", "cell") in claimed


@pytest.mark.parametrize("settings", [{"only": {"cell": "center"}}, {"without": [{"shape": "star", "cell": "0,0"}]}])
def test_a_design_that_leaves_cells_out_claims_no_places(settings: Mapping[str, Any]) -> None:
    claimed = SceneExamples(made(OBJECTS, **settings), 200, 0).info.balanced
    assert not [pair for pair in claimed if pair[1] != "slot"]


def test_property_questions_in_doubt_are_refused_when_the_set_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "MAX_DEALT", 0)
    with pytest.raises(InputError, match="is in the picture more than once"):
        SceneExamples(made({**OBJECTS, "distractors": 3}, grid=Grid(3, 3)), 200, 0, "property-color")
