"""What we know of the families holds for their real architectures (on the meta device: no memory, no weights)."""

from functools import cache
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists

from evensight.errors import InputError
from evensight.models.families import FAMILIES as ROWS
from evensight.models.families import UNLISTED, component_of, family_of, linear_layers, parameter_table
from evensight.training.methods import target_modules
from tiny_models import BUILDERS

FAMILIES = tuple(family.model_type for family in ROWS)
ATTENTION = ("q_proj", "k_proj", "v_proj")


@cache
def architecture(family: str) -> Any:
    config = transformers.AutoConfig.for_model(family)
    with torch.device("meta"):
        return transformers.AutoModelForImageTextToText.from_config(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_belongs_to_a_component(family: str) -> None:
    assert "other" not in parameter_table(architecture(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_three_components_are_found(family: str) -> None:
    assert set(parameter_table(architecture(family))) == {"language", "projector", "vision"}


@pytest.mark.parametrize("family", FAMILIES)
def test_language_attention_is_three_layers_a_block_and_none_of_the_tower(family: str) -> None:
    model = architecture(family)
    names = linear_layers(model, "language", ATTENTION)
    assert len(names) == 3 * model.config.get_text_config().num_hidden_layers
    assert not any("vision" in name or "visual" in name for name in names)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_layer_of_the_logits_is_never_adapted(family: str) -> None:
    assert not any("lm_head" in name for name in linear_layers(architecture(family), "language"))


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_a_projector_inside_the_tower_is_not_vision(family: str) -> None:
    assert all("merger" in name for name in linear_layers(architecture(family), "projector"))
    assert not any("merger" in name for name in linear_layers(architecture(family), "vision"))


def test_every_row_has_its_contract() -> None:
    assert sorted(FAMILIES) == sorted(BUILDERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_names_of_all_families_find_the_same_parts(family: str) -> None:
    names = [name for name, _ in architecture(family).named_parameters()]
    assert [component_of(name) for name in names] == [component_of(name, family_of(family)) for name in names]


def test_a_model_type_without_a_row_has_the_names_of_all() -> None:
    assert family_of("unheard_of") is UNLISTED
    assert all(set(row.components.vision) <= set(UNLISTED.components.vision) for row in ROWS)


def test_component_of_names() -> None:
    assert component_of("base_model.model.model.language_model.layers.0.mlp.up_proj.lora_A") == "language"
    assert component_of("model.visual.merger.mlp.0.weight") == "projector"
    assert component_of("model.visual.blocks.0.attn.qkv.weight") == "vision"
    assert component_of("somewhere.else") == "other"


def test_an_unknown_component_is_refused_with_all_that_are_known() -> None:
    with pytest.raises(InputError, match=r"`legs` is not known.*projector, language, vision"):
        linear_layers(architecture("llava"), "legs")


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"no linear layer named qkv.*q_proj"):
        linear_layers(architecture("llava"), "language", ("qkv",))


def test_a_component_without_linear_layers_is_refused() -> None:
    with pytest.raises(InputError, match="`projector` of this model has no linear layer to adapt"):
        linear_layers(architecture("gemma3"), "projector")


def test_one_layer_of_several_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"no linear layer named zzz: expected"):
        linear_layers(architecture("llava"), "language", ("q_proj", "zzz"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("parts", [("language",), ("vision",), ("language", "vision")])
@pytest.mark.parametrize("layers", [ATTENTION, ()])
def test_an_adapter_s_names_select_the_layers_that_were_chosen_and_no_others(
    family: str, parts: tuple[str, ...], layers: tuple[str, ...]
) -> None:
    model = architecture(family)
    try:
        chosen = {name for part in parts for name in linear_layers(model, part, layers)}
    except InputError:
        assert layers  # the towers of some have one matrix for q, k and v
        return
    config = LoraConfig(target_modules=target_modules(model, sorted(chosen)))
    assert {name for name, _ in model.named_modules() if check_target_module_exists(config, name)} == chosen


def test_qwen_s_adapters_by_the_paper_are_three_names() -> None:
    for family in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        names = linear_layers(architecture(family), "language", ATTENTION)
        assert target_modules(architecture(family), names) == sorted(ATTENTION), family
