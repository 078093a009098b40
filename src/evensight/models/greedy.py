"""Greedy answers behind prompts that have been read: the likeliest word, again and again, until all have ended."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from evensight.models.continued import Prompts

_CHANGING = (
    "repetition_penalty",
    "encoder_repetition_penalty",
    "no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "min_length",
    "min_new_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "exponential_decay_length_penalty",
    "guidance_scale",
    "watermarking_config",
)
_NEUTRAL: tuple[Any, ...] = (None, 0, 1.0, [], {})


def is_plain(generation_config: Any) -> bool:
    """Whether a checkpoint's settings leave the words' scores as they are, so that greedy is just the likeliest."""
    return all(getattr(generation_config, name, None) in _NEUTRAL for name in _CHANGING)


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
