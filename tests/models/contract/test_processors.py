"""A processor loaded without its part for videos shows the model the very same pixels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from evensight.models.loading import load
from evensight.models.processors import image_only, processor_class
from evensight.models.prompts import Prompter
from tiny_models import TEXTS, Tiny, pictures

WITH_VIDEOS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava_onevision", "internvl", "smolvlm", "molmo2")


def encoded(folder: Path, model_type: str) -> dict[str, Tensor]:
    return Prompter(load(str(folder)).processor, model_type).encode(pictures(2), TEXTS[:2])


def test_the_pixels_are_those_of_the_image_processor_alone(tiny: Tiny) -> None:
    images = transformers.AutoImageProcessor.from_pretrained(tiny.folder, backend="pil")
    settings = dict(getattr(type(tiny.loaded.processor), "images_kwargs", {}))
    nested = [[one] for one in pictures(2)] if tiny.model_type in ("smolvlm", "idefics3") else pictures(2)
    alone = images(nested, return_tensors="pt", **settings)["pixel_values"]
    assert torch.equal(tiny.prompter.encode(pictures(2), TEXTS[:2])["pixel_values"], torch.as_tensor(alone))


@pytest.mark.parametrize("model_type", ["llava", "gemma3", "paligemma"])
def test_where_torchvision_is_the_pixels_are_pillows(
    model_type: str, tiny_of: Callable[[str], Tiny], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    plain = transformers.AutoImageProcessor.from_pretrained

    def from_pretrained(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs.get("backend"))
        return plain(*args, **kwargs)

    monkeypatch.setattr("evensight.models.processors.has_torchvision", lambda: True)
    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", from_pretrained)
    tiny = tiny_of(model_type)
    asked.clear()
    found = encoded(tiny.folder, model_type)
    assert asked[-1] == "pil"
    assert torch.equal(found["pixel_values"], tiny.prompter.encode(pictures(2), TEXTS[:2])["pixel_values"])


@pytest.mark.parametrize("model_type", WITH_VIDEOS)
def test_what_is_saved_without_torchvision_is_loaded_with_it(
    model_type: str, tiny_of: Callable[[str], Tiny], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_of(model_type)
    assert not list(tiny.folder.glob("video_preprocessor_config.json"))

    def needs_its_file(*_: Any, **__: Any) -> Any:
        raise OSError("Can't load video processor: there is no video_preprocessor_config.json")

    monkeypatch.setattr("evensight.models.processors.has_torchvision", lambda: True)
    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", needs_its_file)
    found = encoded(tiny.folder, model_type)
    expected = tiny.prompter.encode(pictures(2), TEXTS[:2])
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize("model_type", WITH_VIDEOS)
def test_the_class_keeps_its_name_and_drops_the_part_for_videos(model_type: str) -> None:
    cls = processor_class(model_type)
    assert "video_processor" in cls.get_attributes()
    made = image_only(cls)
    assert sorted(made.get_attributes()) == ["image_processor", "tokenizer"]
    assert (made.__name__, made.__module__, made.__bases__[0]) == (cls.__name__, cls.__module__, cls)


@pytest.mark.parametrize("model_type", WITH_VIDEOS)
def test_settings_of_the_part_for_videos_change_nothing(
    model_type: str, tiny_of: Callable[[str], Tiny], tmp_path: Path
) -> None:
    tiny = tiny_of(model_type)
    folder = Path(shutil.copytree(tiny.folder, tmp_path / "model"))
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    config["video_processor"] = {"video_processor_type": "Qwen2VLVideoProcessor", "fps": 2.0}
    path.write_text(json.dumps(config))
    again = load(str(folder))
    assert again.hashes["processor"] == tiny.loaded.hashes["processor"]
    assert not hasattr(again.processor.video_processor, "preprocess")


@pytest.mark.parametrize("model_type", [*WITH_VIDEOS, "llava", "gemma3"])
def test_the_files_of_older_checkpoints_load_the_same(
    model_type: str, tiny_of: Callable[[str], Tiny], tmp_path: Path
) -> None:
    tiny = tiny_of(model_type)
    folder = Path(shutil.copytree(tiny.folder, tmp_path / "model"))
    config: dict[str, Any] = json.loads((folder / "processor_config.json").read_text())
    images = config.pop("image_processor") | {"processor_class": config["processor_class"]}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "processor_config.json").write_text(json.dumps(config))
    template = folder / "chat_template.jinja"
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template.read_text()}))
    template.unlink()
    expected = tiny.prompter.encode(pictures(2), TEXTS[:2])
    found = encoded(folder, model_type)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
