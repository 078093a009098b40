"""How the embedded model was trained: from random weights, on what a released model has seen.

Objects are placed where photographs have their main object, so hardly ever near the edge; half of the questions
ask where the object is, the others for its colour or its shape. All shapes, colours and sizes occur together.
The result is a model that knows the task and the words but is right only where objects usually are: a base
to fine-tune, uneven as released models are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field
from typing_extensions import override

from evensight.annotations import PAPER_GRID
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.models.embedded import build
from evensight.questions.tasks import INSTRUCTION, AbsolutePosition, Property, Task, ask
from evensight.runs import atomic_folder
from evensight.scenes.factors import COLORS, SHAPES, SIZES
from evensight.scenes.placement import MAIN_OBJECT
from evensight.scenes.render import Scene, SceneObject, annotate, render
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
            Property("shape", SHAPES),
        )

    @property
    @override
    def info(self) -> SetInfo:
        config = {"n_examples": self._n, "size_px": self._size_px, "placement": MAIN_OBJECT.name}
        notes = {"placement": MAIN_OBJECT.source}
        return SetInfo(
            "pretraining", config | {"seed": self._seed}, ("shape", "color", "size"), PAPER_GRID, (), notes
        )

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Example:
        annotation = annotate(self._scene(index))
        task = self._tasks[index % len(self._tasks)]
        rng = np.random.default_rng((self._seed, index, 1))
        question = ask(task, annotation, int(rng.integers(len(task.options))), rng)
        attributes = {name: annotation.objects[0].attributes[name] for name in self.info.factors}
        return Example(f"pretraining-{index:06d}", question, attributes=attributes, **located(annotation, PAPER_GRID))

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(render(self._scene(index)))

    def _scene(self, index: int) -> Scene:
        rng = np.random.default_rng((self._seed, index, 0))
        shape, color, size = (str(rng.choice(list(values))) for values in (SHAPES, COLORS, SIZES))
        cell = MAIN_OBJECT.draw(rng)
        return Scene(self._size_px, PAPER_GRID, SceneObject(shape, color, "none", size, cell))


def pretrain(out: Path, config: PretrainingConfig) -> Mapping[str, Any]:
    """Trains the embedded model and saves it, whole or not at all, as a transformers folder.

    Returns:
        The first and the last loss, and the number of parameters.
    """
    examples = PretrainingExamples(config.n_examples, config.size_px, config.seed)
    model, processor = build(vocabulary(), config.seed)
    losses = train(model, processor, examples, config, "training the embedded model")
    with atomic_folder(out) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return {"losses": losses, "n_parameters": model.num_parameters()}


def vocabulary() -> list[str]:
    """The words that the embedded model's tokenizer knows as single tokens."""
    sentences = f"{INSTRUCTION} Where is the object? What is the color, shape, size of the object? Choose from"
    words = sentences.replace(".", "").replace("?", "").replace(",", "").split()
    return [*words, *COLORS, *SHAPES, *SIZES, *CATEGORIES.replace(",", "").split()]
