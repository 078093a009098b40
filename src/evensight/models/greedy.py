"""Greedy answers behind prompts that have been read: the likeliest word, again and again, until all have ended."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from evensight.models.continued import Prompts

_ONE: Sequence[Any] = (None, 1.0)
_NONE: Sequence[Any] = (None, 0, [], {})
_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "repetition_penalty": _ONE,
    "encoder_repetition_penalty": _ONE,
    "guidance_scale": _ONE,
    "no_repeat_ngram_size": _NONE,
    "encoder_no_repeat_ngram_size": _NONE,
    "bad_words_ids": _NONE,
    "suppress_tokens": _NONE,
    "begin_suppress_tokens": _NONE,
    "sequence_bias": _NONE,
    "min_length": _NONE,
    "min_new_tokens": _NONE,
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "exponential_decay_length_penalty": (None,),
    "watermarking_config": (None,),
}
"""The settings that change the words' scores, and the values with which they don't."""


def is_plain(generation_config: Any) -> bool:
    """Whether a checkpoint's settings leave the words' scores as they are, so that greedy is just the likeliest."""
    return all(getattr(generation_config, name, None) in values for name, values in _NEUTRAL.items())


@torch.inference_mode()
def greedy(prompts: Prompts, end_ids: Sequence[int], pad_id: int, n_most: int) -> Tensor:
    """The likeliest tokens, `[example, token]`, at most `n_most`; behind an end there is padding.

    Args:
        prompts: What is continued.
        end_ids: The tokens that end an answer.
        pad_id: What stands behind an end.
        n_most: How many tokens an answer may have.
    """
    going = prompts.rows(None)
    ends = torch.tensor(list(end_ids), device=prompts.mask.device)
    words = prompts.logits[:, -1].argmax(dim=-1)
    ended = torch.zeros_like(words, dtype=torch.bool)
    said: list[Tensor] = []
    while True:
        words = words.masked_fill(ended, pad_id)
        said.append(words)
        ended |= torch.isin(words, ends)
        if len(said) == n_most or bool(ended.all()):
            return torch.stack(said, dim=1)
        depth = torch.full_like(words[:, None], len(said))
        words = going.read(words[:, None], torch.ones_like(depth), depth)[:, -1].argmax(dim=-1)
