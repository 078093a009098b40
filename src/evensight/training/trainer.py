"""One training run over examples on transformers' `Trainer`: what fine-tuning and pretraining share.

The loss is on the answers' tokens alone (see `models.prompts`). Examples are drawn or read in the loader, in an
order that the seed gives. A loss or gradient that is not a number stops the run before it reaches the weights; a run
that was killed goes on from its last whole checkpoint and ends in the same bytes.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from traceback import clear_frames
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from transformers import PrinterCallback, TrainingArguments

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.models.cores import cores_left_for, loader_workers
from evensight.models.families import component_of, family_of_model
from evensight.models.loading import quiet_transformers
from evensight.models.processes import Processes
from evensight.models.prompts import Prompter
from evensight.progress import progress
from evensight.training.batches import Batches, Collator, Indices, batches
from evensight.training.callbacks import Keeper, Stopper, Watch
from evensight.training.checkpoints import Checkpoint, Checkpoints, history
from evensight.training.guard import Guard, NumbersEndedError, trained_parameters
from evensight.training.loading_processes import loading_explained
from evensight.training.loop import Loop
from evensight.training.merged_adapters import merged_adapters
from evensight.training.prepared import Collate
from evensight.training.validation import Validation, best_step, is_enough, validations


class TrainingConfig(BaseModel):
    """How to optimise.

    Attributes:
        epochs: How often each example is seen.
        batch_size: Examples at a time, on each device.
        gradient_accumulation: How many such batches make a step, on each device.
        gradient_checkpointing: Whether activations are computed twice rather than kept: slower, in less memory.
        bf16: Whether to compute in bfloat16; where it is not said, on a GPU and not elsewhere.
        learning_rate: AdamW's, at its peak.
        warmup_share: The share of the steps over which the rate rises; then it falls as a cosine.
        weight_decay: AdamW's.
        adam_beta2: AdamW's second decay.
        validate_steps: Validate every so many steps, and after the last; else after each epoch.
        patience: Stop when so many validations in a row brought no lower perplexity; else never.
        seed: Draws the order of the examples and what else is random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: float = Field(3.0, gt=0)
    batch_size: int = Field(8, ge=1)
    gradient_accumulation: int = Field(1, ge=1)
    gradient_checkpointing: bool = False
    bf16: bool | None = None
    learning_rate: float = Field(1e-4, gt=0)
    warmup_share: float = Field(0.05, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    validate_steps: int | None = Field(None, ge=1)
    patience: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)

    def global_batch(self, n_processes: int) -> int:
        """How many examples a step has on all devices together."""
        return self.batch_size * self.gradient_accumulation * n_processes

    def is_bf16(self) -> bool:
        """Whether to compute in bfloat16 on this machine."""
        return torch.cuda.is_available() if self.bf16 is None else self.bf16


