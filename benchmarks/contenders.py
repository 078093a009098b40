"""Those who fine-tune in `benchmarks/training.py`: each trains one model on the same examples in the same order.

TRL and the plain Trainer read the set that evensight exports for TRL, a Parquet with the pictures as PNG files; ours
reads the set that evensight stores, or draws each picture when it is needed.

Several ways may train one model in one process, by turns: before each, every attribute of every module and
configuration is as it was when the model was made, so adapters, hooks and switches of the way before are gone, the
weights, which none of them changes, are the same, and what others held of the GPU is given back.
"""

import copy
import gc
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.data import SequentialSampler
from torch.utils.flop_counter import FlopCounterMode

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.exchange.exports.trl import DATA_NAME
from evensight.models.families import linear_layers
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.runs import one_line
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples
from evensight.training import batches, trainer
from evensight.training.finetune import config_for
from evensight.training.loop import Loop
from evensight.training.methods import FinetuneConfig, adapt
from made_models import EMBEDDED, made

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
WITHOUTS = (WITHOUT_LOGITS, WITHOUT_LAST, WITHOUT_PREPARED, WITHOUT_MERGED)
CPU_WAYS = (TRL, TRL_KEPT, PLAIN, OURS, DRAWN, *WITHOUTS)
GPU_WAYS = (TRL, OURS, CHECKPOINTED, PLAIN, TRL_KEPT)
"""Who trains unless others are named."""
NAMES = {
    "trl": TRL,
    "trl-kept": TRL_KEPT,
    "plain": PLAIN,
    "evensight": OURS,
    "evensight-twice": CHECKPOINTED,
    "drawn": DRAWN,
    "without-logits": WITHOUT_LOGITS,
    "without-last": WITHOUT_LAST,
    "without-prepared": WITHOUT_PREPARED,
    "without-merged": WITHOUT_MERGED,
}
"""All ways by what they are called at the command line."""

OUT_OF_MEMORY, TIME_WAS_UP = "out of memory", "not begun: the time was up"
WARM_UP = 3
"""How many steps are left out of a step's time, for the first ones make what the later ones use."""


@dataclass(frozen=True)
class Case:
    """What all ways train.

    Attributes:
        model: A name of `made_models`.
        size_px: The pictures' side.
        n: How many examples.
        settings: Those of the fine-tuning that are not what the model recommends, or else the defaults.
    """

    model: str
    size_px: int
    n: int
    settings: dict[str, Any] = field(hash=False)

    @property
    def config(self) -> FinetuneConfig:
        """How it is fine-tuned."""
        if self.model == EMBEDDED:
            return config_for(EMBEDDED, self.settings, "the benchmark")
        return FinetuneConfig(**self.settings)

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


@dataclass
class Noted:
    """What is noted of a training while it runs.

    Attributes:
        losses: Each step's.
        begins: When each step began, by the clock; the GPU had then done all before it.
        answers: The tokens of the first batch that have labels, in their order.
    """

    losses: list[Tensor] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """What a training took from the call that trains to its end.

    Attributes:
        seconds: By the clock.
        core_seconds: Of the cores, by the process and its loader's.
        prepared_s: Before the first step.
        steps_s: Each step's, but for the last, with the making of its batch.
        losses: Each step's.
        answers: The tokens of the first batch that have labels.
    """

    seconds: float
    core_seconds: float
    prepared_s: float
    steps_s: list[float]
    losses: list[float]
    answers: list[int]

    @property
    def warm_steps_s(self) -> list[float]:
        """Those behind the warm-up."""
        return self.steps_s[WARM_UP:]

    @property
    def seconds_when_warm(self) -> float:
        """What all would take if all steps were as long as those behind the warm-up."""
        warm = self.warm_steps_s
        return self.prepared_s + len(self.losses) * sum(warm) / len(warm) if warm else self.seconds


def job(
    case: dict[str, Any], ways: Sequence[str], folder: str, until: float | None, *, counts: bool
) -> Iterator[dict[str, Any]]:
    """The trainings of one model in this process, by turns: what each took, or its fault; what was counted, last.

    Args:
        case: What is trained.
        ways: Who trains.
        folder: Where the examples are.
        until: The second of the epoch after which none begins.
        counts: Whether to measure the peak of a matrix product, and to count a sample's operations.
    """
    if not torch.cuda.is_available() and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    if counts:
        yield {"matmul_flops_a_second": matmul_peak()}
    given = Case(**case)
    drawn, begun = given.drawn, time.perf_counter()
    loaded = made(given.model, [example.question.text for example in drawn])
    synchronize()
    print(f"{given.title}: made in {time.perf_counter() - begun:.1f} s", file=sys.stderr)
    as_made = AsMade(loaded.model)
    for way in ways:
        if until is not None and time.time() > until:
            yield {"way": way, "fault": TIME_WAS_UP}
            continue
        as_made.restore()
        config = given.config.model_copy(update={"gradient_checkpointing": way == CHECKPOINTED})
        own = replace(loaded, processor=copy.deepcopy(loaded.processor))
        yield {"way": way, **outcome(way, Work(own, config, Path(folder), drawn))}
    if counts:
        as_made.restore()
        with suppress(AssertionError):  # torch 2.11 can't count grouped-query attention
            yield {"flops_a_sample": flops_a_sample(loaded, given.config, Path(folder))}


