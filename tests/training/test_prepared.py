"""Examples are prepared once where that changes nothing, within bounds; else each epoch prepares them anew."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage
from typing import Any

import pytest
import torch
from torch import Tensor

from evensight.caches import CACHE_VARIABLE, cache_folder
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.models.image_embeddings import DecoderCall
from evensight.models.loading import load
from evensight.models.processes import Processes
from evensight.models.prompts import Prompter
from evensight.scenes.compose import SceneDesign
from evensight.training import batches as batches_module
from evensight.training import embedding_files, prepared
from evensight.training.batches import Batches, Collator, batches
from evensight.training.checkpoints import FOLDER_NAME
from evensight.training.embedding_files import EmbeddingFile, NoRoomError, check_room, embedding_file, mapped
from evensight.training.finetune import finetune
from evensight.training.guard import Guard
from evensight.training.methods import FinetuneConfig, adapt
from evensight.training.prepared import EMBEDDINGS, INDICES, is_image_constant
from evensight.training.trainer import Surroundings, Upkeep, fit

N = 10


@pytest.fixture
def few(mini_train: SceneDesign) -> Part:
    return Part(SceneExamples(mini_train, 108, 0), [7 * k % 162 for k in range(N)], {"few": N})


def config(**settings: Any) -> FinetuneConfig:
    return FinetuneConfig(**{"epochs": 2.0, "batch_size": 4, "lora_rank": 4, **settings})


def model(**settings: Any) -> tuple[Any, Any]:
    loaded = load("embedded")
    return adapt(loaded, config(**settings)), loaded.processor


def given(few: Part, inspect: Callable[[Batches], Any], epochs: float = 2.0, **settings: Any) -> Any:
    adapted, processor = model(**settings)
    collator = Collator(few, Prompter(processor, "llava"))
    with batches(adapted, collator, Processes(), epochs=epochs, is_bf16=False) as found:
        return inspect(found)


def way(found: Batches) -> tuple[bool, bool]:
    """Whether it is prepared, and whether it would have been."""
    assert (found.injector is None) == (found.n_workers > 0)
    return found.injector is not None, found.is_anew


def files() -> list[Path]:
    folder = cache_folder("embeddings")
    return [] if folder is None else list(folder.iterdir())


def test_an_image_is_constant_where_only_the_language_model_is_trained() -> None:
    assert is_image_constant(model()[0])
    assert not is_image_constant(model(components=("language", "projector"), layers=())[0])
    assert not is_image_constant(model(components=("vision",), layers=())[0])
    assert not is_image_constant(model(method="full")[0])  # its word embeddings are trained


def test_a_tower_that_drops_out_at_random_gives_no_constant_image() -> None:
    adapted, _ = model()
    adapted.config.vision_config.attention_dropout = 0.1
    assert not is_image_constant(adapted)
    adapted.config.vision_config.attention_dropout = 0.0
    adapted.base_model.model.model.multi_modal_projector.act = torch.nn.Dropout(0.1)
    assert not is_image_constant(adapted)


def test_examples_are_prepared_where_they_are_seen_again(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(few, way) == (True, False)
    assert given(few, way, epochs=1.0) == (False, False)
    assert given(few, way, components=("vision",), layers=()) == (False, False)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert given(few, way) == (False, False)


def test_a_prepared_batch_has_the_tokens_and_no_pixels(few: Part) -> None:
    chosen = [9, 3, 8]
    expected = given(few, lambda found: found.collate(chosen), epochs=1.0)
    found = given(few, lambda found: found.collate(chosen))
    assert found.keys() - expected.keys() == {EMBEDDINGS}
    assert expected.keys() - found.keys() == {"pixel_values"}
    same = found.keys() - {EMBEDDINGS, "logits_to_keep"}
    assert all(torch.equal(found[key], expected[key]) for key in same)
    assert found["logits_to_keep"] == expected["logits_to_keep"]
    assert found[INDICES].tolist() == chosen
    n_image_tokens = int((found["input_ids"] == load("embedded").model.config.image_token_id).sum())
    assert found[EMBEDDINGS].shape[:2] == (n_image_tokens, 1)


def test_prepared_or_anew_a_training_has_the_same_losses(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"gradient_accumulation": 2, "learning_rate": 2e-3}
    losses = {}
    for name in ("prepared", "anew", "all logits"):
        with monkeypatch.context() as patch:
            if name != "prepared":
                patch.setattr(batches_module, "is_image_constant", lambda _: False)
            if name == "all logits":
                patch.setattr(batches_module, "takes_logits_to_keep", lambda _: False)
            adapted, processor = model(**settings)
            losses[name] = fit(adapted, processor, few, config(**settings), "the test", Surroundings()).losses
    assert losses["prepared"] == pytest.approx(losses["anew"], rel=1e-3)
    assert losses["all logits"] == pytest.approx(losses["anew"], rel=1e-3)
    assert len(losses["prepared"]) == 4


def test_who_prepares_an_example_changes_no_bit(few: Part) -> None:
    """Chunks by index: rank 1 of 2 looks at the second, fourth ... of those that one process looks at."""
    adapted, processor = model()
    folder = cache_folder("embeddings")
    assert folder is not None
    collator = Collator(few, Prompter(processor, "llava"))
    look = prepared._Look(adapted, adapted.config.image_token_id, is_bf16=False)
    rows: dict[str, dict[int, Tensor]] = {}
    for name, teams in {"one": [Processes()], "two": [Processes(0, 2), Processes(1, 2)]}.items():
        found: dict[int, Tensor] = {}
        for team in teams:
            with embedding_file(folder) as file:
                share = prepared._filled(look, collator, N, file, team)
                assert not share.fault
                assert sorted(share.kept) == [k for k in range(N) if k // prepared.CHUNK % team.n == team.rank]
                values = mapped(share.path, share.layout)
                found |= {k: values[one.first : one.first + one.n].clone() for k, one in share.kept.items()}
        rows[name] = found
    assert rows["one"].keys() == rows["two"].keys() == set(range(N))
    assert all(torch.equal(rows["one"][k], rows["two"][k]) for k in range(N))
    assert not torch.equal(rows["one"][0], rows["one"][1])


@pytest.mark.parametrize(
    "trouble", ["no folder", "too large", "too many tokens", "disk full", "not enough", "another way"]
)
def test_where_they_cannot_be_kept_it_says_why_and_prepares_anew(
    few: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    def full(self: EmbeddingFile, rows: Tensor) -> int:
        raise OSError(28, "No space left on device")

    def none(self: DecoderCall, places: Tensor) -> Tensor:
        raise AttributeError("this one has none")

    said = {
        "no folder": "there is no folder for caches",
        "too large": "takes 0.0 GiB",
        "too many tokens": "their tokens take",
        "disk full": "No space left on device",
        "not enough": "more about an image than its embeddings",
        "another way": "can't be read (this one has none)",
    }
    if trouble == "no folder":
        monkeypatch.setenv(CACHE_VARIABLE, "off")
    elif trouble == "too large":
        monkeypatch.setattr(embedding_files, "MAX_BYTES", 1000)
    elif trouble == "too many tokens":
        monkeypatch.setattr(prepared, "MAX_TOKEN_BYTES", 1000)
    elif trouble == "disk full":
        monkeypatch.setattr(EmbeddingFile, "append", full)
    elif trouble == "another way":
        monkeypatch.setattr(DecoderCall, "embeddings", none)
    else:
        whole = DecoderCall.embeddings
        monkeypatch.setattr(DecoderCall, "embeddings", lambda self, places: whole(self, places) * 0.5)
    assert given(few, way) == (False, True)
    assert said[trouble] in capsys.readouterr().err
    assert not files()


def test_no_more_than_half_of_what_is_free_is_taken(tmp_path: Path) -> None:
    free = disk_usage(tmp_path).free
    with pytest.raises(NoRoomError, match="GiB, and in"):
        check_room(tmp_path, free // 2 + 2**30)


def test_a_file_grows_no_larger_than_it_may(tmp_path: Path) -> None:
    with (tmp_path / "rows").open("wb") as opened:
        file = EmbeddingFile(opened, 2 * 4 * 3 * 4)
        assert [file.append(torch.zeros(1, 4, 3)) for _ in range(2)] == [0, 1]
        with pytest.raises(NoRoomError, match="takes more than"):
            file.append(torch.zeros(1, 4, 3))


def test_the_file_goes_when_the_training_does_and_old_ones_with_it(few: Part) -> None:
    folder = cache_folder("embeddings")
    assert folder is not None
    left, new = folder / "killed.embeddings", folder / "another.embeddings"
    for path in (left, new):
        path.touch()
    os.utime(left, (time.time() - 2 * 24 * 3600,) * 2)
    try:
        assert given(few, lambda found: files()) == [new]
        assert files() == [new]
    finally:
        new.unlink()


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    parts = [torch.randn(n, 2, 3).to(torch.bfloat16) for n in (4, 1)]
    with embedding_file(tmp_path) as file:
        assert [file.append(rows) for rows in parts] == [0, 4]
        file.flush()
        assert torch.equal(mapped(file.path, file.layout), torch.cat(parts))


def test_checkpoints_of_one_way_are_not_gone_on_with_in_the_other(
    few: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(out: Path) -> Any:
        return finetune("embedded", few, config(), out, upkeep=Upkeep(checkpoint_steps=2))

    before = Guard.on_pre_optimizer_step

    def stop(self: Guard, args: Any, state: Any, *rest: Any, **more: Any) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt
        before(self, args, state, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Guard, "on_pre_optimizer_step", stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run")
    assert (tmp_path / "run" / FOLDER_NAME / "step-00000002").is_dir()
    monkeypatch.setenv(CACHE_VARIABLE, "off")
    run(tmp_path / "run")
    assert "the checkpoint of step 2 in" in capsys.readouterr().err
