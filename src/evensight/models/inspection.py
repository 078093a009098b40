"""What a model is shown and what it would learn from: one example, as the tokens that it becomes."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from PIL import Image

from evensight.models.families import component_of, parameter_table
from evensight.models.fitting import context_of
from evensight.models.loading import LoadedModel
from evensight.models.prompts import IGNORED, Prompter, image_id


@dataclass(frozen=True, slots=True)
class Inspection:
    """One example, as a model gets it.

    Attributes:
        prompt: The prompt's tokens as text; repeated ones are counted.
        supervised: The tokens that the loss is on, each as text.
        n_tokens: The prompt's and the answer's.
        n_image_tokens: How many of them stand for patches of the image.
        context: How many tokens the model can take; None if it doesn't say.
        tensors: What the model is called with: name -> shape.
        budget: The processor's settings that bound the image's size.
        parameters: How many each component has.
        layers: The names of each component's linear layers, which can be adapted.
    """

    prompt: str
    supervised: tuple[str, ...]
    n_tokens: int
    n_image_tokens: int
    context: int | None
    tensors: dict[str, tuple[int, ...]]
    budget: dict[str, Any]
    parameters: dict[str, int]
    layers: dict[str, tuple[str, ...]]


def inspect(loaded: LoadedModel, image: Image.Image, text: str, answer: str) -> Inspection:
    """An example as a model is trained on it."""
    config, processor = loaded.model.config, loaded.processor
    batch = Prompter(processor, config.model_type).encode_with_answers([image], [text], [answer])
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    n_prompt = labels.index(next(label for label in labels if label != IGNORED))
    return Inspection(
        prompt=_counted(processor.tokenizer, ids[:n_prompt]),
        supervised=tuple(processor.tokenizer.decode([label]) for label in labels if label != IGNORED),
        n_tokens=len(ids),
        n_image_tokens=ids.count(image_id(processor, config)),
        context=context_of(config),
        tensors={key: tuple(value.shape) for key, value in batch.items()},
        budget={path: _setting(processor, path) for path in loaded.family.budget},
        parameters={part: row["parameters"] for part, row in parameter_table(loaded.model).items()},
        layers=_layers(loaded),
    )


def _counted(tokenizer: Any, ids: list[int]) -> str:
    """The text of some tokens, in which three of the same or more are written once, with their number."""
    pieces: list[str] = []
    plain: list[int] = []
    for id_, group in groupby(ids):
        n = len(list(group))
        if n < 3:
            plain += [id_] * n
            continue
        pieces += [tokenizer.decode(plain), f"{tokenizer.decode([id_])}[x{n:,}]"]
        plain = []
    return "".join([*pieces, tokenizer.decode(plain)])


def _layers(loaded: LoadedModel) -> dict[str, tuple[str, ...]]:
    from torch import nn

    found: dict[str, set[str]] = {}
    for name, module in loaded.model.named_modules():
        if isinstance(module, nn.Linear) and "lora_" not in name and not name.endswith("lm_head"):
            layer = name.removesuffix(".base_layer").rsplit(".", 1)[-1]
            found.setdefault(component_of(name, loaded.family), set()).add(layer)
    return {part: tuple(sorted(names)) for part, names in found.items()}


def _setting(processor: Any, path: str) -> Any:
    """A processor's setting by its path; None if it has none of that name."""
    value: Any = processor
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    sizes = getattr(value, "__dict__", None)
    return value if sizes is None else {name: size for name, size in sizes.items() if size is not None}
