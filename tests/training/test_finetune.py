"""Fine-tuning trains what was named, saves a plain adapter, and is the same when it is done again."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER, build
from evensight.models.loading import LoadedModel, load
from evensight.models.predict import Predictor
from evensight.scenes.compose import SceneDesign
from evensight.training.finetune import config_for, finetune
from evensight.training.methods import FinetuneConfig

SHORT = {"epochs": 0.2, "batch_size": 16}


@pytest.fixture
def few(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


def run(few: SceneExamples, out: Path, **overrides: Any) -> Any:
    config = config_for("embedded", {**SHORT, **overrides}, "the test")
    return finetune("embedded", few, config, out)


def test_only_the_named_component_is_trained(few: SceneExamples, tmp_path: Path) -> None:
    table = run(few, tmp_path / "run").facts["parameters"]
    assert table["language"]["trained"] > 0
    assert table["vision"]["trained"] == table["projector"]["trained"] == 0


def test_the_vision_tower_can_be_named(few: SceneExamples, tmp_path: Path) -> None:
    table = run(few, tmp_path / "run", components=["vision"]).facts["parameters"]
    assert table["vision"]["trained"] > 0
    assert table["language"]["trained"] == 0


def test_the_paper_s_layers_are_the_default_for_a_checkpoint() -> None:
    config = config_for("some/model", {}, "the test")
    assert (config.lora_rank, config.lora_alpha) == (32, 64)
    assert (config.components, config.layers) == (("language",), ("q_proj", "k_proj", "v_proj"))


def test_the_adapter_changes_what_the_model_says_and_loads_without_us(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run", learning_rate=0.02)
    ours = load("embedded", tmp_path / "run")
    plain = PeftModel.from_pretrained(load("embedded").model, str(tmp_path / "run" / "adapter")).eval()
    images, texts = [few.image(k) for k in range(8)], [few[k].question.text for k in range(8)]
    adapted = Predictor(ours).answer(images, texts)
    assert adapted == Predictor(LoadedModel("plain", plain, ours.processor, {})).answer(images, texts)
    first = next(iter(few))
    batch = _batch(ours, few, first.question.text)
    with torch.inference_mode():
        assert not torch.equal(ours.model(**batch).logits, load("embedded").model(**batch).logits)


def test_the_same_run_gives_the_same_bytes(few: SceneExamples, tmp_path: Path) -> None:
    one, two = run(few, tmp_path / "one"), run(few, tmp_path / "two")
    assert one.files == two.files
    assert "adapter/adapter_model.safetensors" in one.files


def test_the_adapter_s_configuration_does_not_depend_on_the_hashes_of_a_process(
    few: SceneExamples, tmp_path: Path
) -> None:
    run(few, tmp_path / "run")
    names = json.loads((tmp_path / "run" / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert names == sorted(names)


def test_the_manifest_says_which_processor_was_used(few: SceneExamples, tmp_path: Path) -> None:
    assert run(few, tmp_path / "run").facts["processor"] == load("embedded").hashes["processor"]


def test_another_seed_gives_another_adapter(few: SceneExamples, tmp_path: Path) -> None:
    name = "adapter/adapter_model.safetensors"
    assert run(few, tmp_path / "one").files[name] != run(few, tmp_path / "two", seed=1).files[name]


def test_a_finished_run_is_not_done_again(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run")
    path = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    before = path.stat().st_mtime_ns
    run(few, tmp_path / "run")
    assert path.stat().st_mtime_ns == before


def test_a_finished_run_is_not_overwritten_by_another(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run")
    with pytest.raises(InputError, match="made with another configuration"):
        run(few, tmp_path / "run", seed=1)


def test_a_damaged_adapter_is_not_loaded(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run")
    path = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(InputError, match=r"adapter_model.safetensors` is damaged"):
        load("embedded", tmp_path / "run")


def test_a_loss_that_is_no_number_stops_and_saves_nothing(few: SceneExamples, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training stopped at step \d+: the loss is (nan|inf)"):
        run(few, tmp_path / "run", learning_rate=1e30)
    assert not (tmp_path / "run" / "adapter").exists()
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"epochs": 0}, "`epochs` input should be greater than 0, got '0'"),
        ({"epochs": float("inf")}, "`epochs` input should be a finite number"),
        ({"components": []}, "`components`"),
        ({"seed": 2**32}, "`seed` input should be less than"),
        ({"rank": 8}, "`rank` is not known: expected one of epochs"),
        ({"learning_rate": "fast"}, "`learning_rate` input should be a valid number"),
    ],
)
def test_a_wrong_setting_is_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config_for("embedded", overrides, "the options")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        FinetuneConfig().epochs = 5.0  # type: ignore[misc]


def _batch(loaded: LoadedModel, few: SceneExamples, text: str) -> dict[str, torch.Tensor]:
    from evensight.models.prompts import Prompter

    return Prompter(loaded.processor, "llava").encode([few.image(0)], [text])


def test_an_adapter_of_other_weights_is_refused(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run")
    other, processor = build(["where"], seed=5)
    other.save_pretrained(tmp_path / "other")
    processor.save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="was trained on other weights than those of"):
        load(str(tmp_path / "other"), tmp_path / "run")


def test_the_adapter_names_its_base_and_no_place_on_this_machine(few: SceneExamples, tmp_path: Path) -> None:
    run(few, tmp_path / "run")
    adapter = tmp_path / "run" / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("embedded", None)
    texts = [path.read_text() for path in (tmp_path / "run").rglob("*") if path.suffix in (".json", ".md", ".csv")]
    assert len(texts) == 4
    assert not any(str(place) in text for text in texts for place in (tmp_path, EMBEDDED_FOLDER))
