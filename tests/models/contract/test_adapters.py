"""Contract 4 and 5: LoRA touches what was named; an adapter saved, loaded, merged or gone on with is the same."""

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText

from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.models.families import component_of, linear_layers, parameter_table
from evensight.models.loading import LoadedModel, load, quiet_transformers
from tiny_models import TEXTS, Tiny, pictures

COMPONENTS = ("language", "projector", "vision")
WITHOUT_LINEAR_LAYERS = {("gemma3", "projector")}
PAPER = ("q_proj", "k_proj", "v_proj")


def adapted(tiny: Tiny, components: tuple[str, ...], layers: tuple[str, ...] = ()) -> Any:
    """The tiny model with adapters that change what it says."""
    model = tiny.fresh().model
    names = [name for one in components for name in linear_layers(model, one, layers)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=names, init_lora_weights="gaussian"))


def batch_of(tiny: Tiny) -> dict[str, Tensor]:
    return tiny.prompter.encode_with_answers(pictures(3), TEXTS, AREAS[:3])


def step(model: Any, batch: dict[str, Tensor], n: int = 1) -> None:
    """Trains by plain gradient descent, which has no state that would have to be kept."""
    trained = [weights for weights in model.parameters() if weights.requires_grad]
    model.train()
    for _ in range(n):
        model.zero_grad()
        model(**batch).loss.backward()
        torch.optim.SGD(trained, 0.5).step()
    model.eval()


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model.eval()(**batch).logits)


@pytest.mark.parametrize("component", COMPONENTS)
def test_lora_touches_the_component_that_was_named_and_no_other(tiny: Tiny, component: str) -> None:
    if (tiny.model_type, component) in WITHOUT_LINEAR_LAYERS:
        with pytest.raises(InputError, match="has no linear layer to adapt"):
            linear_layers(tiny.loaded.model, component)
        return
    model = adapted(tiny, (component,))
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    step(model, batch_of(tiny))
    changed = {name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])}
    assert changed
    assert {component_of(name) for name in changed} == {component}
    assert all("lora_" in name for name in changed)
    table = parameter_table(model)
    n_trained = {one: row["trained"] for one, row in table.items()}
    assert n_trained.pop(component) == sum(p.numel() for name, p in before.items() if "lora_" in name)
    assert set(n_trained.values()) == {0}
    assert set(table) == set(COMPONENTS)


def test_by_default_it_is_the_attention_of_the_language_model(tiny: Tiny) -> None:
    names = linear_layers(tiny.loaded.model, "language", PAPER)
    n_layers = tiny.loaded.model.config.get_text_config().num_hidden_layers
    assert sorted(name.rsplit(".", 1)[1] for name in names) == sorted(PAPER * n_layers)
    assert {component_of(name) for name in names} == {"language"}


def test_a_saved_adapter_says_the_same(tiny: Tiny, tmp_path: Path) -> None:
    model, batch = adapted(tiny, ("language",)), batch_of(tiny)
    before = logits(model, batch)
    step(model, batch, 2)
    expected = logits(model, batch)
    assert not torch.equal(expected, before)
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(load(str(tiny.folder), tmp_path).model, batch), expected)
    plain = AutoModelForImageTextToText.from_pretrained(tiny.folder)
    assert torch.equal(logits(peft.PeftModel.from_pretrained(plain, tmp_path), batch), expected)


def test_a_merged_model_says_the_same(tiny: Tiny, tmp_path: Path) -> None:
    model, batch = adapted(tiny, ("language",)), batch_of(tiny)
    step(model, batch, 2)
    with_adapter = logits(model, batch)
    merged = model.merge_and_unload()
    expected = logits(merged, batch)
    torch.testing.assert_close(expected, with_adapter, atol=1e-4, rtol=1e-4)  # W + BA is rounded once more
    with quiet_transformers():
        merged.save_pretrained(tmp_path)
        tiny.loaded.processor.save_pretrained(tmp_path)
    again = load(str(tmp_path))
    assert torch.equal(logits(again.model, batch), expected)
    assert again.hashes["processor"] == tiny.loaded.hashes["processor"]


def test_training_goes_on_from_a_saved_adapter(tiny: Tiny, tmp_path: Path) -> None:
    model, batch = adapted(tiny, ("language",)), batch_of(tiny)
    step(model, batch)
    model.save_pretrained(tmp_path)
    step(model, batch)
    resumed = peft.PeftModel.from_pretrained(tiny.fresh().model, tmp_path, is_trainable=True)
    step(resumed, batch)
    assert torch.equal(logits(resumed, batch), logits(model, batch))


def test_a_model_saved_and_loaded_says_the_same(tiny: Tiny, tmp_path: Path) -> None:
    batch = batch_of(tiny)
    with quiet_transformers():
        tiny.loaded.model.save_pretrained(tmp_path)
        tiny.loaded.processor.save_pretrained(tmp_path)
    again: LoadedModel = load(str(tmp_path))
    assert torch.equal(logits(again.model, batch), logits(tiny.loaded.model, batch))
    twice = tiny.prompter.encode(pictures(2), TEXTS[:2])
    from_it = type(tiny.prompter)(again.processor, tiny.model_type).encode(pictures(2), TEXTS[:2])
    assert all(torch.equal(from_it[key], value) for key, value in twice.items())
