"""What the embedded model is taught with: pictures of a few objects, and several questions about each.

Lesson `i` is a function of (seed, stage, i) alone. There are two kinds of pictures. In the one, objects are in the
usual places, where photographs have their main object, hardly ever near the edge; only there it is asked *where* an
object is, in the picture or relative to another. In the other they are anywhere, and everything else is asked:
colours, shapes, sizes, numbers. So the model sees the whole picture, but has learned to say where something is in
its middle alone.

The objects of a picture come from one distribution, the one that is asked for like the others, so nothing but its
description tells which one is meant.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from evensight.annotations import PAPER_GRID, Annotation, Cell, Object
from evensight.errors import InputError
from evensight.questions.relations import RelativePosition, RelativeSize, direction
from evensight.questions.tasks import AbsolutePosition, ColumnPosition, Counting, Property, RowPosition, Task, ask
from evensight.randomness import mix
from evensight.scenes.factors import BLACK, COLORS, PAPER_SHAPES, SIZES, Color, Value
from evensight.scenes.grounds import DRAWN, N_MEMBERS
from evensight.scenes.placement import MAIN_OBJECT, Placement
from evensight.scenes.pools import Pools
from evensight.scenes.render import Image, Scene, SceneObject, annotate, render
from evensight.scenes.shapes import SHAPES

Stage = Literal["seeing", "seeing-grounds", "telling", "answering"]
"""In this order: what a patch shows, on black and then on any ground; facts in a few words; questions."""

SIZE_PX = 336
POOLS = Pools(drawn_seed=1)
"""The grounds of lessons: other pictures than those of the designs, which are drawn from seed 0."""

MOST_SEEN, MOST_TOLD, MOST_ASKED = 24, 6, 4
"""How many objects are in a picture at most, by the stage."""
N_TOLD, N_QUESTIONS, N_TOLD_BESIDE = 10, 5, 3
"""How many facts are told of a picture at most; how many questions are asked, and how many facts told beside them."""

_CATEGORIES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, "
    "skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, "
    "sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, "
    "dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
CATEGORIES = tuple(_CATEGORIES.split(", "))
"""The names of COCO's categories: nouns that mean nothing to the model, and that fine-tuning can give a meaning."""

USUAL = Placement(
    "usual-places",
    f"how often two photographs have it in the same cell; of each, {MAIN_OBJECT.source}",
    MAIN_OBJECT.grid,
    tuple(tuple(count * count for count in row) for row in MAIN_OBJECT.counts),
)
"""Where the model learns to say where something is."""

# Shares, each drawn for itself:
_ON_BLACK = 0.5  # of pictures; the others' grounds are of all kinds alike
_ALIKE = 0.5  # of objects that share their shape or their colour with one before
_PLACED = 0.7  # of pictures whose objects are in the usual places
_NAMED_ANYHOW = 0.1  # of pictures of one object under a name that means nothing
_WHERE_QUESTIONS = 0.5  # of questions about a picture whose objects are in the usual places
_WITH_OPTIONS = 0.6  # of questions
_OTHER_WORDING = 0.4  # of questions: not in the task's first wording
_TURNED = 0.2  # of names: shape before colour
_RELATED = 0.6  # of objects of which it is told where they are relative to another

_TRIES = 100
"""How often a question is drawn for a picture until there are `N_QUESTIONS` that can be asked."""

Drawn = TypeVar("Drawn")

_WHERE: tuple[Task, ...] = (
    *(AbsolutePosition(PAPER_GRID),) * 4,
    RowPosition(PAPER_GRID),
    ColumnPosition(PAPER_GRID),
)
_WHAT: tuple[Task, ...] = (
    Property("color", tuple(COLORS)),
    Property("shape", PAPER_SHAPES),
    Property("size", tuple(SIZES)),
    RelativeSize(),
    Counting(),
)
_RELATIVE: tuple[Task, ...] = (RelativePosition(),) * 4
TASKS = tuple(dict.fromkeys((*_WHERE, *_WHAT, *_RELATIVE)))
"""What is asked in lessons."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture and what is said about it.

    Attributes:
        scene: The picture.
        told: Facts in a few words, each with what it amounts to: "red star" and "top left", "color star" and "red".
        asked: Questions, each with its answer.
    """

    scene: Scene
    told: tuple[tuple[str, str], ...] = ()
    asked: tuple[tuple[str, str], ...] = ()

    def pixels(self) -> Image:
        """The picture, uint8 `[336, 336, 3]`."""
        return render(self.scene, POOLS)


