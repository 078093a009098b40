"""What evensight has to know of a model's family beyond what the Auto classes tell: data, in one place.

`FAMILIES` has a row for each family. Adding one is adding a row and passing its contract, the tests in
`tests/models/contract`. A checkpoint of no listed family gets `UNLISTED`, which has every name that any row has: it
works where its processor has a chat template and an image token.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from evensight.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Components:
    """The module names, as in transformers' classes, under which the parts of a model are found.

    A module belongs to the first of the three that names one of its parents, so that a projector inside the vision
    tower (Qwen's `visual.merger`) is a projector.
    """

    projector: tuple[str, ...] = ("multi_modal_projector",)
    language: tuple[str, ...] = ("language_model", "lm_head")
    vision: tuple[str, ...] = ("vision_tower",)

    def of(self, name: str) -> str:
        """The component that a module or parameter belongs to, by its full name; `other` if none."""
        parts = name.split(".")
        return next((one for one, names in self.items() if any(part in names for part in parts)), "other")

    def items(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The components with their module names, the first match first."""
        return ((one.name, getattr(self, one.name)) for one in fields(self))


@dataclass(frozen=True, slots=True)
class Family:
    """What checkpoints of one family have in common.

    Attributes:
        title: What people call it.
        model_type: `config.model_type`.
        example: A checkpoint of the Hub.
        image_token: Stands in the input where a patch of the image goes.
        answer_ends: The tokens that end an answer in its checkpoints; which one a checkpoint uses is read from its
            chat template.
        pixels: What becomes of an image's size, and how many tokens that makes.
        budget: The processor's settings that bound it, as paths into `processor_config.json`.
        components: Where its parts are.
        answer_type: The `token_type_ids` of an answer's tokens.
        chat_template: The template for checkpoints that have none; empty where they have their own.
        unneeded: Packages that its processor asks for, and uses for videos alone.
        packs: Whether its vision tower takes the patches of all images as one list, with where each image begins.
        note: What else is odd about it.
    """

    title: str
    model_type: str
    example: str
    image_token: str
    answer_ends: tuple[str, ...]
    pixels: str
    budget: tuple[str, ...]
    components: Components = Components()
    answer_type: int = 0
    chat_template: str = ""
    unneeded: tuple[str, ...] = ()
    packs: bool = False
    note: str = ""


_QWEN = Components(("merger", "deepstack_merger_list"), vision=("visual",))
_ANYRES = Components(("multi_modal_projector", "image_newline"))
_IDEFICS = Components(("connector",), ("text_model", "lm_head"), ("vision_model",))
_SHORTEST_LONGEST = ("image_processor.size.shortest_edge", "image_processor.size.longest_edge")
_PINPOINTS = ("image_processor.image_grid_pinpoints",)
_TILES = ("image_processor.size.longest_edge", "image_processor.max_image_size.longest_edge")

FAMILIES: tuple[Family, ...] = (
    Family(
        "Qwen2-VL",
        "qwen2_vl",
        "Qwen/Qwen2-VL-2B-Instruct",
        "<|image_pad|>",
        ("<|im_end|>",),
        "kept in shape, between two numbers of pixels; a token for 28 x 28",
        _SHORTEST_LONGEST,
        _QWEN,
        packs=True,
        note="positions have three axes; patches of all images lie in one list, with `image_grid_thw`",
    ),
    Family(
        "Qwen2.5-VL",
        "qwen2_5_vl",
        "Qwen/Qwen2.5-VL-3B-Instruct",
        "<|image_pad|>",
        ("<|im_end|>",),
        "kept in shape, between two numbers of pixels; a token for 28 x 28",
        _SHORTEST_LONGEST,
        _QWEN,
        packs=True,
        note="as Qwen2-VL, with attention in windows",
    ),
    Family(
        "Qwen3-VL",
        "qwen3_vl",
        "Qwen/Qwen3-VL-2B-Instruct",
        "<|image_pad|>",
        ("<|im_end|>",),
        "kept in shape, between two numbers of pixels; a token for 32 x 32",
        _SHORTEST_LONGEST,
        _QWEN,
        packs=True,
        note="as Qwen2-VL; mergers of deeper layers count as projectors",
    ),
    Family(
        "LLaVA",
        "llava",
        "llava-hf/llava-1.5-7b-hf",
        "<image>",
        ("</s>", "<|im_end|>", "<|eot_id|>"),
        "scaled and cut to 336 x 336; 576 tokens",
        ("image_processor.crop_size",),
        note="the cut takes the middle square: of a wide image, the sides are never seen",
    ),
    Family(
        "LLaVA-NeXT",
        "llava_next",
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "<image>",
        ("</s>", "<|im_end|>", "<|eot_id|>"),
        "whole at 336 x 336, and in up to 4 tiles of it; up to 2,928 tokens",
        _PINPOINTS,
        _ANYRES,
        note="one more token ends each row of the tiles",
    ),
    Family(
        "LLaVA-OneVision",
        "llava_onevision",
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "<image>",
        ("<|im_end|>",),
        "whole at 384 x 384, and in tiles of it; 336 x 336 px give 1,485 tokens, the largest up to 8,765",
        (*_PINPOINTS, "vision_aspect_ratio"),
        _ANYRES,
        note="one more token ends each row of the tiles; the template's turns differ from its prompt by a space",
    ),
    Family(
        "InternVL3, InternVL3.5",
        "internvl",
        "OpenGVLab/InternVL3-1B-hf",
        "<IMG_CONTEXT>",
        ("<|im_end|>",),
        "in 1 to 12 tiles of 448 x 448, and whole where there is more than one; 256 tokens each",
        ("image_processor.crop_to_patches", "image_processor.max_patches"),
        note="the conversions named `-hf` alone",
    ),
    Family(
        "SmolVLM2",
        "smolvlm",
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "<image>",
        ("<end_of_utterance>",),
        "in tiles of 384 x 384 or 512 x 512, and whole; 81 or 64 tokens each",
        _TILES,
        _IDEFICS,
        unneeded=("num2words",),
    ),
    Family(
        "Idefics3, SmolVLM",
        "idefics3",
        "HuggingFaceM4/Idefics3-8B-Llama3",
        "<image>",
        ("<end_of_utterance>",),
        "in tiles of 364 x 364 (SmolVLM: 512 x 512), and whole; 64 to 169 tokens each",
        _TILES,
        _IDEFICS,
        note="the answer begins with a space",
    ),
    Family(
        "PaliGemma 2",
        "paligemma",
        "google/paligemma2-3b-mix-224",
        "<image>",
        ("<eos>",),
        "stretched to 224 x 224, 448 x 448 or 896 x 896; 256, 1,024 or 4,096 tokens",
        ("image_processor.size",),
        answer_type=1,
        chat_template=(
            "{% for message in messages %}{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}<image>{% else %}"
            "{% if message['role'] == 'user' %}answer en {% endif %}{{ part['text'] }}{% endif %}"
            "{% endfor %}{% if message['role'] == 'assistant' %}<eos>{% endif %}{% endfor %}"
        ),
        note="attends in both directions over type 0: an answer of type 0 would be seen by what predicts it",
    ),
    Family(
        "Gemma 3",
        "gemma3",
        "google/gemma-3-4b-it",
        "<image_soft_token>",
        ("<end_of_turn>",),
        "stretched to 896 x 896; 256 tokens",
        ("image_processor.size", "image_processor.do_pan_and_scan"),
        note="image tokens see one another in both directions",
    ),
    Family(
        "Molmo2",
        "molmo2",
        "allenai/Molmo2-4B",
        "<im_patch>",
        ("<|im_end|>",),
        "stretched to 378 x 378, and in up to 8 overlapping tiles; 196 tokens, and up to 1,120 more",
        ("image_processor.max_crops",),
        note="the image comes before the turn; its tiles are scaled by torch itself",
    ),
)


def _all(component: str) -> tuple[str, ...]:
    names = (name for family in FAMILIES for name in getattr(family.components, component))
    return tuple(dict.fromkeys(names))


UNLISTED = Family(
    "not listed",
    "",
    "",
    "",
    (),
    "as its processor says",
    (),
    Components(_all("projector"), _all("language"), _all("vision")),
)
"""What is assumed of a family without a row."""


def family_of(model_type: str) -> Family:
    """The row of a model type; `UNLISTED` if there is none."""
    return next((family for family in FAMILIES if family.model_type == model_type), UNLISTED)


COMPONENTS: Mapping[str, tuple[str, ...]] = dict(UNLISTED.components.items())
"""Component -> the module names that hold it in any family."""


def component_of(name: str, family: Family = UNLISTED) -> str:
    """The component that a module or parameter belongs to, by its full name; `other` if none."""
    return family.components.of(name)


def linear_layers(model: "nn.Module", component: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """The full names of a component's linear layers, or of those whose own name is among `suffixes`.

    The layer that gives the logits is never among them, as in PEFT: it is often tied to the embeddings.

    Raises:
        InputError: The component is not one that there is, or has no such layer in this model.
    """
    from torch import nn

    if component not in COMPONENTS:
        raise InputError(f"the component `{component}` is not known: expected one of {', '.join(COMPONENTS)}")
    family = family_of_model(model)
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and component_of(name, family) == component and not name.endswith("lm_head")
    ]
    chosen = [name for name in names if not suffixes or name.rsplit(".", 1)[-1] in suffixes]
    if not names:
        raise InputError(f"the component `{component}` of this model has no linear layer to adapt")
    known = sorted({name.rsplit(".", 1)[-1] for name in names})
    missing = [suffix for suffix in suffixes if suffix not in known]
    if missing:
        raise InputError(
            f"the component `{component}` of this model has no linear layer named {', '.join(missing)}: "
            f"expected some of {', '.join(known)}"
        )
    return chosen


def parameter_table(model: "nn.Module") -> dict[str, dict[str, int]]:
    """How many parameters each component has, and how many of them are trained."""
    family = family_of_model(model)
    table: dict[str, dict[str, int]] = {}
    for name, parameter in model.named_parameters():
        row = table.setdefault(component_of(name, family), {"parameters": 0, "trained": 0})
        row["parameters"] += parameter.numel()
        row["trained"] += parameter.numel() if parameter.requires_grad else 0
    return table


def family_of_model(model: "nn.Module") -> Family:
    """The row of a model's type; `UNLISTED` if there is none."""
    return family_of(str(getattr(getattr(model, "config", None), "model_type", "")))
