"""One training run over examples on transformers' `Trainer`: what fine-tuning and pretraining share.

The loss is on the answers' tokens alone (see `models.prompts`). Examples are drawn or read in the loader, in an
order that the seed gives. A loss that is not a number stops the run.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil, isfinite
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.models.cores import cores_left_for, loader_workers
from evensight.models.loading import quiet_transformers
from evensight.models.prompts import Prompter
from evensight.progress import Advance, progress


class TrainingConfig(BaseModel):
    """How to optimise.

    Attributes:
        epochs: How often each example is seen.
        batch_size: Examples a step, on each device.
        learning_rate: AdamW's, at its peak.
        warmup_share: The share of the steps over which the rate rises; then it falls as a cosine.
        weight_decay: AdamW's.
        adam_beta2: AdamW's second decay.
        seed: Draws the order of the examples and what else is random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: float = Field(3.0, gt=0)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    warmup_share: float = Field(0.05, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**32)


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
        """The batch of these examples."""
        chosen = [self.examples[index] for index in indices]
        return self.prompter.encode_with_answers(
            [self.examples.image(index) for index in indices],
            [example.question.text for example in chosen],
            [example.question.answer for example in chosen],
        )


def train(model: Any, processor: Any, examples: ExampleSet, config: TrainingConfig, label: str) -> list[float]:
    """Trains the model's trainable parameters in place.

    Args:
        model: A transformers or PEFT model.
        processor: Its processor, padding on the left.
        examples: What to learn from.
        config: How to optimise.
        label: What the progress is called.

    Returns:
        The loss of each step.

    Raises:
        InputError: The loss stopped being a number.
    """
    n_steps = ceil(ceil(len(examples) / config.batch_size) * config.epochs)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="evensight-"))
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=n_steps,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(config.warmup_share * n_steps),
            weight_decay=config.weight_decay,
            adam_beta2=config.adam_beta2,
            seed=config.seed,
            bf16=torch.cuda.is_available(),
            save_strategy="no",
            logging_steps=1,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["labels"],
            dataloader_num_workers=loader_workers(),
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        if arguments.n_gpu > 1:  # DataParallel would cut pixels that are not [example, ...], and n_steps is for one
            arguments._n_gpu = 1
        stack.enter_context(quiet_transformers())
        stack.enter_context(cores_left_for(loader_workers()))
        watch = _Watch(stack.enter_context(progress(label, n_steps, "steps")))
        trainer = Trainer(
            model=model,
            args=arguments,
            data_collator=Collator(examples, Prompter(processor, model.config.model_type)),
            train_dataset=Indices(len(examples)),
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if watch.failed_at:
        raise InputError(
            f"training stopped at step {watch.failed_at}: the loss is {watch.losses[-1]}; nothing was saved; "
            "choose a smaller learning rate"
        )
    return watch.losses


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Shows the progress, keeps the losses, and stops when one is not a number."""

    def __init__(self, advance: Advance) -> None:
        self.losses: list[float] = []
        self.failed_at = 0
        self._advance = advance

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" not in logs:
            return
        self.losses.append(float(logs["loss"]))
        self._advance(1, f"loss {self.losses[-1]:.3f}")
        if not isfinite(self.losses[-1]):
            self.failed_at = state.global_step
            control.should_training_stop = True
