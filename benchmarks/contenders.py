"""Those who fine-tune in `benchmarks/training.py`: each trains one model on the same examples in the same order.

TRL and the plain Trainer read the set that evensight exports for TRL, a Parquet with the pictures as PNG files; ours
reads the set that evensight stores, or draws each picture when it is needed.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler
from torch.utils.flop_counter import FlopCounterMode

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.exchange.exports.trl import DATA_NAME
from evensight.models.families import linear_layers
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples
from evensight.training import batches, trainer
from evensight.training.loop import Loop
from evensight.training.methods import FinetuneConfig, adapt
from evensight.training.validation import Part
from made_models import made

DESIGN = "civet-train"

TRL, TRL_KEPT, PLAIN, OURS, DRAWN, CHECKPOINTED = (
    "TRL, as its docs show it",
    "TRL, activations kept, in the others' precision",
    "plain Trainer",
    "evensight",
    "evensight, drawing its pictures",
    "evensight, activations computed twice",
)
WITHOUT_LOGITS, WITHOUT_LAST, WITHOUT_PREPARED, WITHOUT_MERGED = (
    "evensight without logits (and last layer) for answers alone",
    "evensight without a last layer for answers alone",
    "evensight without examples prepared once",
    "evensight without adapters added to small layers",
)


@dataclass(frozen=True)
class Case:
    """What all ways train.

    Attributes:
        model: A name of `made_models`.
        size_px: The pictures' side.
        n: How many examples.
        epochs: How often each is seen.
        settings: Those of the fine-tuning that are not the defaults.
    """

    model: str
    size_px: int
    n: int
    epochs: float
    settings: dict[str, Any] = field(hash=False)

    @property
    def title(self) -> str:
        """What it is called on the page."""
        return f"{self.model}, {self.size_px} px"

    @property
    def drawn(self) -> Part:
        """Its examples, evenly spread over their design."""
        whole = SceneExamples(design(DESIGN), self.size_px, 0)
        return Part(whole, [k * len(whole) // self.n for k in range(self.n)], {"n": self.n})


@dataclass(frozen=True)
class Work:
    """What is to be trained.

    Attributes:
        loaded: The model.
        config: How; the learning rate changes no time.
        stored: The folder with the set as evensight stores it, and as it exports it for TRL.
        drawn: The same set, drawn.
    """

    loaded: LoadedModel
    config: FinetuneConfig
    stored: Path
    drawn: ExampleSet


@dataclass(frozen=True)
class Trained:
    """What a training took from the call that trains to its end.

    Attributes:
        seconds: By the clock.
        core_seconds: Of the cores, by the process and its loader's.
        losses: Each step's.
        flops_a_sample: Operations of a forward and a backward pass, if they were counted.
    """

    seconds: float
    core_seconds: float
    losses: list[float]
    flops_a_sample: float | None = None


def job(case: dict[str, Any], way: str, folder: str) -> dict[str, Any]:
    """One training in this process: its rates, its losses, and on a GPU its memory."""
    has_gpu = torch.cuda.is_available()
    if not has_gpu and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    given = Case(**case)
    drawn = given.drawn
    loaded = made(given.model, [example.question.text for example in drawn])
    config = FinetuneConfig(**given.settings, epochs=given.epochs, gradient_checkpointing=way == CHECKPOINTED)
    trained = train(way, Work(loaded, config, Path(folder), drawn))
    n = given.n * given.epochs
    return {
        "samples_a_second": n / (trained.seconds if has_gpu else trained.core_seconds),
        "samples_a_second_by_the_clock": n / trained.seconds,
        "first_loss": trained.losses[0],
        "last_loss": trained.losses[-1],
        "is_bf16": has_gpu or way == TRL,
        "flops_a_sample": trained.flops_a_sample,
        **({"peak_mib": torch.cuda.max_memory_allocated() / 2**20} if has_gpu else {}),
    }


def matmul_peak() -> float:
    """How many operations a second a matrix product does here, in bfloat16 on a GPU: the fastest of ten."""
    has_gpu = torch.cuda.is_available()
    n = 8192 if has_gpu else 512
    one = torch.randn(n, n, device="cuda" if has_gpu else "cpu", dtype=torch.bfloat16 if has_gpu else torch.float32)
    best = float("inf")
    for _ in range(10):
        begun = time.perf_counter()
        one @ one
        if has_gpu:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    return 2 * n**3 / best


def train(way: str, work: Work) -> Trained:
    """Trains in a way."""
    with quiet_transformers():
        return {TRL: with_trl, TRL_KEPT: with_trl_kept, PLAIN: with_plain_trainer}.get(way, _ours(way))(work)


def with_trl(work: Work) -> Trained:
    """TRL's SFTTrainer with its defaults: bfloat16, activations computed twice."""
    return _with_trl(work)


def with_trl_kept(work: Work) -> Trained:
    """TRL's SFTTrainer in the precision of the others, with activations kept."""
    return _with_trl(work, gradient_checkpointing=False, bf16=work.config.is_bf16())


