"""Where numbers end, training stops before they reach the weights, names step and examples, keeps what was good."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.models.processes import Processes
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign
from evensight.training.finetune import LAST_GOOD_NAME, config_for, finetune
from evensight.training.guard import Guard, NumbersEndedError
from evensight.training.loop import Loop
from evensight.training.trainer import Upkeep

ADAPTER = "adapter_model.safetensors"


@pytest.fixture
def few(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


def run(few: SceneExamples, out: Path, upkeep: Upkeep | None = None, **overrides: Any) -> Any:
    config = config_for("embedded", {"epochs": 0.3, "batch_size": 8, **overrides}, "the test")  # 7 steps
    return finetune("embedded", few, config, out, upkeep=upkeep)


def spoil(monkeypatch: pytest.MonkeyPatch, step: int, *, gradient: bool) -> list[list[int]]:
    """Has the loss, or a gradient, of a step be no number; returns where its examples will be."""
    seen: list[list[int]] = []
    compute = Loop.compute_loss

    def spoilt(self: Loop, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        loss = compute(self, model, inputs, *rest, **options)
        if self.state.global_step + 1 != step:
            return loss
        if gradient:
            loss.register_hook(lambda slope: slope * torch.inf)
            return loss
        return loss * torch.nan

    note = Guard.check_loss

    def noting(self: Guard, loss: Any, indices: Any, at: int) -> None:
        if at == step:
            seen.append(list(indices))
        note(self, loss, indices, at)

    monkeypatch.setattr(Loop, "compute_loss", spoilt)
    monkeypatch.setattr(Guard, "check_loss", noting)
    return seen


def adapter_after(
    few: SceneExamples, out: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> dict[str, torch.Tensor]:
    """The adapter that an undisturbed run has after so many steps."""
    good = Guard.on_pre_optimizer_step
    found: dict[str, torch.Tensor] = {}

    def look(self: Guard, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        good(self, args, state, control, model=model, **more)
        if state.global_step == steps:
            found.update({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})

    with monkeypatch.context() as patch:
        patch.setattr(Guard, "on_pre_optimizer_step", look)
        run(few, out)
    return {name.replace(".default", ""): weight for name, weight in found.items()}


def test_a_loss_that_is_nan_names_step_and_examples_and_leaves_the_last_good_adapter(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = adapter_after(few, tmp_path / "undisturbed", 3, monkeypatch)
    seen = spoil(monkeypatch, 5, gradient=False)
    out = tmp_path / "run"
    with pytest.raises(InputError) as raised:
        run(few, out)
    message = str(raised.value)
    assert message.startswith("training stopped at step 5: the loss is nan on the examples")
    assert all(f"`{few[index].id}`" in message for index in seen[0])
    assert "\n" not in message
    assert f"after step 3 is saved in `{out / LAST_GOOD_NAME}`" in message
    saved = load_file(out / LAST_GOOD_NAME / ADAPTER)
    assert saved.keys() == expected.keys()
    assert all(torch.equal(saved[name], expected[name]) for name in saved)
    assert json.loads((out / LAST_GOOD_NAME / "adapter_config.json").read_text())["r"] == 32
    assert not (out / "adapter").exists()
    assert not (out / "manifest.json").exists()


def test_a_gradient_that_is_no_number_is_found_before_the_weights_are(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 4, gradient=True)
    with pytest.raises(InputError, match="training stopped at step 4: a gradient is not finite on the examples"):
        run(few, tmp_path / "run")
    saved = load_file(tmp_path / "run" / LAST_GOOD_NAME / ADAPTER)
    assert all(torch.isfinite(weight).all() for weight in saved.values())
    assert any(bool(weight.any()) for name, weight in saved.items() if "lora_B" in name)


def test_in_the_first_step_there_is_nothing_to_save(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 1, gradient=False)
    with pytest.raises(InputError, match=r"step 1: the loss is nan on .*; nothing was saved;"):
        run(few, tmp_path / "run")
    assert not (tmp_path / "run" / LAST_GOOD_NAME).exists()


def test_full_fine_tuning_names_its_last_checkpoint(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 6, gradient=False)
    with pytest.raises(InputError, match=r"its last checkpoint, of step 4, is `.*step-00000004`"):
        run(few, tmp_path / "run", Upkeep(checkpoint_steps=2), method="full")


def test_the_folder_that_was_left_is_gone_on_with_once_the_cause_is_mended(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(few, tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        spoil(patch, 5, gradient=False)
        with pytest.raises(InputError):
            run(few, tmp_path / "run", Upkeep(checkpoint_steps=2))
    run(few, tmp_path / "run")
    assert hash_files(tmp_path / "run") == hash_files(tmp_path / "undisturbed")


def test_all_examples_of_an_accumulated_step_are_named_for_a_gradient() -> None:
    guard = Guard(Processes(), keeps_weights=False)
    guard.check_loss(torch.tensor(1.0), [3, 1], 1)
    guard.check_loss(torch.tensor(2.0), [7], 1)
    layer = torch.nn.Linear(1, 1)
    layer(torch.ones(1) * torch.inf).sum().backward()
    with pytest.raises(NumbersEndedError) as raised:
        guard.on_pre_optimizer_step(None, _State(), None, model=layer)
    assert raised.value.indices == (1, 3, 7)


class _State:
    global_step = 0


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"batch_size": 8}, "try batch size 4 with gradient accumulation 2"),
        ({"batch_size": 7}, "try batch size 3$"),
        ({"batch_size": 1}, "try gradient checkpointing, or the method qlora"),
    ],
)
def test_a_gpu_out_of_memory_is_one_line_with_the_batch_size_to_try(
    few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], advice: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 45.00 GiB")

    monkeypatch.setattr(Loop, "compute_loss", full)
    with pytest.raises(InputError, match=advice) as raised:
        run(few, tmp_path / "run", **settings)
    assert f"batch size {settings['batch_size']} (at step 1)" in str(raised.value)
