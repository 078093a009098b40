"""docs/ecosystem.md keeps its word: evensight's commands run, and what is named for the other tools is there."""

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.annotations import AREAS
from evensight.exchange.exports.lmms_eval_task import process_results

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "ecosystem.md").read_text(encoding="utf-8")
REGISTRY = ROOT / "src" / "evensight" / "exchange" / "inspect_ai" / "registry.py"
FEW = ["--size", "108", "--limit", "12"]
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def of(*start: str) -> list[list[str]]:
    """The guide's commands that start with some words."""
    return [words for words in COMMANDS if tuple(words[: len(start)]) == start]


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def registered(kind: str) -> dict[str, list[str]]:
    """What the registry names of a kind, with its parameters."""
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in ast.parse(REGISTRY.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(mark).partition("(")[0] == kind for mark in node.decorator_list)
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the guide's set was made and exported."""
    folder = tmp_path_factory.mktemp("guide")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (of("evensight", "generate")[0] + FEW, of("evensight", "export")[0]):
            done = CliRunner().invoke(cli.app, words[1:])
            assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"
    return folder


def test_every_command_is_of_a_tool_that_is_told_of() -> None:
    assert {words[0] for words in COMMANDS} == {"evensight", "python", "inspect", "pip"}
    assert len(of("evensight", "import", "answers")) == 2


def test_the_task_is_what_was_exported(desk: Path) -> None:
    (words,) = of("python", "-m", "lmms_eval")
    folder = desk / option(words, "--include_path")
    assert [path.stem for path in folder.glob("*.yaml")] == [option(words, "--tasks")]
    assert "--log_samples" in words


def test_the_table_has_the_metrics_of_the_task(desk: Path) -> None:
    told = set(re.findall(r"^\| `(\w+)`[^|]*\| [^|`]+ \|$", GUIDE, re.MULTILINE))
    (path,) = desk.rglob("evensight_civet_test.yaml")
    areas = {f"accuracy_{area.replace(' ', '_')}" for area in AREAS}
    given = set(re.findall(r"- metric: (\w+)", path.read_text()))
    assert areas < given
    assert told == given - areas | {"accuracy_top_left"}


def test_the_task_of_inspect_and_its_scorers_are_in_the_registry() -> None:
    tasks, scorers = registered("task"), registered("scorer")
    for words in of("inspect", "eval"):
        package, _, name = words[2].partition("/")
        assert (package, tasks[name]) == ("evensight", [option(words, "-T").partition("=")[0]])
    assert len(of("inspect", "eval")) == 2
    (words,) = of("inspect", "score")
    assert option(words, "--scorer").partition("/")[2] in scorers
    assert re.findall(r"^\| `evensight/(\w+)` \|", GUIDE, re.MULTILINE) == list(scorers)
    told = [name for name in registered("metric") if f"`{name}`" in GUIDE]
    assert told == ["cell_std", "cell_std_true", "worst_cell"]


def test_the_answers_of_both_logs_come_back(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    (folder,) = (path.parent for path in desk.rglob("utils.py"))
    docs = pq.read_table(folder / "data.parquet").to_pylist()
    for words, write in zip(of("evensight", "import", "answers"), (_as_lmms_eval, _as_inspect), strict=True):
        log = Path(words[3]).with_suffix(".jsonl" if write is _as_lmms_eval else ".json")  # `.eval` needs inspect_ai
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(write(docs))
        done = CliRunner().invoke(cli.app, [*words[1:3], str(log), *words[4:]])
        assert done.exit_code == 0, done.output
        lines = Path(option(words, "--out")).read_text().splitlines()
        assert [json.loads(line) for line in lines] == [{"id": doc["id"], "answer": "center"} for doc in docs]


def _as_lmms_eval(docs: list[dict[str, Any]]) -> str:
    lines = [{"filtered_resps": "center", **process_results(doc, ["center"])} for doc in docs]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _as_inspect(docs: list[dict[str, Any]]) -> str:
    output = {"choices": [{"message": {"content": "center"}}], "completion": "center"}
    return json.dumps({"samples": [{"id": doc["id"], "output": output} for doc in docs]})