def lesson(stage: Stage, index: int, seed: int) -> Lesson:
    """Lesson `index` of a stage."""
    rng = np.random.default_rng(mix(seed, f"lesson {stage}", index))
    return _STAGES[stage](rng)


def _seeing(rng: np.random.Generator) -> Lesson:
    return Lesson(_scene(rng, MOST_SEEN, _anywhere(rng, MOST_SEEN), BLACK, 0))


def _seeing_grounds(rng: np.random.Generator) -> Lesson:
    return Lesson(_scene(rng, MOST_SEEN, _anywhere(rng, MOST_SEEN), *_ground(rng)))


def _telling(rng: np.random.Generator) -> Lesson:
    scene, annotation, is_placed = _picture(rng, MOST_TOLD)
    return Lesson(scene, told=_told(rng, annotation, is_placed, N_TOLD))


def _answering(rng: np.random.Generator) -> Lesson:
    scene, annotation, is_placed = _picture(rng, MOST_ASKED)
    told = _told(rng, annotation, is_placed, N_TOLD_BESIDE)
    return Lesson(scene, told, _questions(rng, annotation, is_placed))


def _picture(rng: np.random.Generator, most: int) -> tuple[Scene, Annotation, bool]:
    """A scene of at most so many objects, what is in it, and whether it may be said where that is."""
    if rng.random() < _NAMED_ANYHOW:
        return *_anything(rng), True
    n = int(rng.integers(1, most + 1))
    is_placed = bool(rng.random() < _PLACED)
    cells = (_usual if is_placed else _anywhere)(rng, n)
    scene = _scene(rng, n, cells, *_ground(rng))
    return scene, annotate(scene, POOLS), is_placed


_STAGES: dict[Stage, Callable[[np.random.Generator], Lesson]] = {
    "seeing": _seeing,
    "seeing-grounds": _seeing_grounds,
    "telling": _telling,
    "answering": _answering,
}


def _questions(rng: np.random.Generator, annotation: Annotation, is_placed: bool) -> tuple[tuple[str, str], ...]:
    """Questions about objects of a picture; where they may be, most ask where something is."""
    if "color" not in annotation.objects[0].attributes:
        return (_asked(rng, _one_of(rng, _WHERE), annotation),)
    found: list[tuple[str, str]] = []
    for _ in range(_TRIES):
        others = (*_WHAT, *_RELATIVE) if is_placed else _WHAT
        task = _one_of(rng, _WHERE if is_placed and rng.random() < _WHERE_QUESTIONS else others)
        try:
            found.append(_asked(rng, task, _seen_from_another(rng, annotation)))
        except InputError:  # the picture doesn't single out what the task names, or has no right answer
            continue
        if len(found) == N_QUESTIONS:
            break
    return tuple(found)


def _asked(rng: np.random.Generator, task: Task, annotation: Annotation) -> tuple[str, str]:
    wording = int(rng.integers(1, len(task.wordings))) if rng.random() < _OTHER_WORDING else 0
    if rng.random() >= _WITH_OPTIONS:
        task.check(annotation)
        return task.sentence(annotation, wording), task.answer(annotation)
    slot, seed = int(rng.integers(len(task.options(annotation)))), int(rng.integers(2**62))
    question = ask(task, annotation, slot, seed, 0, wording=wording)
    return question.text, question.answer


def _seen_from_another(rng: np.random.Generator, annotation: Annotation) -> Annotation:
    """The annotation with its objects in another order: questions are about the first."""
    order = rng.permutation(len(annotation.objects))
    return Annotation(annotation.frame, tuple(annotation.objects[k] for k in order))


def _told(
    rng: np.random.Generator, annotation: Annotation, is_placed: bool, most: int
) -> tuple[tuple[str, str], ...]:
    """Some of what there is to say about a picture, in as few words as it takes: "red star" and "top left"."""
    facts = [fact for thing in annotation.objects for fact in _facts(rng, annotation, thing, is_placed)]
    return tuple(facts[k] for k in rng.permutation(len(facts))[:most])


