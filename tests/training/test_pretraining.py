"""The embedded model's recipe: each stage trains its own part, the same bytes again, also after it was stopped."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evensight.errors import InputError
from evensight.models.embedded import build
from evensight.models.loading import load
from evensight.models.prompts import Prompter
from evensight.questions.relations import NearestObject
from evensight.runs import RunFolder, hash_files
from evensight.training import pretraining
from evensight.training.lessons import TASKS, Stage
from evensight.training.pretraining import SEEING, PretrainingConfig, pretrain, vocabulary
from evensight.training.trainer import fit_batches

STAGES: tuple[Stage, ...] = ("seeing", "seeing-grounds", "telling", "answering")
TINY = PretrainingConfig(batch_size=2, n_lessons=dict.fromkeys(STAGES, 4))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("pretraining") / "model"
    return out, pretrain(out, TINY)


def test_the_model_loads_and_nothing_else_is_left(undisturbed: tuple[Path, Any]) -> None:
    out, facts = undisturbed
    assert load(str(out)).model.num_parameters() == facts["n_parameters"]
    manifest = RunFolder(out).manifest("pretraining")
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(manifest.files)
    RunFolder(out).check_files(manifest)
    assert {stage: len(losses) for stage, losses in facts["losses"].items()} == dict.fromkeys(STAGES, 2)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_training_that_was_stopped_goes_on_to_the_same_bytes(
    undisturbed: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def stopped_at_the_last(*args: Any) -> Any:
        stage = args[4]
        if stage == "answering" and "answering" not in trained:
            trained.append(stage)
            raise KeyboardInterrupt
        trained.append(stage)
        return fit_batches(*args)

    monkeypatch.setattr(pretraining, "fit_batches", stopped_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "model", TINY)
    assert not (tmp_path / "model").exists()
    facts = pretrain(tmp_path / "model", TINY)
    assert trained == [*STAGES, "answering"]
    assert facts == undisturbed[1]
    assert hash_files(tmp_path / "model") == hash_files(undisturbed[0])


def test_what_a_stage_gave_is_not_taken_when_it_was_changed(
    undisturbed: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_seeing(*args: Any) -> Any:
        if args[4] not in SEEING:
            raise KeyboardInterrupt
        return fit_batches(*args)

    monkeypatch.setattr(pretraining, "fit_batches", only_seeing)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "model", TINY)
    kept = tmp_path / "model.training" / "seeing.safetensors"
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    monkeypatch.setattr(pretraining, "fit_batches", fit_batches)
    pretrain(tmp_path / "model", TINY)
    assert hash_files(tmp_path / "model") == hash_files(undisturbed[0])


def test_two_trainings_of_one_model_are_refused(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "model.training").locked(),
        pytest.raises(InputError, match="another evensight process"),
    ):
        pretrain(tmp_path / "model", TINY)


def test_each_stage_trains_its_own_part() -> None:
    model, processor = build(vocabulary(), 0)
    for stage in STAGES:
        pretraining.task_of(model, processor, stage)
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        is_language = {".layers." in name and "language_model" in name for name in trained - {_norm(model)}}
        assert is_language == {stage not in SEEING}
        assert any("embed_tokens" in name for name in trained) == (stage in SEEING)


def _norm(model: torch.nn.Module) -> str:
    return next(name for name, _ in model.named_parameters() if name.endswith("language_model.norm.weight"))


def test_every_word_of_a_question_is_a_token_of_its_own() -> None:
    _, processor = build(vocabulary(), 0)
    prompter = Prompter(processor, "llava")
    for task in (*TASKS, NearestObject()):
        for wording in task.wordings:
            for word in wording.replace("?", "").replace(",", "").replace(".", "").split():
                if "{" not in word:
                    assert prompter.n_text_tokens(f" {word}") == 1, word


def test_the_grounds_that_are_seen_later_come_after_black() -> None:
    assert list(PretrainingConfig().n_lessons) == list(STAGES)
