"""Fine-tuning a checkpoint of the Hub: at its commit, its code only if allowed; its adapter says what it is of."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.hub import code_allowed, pinned
from evensight.models.loading import load
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign
from evensight.training.finetune import config_for, finetune

OLD, NEW = "a" * 40, "b" * 40
CONFIG = {"epochs": 1.0, "batch_size": 2, "learning_rate": 2e-3}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local cache with the embedded model's files as `some/model`, at two commits."""
    pinned.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "hub" / "models--some--model"
    for commit in (OLD, NEW):
        shutil.copytree(EMBEDDED_FOLDER, folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(NEW)
    (folder / "refs" / "v1").write_text(OLD)
    return folder


@pytest.fixture
def few(mini_train: SceneDesign) -> ExampleSet:
    return Part(SceneExamples(mini_train, 108, 0), range(4), {"n": 4})


def run(few: ExampleSet, name: str, out: Path) -> Any:
    return finetune(name, few, config_for(name, CONFIG, "the test"), out)


def adapter_config(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "adapter" / "adapter_config.json").read_text()))


@pytest.mark.parametrize(("name", "commit"), [("some/model", NEW), ("some/model@v1", OLD)])
def test_the_adapter_names_the_repository_and_the_commit_that_it_was_trained_on(
    cache: Path, few: ExampleSet, tmp_path: Path, name: str, commit: str
) -> None:
    manifest = run(few, name, tmp_path / "run")
    config = adapter_config(tmp_path / "run")
    assert (config["base_model_name_or_path"], config["revision"]) == ("some/model", commit)
    assert manifest.inputs["model"] == manifest.facts["model"] == f"some/model@{commit}"
    other = NEW if commit == OLD else OLD
    for adapter, says in ((tmp_path / "run", "on other weights"), (tmp_path / "run" / "adapter", "for the commit")):
        assert load(name, adapter).hashes["adapter"]
        with pytest.raises(InputError, match=rf"{says}.*{other}"):
            load(f"some/model@{other}", adapter)


def test_a_repository_that_moved_on_is_another_run(cache: Path, few: ExampleSet, tmp_path: Path) -> None:
    run(few, "some/model", tmp_path / "run")
    before = hash_files(tmp_path / "run")
    assert run(few, "some/model", tmp_path / "run").files == before
    (cache / "refs" / "main").write_text(OLD)
    pinned.cache_clear()
    with pytest.raises(InputError, match="was made with another configuration or other inputs"):
        run(few, "some/model", tmp_path / "run")
    assert hash_files(tmp_path / "run") == before


def with_code(folder: Path) -> None:
    """Has a checkpoint need code of its own: a model type that transformers doesn't know."""
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "mine.MyConfig", "AutoModelForImageTextToText": "mine.MyModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "my_llava", "auto_map": names}))
    (folder / "mine.py").write_text(
        "from transformers import LlavaConfig, LlavaForConditionalGeneration\n"
        "class MyConfig(LlavaConfig):\n    model_type = 'my_llava'\n"
        "class MyModel(LlavaForConditionalGeneration):\n    config_class = MyConfig\n"
    )


def test_code_of_a_checkpoint_is_trained_only_where_it_is_allowed_and_pinned(
    cache: Path, few: ExampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers.dynamic_module_utils as modules

    monkeypatch.setattr(modules, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    for commit in (OLD, NEW):
        with_code(cache / "snapshots" / commit)
    (cache / "snapshots" / NEW / "mine.py").write_text("raise SystemExit('the code of another commit ran')\n")
    name = f"some/model@{OLD}"
    with pytest.raises(InputError, match="needs code of its own, which is not run unless you allow it"):
        run(few, name, tmp_path / "run")
    with code_allowed(True):
        with pytest.raises(InputError, match="is not run: allowing it takes a checkpoint of the Hub with its whole"):
            run(few, "some/model", tmp_path / "run")
        assert not (tmp_path / "run").exists()
        table = run(few, name, tmp_path / "run").facts["parameters"]
    assert table["language"]["trained"] > 0
    assert table["vision"]["trained"] == table["projector"]["trained"] == 0
    assert adapter_config(tmp_path / "run")["revision"] == OLD
