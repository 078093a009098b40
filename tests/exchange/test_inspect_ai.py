"""What the registry is made of; that inspect_ai runs it, with the same scores, is seen in `make ecosystem`."""

import ast
import base64
import io
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.exchange.inspect_ai.samples import asked, judged
from evensight.exchange.question_rows import question_row
from evensight.questions.parsing import Outcome
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples, store

ROOT = Path(__file__).parents[2]
N = 5


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set") / "set"
    store(SceneExamples(design("civet-train"), 108, 0), out, limit=N)
    return out


def test_all_questions_are_asked_in_order_with_their_pictures(stored: Path) -> None:
    examples = StoredExamples(stored)
    name, found = asked(stored)
    samples = list(found)
    assert (name, len(samples)) == ("civet-train", N)
    for index, sample in enumerate(samples):
        kind, _, encoded = sample.picture_uri.partition(",")
        shown = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert (kind, shown.format) == ("data:image/png;base64", "PNG")
        assert np.array_equal(np.asarray(shown.convert("RGB")), np.asarray(examples.image(index)))
        assert sample.row == question_row(examples[index], examples.encoded(index))


def test_a_photograph_is_said_to_be_jpeg(monkeypatch: pytest.MonkeyPatch, stored: Path) -> None:
    monkeypatch.setattr(StoredExamples, "encoded", lambda self, index: b"\xff\xd8\xff")
    assert next(asked(stored)[1]).picture_uri == "data:image/jpeg;base64,/9j/"


def test_a_folder_that_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stored set"):
        asked(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("form", "letter", "outcome"),
    [
        ("In the {right} of the picture.", "C", Outcome.CORRECT),
        ("{other}", "I", Outcome.WRONG),
        ("{right} or {other}", "N", Outcome.INVALID),
        ("", "N", Outcome.INVALID),
    ],
)
def test_an_invalid_answer_is_no_answer_and_not_an_incorrect_one(
    form: str, letter: str, outcome: Outcome, stored: Path
) -> None:
    row = next(asked(stored)[1]).row
    right = row["answer"]
    other = next(option for option in ("bottom left", "top right") if option != right)
    judgement = judged(row, form.format(right=right, other=other))
    assert (judgement.letter, judgement.outcome) == (letter, outcome)
    assert judgement.answer == {"C": right, "I": other, "N": None}[letter]


def test_the_entry_point_names_the_module_with_the_task_and_its_scorers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = project["entry-points"]["inspect_ai"]["evensight"]
    source = ROOT / "src" / Path(*module.split(".")).with_suffix(".py")
    decorated = {
        (ast.unparse(mark).partition("(")[0], node.name)
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.FunctionDef)
        for mark in node.decorator_list
    }
    assert {("task", "questions"), ("scorer", "answer"), ("scorer", "invalid")} <= decorated
    assert {name for mark, name in decorated if mark == "metric"} == {"cell_std", "cell_std_true", "worst_cell"}
    (needed,) = project["optional-dependencies"]["inspect"]
    assert needed.startswith("inspect-ai>=")


def test_nothing_else_imports_the_registry() -> None:
    named = "inspect_ai.registry"
    others = [path for path in (ROOT / "src").rglob("*.py") if named in path.read_text(encoding="utf-8")]
    assert others == []
