"""`evensight probe` as a user types it, from a stored set and an evaluation to a verdict."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evensight import cli
from evensight.annotations import Grid
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate
from evensight.models.answering import Answer, Asked
from evensight.models.asked_here import Here
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from evensight.storage.stored import StoredExamples, store

GRID = Grid(3, 3)
DOCS = Path(__file__).parents[2] / "docs" / "probing.md"
QUICK = ("--positions", "last", "--targets", "area", "--layers", "0,3", "--seeds", "1", "--intervention", "0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    factors = (
        factor("shape", ["square", "circle", "triangle", "star"]),
        factor("color", ["red", "green", "blue"]),
        factor("size", ["large"]),
        cell_factor(GRID),
    )
    out = tmp_path_factory.mktemp("data") / "twelve-kinds"
    store(SceneExamples(SceneDesign("twelve-kinds", "twelve kinds", GRID, Product(factors)), 112, 0), out)
    return out


@pytest.fixture(scope="module")
def said(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of a model that says "center" to everything."""

    def center(_: Here, batch: Sequence[Asked], encoded: object) -> list[Answer]:
        return [Answer(one.index, "center") for one in batch]

    out = tmp_path_factory.mktemp("runs") / "said"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Here, "answered", center)
        evaluate("embedded", None, StoredExamples(data), out, 64)
    return out


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["probe", *map(str, arguments)], env={"COLUMNS": "160"})


def test_from_a_set_and_an_evaluation_to_a_verdict(data: Path, said: Path, tmp_path: Path) -> None:
    given = ("--model", "embedded", "--data", data, "--out", tmp_path / "run", "--answers", said, *QUICK)
    shown = invoke(*given)
    assert shown.exit_code == 0, shown.output
    assert "known and not said. The area is read in" in shown.output
    assert "said in 11.1" in shown.output.replace("\u00a0", " ")
    told = json.loads(invoke(*given, "--json").stdout)  # the run is there: nothing is done again
    assert told["verdicts"]["last"]["verdict"] == "known and not said"
    assert [one["layer"] for one in told["positions"]["last"]["area"]["layers"]] == [0, 3]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--positions", "first"), "the position `first` is not known"),
        (("--layers", "a"), "`layers.0`"),
        (("--layers", "9"), "`embedded` has no layer 9"),
        (("--answers", "nothing"), "`nothing` is not a folder: expected the folder of an evaluation"),
    ],
)
def test_a_mistake_is_one_line(data: Path, tmp_path: Path, given: tuple[str, str], says: str) -> None:
    done = invoke("--model", "embedded", "--data", data, "--out", tmp_path / "run", *given)
    assert isinstance(done.exception, InputError)
    assert says in str(done.exception)
    assert "\n" not in str(done.exception)


def test_the_guide_names_options_that_there_are() -> None:
    helps = "".join(
        CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"}).output
        for command in (("probe",), ("probe", "compare"), ("generate",), ("evaluate",), ("finetune",))
    )
    options = set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", DOCS.read_text(encoding="utf-8")))
    assert options - {"--table"} == {option for option in options if option in helps}
