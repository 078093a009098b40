"""What evensight has to know of a model beyond what the Auto classes tell: data, in one place.

`COMPONENTS` says under which module names the language model, the vision tower and the projector between them
are found; `ANSWER_TOKEN_TYPES` what `token_type_ids` the answer's tokens have where a family doesn't use 0.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evensight.errors import InputError

if TYPE_CHECKING:
    from torch import nn

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "projector": ("multi_modal_projector", "connector", "merger", "deepstack_merger_list", "image_newline"),
    "language": ("language_model", "text_model", "lm_head"),
    "vision": ("vision_tower", "visual", "vision_model"),
}
"""Component -> the module names that hold it, in transformers' classes. The first match in this order wins, so
that a projector inside the vision tower (Qwen's `visual.merger`) is a projector."""

ANSWER_TOKEN_TYPES: Mapping[str, int] = {"paligemma": 1}
"""Model type -> the `token_type_ids` of an answer. PaliGemma attends in both directions over type 0: an answer
of type 0 would be visible to the tokens that predict it."""


def component_of(name: str) -> str:
    """The component that a module or parameter belongs to, by its full name; `other` if none."""
    parts = name.split(".")
    for component, names in COMPONENTS.items():
        if any(part in names for part in parts):
            return component
    return "other"


def linear_layers(model: "nn.Module", component: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """The full names of a component's linear layers, or of those whose own name is among `suffixes`.

    The layer that gives the logits is never among them, as in PEFT: it is often tied to the embeddings.

    Raises:
        InputError: The component is not one that there is, or has no such layer in this model.
    """
    from torch import nn

    if component not in COMPONENTS:
        raise InputError(f"the component `{component}` is not known: expected one of {', '.join(COMPONENTS)}")
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and component_of(name) == component and not name.endswith("lm_head")
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
    table: dict[str, dict[str, int]] = {}
    for name, parameter in model.named_parameters():
        row = table.setdefault(component_of(name), {"parameters": 0, "trained": 0})
        row["parameters"] += parameter.numel()
        row["trained"] += parameter.numel() if parameter.requires_grad else 0
    return table
