"""Photographs as example sets: made ones, of which a test says frames, boxes and names, and those of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Frame, Grid, Object
from evensight.coco.reading import CocoFiles
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.datasets.photo_examples import PhotoExamples
from evensight.photos.catalog import PhotoDesign
from evensight.questions.options import order_options
from evensight.questions.tasks import Question


@dataclass(frozen=True)
class MadePhoto:
    """A photograph: its size, and its objects as `(name, x0, y0, x1, y1)`; all are drawn in one colour each."""

    frame: tuple[int, int]
    things: Sequence[tuple[str, float, float, float, float]]
    shade: int = 0


def asked_of(root: Path, split: str) -> PhotoExamples:
    """All of a split in COCO's layout, as the paper asks."""
    return PhotoExamples(CocoFiles.in_layout(root, split), PhotoDesign(name=f"coco-{split}", photos=split), 0)


@dataclass(frozen=True)
class Listed(ExampleSet):
    """Examples that a test made, of photographs, each with a plain picture of its own."""

    examples: Sequence[Example]
    prior: dict[str, object] | None = None

    @property
    @override
    def info(self) -> SetInfo:
        return SetInfo("listed", {"listed": len(self.examples)}, ("category",), PAPER_GRID, (), {}, True, self.prior)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]

    @override
    def image(self, index: int) -> Image.Image:
        frame = self.examples[index].frame
        return Image.new("RGB", (frame.width_px, frame.height_px), (index % 256, index // 256 % 256, 50))


@dataclass
class MadePhotos(ExampleSet):
    """Asks for every object of each photograph whose name is there once; `n_decoded` counts the pictures drawn."""

    photos: Sequence[MadePhoto]
    grid: Grid = PAPER_GRID
    prior: dict[str, object] | None = None
    knows_others: bool = True
    n_decoded: int = 0
    _asked: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        names = [[thing[0] for thing in photo.things] for photo in self.photos]
        self._asked = [
            (p, t) for p, there in enumerate(names) for t, name in enumerate(there) if there.count(name) == 1
        ]

    @property
    @override
    def info(self) -> SetInfo:
        config = {"photos": "made", "n": len(self.photos)}
        claims = (("category", "slot"), ("area", "slot"), ("category", "area"))
        return SetInfo("made", config, ("category",), self.grid, claims, {}, True, self.prior)

    def __len__(self) -> int:
        return len(self._asked)

    def __getitem__(self, index: int) -> Example:
        p, t = self._asked[index]
        photo = self.photos[p]
        objects = [Object(name, Box(*box)) for name, *box in photo.things]
        others = [*objects[:t], *objects[t + 1 :]] if self.knows_others else []
        place = located(Annotation(Frame(*photo.frame), (objects[t], *others)), self.grid)
        options = order_options(AREAS, place["area"], index % 9, 0, index)
        text = f"Where is the {objects[t].name}? Choose from [{', '.join(options)}]."
        question = Question("absolute-position", text, options, place["area"])
        return Example(f"made-{p}-{t}", question, attributes={"category": objects[t].name}, **place)

    def photo(self, index: int) -> int:
        """The number of the photograph that an example is of."""
        return self._asked[index][0]

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels(index))

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        self.n_decoded += 1
        photo = self.photos[self._asked[index][0]]
        width, height = photo.frame
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([x % 256, y % 256, np.full_like(x, photo.shade)], axis=-1).astype(np.uint8)
        for k, (_, *box) in enumerate(photo.things):
            x0, y0, x1, y1 = map(round, box)
            pixels[y0:y1, x0:x1] = (255, 40 * k % 256, 255 - photo.shade)
        return pixels
