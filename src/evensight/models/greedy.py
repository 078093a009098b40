"""Greedy answers behind prompts that have been read: the likeliest word, again and again, until all have ended."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from evensight.models.continued import Prompts

NEUTRAL: Mapping[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "min_new_tokens": 0,
    "guidance_scale": 1.0,
    "penalty_alpha": 0.0,
    **dict.fromkeys(
        (
            *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "force_words_ids"),
            *("forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty", "constraints"),
            *("watermarking_config", "dola_layers", "stop_strings", "max_time"),
        )
    ),
}
"""A checkpoint's settings that make other words than the likeliest, or end an answer elsewhere, each with the value
at which it does nothing."""


def overridden(generation_config: Any) -> dict[str, Any]:
    """A checkpoint's settings with which greedy would not be just the likeliest word; they are not followed."""
    given = {name: getattr(generation_config, name, None) for name in NEUTRAL}
    return {name: value for name, value in given.items() if value not in (None, NEUTRAL[name], [], {}, ())}


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
