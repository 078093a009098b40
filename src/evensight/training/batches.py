"""The batches that a training sees: encoded as they come, or joined from what was prepared once before it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from evensight.datasets.examples import ExampleSet
from evensight.models.cores import loader_workers
from evensight.models.image_embeddings import Injector
from evensight.models.last_layer import LastLayer
from evensight.models.padding import LOGITS, for_answers, takes_logits_to_keep
from evensight.models.processes import Processes, is_sharded
from evensight.models.prompts import Prompter, image_id
from evensight.training.prepared import EMBEDDINGS, INDICES, Collate, Prepared, is_image_constant, prepared


@dataclass(frozen=True)
class Indices(Dataset[int]):
    """The examples' indices; the collator looks the examples up, so that a batch is encoded as one."""

    n: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        return index


@dataclass(frozen=True)
class Collator:
    """Turns indices into a batch for the model."""

    examples: ExampleSet
    prompter: Prompter

    def __call__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The batch of these examples with their pixels, answers and indices."""
        chosen = [self.examples[index] for index in indices]
        batch = self.prompter.encode_with_answers(
            [self.examples.image(index) for index in indices],
            [example.question.text for example in chosen],
            [example.question.answer for example in chosen],
        )
        return batch | {INDICES: torch.tensor(list(indices))}


@dataclass(frozen=True)
class ForAnswers:
    """Turns indices into a batch for which the model computes logits only where answers are."""

    collate: Collate

    def __call__(self, indices: Sequence[int]) -> dict[str, Tensor | int]:
        """The batch of these examples."""
        return for_answers(self.collate(indices))


@dataclass(frozen=True)
class Batches:
    """How a training gets its batches.

    Attributes:
        collate: Turns indices into a batch.
        n_workers: How many processes do that beside the training's own.
        injector: Shows the model the images of batches without pixels; none where all have pixels.
        last_layer: Leaves out what no logit needs; none where all logits are computed.
        is_anew: Whether images are prepared anew in each epoch although once would do: their last bits then depend
            on what batch they are in, so a run that does has other bytes than one that doesn't.
    """

    collate: Collate | ForAnswers
    n_workers: int
    injector: Injector | None
    last_layer: LastLayer | None
    is_anew: bool

    @contextmanager
    def computing(self, batch: dict[str, Any]) -> Iterator[None]:
        """The surroundings in which the model computes a batch, forward and backward.

        Args:
            batch: From it is taken what is not the model's.
        """
        embeddings = batch.pop(EMBEDDINGS, None)
        with ExitStack() as stack:
            if self.injector is not None and embeddings is not None:
                stack.enter_context(self.injector.showing(embeddings, batch["input_ids"]))
            if self.last_layer is not None and LOGITS in batch:
                stack.enter_context(self.last_layer.keeping(batch[LOGITS]))
            yield


@contextmanager
def batches(model: Any, collator: Collator, team: Processes, *, epochs: float, is_bf16: bool) -> Iterator[Batches]:
    """The batches of a training, while the block runs; what can be prepared once is prepared now.

    Args:
        model: What is trained, where it is trained.
        collator: Encodes its examples.
        team: The processes that train together.
        epochs: How often each example is seen.
        is_bf16: Whether the model computes in bfloat16.
    """
    is_wanted = epochs > 1 and not is_sharded() and is_image_constant(model)
    keeps = takes_logits_to_keep(model)
    with ExitStack() as stack:
        kept = stack.enter_context(_prepared(model, collator, team, is_bf16)) if is_wanted else None
        image = image_id(collator.prompter.processor, model.config)
        injector = None if kept is None or image is None else stack.enter_context(Injector(image).on(model))
        cuts = keeps and not is_sharded()
        yield Batches(
            ForAnswers(kept or collator) if keeps else kept or collator,
            loader_workers() if kept is None else 0,
            injector,
            stack.enter_context(LastLayer().on(model)) if cuts else None,
            is_wanted and kept is None,
        )


def _prepared(
    model: Any, collator: Collator, team: Processes, is_bf16: bool
) -> AbstractContextManager[Prepared | None]:
    return prepared(model, collator, collator.prompter, len(collator.examples), team, is_bf16=is_bf16)
