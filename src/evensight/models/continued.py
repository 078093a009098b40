"""Prompts that a model has read once, and what may follow them: answers that are generated, options that are scored.

A prompt's keys and values are computed once and kept, whatever follows. They are never changed: each continuation
has a cache of its own that begins with the same tensors.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from evensight.models.image_embeddings import decoder
from evensight.models.last_layer import LastLayer

_SLIDING, _FULL = "sliding_attention", "full_attention"
_without_cache: WeakSet[nn.Module] = WeakSet()
"""The models that were found to keep no cache that others can go on from: they aren't tried again."""


@dataclass(frozen=True)
class Prompts:
    """Prompts that a model has read.

    Attributes:
        model: The model.
        mask: Where there are tokens, `[example, token]`.
        logits: What follows each prompt, `[example, 1, word]`.
        cache: Their keys and values.
        last: The position of their last token, `[..., example, 1]`; some models count them on three axes.
        by_kind: Whether the language model is given a mask for each kind of its layers.
    """

    model: Any
    mask: Tensor
    logits: Tensor
    cache: Any
    last: Tensor
    by_kind: bool

    def rows(self, rows: Tensor | None) -> "Continuation":
        """A continuation of these prompts, by their numbers, each as often as it is named; None for each once."""
        cache = copy(self.cache)
        cache.layers = [copy(layer) for layer in self.cache.layers]
        if rows is None:
            return Continuation(self, cache, self.mask, self.last)
        cache.reorder_cache(rows)
        return Continuation(self, cache, self.mask[rows], self.last[..., rows, :])

    def read_tree(self, ids: Tensor, depths: Tensor, sees: Tensor) -> Tensor:
        """The logits behind each of some tokens that branch out behind a prompt, `[example, node, word]`.

        Args:
            ids: The tokens, `[example, node]`.
            depths: How far behind the prompt each stands, from 1, `[example, node]`.
            sees: Which of them each sees, itself included, `[example, node, node]`.
        """
        going = self.rows(None)
        masks = self._tree_masks(depths, sees, going.cache)

        def with_masks(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return args, {**kwargs, "attention_mask": masks}

        hook = decoder(self.model).register_forward_pre_hook(with_masks, with_kwargs=True)
        try:
            return going.read(ids, torch.ones_like(ids), depths)
        finally:
            hook.remove()

    def _tree_masks(self, depths: Tensor, sees: Tensor, cache: Any) -> Tensor | dict[str, Tensor]:
        """The masks `[example, 1, node, token]` for each kind of layer, or for all where there is one kind."""
        n, m = self.mask.shape[1], depths.shape[1]
        allowed = torch.cat([self.mask.bool()[:, None, :].expand(-1, m, -1), sees], dim=2)
        places = torch.cat([torch.arange(n, device=depths.device).expand(len(depths), -1), n - 1 + depths], dim=1)
        masks = {}
        for layer in cache.layers:
            kind = _SLIDING if getattr(layer, "is_sliding", False) else _FULL
            if kind in masks:
                continue
            seen = allowed
            if kind == _SLIDING:  # which looks back so far, and keeps no more
                seen = seen & (places[:, n:, None] - places[:, None, :] < layer.sliding_window)
            kept = layer.keys.shape[-2] + m
            masks[kind] = _added(seen[:, None, :, -kept:], self.logits.dtype)
        return masks if self.by_kind or len(masks) > 1 else next(iter(masks.values()))


@dataclass
class Continuation:
    """What follows prompts, token by token; each has its own copy of what was read.

    Attributes:
        prompts: The prompts.
        cache: All keys and values so far.
        mask: Where there are tokens so far, `[row, token]`.
        last: The position of the prompts' last token, `[..., row, 1]`.
    """

    prompts: Prompts
    cache: Any
    mask: Tensor
    last: Tensor

    def read(self, ids: Tensor, there: Tensor, depths: Tensor) -> Tensor:
        """The logits behind each of some more tokens, `[row, token, word]`.

        Args:
            ids: The tokens, `[row, token]`.
            there: 1 where there is one, else 0.
            depths: How far behind the prompt each stands, from 1; of the shape of `ids`, or `[token]`.
        """
        self.mask = torch.cat([self.mask, there.to(self.mask.dtype)], dim=1)
        logits: Tensor = self.prompts.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=self.last + depths,
            past_key_values=self.cache,
            use_cache=True,
        ).logits
        return logits


def read_prompts(model: Any, batch: Mapping[str, Tensor]) -> Prompts | None:
    """Has a model read the prompts of a batch; None if it keeps no cache that others can go on from."""
    if model in _without_cache:
        return None
    seen: dict[str, Any] = {}

    def look(_module: nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.update({name: kwargs.get(name) for name in ("attention_mask", "position_ids")})

    hook = decoder(model).register_forward_pre_hook(look, with_kwargs=True)
    try:
        with LastLayer().on(model) as last_layer, last_layer.keeping(1):
            out = model(**batch, use_cache=True, logits_to_keep=1)
    finally:
        hook.remove()
    cache = getattr(out, "past_key_values", None)
    if not hasattr(cache, "reorder_cache") or not hasattr(cache, "layers"):
        _without_cache.add(model)
        return None
    mask, positions = batch["attention_mask"], seen["position_ids"]
    last = torch.full_like(mask[:, :1], mask.shape[1] - 1)
    if positions is not None:
        last = positions[..., -1:].expand(*positions.shape[:-2], len(mask), 1)
    return Prompts(model, mask, out.logits[:, -1:], cache, last, isinstance(seen["attention_mask"], dict))


def on_device(model: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch where the model is, in its precision."""
    moved = {key: value.to(model.device, non_blocking=True) for key, value in batch.items()}
    return {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in moved.items()}


def _added(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as it is added to scores: 0 where a token may be seen, else as low as can be."""
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(
        ~allowed, torch.finfo(dtype).min
    )
