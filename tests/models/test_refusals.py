"""What can't be asked about an image is refused in one line that says what is missing."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.hub import code_allowed
from evensight.models.loading import LoadedModel, load
from evensight.models.predict import Predictor


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json")))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refused(folder: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_chat_template(copied: Path) -> None:
    (copied / "chat_template.jinja").unlink()
    refused(copied, r"has no chat template, so how it is asked is not known: expected a chat_template.jinja")


@pytest.mark.parametrize(
    ("template", "match"),
    [
        ("{% for m in messages %}{{ m['content'][-1]['text'] }}{% endfor %}", "leaves out the image"),
        ("{% for m in messages %}{{ m['content'][0]['type'] }}{% endfor %}", "leaves out the question"),
        ("{{ raise_exception('no') }}", "can't ask about an image: no"),
        ("{% for m in messages %}{{ m['content'] + '' }}{% endfor %}", "can't ask about an image: "),
        ("{% for m in messages %}", "can't ask about an image: "),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "can't ask about an image: .* is unsafe"),
    ],
)
def test_a_chat_template_that_is_not_for_images(copied: Path, template: str, match: str) -> None:
    (copied / "chat_template.jinja").write_text(template)
    refused(copied, f"the chat template of `.*` {match}")


def test_a_tokenizer_without_the_image_token(copied: Path) -> None:
    path = copied / "tokenizer.json"
    path.write_text(path.read_text().replace('"<image>"', '"<picture>"'))
    for name in ("tokenizer_config.json", "processor_config.json"):
        path = copied / name
        path.write_text(path.read_text().replace('"<image>"', '"<picture>"'))
    refused(copied, r"has no token for an image's patches: expected `<image>` in its tokenizer")


def test_a_model_that_takes_no_images(copied: Path) -> None:
    transformers.LlamaConfig().save_pretrained(copied)
    refused(copied, r"is a `llama`, which takes no images: expected a model that answers questions about an image")


def test_a_processor_that_is_only_a_tokenizer(copied: Path) -> None:
    (copied / "processor_config.json").unlink()
    refused(copied, r"can't be loaded|has no image processor")


def test_a_model_type_that_nobody_knows(copied: Path) -> None:
    change(copied / "config.json", model_type="llava_of_tomorrow")
    refused(copied, r"can't be loaded: .*llava_of_tomorrow")


def test_a_model_with_code_of_its_own(copied: Path) -> None:
    (copied / "evil.py").write_text("raise SystemExit('it ran')")
    auto_map = {"AutoConfig": "evil.Config", "AutoModelForImageTextToText": "evil.Model"}
    change(copied / "config.json", model_type="mine", auto_map=auto_map)
    refused(copied, r"needs code of its own, which is not run unless .* \(OWNER/NAME@COMMIT\) and give --allow-code")
    with code_allowed(True):
        refused(copied, r"is not run: allowing it takes a checkpoint of the Hub with its whole commit")


def test_an_adapter_that_is_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="holds no whole adapter, only one as a pickle, which can run code"):
        load("embedded", tmp_path)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A plain adapter for the embedded model."""
    import peft

    loaded = load("embedded")
    peft.get_peft_model(loaded.model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"])).save_pretrained(
        tmp_path / "adapter"
    )
    return tmp_path / "adapter"


def test_an_adapter_that_fits_is_used(adapter: Path) -> None:
    assert load("embedded", adapter).hashes["adapter"]


@pytest.mark.parametrize(
    ("change_weights", "match"),
    [
        (lambda weights: dict(list(weights.items())[2:]), "0 of its weights have no place in it, 2 are missing"),
        (
            lambda weights: weights | {"base.other": weights[min(weights)].clone()},
            "1 of its weights have no place",
        ),
        (lambda weights: {k: v.T.contiguous() for k, v in weights.items()}, "size mismatch"),
    ],
)
def test_an_adapter_of_another_architecture(adapter: Path, change_weights: Callable[[Any], Any], match: str) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file(change_weights(load_file(path)), path)
    with pytest.raises(InputError, match=f"does not fit the model: it was made for .*{match}") as caught:
        load("embedded", adapter)
    assert "\n" not in str(caught.value)


def test_a_family_without_a_row_works(copied: Path, embedded: LoadedModel) -> None:
    change(copied / "config.json", model_type="vipllava", architectures=["VipLlavaForConditionalGeneration"])
    change(copied / "config.json", vision_feature_layers=[-1, -2])
    model = transformers.AutoModelForImageTextToText.from_config(transformers.AutoConfig.from_pretrained(copied))
    model.save_pretrained(copied)
    loaded = load(str(copied))
    assert loaded.family.title == "not listed"
    assert type(loaded.model).__name__ == "VipLlavaForConditionalGeneration"
    assert len(Predictor(loaded).answer([Image.new("RGB", (50, 50))], ["Where?"])) == 1


def test_an_adapter_that_names_code_to_run(embedded: LoadedModel, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(copy.deepcopy(embedded.model), LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(str(tmp_path), save_embedding_layers=False)
    change(
        tmp_path / "adapter_config.json", megatron_config={"a": 1}, megatron_core="this_module_is_not_to_be_imported"
    )
    with pytest.raises(InputError, match=r"is for Megatron, and names code to run"):
        load("embedded", tmp_path)
