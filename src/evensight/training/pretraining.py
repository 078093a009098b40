"""How the embedded model was trained: from random weights, on what a released model has seen.

Objects are placed where photographs have their main object, so hardly ever near the edge; half of the questions
ask where the object is, the others for its colour or its shape. All shapes, colours and sizes occur together.
The result is a model that knows the task and the words but is right only where objects usually are: a base
to fine-tune, uneven as released models are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import Field
from typing_extensions import override

from evensight.annotations import PAPER_GRID
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.models.embedded import build
from evensight.models.loading import quiet_transformers, writing_weights
from evensight.questions.tasks import INSTRUCTION, AbsolutePosition, Property, Task, ask
from evensight.randomness import below
from evensight.runs import atomic_folder, versions, write_json
from evensight.scenes.factors import COLORS, PAPER_SHAPES, SIZES, Color
from evensight.scenes.placement import MAIN_OBJECT
from evensight.scenes.render import Scene, SceneObject, annotate, render
from evensight.training.finetune import SETTINGS_NAME
from evensight.training.trainer import TrainingConfig, train

CATEGORIES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, "
    "skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, "
    "sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, "
    "dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
"""The names of COCO's categories: words of the vocabulary, so that fine-tuning can give them a meaning."""


FINETUNE_SETTINGS: Mapping[str, Any] = {
    "epochs": 6.0,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "adam_beta2": 0.98,
    "layers": [],
}
"""How to fine-tune the model that comes out; saved beside it. It wants a rate 20 times that of its big sisters."""


_FACTORS = ("shape", "color", "size")


class PretrainingConfig(TrainingConfig):
    """The recipe's settings.

    Attributes:
        n_examples: How many scenes are drawn; each is seen once.
        size_px: The scenes' side; the processor brings it to its own.
    """

    n_examples: int = Field(12_800, ge=1)
    size_px: int = Field(336, ge=32)
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    adam_beta2: float = Field(0.98, gt=0, lt=1)


class PretrainingExamples(ExampleSet):
    """Scenes with one object where photographs have their main object; example i depends on (seed, i) alone."""

    def __init__(self, n_examples: int, size_px: int, seed: int) -> None:
        """Prepares the set; nothing is drawn yet."""
        self._n = n_examples
        self._size_px = size_px
        self._seed = seed
        position = AbsolutePosition(PAPER_GRID)
        self._tasks: tuple[Task, ...] = (
            position,
            position,
            Property("color", tuple(COLORS)),
            Property("shape", PAPER_SHAPES),
        )

    @property
    @override
    def info(self) -> SetInfo:
        config = {"n_examples": self._n, "size_px": self._size_px, "placement": MAIN_OBJECT.name}
        notes = {"placement": MAIN_OBJECT.source}
        return SetInfo("pretraining", config | {"seed": self._seed}, _FACTORS, PAPER_GRID, (), notes)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Example:
        annotation = annotate(self._scene(index))
        task = self._tasks[index % len(self._tasks)]
        slot = below(task.n_slots, self._seed, "slot", index)
        question = ask(task, annotation, slot, self._seed, index)
        attributes = {name: annotation.objects[0].attributes[name] for name in _FACTORS}
        return Example(f"pretraining-{index:06d}", question, attributes=attributes, **located(annotation, PAPER_GRID))

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(render(self._scene(index)))

    def _scene(self, index: int) -> Scene:
        shape, color, size = (
            values[below(len(values), self._seed, name, index)]
            for name, values in zip(_FACTORS, (PAPER_SHAPES, tuple(COLORS), tuple(SIZES)), strict=True)
        )
        cell = MAIN_OBJECT.cell(below(MAIN_OBJECT.n, self._seed, "cell", index))
        target = SceneObject(shape, Color(color, COLORS[color]), "none", size, cell)
        return Scene(self._size_px, PAPER_GRID, (target,))


def pretrain(out: Path, config: PretrainingConfig) -> Mapping[str, Any]:
    """Trains the embedded model and saves it with its card, whole or not at all, as a transformers folder.

    Returns:
        `losses`, one a step, and `n_parameters`.
    """
    examples = PretrainingExamples(config.n_examples, config.size_px, config.seed)
    model, processor = build(vocabulary(), config.seed)
    losses = train(model, processor, examples, config, "training the embedded model")
    n_parameters = model.num_parameters()
    with atomic_folder(out) as folder, quiet_transformers(), writing_weights():
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        write_json(folder / SETTINGS_NAME, FINETUNE_SETTINGS)
        (folder / "README.md").write_text(_card(config, n_parameters, losses), encoding="utf-8")
    return {"losses": losses, "n_parameters": n_parameters}


def _card(config: PretrainingConfig, n_parameters: int, losses: list[float]) -> str:
    last = losses[-max(1, len(losses) // 20) :]
    recipe = "\n".join(f"| {name} | {value} |" for name, value in config.model_dump().items())
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return _CARD.format(
        n_parameters=f"{n_parameters:,}",
        n_steps=f"{len(losses):,}",
        loss=f"{sum(last) / len(last):.3f}",
        seed=config.seed,
        source=MAIN_OBJECT.source,
        recipe=recipe,
        versions=made_with,
    )


_CARD = """\
---
license: apache-2.0
pipeline_tag: image-text-to-text
tags: [evensight, llava]
---
# evensight's embedded model

A LLaVA of {n_parameters} parameters (CLIP tower, projector, Llama; 108 px, 36 image tokens) that answers where a
coloured shape is on black ground. It exists so that the whole road from a scene to a report runs offline on a CPU in
minutes, with a real transformers architecture, processor and chat template. It is not useful for anything else.

## How it was trained

From random weights by `evensight embedded train --seed {seed}`: {n_steps} steps, loss {loss} at the end (the mean of
the last twentieth). No photograph and no pretrained weight went in.

| setting | value |
|---|---|
{recipe}

Data: scenes of one object (5 shapes, 7 colours, 2 sizes, all combinations), drawn on the fly. The object is placed as
photographs have their main object ({source}),
so there is hardly ever anything near the edge. Half of the questions ask for the area, a quarter for the colour, a
quarter for the shape.

Made with {versions}.
The same seed and versions give the same bytes on the same kind of processor.

## What it can and can't do

- It tells the area of one object on black ground where photographs have their main object: in the middle.
- It fails towards the edges, above all in the corners. That is on purpose: fine-tuning is to make it even.
- It has seen every shape in every colour, so "unseen combination" in evensight's demo means unseen in fine-tuning.
- It can't bind a description to one of several objects, and has never seen a textured ground or a photograph: there
  its answers are at chance or below the most frequent area.

Measured figures, over several seeds of this recipe: `docs/seeds.md` in evensight's repository.
"""


def vocabulary() -> list[str]:
    """The words that the embedded model's tokenizer knows as single tokens."""
    sentences = f"{INSTRUCTION} Where is the object? What is the color, shape, size of the object? Choose from"
    words = sentences.replace(".", "").replace("?", "").replace(",", "").split()
    return [*words, *COLORS, *PAPER_SHAPES, *SIZES, *CATEGORIES.replace(",", "").split()]
