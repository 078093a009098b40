"""`evensight finetune` as a user types it: bad input is one line, and nothing that was there is lost."""

import errno
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner
from typing_extensions import override

from evensight import cli
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.models.embedded import EMBEDDED_FOLDER, build
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import store
from evensight.training.checkpoints import FOLDER_NAME
from evensight.training.finetune import SETTINGS_NAME
from evensight.training.loop import Loop

QUICK = ("--epochs", "0.1", "--batch-size", "2")


class Unanswered(ExampleSet):
    """Open questions that nobody has answered."""

    def __init__(self, whole: ExampleSet) -> None:
        self._whole = whole

    @property
    @override
    def info(self) -> SetInfo:
        return replace(self._whole.info, name="unanswered", balanced=())

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Example:
        example = self._whole[index]
        return replace(example, question=replace(example.question, task="point", options=(), answer=""))

    @override
    def image(self, index: int) -> Image.Image:
        return self._whole.image(index)


def changed_model(folder: Path, how: str) -> None:
    """A copy of the embedded model that can't be used."""
    shutil.copytree(EMBEDDED_FOLDER, folder, ignore=shutil.ignore_patterns("manifest.json"))
    if how == "no-template":
        (folder / "chat_template.jinja").unlink()
    elif how == "pickles":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    else:
        config = json.loads((folder / "config.json").read_text())
        config["text_config"]["max_position_embeddings"] = 50
        (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def desk(mini_train: SceneDesign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sets, models, and a finished fine-tuning run."""
    folder = tmp_path_factory.mktemp("desk")
    squares = SceneExamples(mini_train, 108, 0)
    store(Part(squares, range(20), {"n": 20}), folder / "data")
    store(Part(squares, range(16, 24), {"from": 16}), folder / "overlapping")
    store(Unanswered(Part(squares, range(4), {"n": 4})), folder / "unanswered")
    for how in ("no-template", "pickles", "short"):
        changed_model(folder / how, how)
    other, processor = build(["where"], seed=5)
    other.save_pretrained(folder / "other")
    processor.save_pretrained(folder / "other")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = ["finetune", "--model", "embedded", "--data", "data", "--out", "run", *QUICK]
        done = CliRunner().invoke(cli.app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


def refused(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["evensight", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [
        line for line in printed.err.splitlines() if " questions, 1 in each of " not in line
    ]  # said before asking
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("evensight: ")
    return lines[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--data", "unanswered"], "of unanswered has no answer: expected one in every example that is trained"),
        (["--validation", "unanswered"], "of unanswered has no answer"),
        (["--validation", "overlapping"], "4 of the 8 validation examples have a picture that is also trained on"),
        (["--validation", "data"], "20 of the 20 validation examples have a picture that is also trained on"),
        (["--validation", "run"], "`run` is a fine-tuning run: expected a stored set"),
        (["--data", "run"], "`run` is a fine-tuning run: expected a stored set"),
        (["--data", "other"], "`other` has no manifest.json: expected a stored set"),
        (["--model", "no-template"], "has no chat template"),
        (["--model", "pickles"], "only pickles, which can run code"),
        (["--model", "short"], "`short` takes 50: use smaller images, or set image_processor.crop_size lower"),
        (["--model", "nowhere"], "`nowhere` is not there: expected `embedded`, a folder, or a Hub id"),
        (
            ["--out", "new", "--allow-code"],
            "is not run: allowing it takes a checkpoint of the Hub with its whole commit",
        ),
        (["--preset", "papers"], "the preset `papers` is not known: expected one of paper"),
        (["--epochs", "0"], "`epochs` input should be greater than 0, got '0"),
        (["--method", "loraa"], "`method` input should be 'lora', 'dora', 'qlora' or 'full'"),
        (["--method", "qlora"], "`qlora` needs"),
        (["--components", "legs"], "`legs` is not known: expected one of projector, language, vision"),
        (["--method", "full", "--components", "legs"], "`legs` is not in this model"),
        (["--components", ""], "`--components` is empty"),
        (["--layers", " , "], "`--layers` is empty: expected names by commas"),
        (["--layers", "qkv"], "no linear layer named qkv: expected some of down_proj"),
        (["--report-to", ""], "`--report-to` is empty"),
        (["--out", "new", "--report-to", "nobody"], "`report_to` nobody can't be used"),
        (["--patience", "2"], "expected a validation set or `validation_share`, got neither"),
        (["--validation", "overlapping", "--validation-share", "0.2"], "contradict each other"),
        (["--validation-share", "0.001"], "expected at least one to validate on"),
        (["--seed", "1"], "holds a fine-tuning run that was made with another configuration or other inputs"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_the_finished_run_stays(
    desk: Path,
    given: Sequence[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(desk)
    before, files = hash_files(desk / "run"), sorted(path.name for path in desk.iterdir())
    base = {"--model": "embedded", "--data": "data", "--out": "run"}
    base |= dict(zip(given[::2], given[1::2], strict=False))
    command = ["finetune", *QUICK, *(word for pair in base.items() for word in pair)]
    more = ["--allow-code"] if "--allow-code" in given else []
    assert says in refused([*command, *more], monkeypatch, capsys)
    assert hash_files(desk / "run") == before
    assert sorted(path.name for path in desk.iterdir()) == files


def test_a_setting_of_the_model_folder_holds_unless_an_option_says_otherwise(desk: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "run"
    shutil.copytree(EMBEDDED_FOLDER, model, ignore=shutil.ignore_patterns("manifest.json"))
    (model / SETTINGS_NAME).write_text(json.dumps({"seed": 5, "gradient_checkpointing": True, "epochs": 3.0}))
    command = ["finetune", "--model", str(model), "--data", str(desk / "data"), "--out", str(out), *QUICK]
    assert CliRunner().invoke(cli.app, [*command, "--no-gradient-checkpointing"]).exit_code == 0
    config = json.loads((out / "manifest.json").read_text())["config"]
    assert (config["seed"], config["gradient_checkpointing"], config["epochs"]) == (5, False, 0.1)


def test_an_adapter_of_another_base_is_one_line(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    ask = [
        "evaluate",
        "--model",
        "other",
        "--adapter",
        "run",
        "--data",
        "data",
        "--out",
        "asked",
        "--allow-trained-on",
    ]
    assert "the adapter `run` was trained on other weights than those of `other`" in refused(ask, monkeypatch, capsys)
    assert not (desk / "asked").exists()


def test_a_run_without_an_adapter_says_what_to_name_instead(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    out = str(tmp_path / "full")
    tune = ["finetune", "--model", "embedded", "--data", "data", "--out", out, "--method", "full", *QUICK]
    assert CliRunner().invoke(cli.app, tune).exit_code == 0
    ask = ["evaluate", "--data", "data", "--out", str(tmp_path / "asked"), "--allow-trained-on"]
    line = refused([*ask, "--model", "embedded", "--adapter", out], monkeypatch, capsys)
    assert f"trained the model itself and has no adapter: name `{out}/model` as the model instead" in line
    assert CliRunner().invoke(cli.app, [*ask, "--model", f"{out}/model"]).exit_code == 0


def test_a_disk_without_space_keeps_the_checkpoint_before_and_the_same_command_goes_on(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    out = tmp_path / "run"
    command = ["finetune", "--model", "embedded", "--data", "data", "--epochs", "0.5", "--batch-size", "2", "--out"]
    save = torch.save

    def full(value: Any, path: Any, *rest: Any, **more: Any) -> None:
        if "checkpoint-4" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(value, path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        line = refused([*command, str(out), "--checkpoint-steps", "2"], patch, capsys)
    assert "No space left on device" in line
    assert line.strip().endswith("free some space or check the path, then run the command again")
    assert [path.name for path in (out / FOLDER_NAME).glob("step-*")] == ["step-00000002"]
    started: list[int] = []
    step = Loop.training_step

    def counting(self: Loop, *arguments: Any, **more: Any) -> Any:
        started.append(self.state.global_step)
        return step(self, *arguments, **more)

    monkeypatch.setattr(Loop, "training_step", counting)
    assert CliRunner().invoke(cli.app, [*command, str(out), "--checkpoint-steps", "2"]).exit_code == 0
    assert started == [2, 3, 4]
    assert not (out / FOLDER_NAME).exists()


def test_a_gpu_that_is_too_small_is_one_line_with_the_batch_size_to_try(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 45.00 GiB")

    monkeypatch.chdir(desk)
    monkeypatch.setattr(Loop, "compute_loss", full)
    tune = ["finetune", "--model", "embedded", "--data", "data", "--out", str(tmp_path / "new"), *QUICK]
    line = refused(tune, monkeypatch, capsys)
    assert "too small for batch size 2 (at step 1): try batch size 1 with gradient accumulation 2" in line
    ask = ["evaluate", "--model", "embedded", "--data", "data", "--out", str(tmp_path / "asked"), "--batch-size", "6"]
    with monkeypatch.context() as patch:
        patch.setattr("transformers.LlavaForConditionalGeneration.forward", full)
        assert "too small for 6 questions at a time: try batch size 3" in refused(ask, patch, capsys)
    with monkeypatch.context() as patch:
        patch.setattr("transformers.LlavaForConditionalGeneration.to", full)
        assert "too small to load the model `embedded`" in refused(ask, patch, capsys)


def test_the_table_of_trained_parameters_is_printed(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    command = ["finetune", "--model", "embedded", "--data", "data", "--out", "run", *QUICK]
    shown = CliRunner().invoke(cli.app, command).output
    table = json.loads((desk / "run" / "manifest.json").read_text())["facts"]["parameters"]
    for part, row in table.items():
        assert f"  {part}: {row['trained']:,} of {row['parameters']:,} parameters trained" in shown