class Upkeep(BaseModel):
    """How a training is looked after; nothing of it changes what comes out.

    Attributes:
        checkpoint_minutes: A checkpoint is written after so long.
        checkpoint_steps: And every so many steps, if it is given.
        report_to: Who else is told of losses, by transformers' names: `tensorboard`, `trackio`, `wandb` ...
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    checkpoint_minutes: float = Field(10.0, gt=0)
    checkpoint_steps: int | None = Field(None, ge=1)
    report_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a training gave; the model has the weights.

    Attributes:
        losses: The loss of each step that was done.
        validations: The figures of each validation, with its `step`.
        best_step: After which step the weights are that the model has.
        state_dict: All weights, where each process has only a part of them in the model; on the main process.
    """

    losses: list[float]
    validations: list[dict[str, float]]
    best_step: int
    state_dict: dict[str, Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a training happens, and what happens around it.

    Attributes:
        checkpoints: Where it keeps its checkpoints; none for a training that begins again when it was killed.
        validation_examples: What it is validated on, if it is.
        upkeep: How it is looked after.
        team: The processes that train together.
        rescue: Saves the weights that the model had after so many steps, the last that were good, and says where.
    """

    checkpoints: Checkpoints | None = None
    validation_examples: ExampleSet | None = None
    upkeep: Upkeep = field(default_factory=Upkeep)
    team: Processes = field(default_factory=Processes)
    rescue: Callable[[int], str] | None = None


def fit(
    model: Any,
    processor: Any,
    examples: ExampleSet,
    config: TrainingConfig,
    label: str,
    around: Surroundings,
) -> Fitted:
    """Trains the model's trainable parameters in place, from the last whole checkpoint if there is one.

    Args:
        model: A transformers or PEFT model.
        processor: Its processor, padding on the left.
        examples: What to learn from.
        config: How to optimise.
        label: What the progress is called.
        around: Where, and what happens around it.

    Raises:
        InputError: The loss stopped being a number, or the memory of the GPU is too small.
        OSError: A checkpoint can't be written; the ones before are as they were.
    """
    with _surrounded():
        collator = Collator(examples, Prompter(processor, model.config.model_type))
        prepared = batches(model, collator, around.team, epochs=config.epochs, is_bf16=config.is_bf16())
        with prepared as given, nullcontext() if config.is_bf16() else merged_adapters(model):
            if given.is_anew and around.checkpoints is not None:
                around = replace(around, checkpoints=around.checkpoints.of_another_way("anew"))
            validate = None
            if around.validation_examples is not None:
                validate = Validation(around.validation_examples, collator.prompter, config.batch_size, around.team)
            course = Course(len(examples), lambda index: examples[index].id, given, validate)
            return _fit(model, course, config, label, around)


def fit_batches(
    model: nn.Module, collate: Collate, n_examples: int, config: TrainingConfig, label: str, around: Surroundings
) -> Fitted:
    """Trains a module that gives its own loss on batches of any kind; else as `fit` does.

    Args:
        model: Called with a batch it gives its `loss`.
        collate: Makes a batch of some of `range(n_examples)`, with these under `INDICES`.
        n_examples: How many examples there are.
        config: How to optimise.
        label: What the progress is called.
        around: Where, and what happens around it; nothing to validate on.
    """
    with _surrounded():
        given = Batches(collate, loader_workers(), None, None, is_anew=False)
        return _fit(model, Course(n_examples, str, given, None), config, label, around)


@dataclass(frozen=True, slots=True)
class Course:
    """What a model is trained on.

    Attributes:
        n_examples: How many there are.
        name: What an example is called, by its index.
        batches: How its batches are made and computed.
        validate: Gives the figures of the model as it is; None without validation.
    """

    n_examples: int
    name: Callable[[int], str]
    batches: Batches
    validate: Validation | None


@contextmanager
def _surrounded() -> Iterator[None]:
    """No noise of others on the screen, and a core left for those who make batches."""
    with quiet_transformers(), cores_left_for(loader_workers()):
        yield


def _fit(model: Any, course: Course, config: TrainingConfig, label: str, around: Surroundings) -> Fitted:
    steps_an_epoch = ceil(course.n_examples / config.global_batch(around.team.n))
    n_steps = ceil(steps_an_epoch * config.epochs)
    start = around.team.led(partial(start_of, around.checkpoints))
    with ExitStack() as stack:
        folder = stack.enter_context(_place(around))
        arguments = _arguments(config, around.upkeep, folder, n_steps)
        arguments.dataloader_num_workers = course.batches.n_workers
        arguments.ddp_find_unused_parameters = _may_leave_some_out(model)
        guard = Guard(around.team, keeps_weights=around.rescue is not None)
        loop = _loop(model, course, arguments, guard)
        guard.keeps_weights &= not loop.is_sharded  # no process has them all
        done = [] if start is None else history(start)
        if start is not None and _is_finished(start.step, n_steps, done, config):
            loop.load_weights(start.path)
            return _fitted(loop, done, around)
        first = 0 if start is None else start.step
        advance = stack.enter_context(
            progress(_resumed(label, first), n_steps - first, "steps") if around.team.is_main else nullcontext()
        )
        every = config.validate_steps or steps_an_epoch
        if around.checkpoints is not None:
            loop.add_callback(Keeper(around.checkpoints, around.upkeep, around.team))
        if course.validate is not None:
            loop.add_callback(Stopper(every, config.patience))
        loop.add_callback(Watch(advance))
        _run(loop, start, guard, course, config, around)
        return _fitted(loop, loop.state.log_history, around)


def _resumed(label: str, first: int) -> str:
    return f"{label}, from step {first:,}" if first else label


def _place(around: Surroundings) -> Any:
    if around.checkpoints is None:
        return TemporaryDirectory(prefix="evensight-")
    return nullcontext(str(around.checkpoints.path))


def start_of(checkpoints: Checkpoints | None) -> Checkpoint | None:
    """The checkpoint to go on from: the last whole one whose best one is whole too. Others are removed."""
    if checkpoints is None:
        return None
    checkpoints.sweep()
    fit = [
        checkpoint
        for checkpoint in checkpoints.whole()
        if checkpoint.best_step in (None, checkpoint.step) or checkpoints.at(checkpoint.best_step) is not None
    ]
    checkpoints.drop_unfit()
    return fit[0] if fit else None


def _is_finished(step: int, n_steps: int, done: list[dict[str, float]], config: TrainingConfig) -> bool:
    return step >= n_steps or is_enough(validations(done), config.patience)


def _arguments(config: TrainingConfig, upkeep: Upkeep, folder: str, n_steps: int) -> TrainingArguments:
    has_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=folder,
        max_steps=n_steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        gradient_checkpointing=config.gradient_checkpointing or None,
        gradient_checkpointing_kwargs={"use_reentrant": False} if config.gradient_checkpointing else None,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(config.warmup_share * n_steps),
        weight_decay=config.weight_decay,
        adam_beta2=config.adam_beta2,
        seed=config.seed,
        bf16=config.is_bf16(),
        use_cpu=config.is_bf16() and not has_gpu,
        save_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=list(upkeep.report_to) or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=has_gpu,
    )
    if arguments.n_gpu > 1:  # DataParallel would cut pixels that are not [example, ...], and n_steps is for one
        arguments._n_gpu = 1
    return arguments


def _may_leave_some_out(model: nn.Module) -> bool:
    """Whether a step may give some trained parameter no gradient: LLaVA, say, never uses its tower's last layer."""
    family = family_of_model(model)
    return any(component_of(name, family) != "language" for name in trained_parameters(model))


def _loop(model: Any, course: Course, arguments: TrainingArguments, guard: Guard) -> Loop:
    loop = Loop(
        guard,
        course.validate,
        course.batches.computing,
        model=model,
        args=arguments,
        data_collator=course.batches.collate,
        train_dataset=Indices(course.n_examples),
    )
    loop.remove_callback(PrinterCallback)
    if loop.is_sharded and course.validate is not None:
        raise InputError(
            "validation needs the whole model on each device: expected one process or DDP, got FSDP or DeepSpeed; "
            "leave out the validation, or launch with the configuration ddp.yaml"
        )
    return loop


def _run(
    loop: Loop,
    start: Checkpoint | None,
    guard: Guard,
    course: Course,
    config: TrainingConfig,
    around: Surroundings,
) -> None:
    try:
        with loading_explained():
            loop.train(resume_from_checkpoint=None if start is None else str(start.path))
    except NumbersEndedError as error:
        clear_frames(error.__traceback__)  # the loader's workers end now, not when somebody forgets the error
        around.team.end(InputError(_broken_off(error, loop.model, guard, course, around)))
    except torch.OutOfMemoryError as error:
        clear_frames(error.__traceback__)
        raise InputError(_too_large(loop.state.global_step + 1, config)) from error
    except UnpicklingError as error:  # torch has refused to run what it holds
        clear_frames(error.__traceback__)
        place = "" if start is None else f" `{start.path}`"
        raise InputError(
            f"the checkpoint{place} holds more than numbers: remove it, and run the command again"
        ) from error
    except OSError as error:
        clear_frames(error.__traceback__)
        raise


def _fitted(loop: Loop, log: list[dict[str, float]], around: Surroundings) -> Fitted:
    losses = [entry["loss"] for entry in log if "loss" in entry]
    done = validations(log)
    best, last = best_step(done), len(losses)
    if best is not None and best != last and around.checkpoints is not None:
        kept = around.checkpoints.at(best)
        if kept is None:
            raise InputError(
                f"the checkpoint of the best step, {best}, in `{around.checkpoints.path}` is damaged: "
                "run the command again"
            )
        loop.load_weights(kept.path)
    state_dict = loop.accelerator.get_state_dict(loop.model_wrapped) if loop.is_sharded else None
    return Fitted(losses, done, best or last, state_dict)


_N_NAMED = 8


def _broken_off(
    error: NumbersEndedError, model: nn.Module, guard: Guard, course: Course, around: Surroundings
) -> str:
    """What to say of a training whose numbers ended; what was good is saved."""
    named = [f"`{course.name(index)}`" for index in error.indices[:_N_NAMED]]
    more = len(error.indices) - len(named)
    where = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    kept = "nothing was saved"
    if guard.restore(model) and around.rescue is not None and around.team.is_main:
        kept = f"what it had learned after step {guard.good_step} is saved in {around.rescue(guard.good_step)}"
    elif around.checkpoints is not None and (last := next(around.checkpoints.whole(), None)) is not None:
        kept = f"its last checkpoint, of step {last.step}, is `{last.path}`"
    return (
        f"training stopped at step {error.step}: {error.what} on the examples {where}; {kept}; "
        "choose a smaller learning rate or look at these examples, and name a new folder"
    )


def _too_large(step: int, config: TrainingConfig) -> str:
    """What to try when the GPU's memory was too small."""
    size = config.batch_size
    advice = (
        f"try batch size {size // 2} with gradient accumulation {config.gradient_accumulation * 2}, which is the "
        "same step in half the memory"
        if size > 1 and size % 2 == 0
        else f"try batch size {size // 2}"
        if size > 1
        else "try gradient checkpointing, or the method qlora"
    )
    return f"the GPU's memory is too small for batch size {size} (at step {step}): {advice}"
