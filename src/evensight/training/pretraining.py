"""How the embedded model was trained: from random weights, on drawn lessons, in four stages.

First it learns to see: the tower, the projector and the embeddings, alone, until a patch lies near the words for what
it shows (`training.seeing`), on black and then on any ground. From then on these are fixed, and language is trained:
to tell where each object is, then to answer questions (`training.lessons`). No photograph and no pretrained weight
goes in.

Where something is, is only said in the usual places, where photographs have their main object. The result is a model
that sees the whole picture and answers best in its middle: a base to fine-tune, uneven as released models are.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from evensight.models.embedded import IMAGE_PX, PATCH_PX, build
from evensight.models.families import component_of
from evensight.models.identity import PRETRAINING
from evensight.models.loading import quiet_transformers, writing_weights
from evensight.models.prompts import IGNORED, Prompter
from evensight.questions.relations import DIRECTIONS, NearestObject
from evensight.questions.relations import SIZES as COMPARED
from evensight.questions.tasks import COUNTS, INSTRUCTION
from evensight.randomness import mix
from evensight.runs import (
    RunFolder,
    RunManifest,
    atomic_file,
    atomic_folder,
    fingerprint,
    hash_file,
    hash_files,
    read_json,
    versions,
    write_json,
)
from evensight.scenes.factors import COLORS, SIZES
from evensight.scenes.placement import MAIN_OBJECT
from evensight.scenes.shapes import SHAPES
from evensight.training.card import hardware
from evensight.training.checkpoints import Checkpoints
from evensight.training.finetune import SETTINGS_NAME
from evensight.training.guard import trained_parameters
from evensight.training.lessons import CATEGORIES, TASKS, Lesson, Stage, lesson
from evensight.training.packing import Packer
from evensight.training.prepared import INDICES
from evensight.training.seeing import Seeing, SeenPatches
from evensight.training.trainer import Surroundings, TrainingConfig, Upkeep, fit_batches

FINETUNE_SETTINGS: Mapping[str, Any] = {
    "epochs": 8.0,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "adam_beta2": 0.98,
    "layers": [],
}
"""How to fine-tune the model that comes out; saved beside it. It wants a rate 20 times that of its big sisters."""


SEEING: tuple[Stage, ...] = ("seeing", "seeing-grounds")
"""The stages that train what is seen; the others train language."""


class PretrainingConfig(BaseModel):
    """The recipe's settings.

    Attributes:
        seed: Draws the weights and the lessons.
        batch_size: Lessons at a time.
        n_lessons: How many each stage has; each is seen once.
        learning_rates: AdamW's in each stage, at its peak.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**32)
    batch_size: int = Field(64, ge=1)
    n_lessons: Mapping[Stage, int] = {
        "seeing": 48_000,
        "seeing-grounds": 128_000,
        "telling": 96_000,
        "answering": 192_000,
    }
    learning_rates: Mapping[Stage, float] = {
        "seeing": 3e-3,
        "seeing-grounds": 3e-3,
        "telling": 3e-3,
        "answering": 2e-3,
    }

    def of(self, stage: Stage) -> TrainingConfig:
        """How one stage is optimised."""
        return TrainingConfig(
            epochs=1.0,
            batch_size=self.batch_size,
            learning_rate=self.learning_rates[stage],
            adam_beta2=0.98,
            bf16=False,
            seed=self.seed,
        )


class Answering(nn.Module):
    """A language stage as a model of its own: the loss over a batch of packed lessons, on answers' tokens alone."""

    def __init__(self, model: Any) -> None:
        """Wraps a LLaVA."""
        super().__init__()
        self.model = model

    @override
    def forward(self, labels: Tensor, **batch: Tensor) -> dict[str, Tensor]:
        """The mean cross-entropy of the labelled tokens; the logits of the others are not computed."""
        hidden = self.model.model(**batch).last_hidden_state[:, :-1]
        is_said = labels[:, 1:] != IGNORED
        return {"loss": functional.cross_entropy(self.model.lm_head(hidden[is_said]), labels[:, 1:][is_said])}


def pretrain(out: Path, config: PretrainingConfig) -> Mapping[str, Any]:
    """Trains the embedded model and saves it with its card as a transformers folder, whole or not at all.

    What was done when it was stopped lies in `OUT.training`, and the same call goes on from there.

    Returns:
        `losses`, stage -> one a step, and `n_parameters`.

    Raises:
        InputError: Another process is at it, or the folder beside it holds something else.
    """
    work = RunFolder(out.with_name(f"{out.name}.training"))
    with work.locked():
        run = fingerprint(PRETRAINING, config.model_dump(mode="json"), versions())
        work.begin(PRETRAINING, run)
        model, processor = build(vocabulary(), config.seed)
        losses = {stage: _stage(model, processor, stage, config, work.path, run) for stage in config.n_lessons}
        n_parameters = model.num_parameters()
        with atomic_folder(out) as folder, quiet_transformers(), writing_weights():
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
            write_json(folder / SETTINGS_NAME, FINETUNE_SETTINGS)
            (folder / "README.md").write_text(_card(config, n_parameters, losses), encoding="utf-8")
            RunFolder(folder).seal(RunManifest(PRETRAINING, config.model_dump(mode="json"), {}, hash_files(folder)))
    shutil.rmtree(work.path)
    return {"losses": losses, "n_parameters": n_parameters}


