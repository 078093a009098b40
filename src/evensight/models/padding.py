"""Encoded batches taken apart into their examples, and any examples put together again.

What tokens an example has depends on it alone; how a batch pads them depends on who is in it. So the tokens can be
kept without padding, and joined into any batch: the same, to the bit, as if it had been encoded as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from evensight.models.image_embeddings import plain
from evensight.models.prompts import IGNORED, Prompter

POSITIONS = "image_grid_thw"
"""What Qwen's positions are computed from beside the tokens: each image's patches in time, height and width."""

LOGITS = "logits_to_keep"
"""For how many of the last tokens a model computes logits: transformers' own argument."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """An example's prompt and answer without padding.

    Attributes:
        by_key: `input_ids`, and of what types they are where a model asks for that: `[token]`.
        n_prompt: How many of them are the prompt's.
        grid: Its image's row of `image_grid_thw`, `[1, 3]`; none for most models.
    """

    by_key: Mapping[str, Tensor]
    n_prompt: int
    grid: Tensor | None

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return sum(tokens.nbytes for tokens in self.by_key.values())


def split(batch: Mapping[str, Tensor]) -> list[Tokens]:
    """The tokens of each example of a batch with answers, as `Prompter.encode_with_answers` gives it."""
    ids, mask, labels = batch["input_ids"], batch["attention_mask"].bool(), batch["labels"]
    keys = [key for key, value in batch.items() if value.shape == ids.shape and key not in _MADE]
    found = []
    for k, there in enumerate(mask):
        n_answer = int((labels[k] != IGNORED).sum())
        grid = batch[POSITIONS][k : k + 1].clone() if POSITIONS in batch else None
        found.append(Tokens({key: batch[key][k][there] for key in keys}, int(there.sum()) - n_answer, grid))
    return found


_MADE = ("attention_mask", "labels")
"""What follows from where there is a token, and where the answer begins."""


def join(examples: Sequence[Tokens], prompter: Prompter) -> dict[str, Tensor]:
    """The examples as one batch: prompts padded on the left, answers on the right, labels on the answers."""
    n_prompt = max(one.n_prompt for one in examples)
    n_answer = max(len(one.by_key["input_ids"]) - one.n_prompt for one in examples)
    shape = (len(examples), n_prompt + n_answer)
    batch = {key: torch.zeros(shape, dtype=value.dtype) for key, value in examples[0].by_key.items()}
    mask, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, IGNORED)
    batch["input_ids"].fill_(prompter.pad_id)
    if "token_type_ids" in batch:
        batch["token_type_ids"][:, n_prompt:] = prompter.family.answer_type
    for k, one in enumerate(examples):
        ids = one.by_key["input_ids"]
        first, end = n_prompt - one.n_prompt, n_prompt - one.n_prompt + len(ids)
        for key, tokens in one.by_key.items():
            batch[key][k, first:end] = tokens
        mask[k, first:end] = 1
        labels[k, n_prompt:end] = ids[one.n_prompt :]
    grids = [one.grid for one in examples if one.grid is not None]
    return {**batch, "attention_mask": mask, "labels": labels, **({POSITIONS: torch.cat(grids)} if grids else {})}


def for_answers(batch: Mapping[str, Tensor]) -> dict[str, Tensor | int]:
    """A batch for which a model computes logits only where an answer's token is predicted; the loss is the same.

    Labels are cut to the answers and the token before them, and `logits_to_keep` says how many tokens that is.
    """
    labels = batch["labels"]
    n = int((labels != IGNORED).any(dim=0).sum()) + 1
    return {**batch, "labels": labels[:, -n:], LOGITS: n}


def takes_logits_to_keep(model: Any) -> bool:
    """Whether a model can be told for how many of the last tokens logits are wanted."""
    return "logits_to_keep" in signature(plain(model).forward).parameters
