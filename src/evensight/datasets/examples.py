"""An example, and the sets of examples that training and evaluation read.

An `ExampleSet` is a sequence: `len(set)`, `set[i]` (an `Example` without pixels) and `set.image(i)`. Whether
it draws a design on the fly, reads photographs or a stored set makes no difference to its readers.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evensight.annotations import Annotation, Box, Cell, Frame, Grid, Object
from evensight.png import encode_any
from evensight.questions.tasks import Question
from evensight.runs import hash_json


@dataclass(frozen=True, slots=True)
class Example:
    """A question about an image, with all that is known of what it asks for.

    Attributes:
        id: Unique in its set, and the same whenever the set is made again.
        question: What is asked, and the right answer.
        cell: The cell that the object is in.
        area: The name of that cell's area.
        box: The object's bounds in the image.
        frame: The image's size.
        attributes: A value for each of the set's factors.
        mask_area_px: How many square pixels the object covers; none where its mask isn't known.
        centroid_xy_px: The centre of gravity of its mask; none where its mask isn't known.
        others: What else is in the image, as far as it is annotated.
        certainty: How much of the object lies in its area, 0 to 1, where that is in question (on photographs).
    """

    id: str
    question: Question
    cell: Cell
    area: str
    box: Box
    frame: Frame
    attributes: Mapping[str, str] = field(default_factory=dict)
    mask_area_px: float | None = None
    centroid_xy_px: tuple[float, float] | None = None
    others: tuple[Object, ...] = ()
    certainty: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))


@dataclass(frozen=True, slots=True)
class SetInfo:
    """What a set of examples says of itself.

    Attributes:
        name: The design's name, or what the photographs are.
        config: All that its content depends on, as JSON.
        factors: The names of its examples' attributes.
        grid: The grid of its cells.
        balanced: Pairs `(given, counted)` of columns that it claims to balance: among the examples with one
            value of `given`, all values of `counted` are equally frequent, to a whole number.
        notes: What a reader should know of how it was made (sources, counts of what was left out).
        of_photos: Whether its images are photographs, so that a score is shown beside controls and baselines.
        prior: Where things usually are, as `datasets.priors` learned it on training photographs; None if unknown.
    """

    name: str
    config: Mapping[str, Any]
    factors: tuple[str, ...]
    grid: Grid
    balanced: tuple[tuple[str, str], ...]
    notes: Mapping[str, Any] = field(default_factory=dict)
    of_photos: bool = False
    prior: Mapping[str, Any] | None = None


class ExampleSet(ABC):
    """A finite, ordered set of examples with their images."""

    @property
    @abstractmethod
    def info(self) -> SetInfo:
        """What the set says of itself."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Example: ...

    @abstractmethod
    def image(self, index: int) -> Image.Image:
        """The image of example `index`, RGB."""

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """The image of example `index`, uint8 `[height, width, 3]`; not to be written to."""
        return np.asarray(self.image(index))

    def encoded(self, index: int) -> bytes:
        """The image of example `index` as the bytes of a PNG or JPEG file."""
        return encode_any(self.pixels(index))

    def cell(self, index: int) -> Cell:
        """The cell of example `index`."""
        return self[index].cell

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def hash(self) -> str:
        """The hash of all that the set's content depends on."""
        return hash_json(dict(self.info.config))


PLACES = ("row", "col", "cell", "area")
"""The columns that say where an object is."""


def located(annotation: Annotation, grid: Grid) -> dict[str, Any]:
    """Where things are in an annotation, as an example's fields; its first object is the one that is asked for."""
    target, *others = annotation.objects
    cell = grid.cell_of(target, annotation.frame)
    return {
        "cell": cell,
        "area": grid.area_of(cell),
        "box": target.box,
        "frame": annotation.frame,
        "mask_area_px": target.mask_area_px,
        "centroid_xy_px": target.centroid_px,
        "others": tuple(others),
    }