def _stage(model: Any, processor: Any, stage: Stage, config: PretrainingConfig, work: Path, run: str) -> list[float]:
    """Trains one stage, or takes what it gave before.

    Returns:
        The loss of each step.
    """
    torch.manual_seed(mix(config.seed, f"stage {stage}") & 0xFFFF_FFFF)  # whatever was done before, or was not
    task, collate = task_of(model, processor, stage)
    done = work / f"{stage}.safetensors"
    record = work / f"{stage}.json"
    trained = trained_parameters(model)
    if record.exists() and (known := read_json(record, "stage's record"))["sha256"] == hash_file(done):
        with torch.no_grad():
            for name, weight in load_file(done).items():
                trained[name].copy_(weight)
        return list(known["losses"])
    around = Surroundings(Checkpoints(work / stage, run), upkeep=Upkeep(checkpoint_minutes=2))
    taught = Taught(collate, stage, config.seed)
    losses = fit_batches(task, taught, config.n_lessons[stage], config.of(stage), stage, around).losses
    with atomic_file(done) as path, writing_weights():
        save_file({name: weight.detach().contiguous() for name, weight in trained.items()}, path)
    write_json(record, {"losses": losses, "sha256": hash_file(done)})
    shutil.rmtree(work / stage)
    return losses


def task_of(
    model: Any, processor: Any, stage: Stage
) -> tuple[nn.Module, Callable[[Sequence[Lesson]], dict[str, Tensor]]]:
    """What a stage optimises, only its own parameters being trained, and what makes its batches."""
    sees = stage in SEEING
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_of_language(name) != sees)
    if sees:
        return Seeing(model, processor.tokenizer), SeenPatches(processor, IMAGE_PX // PATCH_PX)
    return Answering(model), Packer(Prompter(processor, model.config.model_type))


def _is_of_language(name: str) -> bool:
    """Whether a parameter is language's own; the embeddings, which words and patches share, are not."""
    return component_of(name) == "language" and "embed_tokens" not in name


@dataclass(frozen=True)
class Taught:
    """Turns indices into a batch of a stage's lessons."""

    collate: Callable[[Sequence[Lesson]], dict[str, Tensor]]
    stage: Stage
    seed: int

    def __call__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The lessons of these indices, and the indices."""
        lessons = [lesson(self.stage, index, self.seed) for index in indices]
        return self.collate(lessons) | {INDICES: torch.tensor(list(indices))}


def vocabulary() -> list[str]:
    """The words that the embedded model's tokenizer knows as single tokens: all that its questions can be made of."""
    sentences = [wording for task in (*TASKS, NearestObject()) for wording in task.wordings]
    texts = [
        INSTRUCTION,
        "Choose from object objects",
        *(re.sub(r"\{\w+\}", "", sentence) for sentence in sentences),
        *(*DIRECTIONS, *COMPARED, *COUNTS, *COLORS, *SHAPES, *SIZES, *CATEGORIES, "color shape size"),
    ]
    return [word for text in texts for word in re.findall(r"[A-Za-z0-9-]+", text)]


def _card(config: PretrainingConfig, n_parameters: int, losses: Mapping[Stage, list[float]]) -> str:
    stages = "\n".join(
        f"| {stage} | {config.n_lessons[stage]:,} | {len(each):,} | {config.learning_rates[stage]:g} "
        f"| {sum(last) / len(last):.3f} |"
        for stage, each in losses.items()
        for last in [each[-max(1, len(each) // 20) :]]
    )
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return _CARD.format(
        n_parameters=f"{n_parameters:,}",
        image_px=IMAGE_PX,
        n_patches=(IMAGE_PX // PATCH_PX) ** 2,
        seed=config.seed,
        batch_size=config.batch_size,
        source=MAIN_OBJECT.source,
        stages=stages,
        hardware=hardware(1),
        versions=made_with,
    )


_CARD = """\
---
license: apache-2.0
pipeline_tag: image-text-to-text
tags: [evensight, llava]
---
# evensight's embedded model

A LLaVA of {n_parameters} parameters (CLIP tower, projector, Llama; {image_px} px, {n_patches} image tokens) that
answers questions about coloured shapes: where one is, also among others, what colour, shape and size it has, where it
is relative to another, how many there are. It exists so that the whole road from a scene to a report runs offline on
a CPU in minutes, with a real transformers architecture, processor and chat template. It is not useful for anything
else.

## How it was trained

From random weights by `evensight embedded train --seed {seed}`, in four stages of drawn lessons, {batch_size} at a
time; each is seen once. No photograph and no pretrained weight went in.

| stage | lessons | steps | peak rate | loss at the end |
|---|---:|---:|---:|---:|
{stages}

*Seeing* trains the tower, the projector and the embeddings: the patch that an object's middle is in is drawn to the
words for its colour, its shape and its area; first on black, then on any ground that evensight draws (plain colours,
gradients, noise, textures; other pictures than those of the designs). Then these are fixed. *Telling* trains language
to say where each object is, behind its name; *answering* to answer questions, in three wordings, with options and
without.

Where something is, in the picture or relative to another object, is only said in the usual places, so hardly ever
near the edge: each cell is drawn as often as two photographs have their main object in it
({source}).
Colours, shapes, sizes and numbers are asked of objects anywhere.

Made on {hardware} with {versions}.
The same seed and versions give the same bytes on the same kind of CPU; a GPU adds up in another order each time.

## What it can and can't do

Its figures by task, by number of distractors and by ground, each with its n and interval, stand in `docs/embedded.md`
in evensight's repository. In short:

- It is right about places where photographs have their main object, in the middle, and gets worse towards the edges.
  That is on purpose: fine-tuning is to make it even.
- It has seen every shape in every colour, so "unseen combination" in evensight's demo means unseen in fine-tuning.
- It has never seen a photograph. For things that it has no word for it says where it sees anything at all.
"""