def outcome(way: str, work: Work) -> dict[str, Any]:
    """One training: its rates, its losses, and on a GPU its memory; or why it ended early."""
    held = free_memory()
    try:
        trained = train(way, work)
    except Exception as error:
        traceback.print_exc()
        return {"fault": OUT_OF_MEMORY if is_out_of_memory(error) else one_line(error)}
    has_gpu = torch.cuda.is_available()
    n = len(work.drawn) * work.config.epochs
    warm = trained.warm_steps_s
    return {
        "samples_a_second": n / (trained.seconds_when_warm if has_gpu else trained.core_seconds),
        "samples_a_second_in_steps": work.config.batch_size * len(warm) / sum(warm) if warm else None,
        "prepared_s": trained.prepared_s,
        "steps_s": trained.steps_s,
        "first_loss": trained.losses[0],
        "last_loss": trained.losses[-1],
        "answers": trained.answers,
        "is_bf16": has_gpu or way == TRL,
        **({"held_before_mb": held, **held_on_gpu()} if has_gpu else {}),
    }


def held_on_gpu() -> dict[str, float]:
    """The most that torch held of the GPU, and that tensors took of it, MB."""
    held, taken = torch.cuda.max_memory_reserved(), torch.cuda.max_memory_allocated()
    return {"held_mb": held / 1e6, "allocated_mb": taken / 1e6}


def free_memory() -> float:
    """Gives back what nobody uses, and forgets the peaks; gives what is still taken of the GPU, MB."""
    gc.collect()
    if not torch.cuda.is_available():
        return 0.0
    synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated() / 1e6


def synchronize() -> None:
    """Waits for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes from, is that a GPU's memory was too small."""
    if error is None:
        return False
    is_it = isinstance(error, torch.OutOfMemoryError) or "CUBLAS_STATUS_ALLOC_FAILED" in str(error)
    return is_it or is_out_of_memory(error.__cause__ or error.__context__)


class AsMade:
    """How a model was when it was made, but for its weights: its modules, hooks, switches and configurations."""

    def __init__(self, model: nn.Module) -> None:
        modules = list(model.modules())
        configs = [getattr(module, name, None) for module in modules for name in ("config", "generation_config")]
        things = {id(each): each for each in (*modules, *configs) if each is not None}
        self._attributes = [(each, _shallow(vars(each))) for each in things.values()]
        self._is_trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]

    def restore(self) -> None:
        """Makes it so again."""
        for thing, attributes in self._attributes:
            vars(thing).clear()
            vars(thing).update(_shallow(attributes))
        for parameter, is_trained in self._is_trained:
            parameter.requires_grad_(is_trained).grad = None


def _shallow(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: copy.copy(value) if isinstance(value, dict | set | list) else value
        for name, value in attributes.items()
    }


def matmul_peak() -> float:
    """How many operations a second a matrix product does here, in bfloat16 on a GPU: the fastest of thirty."""
    has_gpu = torch.cuda.is_available()
    n = 8192 if has_gpu else 512
    one = torch.randn(n, n, device="cuda" if has_gpu else "cpu", dtype=torch.bfloat16 if has_gpu else torch.float32)
    best = float("inf")
    for _ in range(30):
        synchronize()
        begun = time.perf_counter()
        one @ one
        synchronize()
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
        return timed(made.train, made.noted)


def flops_a_sample(loaded: LoadedModel, config: FinetuneConfig, folder: Path) -> float:
    """The operations of the plain trainer's forward and backward pass of the first example, by torch's own count."""
    model = adapt(loaded, config)
    kind = model.device.type
    batch = {key: value.to(kind) for key, value in collator(loaded.processor)([_exported(folder)[0]]).items()}
    with (
        FlopCounterMode(display=False) as counter,
        torch.autocast(kind, torch.bfloat16, enabled=config.is_bf16()),
    ):
        model(**batch, use_cache=False).loss.backward()
    return float(counter.get_total_flops())


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
            nothing = trainer.Surroundings()
            begin = partial(trainer.fit, model, work.loaded.processor, examples, work.config, "training", nothing)
            return timed(begin, loop.noted)

    return run


def watched(kind: type) -> Any:
    """A trainer's class that takes the examples in their order and notes each step's begin and loss."""

    class Watched(kind):  # type: ignore[misc]
        noted = Noted()  # the class is made for one training

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return SequentialSampler(train_dataset or self.train_dataset)

        def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Tensor:
            synchronize()
            self.noted.begins.append(time.perf_counter())
            if not self.noted.losses:
                labels = inputs["labels"]
                self.noted.answers.extend(labels[labels != -100].tolist())
            loss: Tensor = super().training_step(model, inputs, *args, **kwargs)
            self.noted.losses.append(loss.detach())
            return loss

    return Watched


def timed(run: Callable[[], Any], noted: Noted) -> Trained:
    """Runs, waits for the GPU if there is one, and gives what was noted."""
    begun, begun_core = time.perf_counter(), _core_seconds()
    run()
    synchronize()
    seconds, core_seconds = time.perf_counter() - begun, _core_seconds() - begun_core
    steps_s = [after - before for before, after in pairwise(noted.begins)]
    losses = [float(loss) for loss in noted.losses]
    return Trained(seconds, core_seconds, noted.begins[0] - begun, steps_s, losses, noted.answers)


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
