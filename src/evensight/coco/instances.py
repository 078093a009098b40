"""What is known of a set of photographs: images and objects, kept as columns and shown as mappings and sequences.

A set has up to a million objects, so they are arrays; a `CocoObject` or a `CocoImage` is made when it is asked for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from evensight.annotations import Box, Frame

_AT_ONCE = 65_536
"""How many rows become Python's numbers at a time when all are gone through."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image's entry; its `path` is None where annotations were read alone."""

    id: int
    path: Path | None
    frame: Frame

    @property
    def file(self) -> Path:
        """The image's file.

        Raises:
            ValueError: The annotations were read without images.
        """
        if self.path is None:
            raise ValueError(f"the annotations were read without images, so image {self.id} has no file")
        return self.path


@dataclass(frozen=True, slots=True)
class CocoObject:
    """An annotated object, or a region of many (`is_crowd`).

    Attributes:
        id: The annotation's id.
        image_id: The image's id.
        category: The category's name.
        box: The object's box.
        is_crowd: Whether it is a region of many.
        n_parts: How many polygons outline it, more than one where something hides a part; 0 where that isn't known.
        segmentation_json: What the file has for a segmentation, where the reader was asked to keep it.
    """

    id: int
    image_id: int
    category: str
    box: Box
    is_crowd: bool
    n_parts: int = 0
    segmentation_json: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def segmentation(self) -> Any:
        """The segmentation as the file has it, unchecked; None where there is none or it wasn't kept."""
        return json.loads(self.segmentation_json) if self.segmentation_json else None


@dataclass(frozen=True, eq=False)
class ObjectColumns:
    """The objects of a set, a row each, in the file's order; nobody may write in them.

    Attributes:
        ids: The annotations' ids, int64 `[object]`.
        image_ids: The images' ids, int64 `[object]`.
        category_codes: Places in the set's `categories`, int32 `[object]`.
        boxes_xyxy_px: The boxes, float64 `[object, 4]`.
        is_crowd: Whether it is a region of many, bool `[object]`.
        n_parts: Polygons of the outline; 0 for none, run lengths, or what is neither; int16 `[object]`.
    """

    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    category_codes: NDArray[np.int32]
    boxes_xyxy_px: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    n_parts: NDArray[np.int16]

    def __post_init__(self) -> None:
        for column in self.all():
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.ids)

    def all(self) -> list[NDArray[Any]]:
        """The columns, in the order above."""
        return [getattr(self, each.name) for each in fields(self)]

    def rows(self, which: slice | NDArray[np.bool_]) -> "ObjectColumns":
        """Some of the rows."""
        return ObjectColumns(*(column[which] for column in self.all()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectColumns):
            return NotImplemented
        return all(map(np.array_equal, self.all(), other.all()))

    __hash__ = None  # type: ignore[assignment]


class Segmentations(Protocol):
    """Pieces of JSON, a row each: an Arrow column."""

    def __getitem__(self, row: int, /) -> Any:
        """The row's scalar."""


class Objects(Sequence[CocoObject]):
    """The objects as a sequence that nobody can change; slices are views."""

    __slots__ = ("_categories", "_columns", "_rows", "_segmentations")

    def __init__(
        self,
        columns: ObjectColumns,
        categories: tuple[str, ...],
        segmentations: Segmentations | None = None,
        rows: range | None = None,
    ) -> None:
        """Shows columns as objects.

        Args:
            columns: The objects' columns.
            categories: The names that their codes stand for.
            segmentations: What each row has for a segmentation, where that was kept.
            rows: Which rows, if not all.
        """
        self._columns = columns
        self._categories = categories
        self._segmentations = segmentations
        self._rows = range(len(columns)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> CocoObject: ...
    @overload
    def __getitem__(self, index: slice) -> "Objects": ...
    @override
    def __getitem__(self, index: int | slice) -> "CocoObject | Objects":
        if isinstance(index, slice):
            return Objects(self._columns, self._categories, self._segmentations, self._rows[index])
        row = self._rows[index]
        return next(self._made(range(row, row + 1)))

    @override
    def __iter__(self) -> Iterator[CocoObject]:
        for start in range(0, len(self._rows), _AT_ONCE):
            yield from self._made(self._rows[start : start + _AT_ONCE])

    def _made(self, rows: range) -> Iterator[CocoObject]:
        which = _as_slice(rows)
        values = (column[which].tolist() for column in self._columns.all())
        for row, (id_, image_id, code, box, crowd, parts) in zip(rows, zip(*values, strict=True), strict=True):
            kept = None if self._segmentations is None else self._segmentations[row].as_py()
            yield CocoObject(id_, image_id, self._categories[code], Box(*box), crowd, parts, kept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Objects):
            return NotImplemented
        if len(self) != len(other):
            return False
        if self._categories != other._categories:
            return all(map(CocoObject.__eq__, self, other))
        mine, theirs = _as_slice(self._rows), _as_slice(other._rows)
        return self._columns.rows(mine) == other._columns.rows(theirs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} objects>"


def _as_slice(rows: range) -> slice:
    """The slice that takes just these rows; one that goes backwards to the first has no end."""
    return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step) if len(rows) else slice(0, 0)


class Images(Mapping[int, CocoImage]):
    """The images by id, in the file's order."""

    __slots__ = ("_folder", "_names", "_rows", "_sizes_wh")

    def __init__(
        self, ids: NDArray[np.int64], sizes_wh: NDArray[np.int32], names: Sequence[str], folder: Path | None
    ):
        """Shows columns as images.

        Args:
            ids: The images' ids, `[image]`.
            sizes_wh: Their sizes in pixels, `[image, 2]`.
            names: Their files' paths in the folder.
            folder: The images' folder; None where only the annotations are there.
        """
        self._rows = {id_: row for row, id_ in enumerate(ids.tolist())}
        self._sizes_wh, self._names, self._folder = sizes_wh, names, folder

    @override
    def __getitem__(self, id_: int) -> CocoImage:
        row = self._rows[id_]
        width, height = self._sizes_wh[row].tolist()
        path = None if self._folder is None else self._folder / self._names[row]
        return CocoImage(id_, path, Frame(width, height))

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @override
    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def __repr__(self) -> str:
        return f"<{len(self):,} images>"
