"""What the language model gets for an image: taken from a call of the model, and put into another.

A vision-language model embeds its tokens, replaces those of the image by what its vision tower and projector make of
the pixels, and calls its language model. Where tower and projector are frozen that is the same each time an example
is seen, so it can be kept. What is kept is read and put in where the language model is called, which is one place in
every family; all else (positions, masks) the model makes itself from the tokens, as it does with pixels.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

DEEP = "deepstack_visual_embeds"
"""What Qwen3-VL adds to the image's tokens in later layers: an argument of its language model, one tensor a layer."""
_DEEP_PLACES = "visual_pos_masks"


@dataclass(frozen=True, slots=True)
class DecoderCall:
    """The arguments with which a model called its language model."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def embeddings(self, places: Tensor) -> Tensor:
        """What it got for the image's tokens `[token, layer, hidden]`: layer 0 is its input, others come later.

        Args:
            places: Where they stand, `[example, token]`.
        """
        layers = [self.kwargs["inputs_embeds"][places], *(self.kwargs.get(DEEP) or ())]
        return torch.stack(layers, dim=1)

    def is_same(self, other: "DecoderCall") -> bool:
        """Whether the other has equal arguments, to the bit."""
        return _is_same(self.args, other.args) and _is_same(self.kwargs, other.kwargs)


class _CalledError(Exception):
    """Ends a forward pass where the language model is called."""

    def __init__(self, call: DecoderCall) -> None:
        super().__init__()
        self.call = call


@torch.no_grad()
def decoder_call(model: Any, batch: Mapping[str, Tensor]) -> DecoderCall:
    """How the model calls its language model for a batch; that itself isn't run."""

    def stop(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _CalledError(DecoderCall(args, dict(kwargs)))

    hook = decoder(model).register_forward_pre_hook(stop, with_kwargs=True)
    try:
        model(**batch)
    except _CalledError as called:
        return called.call
    finally:
        hook.remove()
    raise ValueError(f"a {type(model).__name__} does not call its own language model")


def decoder(model: Any) -> nn.Module:
    """The language model in a model, an adapted one or not."""
    found: nn.Module = plain(model).get_decoder()
    return found


def plain(model: Any) -> Any:
    """The transformers model, which has adapters in its layers or not."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class Injector:
    """Puts kept embeddings into a model's calls of its language model."""

    def __init__(self, image_id: int) -> None:
        """Prepares it; no call is changed yet.

        Args:
            image_id: The token that stands where a patch of the image goes.
        """
        self._image_id = image_id
        self._shown: tuple[Tensor, Tensor] | None = None

    @contextmanager
    def on(self, model: Any) -> Iterator["Injector"]:
        """Watches the calls of a model's language model while the block runs."""
        hook = decoder(model).register_forward_pre_hook(self._inject, with_kwargs=True)
        try:
            yield self
        finally:
            hook.remove()

    @contextmanager
    def showing(self, embeddings: Tensor, input_ids: Tensor) -> Iterator[None]:
        """Puts these in while the block runs.

        Args:
            embeddings: What `DecoderCall.embeddings` gave, of all examples of a batch, `[token, layer, hidden]`.
            input_ids: The batch's tokens, `[example, token]`.
        """
        self._shown = (embeddings, input_ids == self._image_id)
        try:
            yield
        finally:
            self._shown = None

    def _inject(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._shown is None:
            return None
        embeddings, places = self._shown
        first, *later = embeddings.unbind(dim=1)
        text = kwargs["inputs_embeds"]
        changed = {"inputs_embeds": text.masked_scatter(places[..., None], first.to(text.dtype))}
        if later:
            changed |= {DEEP: later, _DEEP_PLACES: places}
        return args, {**kwargs, **changed}


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, bool | int | float | str | type(None)):
        return type(one) is type(other) and one == other
    return type(one) is type(other)  # an empty cache of keys and values, say