def _with_trl(work: Work, **changed: Any) -> Trained:
    import peft
    from trl import SFTConfig, SFTTrainer

    config = work.config
    names = [name for part in config.components for name in linear_layers(work.loaded.model, part, config.layers)]
    lora = peft.LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=names)
    with tempfile.TemporaryDirectory() as folder:
        made = watched(SFTTrainer)(
            model=work.loaded.model,
            args=SFTConfig(output_dir=folder, max_length=None, **_common(config), **changed),
            train_dataset=_exported(work.stored),
            processing_class=work.loaded.processor,
            peft_config=lora,
        )
        return timed(made.train, made.noted)


def with_plain_trainer(work: Work) -> Trained:
    """Transformers' Trainer with a collator such as its docs show, labels on the answers alone."""
    from transformers import Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        made = watched(Trainer)(
            model=adapt(work.loaded, work.config),
            args=TrainingArguments(
                output_dir=folder, remove_unused_columns=False, bf16=work.config.is_bf16(), **_common(work.config)
            ),
            train_dataset=_exported(work.stored),
            data_collator=collator(work.loaded.processor),
        )
        trained = timed(made.train, made.noted)
        return replace(trained, flops_a_sample=_flops_a_sample(made))


def _flops_a_sample(made: Any) -> float:
    """The operations of a forward and a backward pass through the whole model, by torch's own count."""
    batch = next(iter(made.get_train_dataloader()))
    with FlopCounterMode(display=False) as counter:
        made.compute_loss(made.model, batch).backward()
    return float(counter.get_total_flops()) / len(batch["input_ids"])


def collator(processor: Any) -> Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]:
    """Encodes conversations with the processor; the last tokens of each, the completion's, are its labels."""

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        turns = [_with_picture(row) for row in rows]
        kwargs = {"padding": True}
        batch = dict(
            processor.apply_chat_template(
                turns, tokenize=True, return_dict=True, return_tensors="pt", processor_kwargs=kwargs
            )
        )
        labels = torch.full_like(batch["input_ids"], -100)
        for k, row in enumerate(rows):
            answer = row["completion"][0]["content"][0]["text"] + processor.tokenizer.eos_token
            n = len(processor.tokenizer(answer, add_special_tokens=False)["input_ids"])
            labels[k, -n:] = batch["input_ids"][k, -n:]
        return batch | {"labels": labels}

    return collate


def _with_picture(row: dict[str, Any]) -> list[dict[str, Any]]:
    question = row["prompt"][0]["content"][1]
    asked = [{"type": "image", "image": row["images"][0]}, {"type": "text", "text": question["text"]}]
    return [{"role": "user", "content": asked}, *row["completion"]]


def _ours(way: str) -> Callable[[Work], Trained]:
    switched_off = {
        WITHOUT_LOGITS: (batches, "takes_logits_to_keep", lambda _model: False),
        WITHOUT_PREPARED: (batches, "is_image_constant", lambda _model: False),
        WITHOUT_LAST: (batches, "LastLayer", lambda: SimpleNamespace(on=lambda _model: nullcontext())),
        WITHOUT_MERGED: (trainer, "merged_adapters", lambda _model: nullcontext(0)),
    }

    def run(work: Work) -> Trained:
        examples = work.drawn if way == DRAWN else StoredExamples(work.stored / "stored")
        model = adapt(work.loaded, work.config)
        loop = watched(Loop)
        with ExitStack() as stack:
            stack.enter_context(patch.object(trainer, "Loop", loop))
            if way in switched_off:
                stack.enter_context(patch.object(*switched_off[way]))
            begin = lambda: trainer.train(model, work.loaded.processor, examples, work.config, "training")  # noqa: E731
            return timed(begin, loop.noted)

    return run


def watched(kind: type) -> Any:
    """A trainer's class that takes the examples in their order and notes each step's loss."""

    class Watched(kind):  # type: ignore[misc]
        noted: list[Tensor] = []  # noqa: RUF012 - the class is made for one training

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return SequentialSampler(train_dataset or self.train_dataset)

        def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
            loss: Tensor = super().training_step(*args, **kwargs)
            self.noted.append(loss.detach())
            return loss

    return Watched


def timed(run: Callable[[], Any], noted: list[Tensor]) -> Trained:
    """Runs, waits for the GPU if there is one, and gives what was noted."""
    begun, begun_core = time.perf_counter(), _core_seconds()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds, core_seconds = time.perf_counter() - begun, _core_seconds() - begun_core
    return Trained(seconds, core_seconds, [float(loss) for loss in noted])


def _core_seconds() -> float:
    """What this process and those that it began, and that have ended, have used of the cores."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _common(config: FinetuneConfig) -> dict[str, Any]:
    return {
        "per_device_train_batch_size": config.batch_size,
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "weight_decay": config.weight_decay,
        "adam_beta2": config.adam_beta2,
        "seed": config.seed,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
    }


def _exported(stored: Path) -> Any:
    from datasets import load_dataset

    path = str(stored / "trl" / DATA_NAME)
    return load_dataset("parquet", data_files=path, split="train", cache_dir=str(stored / "datasets"))
