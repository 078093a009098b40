"""Who is told of a training while it goes on: the user in lines, and whoever `report_to` names."""

from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.scenes.compose import SceneDesign
from evensight.training.callbacks import Watch
from evensight.training.finetune import config_for, finetune
from evensight.training.trainer import Upkeep
from evensight.training.validation import ACCURACY, PERPLEXITY


class Told(TrainerCallback):  # type: ignore[misc]
    """Stands for tensorboard and its like."""

    logged: list[dict[str, Any]] = []  # noqa: RUF012 - transformers makes the object itself

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        self.logged.append({"step": state.global_step, **logs})


@pytest.fixture
def few(mini_train: SceneDesign) -> ExampleSet:
    return Part(SceneExamples(mini_train, 108, 0), range(0, 160, 10), {"every": 10})


def test_whoever_is_named_is_told_of_losses_and_validations_and_so_is_the_user(
    few: ExampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "told", Told)
    monkeypatch.setattr(Told, "logged", [])
    settings = {"epochs": 2.0, "batch_size": 4, "validation_share": 0.25, "validate_steps": 3}
    out = tmp_path / "run"
    finetune("embedded", few, config_for("embedded", settings, "the test"), out, upkeep=Upkeep(report_to=("told",)))
    losses = [entry["loss"] for entry in Told.logged if "loss" in entry]
    written = [float(line.split(",")[1]) for line in (out / "losses.csv").read_text().splitlines()[1:]]
    assert losses == written
    validations = [entry for entry in Told.logged if PERPLEXITY in entry]
    assert [entry["step"] for entry in validations] == [3, 6]
    assert all(any(name.startswith(f"{ACCURACY}/") for name in entry) for entry in validations)
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if "perplexity" in line]
    assert [line.partition(":")[2].partition(":")[0] for line in lines] == [
        " validation after step 3",
        " validation after step 6",
    ]
    assert all(" by area " in line for line in lines)


def test_a_process_that_shows_nothing_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class State:
        global_step = 3

    figures = {PERPLEXITY: 1.0, ACCURACY: 1.0}
    Watch(None).on_evaluate(None, State(), None, figures)
    assert capsys.readouterr().err == ""
    Watch(lambda n=1, note="": None).on_evaluate(None, State(), None, figures)
    assert "evensight: validation after step 3: right 100 %, by area" in capsys.readouterr().err
