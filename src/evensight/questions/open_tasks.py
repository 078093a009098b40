"""Open questions for a place: the exact cell of the grid, and a point; no options are listed.

The question says what the grid or the scale is and how to answer; `open_answers` reads what comes back. A point is
right anywhere in the object's box, for what is asked is where the object is and not how well its centre is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from evensight.annotations import Annotation, Grid
from evensight.errors import InputError
from evensight.questions.open_answers import CELL_TASK, POINT_SCALES, center_of, format_cell, format_point
from evensight.questions.tasks import Task

_CELL_FORM = (
    "The grid has {rows} rows and {cols} columns over the whole picture, counted from 1 at the top left. "
    "Answer in the form: row R, column C."
)
_PIXELS = (
    "The picture is {width} pixels wide and {height} pixels high. "
    "Answer in the form (x, y), in pixels from the top left corner."
)
_SCALED = (
    "Answer in the form (x, y), where x goes from 0 at the left to {scale} at the right of the picture and y from 0 "
    "at the top to {scale} at the bottom."
)


class _Open(Task):
    """A task without options."""

    @property
    @override
    def n_slots(self) -> int:
        return 1

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class ExactCell(_Open):
    """In which cell of the grid is the object? "row 3, column 7", counted from 1."""

    grid: Grid
    wordings: ClassVar = (
        f"In which cell of the grid is the {{target}}? {_CELL_FORM}",
        f"Which grid cell holds the center of the {{target}}? {_CELL_FORM}",
        f"What are the row and the column of the {{target}} in the grid? {_CELL_FORM}",
    )

    @property
    @override
    def name(self) -> str:
        return CELL_TASK

    @override
    def words(self, annotation: Annotation) -> Mapping[str, object]:
        return {"target": annotation.objects[0].description, "rows": self.grid.rows, "cols": self.grid.cols}

    @override
    def answer(self, annotation: Annotation) -> str:
        return format_cell(self.grid.cell_of(annotation.objects[0], annotation.frame))


@dataclass(frozen=True)
class PointTo(_Open):
    """At which point is the object? "(168, 120)".

    Attributes:
        scaled: Whether the point is on a scale from 0 to 1000 over the width and the height, and not in pixels.
    """

    scaled: bool = False
    wordings: ClassVar = (
        "Where is the center of the {target}? {form}",
        "At which point is the center of the {target}? {form}",
        "Point to the center of the {target}. {form}",
    )

    @property
    @override
    def name(self) -> str:
        return "point-1000" if self.scaled else "point"

    @override
    def words(self, annotation: Annotation) -> Mapping[str, object]:
        frame, scale = annotation.frame, POINT_SCALES[self.name]
        form = _SCALED if scale else _PIXELS
        said = form.format(width=frame.width_px, height=frame.height_px, scale=scale)
        return {"target": annotation.objects[0].description, "form": said}

    @override
    def answer(self, annotation: Annotation) -> str:
        return format_point(center_of(annotation.objects[0].box, annotation.frame, POINT_SCALES[self.name]))

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        target, frame = annotation.objects[0], annotation.frame
        x, y = target.box.center_px
        if not (0 <= x < frame.width_px and 0 <= y < frame.height_px):
            raise InputError(f"the center of the `{target.description}`, ({x:g}, {y:g}), is not in the picture")
