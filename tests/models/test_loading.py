"""What can't be loaded is refused in one line; what is loaded is identified by its bytes."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors import SafetensorError

from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER, build
from evensight.models.loading import LoadedModel, identify, load, model_source, processor_hash, writing_weights


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json")))


def test_the_embedded_model_is_ten_megabytes_at_most() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED_FOLDER.iterdir()) < 10_000_000


def test_the_embedded_model_needs_no_network(embedded: LoadedModel) -> None:
    assert Path(model_source("embedded")) == EMBEDDED_FOLDER
    assert type(embedded.model).__name__ == "LlavaForConditionalGeneration"


def test_a_local_folder_loads_like_the_embedded_model(copied: Path, embedded: LoadedModel) -> None:
    assert load(str(copied)).hashes == embedded.hashes


def test_a_changed_weight_changes_the_model_hash(copied: Path) -> None:
    before = identify(str(copied))["model"]
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert identify(str(copied))["model"] != before


def test_the_processor_hash_sees_the_normalisation(copied: Path, embedded: LoadedModel) -> None:
    path = next(p for p in copied.glob("*processor_config.json"))
    config = json.loads(path.read_text())
    (config.get("image_processor") or config)["image_mean"] = [0.1, 0.1, 0.1]
    path.write_text(json.dumps(config))
    assert load(str(copied)).hashes["processor"] != embedded.hashes["processor"]


def test_the_processor_hash_is_the_same_with_its_part_for_videos(embedded: LoadedModel) -> None:
    class WithVideos:
        def save_pretrained(self, folder: str) -> None:
            embedded.processor.save_pretrained(folder)
            path = Path(folder) / "processor_config.json"
            config = json.loads(path.read_text()) | {"video_processor": {"fps": 2.0}}
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
            (Path(folder) / "video_preprocessor_config.json").write_text("{}")

    assert processor_hash(WithVideos()) == embedded.hashes["processor"]


def test_a_folder_without_weights_is_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no weights as safetensors.*expected model.safetensors"):
        load(str(copied))


def test_pickled_weights_are_refused(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(InputError, match="only pickles, which can run code"):
        load(str(copied))


def test_truncated_weights_are_refused(copied: Path) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match="can't be loaded"):
        load(str(copied))


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config.json"):
        load(str(tmp_path))


@pytest.mark.parametrize("name", ["nonsense", "./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_name_that_is_nothing_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not there: expected `embedded`, a folder, or a Hub id"):
        load(name)


def test_a_model_that_takes_no_images_is_refused(copied: Path) -> None:
    for path in copied.glob("*processor_config.json"):
        path.unlink()
    with pytest.raises(InputError, match=r"no processor with a chat template|can't be loaded"):
        load(str(copied))


def test_an_adapter_that_is_not_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no whole adapter"):
        load("embedded", tmp_path)


def test_random_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (build(["where"], seed)[0].state_dict() for seed in (1, 1, 2))
    name = "model.language_model.embed_tokens.weight"
    assert first[name].equal(again[name])
    assert not first[name].equal(other[name])


def test_an_adapter_cut_short_is_refused(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "target_modules": ["q_proj"], "base_model_name_or_path": "m"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x00" * 5)
    with pytest.raises(InputError, match="does not fit the model"):
        load("embedded", tmp_path)


def test_a_disk_that_is_full_of_weights_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No space left"), writing_weights():
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
