"""Each method trains what it says and no more, in each way of doing the same step."""

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor, modeling_utils

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.evaluation.ask import Allowed, evaluate_subject
from evensight.models import loading
from evensight.models.answering import Way
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.families import component_of, linear_layers
from evensight.models.loading import load
from evensight.models.subjects import model_here
from evensight.scenes.compose import SceneDesign
from evensight.training import methods
from evensight.training.finetune import config_for, finetune
from evensight.training.methods import FinetuneConfig, adapt, load_for, target_modules

ADAPTER = "adapter/adapter_model.safetensors"
FOUR_STEPS = {"epochs": 1.0, "batch_size": 8, "learning_rate": 2e-3}
PAPER = ("q_proj", "k_proj", "v_proj")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Sums are made in one order, whatever else the machine does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def few(mini_train: SceneDesign) -> ExampleSet:
    """Thirty-two squares."""
    return Part(SceneExamples(mini_train, 108, 0), range(0, 160, 5), {"every": 5})


@pytest.fixture(scope="module")
def plainly(few: ExampleSet, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of LoRA in float32, eight examples at a time."""
    return run(few, tmp_path_factory.mktemp("plainly") / "run")


def run(few: ExampleSet, out: Path, **overrides: Any) -> list[float]:
    """Fine-tunes, and gives the losses."""
    finetune("embedded", few, config_for("embedded", {**FOUR_STEPS, **overrides}, "the test"), out)
    return [float(line.split(",")[1]) for line in (out / "losses.csv").read_text().splitlines()[1:]]


def test_full_trains_the_weights_of_the_named_component_and_no_bit_of_another(
    few: ExampleSet, tmp_path: Path
) -> None:
    run(few, tmp_path / "run", method="full", components=["projector"])
    before, after = (load_file(path / "model.safetensors") for path in (EMBEDDED_FOLDER, tmp_path / "run" / "model"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {component_of(name) for name in changed} == {"projector"}
    assert changed == {name for name in before if component_of(name) == "projector"}


def test_a_full_model_loads_by_the_auto_classes_and_is_asked_like_any_other(few: ExampleSet, tmp_path: Path) -> None:
    run(few, tmp_path / "run", method="full")
    folder = tmp_path / "run" / "model"
    plain = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(AutoProcessor.from_pretrained(folder)).__name__ == "LlavaProcessor"
    ours = load(str(folder)).model.state_dict()
    assert all(torch.equal(weight, ours[name]) for name, weight in plain.state_dict().items())
    asked = evaluate_subject(
        model_here(str(folder), None, 16, Way()), few, tmp_path / "asked", allowed=Allowed(trained_on=True)
    )
    assert asked.facts["n"] == len(few)
    base = load("embedded")
    assert load(str(folder)).hashes["processor"] == base.hashes["processor"]
    assert not torch.equal(ours["lm_head.weight"], base.model.state_dict()["lm_head.weight"])


def test_dora_learns_lengths_as_well_and_is_what_peft_says_it_is(few: ExampleSet, tmp_path: Path) -> None:
    run(few, tmp_path / "run", method="dora", lora_rank=4)
    weights = load_file(tmp_path / "run" / ADAPTER)
    lengths = [name for name in weights if "lora_magnitude_vector" in name]
    assert len(lengths) == len(weights) // 3  # each layer has A, B and its lengths
    plain = peft.PeftModel.from_pretrained(load("embedded").model, str(tmp_path / "run" / "adapter"))
    config = plain.peft_config["default"]
    assert (config.use_dora, config.peft_type.value, config.r) == (True, "LORA", 4)
    batch = batch_of(few)
    with torch.inference_mode():
        theirs = plain.eval()(**batch).logits
        assert torch.equal(theirs, load("embedded", tmp_path / "run").model(**batch).logits)
        assert not torch.equal(theirs, load("embedded").model(**batch).logits)


def batch_of(few: ExampleSet) -> dict[str, Tensor]:
    from evensight.models.prompts import Prompter

    texts = [few[k].question.text for k in range(2)]
    return Prompter(load("embedded").processor, "llava").encode([few.image(k) for k in range(2)], texts)


def test_activations_that_are_computed_twice_give_the_same_losses(
    few: ExampleSet, plainly: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    again = modeling_utils.checkpoint

    def noting(*arguments: Any, **options: Any) -> Any:
        seen.append(options)
        return again(*arguments, **options)

    monkeypatch.setattr(modeling_utils, "checkpoint", noting)
    assert run(few, tmp_path / "twice", gradient_checkpointing=True) == pytest.approx(plainly, rel=1e-5)
    assert len(seen) >= 4 * load("embedded").model.config.text_config.num_hidden_layers
    assert {options.get("use_reentrant") for options in seen} == {False}


def test_bfloat16_runs_without_a_gpu_and_its_adapter_is_kept_in_float32(
    few: ExampleSet, plainly: list[float], tmp_path: Path
) -> None:
    half = run(few, tmp_path / "half", bf16=True)
    assert len(half) == 4
    assert half != plainly
    assert half == pytest.approx(plainly, rel=0.05)
    assert {weight.dtype for weight in load_file(tmp_path / "half" / ADAPTER).values()} == {torch.float32}


def test_two_batches_of_eight_are_one_of_sixteen(few: ExampleSet, tmp_path: Path) -> None:
    at_once = run(few, tmp_path / "at-once", batch_size=16)
    in_two = run(few, tmp_path / "in-two", gradient_accumulation=2)
    assert len(at_once) == 2
    assert in_two == pytest.approx(at_once, rel=1e-4)
    ours, theirs = (load_file(tmp_path / name / ADAPTER) for name in ("at-once", "in-two"))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)


class Odd(nn.Module):
    """A LLaVA whose tower has parts of the names that other families give to other components."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(model_type="llava")
        self.language_model = nn.Linear(1, 1)
        self.multi_modal_projector = nn.Linear(1, 1)
        self.vision_tower = nn.ModuleDict({"merger": nn.Linear(1, 1), "connector": nn.Linear(1, 1)})


def test_a_component_is_what_the_family_calls_so() -> None:
    loaded = loading.LoadedModel("odd", Odd(), None, {"model": ""})
    adapt(loaded, FinetuneConfig(method="full", components=("projector",)))
    trained = {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}
    assert trained == {"multi_modal_projector.weight", "multi_modal_projector.bias"}


@pytest.mark.parametrize(("method", "name"), [("full", "legs"), ("lora", "legs")])
def test_an_unknown_component_is_refused_by_each_method(method: Any, name: str) -> None:
    with pytest.raises(
        InputError, match=r"the component `legs` is not .*: expected (some|one) of projector, language"
    ):
        adapt(load("embedded"), FinetuneConfig(method=method, components=(name,)))


def test_layers_are_named_by_their_own_names_only_where_that_says_the_same() -> None:
    model = load("embedded").model
    language = linear_layers(model, "language", ("q_proj",))
    assert target_modules(model, language) == sorted(language)  # the tower has a q_proj, too
    gates = linear_layers(model, "language", ("gate_proj", "down_proj"))
    assert target_modules(model, gates) == ["down_proj", "gate_proj"]
    everywhere = [*language, *linear_layers(model, "vision", ("q_proj",))]
    assert target_modules(model, everywhere) == ["q_proj"]


class FourBits:
    """Stands for bitsandbytes and a GPU: notes what a model is loaded with, and loads it as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: dict[str, Any] = {}
        self.prepared: list[Any] = []
        spec = ModuleSpec("bitsandbytes", None)
        monkeypatch.setattr(loading, "find_spec", lambda name: spec if name == "bitsandbytes" else None)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
        monkeypatch.setattr(transformers.BitsAndBytesConfig, "post_init", lambda _: None)
        self._plain = AutoModelForImageTextToText.from_pretrained
        monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", self.load)
        monkeypatch.setattr(methods, "prepare_model_for_kbit_training", self.prepare)

    def load(self, source: str, **given: Any) -> Any:
        self.given = given
        return self._plain(source, use_safetensors=True)

    def prepare(self, model: Any, **options: Any) -> Any:
        self.prepared.append(options)
        return model


def test_qlora_loads_its_base_in_four_bits_on_the_road_of_every_other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FourBits(monkeypatch)
    loaded = load_for("embedded", FinetuneConfig(method="qlora"))
    how = fake.given["quantization_config"]
    assert (how.load_in_4bit, how.bnb_4bit_quant_type, how.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert how.bnb_4bit_compute_dtype is torch.bfloat16
    assert fake.given["dtype"] is torch.bfloat16
    assert fake.given["device_map"] == {"": 3}
    assert (fake.given["use_safetensors"], fake.given["trust_remote_code"]) == (True, False)
    assert fake.prepared == [{"use_gradient_checkpointing": False}]
    assert loaded.hashes == load_hashes()
    assert loaded.processor.tokenizer.padding_side == "left"


def load_hashes() -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        return load("embedded").hashes


def test_qlora_without_bitsandbytes_or_a_gpu_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FinetuneConfig(method="qlora")
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"`qlora` needs the package bitsandbytes: install it, or use the method"):
        load_for("embedded", config)
    monkeypatch.setattr(loading, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="`qlora` needs a GPU, and torch sees none"):
        load_for("embedded", config)
    assert "bitsandbytes" not in sys.modules
