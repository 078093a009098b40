"""What of a model is trained, and how: small matrices beside its layers (LoRA and its kin), or its own weights."""

from importlib.util import find_spec
from typing import Any, Literal

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from pydantic import Field

from evensight.errors import InputError
from evensight.models.families import COMPONENTS, component_of, linear_layers
from evensight.models.loading import LoadedModel, identify, load, model_source, processor_hash, quiet_transformers
from evensight.runs import one_line
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
    if config.method == "qlora":
        return _load_quantised(name)
    loaded = load(name)
    # Steps of 1e-5 vanish in a bfloat16 weight: what is trained itself is trained in float32.
    if config.method == "full" or not config.is_bf16():
        loaded.model.float()
    return loaded


def adapt(loaded: LoadedModel, config: FinetuneConfig) -> Any:
    """The model with just those parameters trainable that the configuration names.

    Raises:
        InputError: A component isn't there.
    """
    if config.method == "full":
        return _opened(loaded.model, config.components)
    names = [name for part in config.components for name in linear_layers(loaded.model, part, config.layers)]
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        use_dora=config.method == "dora",
        init_lora_weights="gaussian",
        target_modules=names,
        task_type="CAUSAL_LM",
    )
    with quiet_transformers():
        adapted = get_peft_model(loaded.model, lora)
    # PEFT keeps the names in a set, whose order differs between processes: sorted, the same run has the same bytes.
    adapted.peft_config["default"].target_modules = sorted(names)
    adapted.peft_config["default"].base_model_name_or_path = loaded.name  # and not where this machine has it
    return adapted


def _opened(model: Any, components: tuple[str, ...]) -> Any:
    for component in components:
        if component not in COMPONENTS or not any(component_of(n) == component for n, _ in model.named_parameters()):
            raise InputError(
                f"the component `{component}` is not in this model: expected some of {', '.join(COMPONENTS)}"
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(component_of(name) in components)
    return model


def _load_quantised(name: str) -> LoadedModel:
    if find_spec("bitsandbytes") is None:
        raise InputError("the method `qlora` needs the package bitsandbytes: install it, or use the method `lora`")
    if not torch.cuda.is_available():
        raise InputError("the method `qlora` needs a GPU, and torch sees none: use the method `lora`")
    import transformers

    quantisation = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    source = model_source(name)
    try:
        with quiet_transformers():
            processor = transformers.AutoProcessor.from_pretrained(source, trust_remote_code=False)
            model = transformers.AutoModelForImageTextToText.from_pretrained(
                source,
                dtype=torch.bfloat16,
                quantization_config=quantisation,
                device_map={"": torch.cuda.current_device()},
                use_safetensors=True,
                trust_remote_code=False,
            )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"the model `{name}` can't be loaded in 4 bits: {one_line(error)}") from error
    processor.tokenizer.padding_side = "left"
    # Its checkpointing of activations is the configuration's to switch on, not this call's.
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    hashes = identify(name) | {"processor": processor_hash(processor)}
    return LoadedModel(name, model.eval(), processor, hashes)
