"""Attention in Qwen's vision towers, of all images and windows of a batch at once.

Qwen's towers take the patches of all images as one list, and attend within each image, or each window of it. Without
flash-attention transformers computes that one image or window after the other: in Qwen2.5-VL some 16,000 small calls
for 64 images of 336 px. Here all that have the same number of patches are one call of the same kernel, which gives
the same results.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

KERNEL = "evensight_packed_flash"
"""What transformers knows it by: it calls what has "flash" in its name once, and says where each part begins."""
_PLAIN = "sdpa"


def pack_vision(model: Any) -> None:
    """Has the vision tower of a model attend to all images and windows of a batch at once.

    Args:
        model: A model of a family that `packs`. One that attends otherwise than transformers' default is left alone.
    """
    from transformers import AttentionInterface

    config: Any = getattr(getattr(model.model, "visual", None), "config", None)
    if config is not None and config._attn_implementation == _PLAIN:
        AttentionInterface.register(KERNEL, packed_attention)
        config._attn_implementation = KERNEL


def packed_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *, cu_seq_lens_q: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """Attention within each part of a list, called as transformers calls flash-attention for that.

    Args:
        module: The attention layer.
        query: The list, `[1, head, patch, hidden]`, as are `key` and `value`.
        key: What is compared.
        value: What is gathered.
        cu_seq_lens_q: Where each part begins, and the end of the last, `[part + 1]`.
        options: What else it is called with; transformers' default takes what it knows of that.

    Returns:
        What was gathered, `[1, patch, head, hidden]`, and no weights.
    """
    starts_of: dict[int, list[int]] = defaultdict(list)
    for start, end in pairwise(cu_seq_lens_q.tolist()):
        starts_of[end - start].append(start)
    whole = [query[0], key[0], value[0]]
    if len(starts_of) == 1:
        (n,) = starts_of
        return _within(n, module, whole, options)[None], None
    found = torch.empty_like(query[0].transpose(0, 1))
    for n, starts in starts_of.items():
        places = (torch.tensor(starts)[:, None] + torch.arange(n)).flatten().to(query.device)
        some = [one[:, places] for one in whole]
        found = found.index_copy(0, places, _within(n, module, some, options))
    return found[None], None


def _within(n: int, module: nn.Module, given: Sequence[Tensor], options: Mapping[str, Any]) -> Tensor:
    """Attention in parts of `n` patches that stand one behind the other: `[head, patch, hidden]` each, transposed."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    query, key, value = (one.view(len(one), -1, n, one.shape[2]).transpose(0, 1) for one in given)
    found: Tensor = ALL_ATTENTION_FUNCTIONS[_PLAIN](module, query, key, value, **options)[0]
    return found.flatten(0, 1)
