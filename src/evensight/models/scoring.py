"""How likely a model finds each of some options as the answer to a question.

The score of an option is the log-likelihood of its tokens and of the end of the turn, given the prompt, in nats. The
prompt is computed once and its keys and values are shared by the options, where the model keeps them in a cache that
can be copied; else each option is computed with its prompt. Both are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.prompts import IGNORED, Prompter


@dataclass(frozen=True)
class Scorer:
    """Scores options as answers.

    Attributes:
        loaded: The model.
        shares_prompts: Whether a prompt is computed once for all of its options, where that can be done.
    """

    loaded: LoadedModel
    shares_prompts: bool = True

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @torch.inference_mode()
    def scores(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The log-likelihood, in nats, of each of a question's options, for one batch of questions.

        Args:
            images: An image for each question.
            texts: The questions.
            options: For each question, what may be answered.
        """
        with quiet_transformers():
            found = self._shared(images, texts, options) if self.shares_prompts else None
            if found is None:
                found = self._separate(images, texts, options)
        starts = [0, *accumulate(map(len, options))]
        return [found[start:end].tolist() for start, end in pairwise(starts)]

    def best(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[str]:
        """The most likely option of each question; the first of equals."""
        scores = self.scores(images, texts, options)
        return [given[max(range(len(row)), key=row.__getitem__)] for given, row in zip(options, scores, strict=True)]

    def _shared(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> Tensor | None:
        """The options' scores in one row, or None if the model's cache can't be copied."""
        model = self.loaded.model
        batch = self._on_device(self._prompter.encode(images, texts))
        out = model(**batch, use_cache=True, logits_to_keep=1)
        cache: Any = getattr(out, "past_key_values", None)
        if not hasattr(cache, "reorder_cache"):
            return None
        rows = torch.tensor([k for k, given in enumerate(options) for _ in given], device=model.device)
        ids, there = self._answers([option for given in options for option in given], model.device)
        first = out.logits[rows, -1:]
        if ids.shape[1] == 1:
            return _log_likelihood(first, ids, there)
        cache.reorder_cache(rows)
        mask = torch.cat([batch["attention_mask"][rows], there[:, :-1]], dim=1)
        later = model(
            input_ids=ids[:, :-1],
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **_positions(model, mask, ids.shape[1] - 1, rows),
        ).logits
        return _log_likelihood(torch.cat([first, later], dim=1), ids, there)

    def _separate(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> Tensor:
        """The options' scores in one row, each computed with its prompt."""
        rows = [k for k, given in enumerate(options) for _ in given]
        batch = self._prompter.encode_with_answers(
            [images[k] for k in rows], [texts[k] for k in rows], [option for given in options for option in given]
        )
        batch = self._on_device(batch)
        labels = batch.pop("labels")
        n = int((labels != IGNORED).any(dim=0).sum())
        logits = self.loaded.model(**batch, logits_to_keep=n + 1).logits[:, :-1]
        ids = labels[:, -n:]
        return _log_likelihood(logits, ids.clamp(min=0), (ids != IGNORED).long())

    def _answers(self, options: Sequence[str], device: Any) -> tuple[Tensor, Tensor]:
        """The options' tokens `[option, token]`, padded on the right, and where there are any."""
        rows = [self._prompter.answer_ids(option) for option in options]
        longest = max(map(len, rows))
        ids = [row + [self._prompter.pad_id] * (longest - len(row)) for row in rows]
        there = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(ids, device=device), torch.tensor(there, device=device)

    def _on_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        model = self.loaded.model
        moved = {key: value.to(model.device) for key, value in batch.items()}
        return {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in moved.items()}


def _positions(model: Any, mask: Tensor, n_new: int, rows: Tensor) -> dict[str, Tensor]:
    """The positions of the tokens behind a cached prompt, where a model can't count them: if they have three axes.

    There the image takes fewer positions than tokens; by how many less is kept from the prompt (`rope_deltas`).
    """
    deltas = (getattr(module, "rope_deltas", None) for module in model.modules())
    delta = next((one for one in deltas if one is not None), None)
    if delta is None:
        return {}
    counted = mask.cumsum(dim=1)[:, -n_new:] - 1 + delta.to(mask.device)[rows]
    return {"position_ids": counted.expand(3, -1, -1)}


def _log_likelihood(logits: Tensor, ids: Tensor, there: Tensor) -> Tensor:
    """The sum over the tokens that are there: logits `[option, token, word]`, the others `[option, token]`."""
    said = torch.log_softmax(logits.float(), dim=-1).gather(2, ids[..., None])[..., 0]
    return (said * there).sum(dim=1)
