"""docs/models.md keeps its word: each of its commands can be given, and its tables are those of the code."""

import re
import runpy
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.launch import launch_command_parser
from typer.testing import CliRunner

from evensight import cli
from evensight.errors import InputError
from evensight.models.families import FAMILIES
from evensight.models.loading import load
from evensight.training import finetune as finetune_module
from evensight.training.methods import FinetuneConfig, adapt

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
TABLES = runpy.run_path(str(ROOT / "scripts" / "model_tables.py"))
OTHERS = ("pip", "tensorboard")
"""Programs whose own options are not ours to check."""


def commands() -> Iterator[list[str]]:
    """The guide's commands, without comments and what follows a `>`."""
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line.partition(" > ")[0], comments=True)
            if words:
                yield words


COMMANDS = list(commands())


def ours(words: list[str]) -> list[str] | None:
    """The words of a command of evensight; None of another's."""
    if words[0] == "accelerate":
        given = launch_command_parser().parse_args(words[2:])
        assert (given.training_script, given.module, given.num_processes) == ("evensight", True, 8)
        assert Path(given.config_file).stem in ("ddp", "fsdp2", "zero2", "zero3")
        return list(given.training_script_args)
    return words[1:] if words[0] == "evensight" else None


KEEPERS = (
    "evensight.audits.foreign",
    "evensight.audits.redrawn",
    "evensight.evaluation.scoring",
    "evensight.models.asked_here",
    "evensight.probing.run",
    "evensight.studies.run",
    "evensight.training.methods",
)
"""Modules that import by name what is stood in for."""


class Reached(Exception):  # noqa: N818 - it is no error
    """That a command had all that it takes, with what it would have done."""


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each command stop where the work would begin, its options read and its settings checked."""

    def reached(*arguments: Any, **options: Any) -> Any:
        raise Reached(arguments, options)

    for name in KEEPERS:  # which would else keep what stands there now, for all tests behind this one
        import_module(name)
    for place in (
        "evensight.training.finetune.finetune",
        "evensight.evaluation.ask.evaluate_subject",
        "evensight.models.loading.load",
        "evensight.reports.html.build_report",
        "evensight.audits.foreign.open_table",
        "evensight.storage.shards.ShardStore.run",
    ):
        monkeypatch.setattr(place, reached)
    monkeypatch.setattr("evensight.storage.stored.StoredExamples", lambda folder: None)
    monkeypatch.setattr("evensight.evaluation.results.read_results", lambda folder: None)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_each_command_of_the_guide_can_be_given(
    words: list[str], stopped: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ours(words)
    if given is None:
        assert words[0] in (*OTHERS, "vllm")
        return
    done = CliRunner().invoke(cli.app, given)
    was_printed = given[:2] == ["models", "accelerate"] and done.exit_code == 0
    expected = InputError if given[0] == "report" else Reached  # a report looks for its runs first
    assert was_printed or isinstance(done.exception, expected), f"{done.output} {done.exception!r}"


def test_the_commands_are_those_that_the_guide_is_for() -> None:
    kinds = [(ours(words) or words)[0] for words in COMMANDS]
    assert {"generate", "audit", "models", "evaluate", "finetune", "report", "vllm"} <= set(kinds)
    assert kinds.count("finetune") >= 7
    presets = [words for words in COMMANDS if "--preset" in words]
    assert [words[words.index("--preset") + 1] for words in presets] == list(finetune_module.PRESETS)
    methods = {words[words.index("--method") + 1] for words in COMMANDS if "--method" in words}
    assert methods == {"qlora", "full"}


def test_the_adapter_that_vllm_is_to_serve_is_one_that_it_takes() -> None:
    (words,) = (words for words in COMMANDS if words[0] == "vllm")
    config = FinetuneConfig()
    assert int(words[words.index("--max-lora-rank") + 1]) >= config.lora_rank
    peft_config = adapt(load("embedded"), config).peft_config["default"]
    assert (peft_config.bias, peft_config.modules_to_save, peft_config.use_dora) == ("none", None, False)


def test_the_tables_are_as_the_script_makes_them() -> None:
    assert TABLES["written"](GUIDE) == GUIDE, "docs/models.md is stale: run `python scripts/model_tables.py`"
    assert all(f"| {family.title} | {family.example} |" in GUIDE for family in FAMILIES)


def test_the_architectures_of_the_estimates_are_the_released_ones() -> None:
    released = {
        "Qwen/Qwen2.5-VL-3B-Instruct": 3_754_622_976,  # what their safetensors say
        "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
        "llava-hf/llava-v1.6-mistral-7b-hf": 7_566_747_648,
    }
    found = {each.name: TABLES["memory"](each, 336, "lora").weights / 2 for each in TABLES["subjects"]()}
    assert found == released


def test_the_adapters_memory_is_their_arithmetic() -> None:
    subject = TABLES["subjects"]()[1]  # 28 layers of width 3584, keys and values of 512
    n_adapter = 28 * 32 * ((3584 + 3584) + 2 * (3584 + 512))
    found = TABLES["memory"](subject, 336, "lora")
    assert found.states == 16 * n_adapter
    assert found.question == 34 * (144 + 60) * 3584 * 28 + 10 * 6 * 152064
