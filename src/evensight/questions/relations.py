"""Tasks that compare the target with other objects: direction, size, and which is nearest.

Direction and size are seen from the annotation's second object, the reference. Where a small error in a box would
change the answer (a direction on the border of two, sizes that are neither alike nor clearly different, two objects
at about the same distance) no answer is right, and the question is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, degrees, hypot
from typing import ClassVar

from typing_extensions import override

from evensight.annotations import Annotation, Object
from evensight.errors import InputError
from evensight.questions.tasks import Task

DIRECTIONS = ("above left", "above", "above right", "left", "right", "below left", "below", "below right")
"""The eight directions in reading order.

"Above", "below", "left" and "right" are the words that the field has for relations between objects (What'sUp, VSR).
They are others than those for areas on purpose: "top left" is a place in the picture, "above left" is seen from an
object.
"""
SIZES = ("larger", "smaller", "same size")
"""How the target's size compares with the reference's."""
SAME_SIZE, OTHER_SIZE = 1.10, 1.25
"""Up to the first ratio two sizes are the same, from the second on they differ; nobody can tell in between."""
NEARER = 0.95
"""The nearest object is at this share of the distance of the second nearest, or less."""
MAX_OTHERS = 8

_AROUND = ("right", "above right", "above", "above left", "left", "below left", "below", "below right")
"""The directions by the centre of their sector: 0, 45, 90, ... degrees, counter-clockwise as one sees them."""
_SECTOR_DEG = 45.0
_BORDER_DEG = 1e-6


def direction(target: Object, reference: Object) -> str:
    """Where the target is, seen from the reference: one of `DIRECTIONS`, by the angle between the boxes' centres.

    Raises:
        InputError: The centres coincide, or the angle is on the border of two directions.
    """
    (x, y), (x0, y0) = target.box.center_px, reference.box.center_px
    angle_deg = degrees(atan2(y0 - y, x - x0))  # y is down in the picture: what is above has the smaller one
    sector, beyond_deg = divmod(angle_deg + _SECTOR_DEG / 2, _SECTOR_DEG)
    if (x, y) == (x0, y0) or not _BORDER_DEG < beyond_deg < _SECTOR_DEG - _BORDER_DEG:
        raise InputError(
            f"the `{target.description}` is in no one direction from the `{reference.description}`: their centers "
            f"are at ({x:g}, {y:g}) and ({x0:g}, {y0:g})"
        )
    return _AROUND[int(sector) % len(_AROUND)]


class _OfTwo(Task):
    """A task about the first object as seen from the second, the reference."""

    n_objects_min: ClassVar[int] = 2

    @override
    def named(self, annotation: Annotation) -> tuple[Object, ...]:
        return annotation.objects[:2]

    @override
    def words(self, annotation: Annotation) -> Mapping[str, object]:
        target, reference = annotation.objects[:2]
        return {"target": target.description, "reference": reference.description}


@dataclass(frozen=True)
class RelativePosition(_OfTwo):
    """In which of eight directions is the object, seen from the second one?"""

    wordings: ClassVar = (
        "Where is the {target} relative to the {reference}?",
        "In which direction is the {target} from the {reference}?",
        "Seen from the {reference}, where is the {target}?",
    )

    @property
    @override
    def name(self) -> str:
        return "relative-position"

    @property
    @override
    def n_slots(self) -> int:
        return len(DIRECTIONS)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return DIRECTIONS

    @override
    def answer(self, annotation: Annotation) -> str:
        return direction(*annotation.objects[:2])

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        self.answer(annotation)


@dataclass(frozen=True)
class RelativeSize(_OfTwo):
    """Is the object larger or smaller than the second one, or of the same size?

    Attributes:
        compared: "box" for the longer sides of the boxes, "area" for the areas of the masks.
    """

    compared: str = "box"
    wordings: ClassVar = (
        "What is the size of the {target} compared to the {reference}?",
        "Is the {target} larger or smaller than the {reference}, or the same size?",
        "How does the {target} compare in size with the {reference}?",
    )

    def __post_init__(self) -> None:
        if self.compared not in {"box", "area"}:
            raise ValueError(f"sizes are compared by `box` or `area`, got `{self.compared}`")

    @property
    @override
    def name(self) -> str:
        return "relative-size" if self.compared == "box" else "relative-size-area"

    @property
    @override
    def n_slots(self) -> int:
        return len(SIZES)

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return SIZES

    @override
    def answer(self, annotation: Annotation) -> str:
        target, reference = annotation.objects[:2]
        size, other = self._size(target), self._size(reference)
        ratio = max(size, other) / min(size, other)
        if ratio <= SAME_SIZE:
            return "same size"
        if ratio < OTHER_SIZE:
            raise InputError(
                f"the sizes of the `{target.description}` and the `{reference.description}` are neither alike nor "
                f"clearly different: `{size:g}` and `{other:g}`; expected a ratio up to {SAME_SIZE:g} or from "
                f"{OTHER_SIZE:g}"
            )
        return "larger" if size > other else "smaller"

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        self.answer(annotation)

    def _size(self, thing: Object) -> float:
        if self.compared == "box":
            x0, y0, x1, y1 = thing.box.xyxy_px
            return max(x1 - x0, y1 - y0)
        if not thing.mask_area_px:
            raise InputError(f"the `{thing.description}` has no mask, whose area the question compares")
        return thing.mask_area_px


@dataclass(frozen=True)
class NearestObject(Task):
    """Which other object is nearest to the object? The options are the others' descriptions.

    Attributes:
        n_others: How many others there are at most, for the slots; distances are between the boxes' centres.
    """

    n_others: int = MAX_OTHERS
    wordings: ClassVar = (
        "Which object is nearest to the {target}?",
        "Which object is closest to the {target}?",
        "Of all other objects, which one has the smallest distance to the {target}?",
    )
    n_objects_min: ClassVar[int] = 3

    @property
    @override
    def name(self) -> str:
        return "nearest-object"

    @property
    @override
    def n_slots(self) -> int:
        return self.n_others

    @override
    def options(self, annotation: Annotation) -> tuple[str, ...]:
        return tuple(other.description for other in annotation.objects[1:])

    @override
    def named(self, annotation: Annotation) -> tuple[Object, ...]:
        return annotation.objects

    @override
    def answer(self, annotation: Annotation) -> str:
        target, *others = annotation.objects
        by_distance = sorted((_distance_px(target, other), k) for k, other in enumerate(others))
        (nearest_px, first), (second_px, second) = by_distance[:2]
        if nearest_px > NEARER * second_px or second_px == 0:
            raise InputError(
                f"the `{others[first].description}` and the `{others[second].description}` are about as near to the "
                f"`{target.description}`: `{nearest_px:g}` and `{second_px:g}` px; expected 5 % between them or more"
            )
        return others[first].description

    @override
    def check(self, annotation: Annotation) -> None:
        super().check(annotation)
        n_others = len(annotation.objects) - 1
        if n_others > self.n_others:
            raise InputError(f"the picture has `{n_others}` other objects: expected {self.n_others} at most")
        self.answer(annotation)


def _distance_px(one: Object, other: Object) -> float:
    (x0, y0), (x1, y1) = one.box.center_px, other.box.center_px
    return hypot(x1 - x0, y1 - y0)
