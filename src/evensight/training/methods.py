"""What of a model is trained, and how: small matrices beside its layers (LoRA and its kin), or its own weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from pydantic import Field

from evensight.errors import InputError
from evensight.models.families import COMPONENTS, component_of, family_of_model, linear_layers
from evensight.models.loading import LoadedModel, load, quiet_transformers
from evensight.training.trainer import TrainingConfig

Method = Literal["lora", "dora", "qlora", "full"]


class FinetuneConfig(TrainingConfig):
    """What to adapt, and how.

    Attributes:
        method: `lora`; `dora`, which learns directions and lengths apart; `qlora`, on a base of 4 bits; or `full`,
            which trains the components' own weights.
        lora_rank: The adapters' rank, r.
        lora_alpha: Their scale is alpha / r.
        lora_dropout: The share of an adapter's inputs that is dropped in training.
        components: Which parts of the model are adapted: `language`, `projector`, `vision`.
        layers: The names of the linear layers that are adapted in them; empty for all. `full` trains all weights.
        validation_share: The share of the examples that is kept for validation, as large a share in every cell.
    """

    method: Method = "lora"
    lora_rank: int = Field(32, ge=1)
    lora_alpha: int = Field(64, ge=1)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    components: tuple[str, ...] = Field(("language",), min_length=1)
    layers: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    validation_share: float = Field(0.0, ge=0, lt=1)


def load_for(name: str, config: FinetuneConfig) -> LoadedModel:
    """The model and its processor, in the precision that the method trains it in.

    Raises:
        InputError: The model can't be loaded, or the method needs what is not there.
    """
    loaded = load(name, in_4_bits=config.method == "qlora")
    try:
        if config.method == "qlora":
            # Its checkpointing of activations is the configuration's to switch on, not this call's.
            prepared = prepare_model_for_kbit_training(loaded.model, use_gradient_checkpointing=False)
            return replace(loaded, model=prepared)
        # Steps of 1e-5 vanish in a bfloat16 weight: what is trained itself is trained in float32.
        if config.method == "full" or not config.is_bf16():
            loaded.model.float()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"the GPU's memory is too small to train `{name}` by the method `{config.method}`, in which its weights "
            "are float32: try the method lora, or qlora"
        ) from error
    return loaded


def adapt(loaded: LoadedModel, config: FinetuneConfig) -> Any:
    """The model with just those parameters trainable that the configuration names.

    Raises:
        InputError: A component isn't there.
    """
    if config.method == "full":
        return _opened(loaded.model, config.components)
    names = [name for part in config.components for name in linear_layers(loaded.model, part, config.layers)]
    targets = target_modules(loaded.model, names)
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        use_dora=config.method == "dora",
        init_lora_weights="gaussian",
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with quiet_transformers():
        adapted = get_peft_model(loaded.model, lora)
    # PEFT keeps the names in a set, whose order differs between processes; in a list the same run has the same bytes.
    adapted.peft_config["default"].target_modules = targets
    adapted.peft_config["default"].base_model_name_or_path = loaded.base  # and not where this machine has it
    adapted.peft_config["default"].revision = loaded.checkpoint and loaded.checkpoint.revision
    return adapted


def target_modules(model: Any, layers: Sequence[str]) -> list[str]:
    """How an adapter's configuration names the layers that it adapts, sorted.

    That is by their own names alone (`q_proj`) where these say the same, so that the adapter also fits where the
    modules above them are called otherwise (another version of transformers, a server); else by their full names, for
    `q_proj` alone would be the vision tower's as well.

    Args:
        model: The model, without adapters.
        layers: The full names of the layers.
    """
    own = {name.rsplit(".", 1)[-1] for name in layers}
    alike = {name for name, _ in model.named_modules() if name.rsplit(".", 1)[-1] in own}
    return sorted(own if alike == set(layers) else layers)


def _opened(model: Any, components: tuple[str, ...]) -> Any:
    family = family_of_model(model)
    of = {name: component_of(name, family) for name, _ in model.named_parameters()}
    for component in components:
        if component not in of.values():
            raise InputError(
                f"the component `{component}` is not in this model: expected some of {', '.join(COMPONENTS)}"
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(of[name] in components)
    return model
