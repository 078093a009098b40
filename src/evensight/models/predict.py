"""Asking a model: greedy answers, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image

from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.prompts import Prompter

MAX_NEW_TOKENS = 15
"""How long an answer may get, as in the reference."""


@dataclass(frozen=True)
class Predictor:
    """Gets free answers from a model: greedy, so that the same question has the same answer."""

    loaded: LoadedModel

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @torch.inference_mode()
    def answer(self, images: Sequence[Image.Image], texts: Sequence[str]) -> list[str]:
        """The raw answers to one batch of questions, each about its image."""
        model, prompter = self.loaded.model, self._prompter
        batch = {key: value.to(model.device) for key, value in prompter.encode(images, texts).items()}
        batch = {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in batch.items()}
        with quiet_transformers():
            out = model.generate(
                **batch,
                do_sample=False,
                num_beams=1,
                max_new_tokens=MAX_NEW_TOKENS,
                eos_token_id=sorted({prompter.end_id, *self._end_ids()}),
                pad_token_id=prompter.pad_id,
            )
        return [prompter.decode(row) for row in out[:, batch["input_ids"].shape[1] :]]

    def _end_ids(self) -> list[int]:
        known = self.loaded.model.generation_config.eos_token_id
        return [] if known is None else [known] if isinstance(known, int) else list(known)