def _facts(
    rng: np.random.Generator, annotation: Annotation, thing: Object, is_placed: bool
) -> Iterator[tuple[str, str]]:
    """What there is to say about one object; a relation to another one, if there is one."""
    if is_placed:
        area = PAPER_GRID.area_of(PAPER_GRID.cell_of(thing, annotation.frame))
        words = thing.description.split()
        yield " ".join(words[::-1] if rng.random() < _TURNED else words), area
    if "color" not in thing.attributes:
        return
    others = [other for other in annotation.objects if other is not thing]
    color, shape = thing.attributes["color"], thing.name
    if shape not in {other.name for other in others}:
        yield f"color {shape}", color
    if color not in {other.attributes["color"] for other in others}:
        yield f"shape {color}", shape
    yield f"size {thing.description}", thing.attributes["size"]
    if others and is_placed and rng.random() < _RELATED:
        reference = _one_of(rng, others)
        with suppress(InputError):  # on the border of two directions
            yield f"{thing.description} relative to {reference.description}", direction(thing, reference)


def _scene(rng: np.random.Generator, n: int, cells: Sequence[Cell], background: Value, member: int) -> Scene:
    descriptions = _descriptions(rng, n, background) if n <= MOST_TOLD else _many(rng, n, background)
    objects = (
        SceneObject(shape, Color(color, COLORS[color]), "none", _one_of(rng, tuple(SIZES)), cell)
        for (shape, color), cell in zip(descriptions, cells, strict=True)
    )
    return Scene(SIZE_PX, PAPER_GRID, tuple(objects), background, member)


def _anything(rng: np.random.Generator) -> tuple[Scene, Annotation]:
    """A picture of one object under a name that means nothing: whatever is there is meant."""
    (cell,) = _usual(rng, 1)
    rgb = (int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256)))
    thing = SceneObject(_one_of(rng, tuple(SHAPES)), Color("any", rgb), "none", "large", cell)
    scene = Scene(SIZE_PX, PAPER_GRID, (thing,), *_ground(rng))
    annotation = annotate(scene, POOLS)
    named = Object(_one_of(rng, CATEGORIES), annotation.objects[0].box)
    return scene, Annotation(annotation.frame, (named,))


def _descriptions(rng: np.random.Generator, n: int, background: Value) -> list[tuple[str, str]]:
    """So many different pairs of shape and colour; half of them share one of the two with one before."""
    colors = _colors(background)
    found: list[tuple[str, str]] = []
    while len(found) < n:
        shape, color = _one_of(rng, PAPER_SHAPES), _one_of(rng, colors)
        if found and rng.random() < _ALIKE:
            like = _one_of(rng, found)
            shape, color = (like[0], color) if rng.random() < 0.5 else (shape, like[1])
        if (shape, color) not in found:
            found.append((shape, color))
    return found


def _many(rng: np.random.Generator, n: int, background: Value) -> list[tuple[str, str]]:
    colors = _colors(background)
    return [(_one_of(rng, PAPER_SHAPES), _one_of(rng, colors)) for _ in range(n)]


def _colors(background: Value) -> tuple[str, ...]:
    """Those that are seen on a background."""
    return tuple(color for color in COLORS if color != str(background))


def _anywhere(rng: np.random.Generator, n: int) -> list[Cell]:
    chosen = rng.choice(len(PAPER_GRID), n, replace=False)
    return [Cell(*divmod(int(k), PAPER_GRID.cols)) for k in chosen]


def _usual(rng: np.random.Generator, n: int) -> list[Cell]:
    """Different cells, each drawn from the usual places."""
    found: list[Cell] = []
    while len(found) < n:
        cell = USUAL.cell(int(rng.integers(USUAL.n)))
        if cell not in found:
            found.append(cell)
    return found


def _ground(rng: np.random.Generator) -> tuple[Value, int]:
    """A background and which of its pictures: black, a plain colour, a gradient, noise or a texture."""
    if rng.random() < _ON_BLACK:
        return BLACK, 0
    kind = _one_of(rng, ("plain", *DRAWN))
    if kind == "plain":
        color = _one_of(rng, tuple(COLORS))
        return Color(color, COLORS[color]), 0
    return kind, int(rng.integers(N_MEMBERS))


def _one_of(rng: np.random.Generator, values: Sequence[Drawn]) -> Drawn:
    return values[int(rng.integers(len(values)))]
