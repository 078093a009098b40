"""Asking a model: greedy answers, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image

from evensight.errors import InputError
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
        """The raw answers to one batch of questions, each about its image.

        Raises:
            InputError: The memory of the GPU is too small for so many.
        """
        model, prompter = self.loaded.model, self._prompter
        batch = {key: value.to(model.device) for key, value in prompter.encode(images, texts).items()}
        batch = {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in batch.items()}
        with quiet_transformers():
            try:
                out = model.generate(
                    **batch,
                    do_sample=False,
                    num_beams=1,
                    max_new_tokens=MAX_NEW_TOKENS,
                    eos_token_id=sorted({prompter.end_id, *self._end_ids()}),
                    pad_token_id=prompter.pad_id,
                )
            except torch.OutOfMemoryError as error:
                raise InputError(_too_many(len(texts))) from error
        return [prompter.decode(row) for row in out[:, batch["input_ids"].shape[1] :]]

    def _end_ids(self) -> list[int]:
        known = self.loaded.model.generation_config.eos_token_id
        return [] if known is None else [known] if isinstance(known, int) else list(known)


def _too_many(n: int) -> str:
    advice = f"try batch size {n // 2}" if n > 1 else "use smaller images, or a smaller model"
    return f"the GPU's memory is too small for {n} {'questions' if n > 1 else 'question'} at a time: {advice}"
