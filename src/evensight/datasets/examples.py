"""An example, and the sets of examples that training and evaluation read.

An `ExampleSet` is a sequence: `len(set)`, `set[i]` (an `Example` without pixels) and `set.image(i)`. Whether
it draws a design on the fly, reads photographs or a stored set makes no difference to its readers.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from PIL import Image
from typing_extensions import override

from evensight.annotations import PAPER_GRID, Annotation, Box, Cell, Frame, Grid
from evensight.questions.options import crossed_slot, dealt_slots
from evensight.questions.tasks import AbsolutePosition, Question, Task, ask
from evensight.runs import hash_json
from evensight.scenes.designs import SceneDesign
from evensight.scenes.render import annotate, check_size, render, scene


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
    """

    id: str
    question: Question
    cell: Cell
    area: str
    box: Box
    frame: Frame
    attributes: Mapping[str, str] = field(default_factory=dict)

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
    """

    name: str
    config: Mapping[str, Any]
    factors: tuple[str, ...]
    grid: Grid
    balanced: tuple[tuple[str, str], ...]
    notes: Mapping[str, Any] = field(default_factory=dict)


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

    def encoded(self, index: int) -> bytes:
        """The image of example `index` as the bytes of a PNG or JPEG file."""
        buffer = io.BytesIO()
        self.image(index).save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def hash(self) -> str:
        """The hash of all that the set's content depends on."""
        return hash_json(dict(self.info.config))


PLACES = ("row", "col", "cell", "area")
"""The columns that say where an object is."""


class SceneExamples(ExampleSet):
    """A design's scenes with the question where their object is, drawn on the fly."""

    def __init__(self, design: SceneDesign, size_px: int, seed: int, task: Task | None = None) -> None:
        """Prepares the set; nothing is drawn yet.

        Args:
            design: Which scenes.
            size_px: The images' side.
            seed: Orders the options (and should be the design's, where that draws).
            task: What is asked; where the object is, by default.

        Raises:
            InputError: The grid is too fine for images of this size.
        """
        check_size(design.grid, size_px)
        self._design = design
        self._size_px = size_px
        self._seed = seed
        self._task = task or AbsolutePosition(design.grid)
        # The crossing's Sudoku square is one of nine slots on the paper's grid.
        self._is_crossed = design.is_crossed and design.grid == PAPER_GRID and self._task.n_slots == 9
        self._slots = None if self._is_crossed else self._deal_slots()

    @property
    @override
    def info(self) -> SetInfo:
        design = self._design
        factors = tuple(name for name in design.rows.factor_names if name != "cell")
        claims = [("area", "slot"), ("cell", "slot")]
        if design.is_crossed:
            claims += [(factor, place) for factor in factors for place in PLACES]
        if self._is_crossed:
            claims += [("row", "slot"), ("col", "slot")]
        if len(design.grid) % self._task.n_slots == 0:  # then every object has every slot equally often
            claims += [(factor, "slot") for factor in factors]
        config = {
            "design": design.name,
            "rows": str(design.rows),
            "grid": str(design.grid),
            "task": self._task.name,
            "size_px": self._size_px,
            "seed": self._seed,
        }
        notes = {"description": design.description}
        return SetInfo(design.name, config, factors, design.grid, tuple(claims), notes)

    def __len__(self) -> int:
        return len(self._design)

    def __getitem__(self, index: int) -> Example:
        design = self._design
        row = design.rows[index]
        annotation = self.annotation(index)
        question = ask(self._task, annotation, self._slot(index), self._seed, index)
        return Example(
            id=f"{design.name}-{index:06d}",
            question=question,
            attributes={name: str(value) for name, value in row.items() if name != "cell"},
            **located(annotation, design.grid),
        )

    def annotation(self, index: int) -> Annotation:
        """The annotation of scene `index`."""
        return annotate(scene(self._design, index, self._size_px))

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(render(scene(self._design, index, self._size_px)))

    def _slot(self, index: int) -> int:
        if self._slots is not None:
            return self._slots[index]
        design = self._design
        shown = index // len(design.grid)
        return crossed_slot(design.cell(index), design.grid, shown, self._task.n_slots)

    def _deal_slots(self) -> list[int]:
        design = self._design
        cells = [design.cell(index) for index in range(len(design))]
        places = [(design.grid.area_of(cell), cell) for cell in cells]
        shown = [(index // len(design.grid),) for index in range(len(design))]
        return dealt_slots(places, shown, self._task.n_slots, self._seed)


def located(annotation: Annotation, grid: Grid) -> dict[str, Any]:
    """Where the annotation's first object is, as an example's `cell`, `area`, `box` and `frame`."""
    target = annotation.objects[0]
    cell = grid.cell_of(target, annotation.frame)
    return {"cell": cell, "area": grid.area_of(cell), "box": target.box, "frame": annotation.frame}
