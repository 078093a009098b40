"""Asking a model: greedy answers, in batches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evensight.errors import InputError
from evensight.models.answering import MAX_NEW_TOKENS
from evensight.models.continued import Prompts, on_device, read_prompts
from evensight.models.greedy import NEUTRAL, greedy, overridden
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.prompts import Prompter


@dataclass(frozen=True)
class Predictor:
    """Gets free answers from a model: greedy, so that the same question has the same answer.

    Attributes:
        loaded: The model.
        max_new_tokens: How many tokens an answer may have.
        steps_itself: Whether the words are taken here, one after the other, where the model's cache can be continued;
            else transformers' `generate` takes them, which gives the same.
    """

    loaded: LoadedModel
    max_new_tokens: int = MAX_NEW_TOKENS
    steps_itself: bool = True

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @torch.inference_mode()
    def answer(self, images: Sequence[Image.Image], texts: Sequence[str]) -> list[str]:
        """The raw answers to one batch of questions, each about its image.

        Raises:
            InputError: The memory of the GPU is too small for so many.
        """
        batch = on_device(self.loaded.model, self._prompter.encode(images, texts))
        with quiet_transformers(), memory_explained(len(texts)):
            return self.behind(batch, read_prompts(self.loaded.model, batch) if self.steps_itself else None)

    @cached_property
    def overridden(self) -> dict[str, Any]:
        """The checkpoint's own settings that are not followed, for with them answers would not be greedy."""
        return overridden(self.loaded.model.generation_config)

    def behind(self, batch: Mapping[str, Tensor], prompts: Prompts | None) -> list[str]:
        """The raw answers to a batch.

        Args:
            batch: The encoded questions, where the model is.
            prompts: The same, read; None where they can't be continued.
        """
        prompter, n = self._prompter, self.max_new_tokens
        if prompts is not None and self.steps_itself:
            said = greedy(prompts, self._end_ids, prompter.pad_id, n)
        else:
            whole = self.loaded.model.generate(
                **batch,
                **{name: NEUTRAL[name] for name in self.overridden},
                max_new_tokens=n,
                eos_token_id=self._end_ids,
                pad_token_id=prompter.pad_id,
            )
            said = whole[:, batch["input_ids"].shape[1] :]
        return [prompter.decode(row) for row in said.tolist()]

    @cached_property
    def _end_ids(self) -> list[int]:
        known = self.loaded.model.generation_config.eos_token_id
        others = [] if known is None else [known] if isinstance(known, int) else list(known)
        return sorted({self._prompter.end_id, *others})


@contextmanager
def memory_explained(n: int) -> Iterator[None]:
    """Has a GPU whose memory is too small for `n` questions be an error that says what to do.

    Raises:
        InputError: It was too small.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(_too_many(n)) from error


def _too_many(n: int) -> str:
    advice = f"try batch size {n // 2}" if n > 1 else "use smaller images, or a smaller model"
    return f"the GPU's memory is too small for {n} {'questions' if n > 1 else 'question'} at a time: {advice}"
