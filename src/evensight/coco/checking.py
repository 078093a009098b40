"""Checks of a COCO file's entries, one by one.

Nothing is trusted: an entry that can't be used is a `Fault` with its place, its reason and its id.
"""

from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw

from evensight.coco.entries import (
    AnnotationFields,
    CategoryFields,
    Entries,
    ImageFields,
    Piece,
    decoder,
    loaded,
    text_of,
)
from evensight.coco.instances import ObjectColumns
from evensight.coco.listing import ANNOTATION, BATCH, CATEGORY, IMAGE, NO_IMAGE, Fault, Listing, Outlines
from evensight.errors import printable
from evensight.progress import progress

BAD_BOX = "box without four finite numbers, a width and a height"
_PARTS = msgspec.json.Decoder(list[Raw])
_MOST_PARTS = 2**15 - 1


def check_entries(entries: Entries) -> tuple[Listing, Outlines]:
    """The listing of a file's entries, and what its objects have for segmentations, still in the file's bytes."""
    faults: list[Fault] = []
    names = _categories(entries.categories, faults)
    categories = tuple(sorted(set(names.values())))
    codes = {id_: categories.index(name) for id_, name in names.items()}
    images = _images(entries.images, codes, faults)
    objects = _objects(entries.annotations, images.rows, codes, faults)
    listing = Listing(
        (len(entries.categories), len(entries.images), len(entries.annotations)),
        categories,
        np.array(list(images.rows), dtype=np.int64),
        np.array(images.sizes_wh, dtype=np.int32).reshape(-1, 2),
        tuple(images.names),
        objects.columns(),
        tuple(sorted(images.uncounted | objects.uncounted)),
        tuple(faults),
    )
    return listing, objects.outlines


def _categories(pieces: Sequence[Piece], faults: list[Fault]) -> dict[int, str]:
    """The names by id. LVIS writes `aerosol_can` for what a person calls an aerosol can."""
    known: dict[int, str] = {}
    decode = decoder(CategoryFields)
    for position, piece in enumerate(pieces):
        entry = decode(piece)
        if entry is None or entry.id is UNSET or not _is_name(entry.name):
            reason = "category without an id or a printable name"
        elif not _is_id(entry.id):
            reason = "category id that is not a whole number"
        elif entry.id in known:
            reason = "category id twice"
        else:
            known[entry.id] = _spoken(entry.name)
            continue
        faults.append(Fault(CATEGORY, position, reason, _name(entry, piece)))
    return known


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= 100 and bool(_spoken(value))


def _spoken(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


@dataclass
class _Images:
    rows: dict[int, None] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    sizes_wh: list[tuple[int, int]] = field(default_factory=list)
    uncounted: set[tuple[int, int]] = field(default_factory=set)


def _images(pieces: Sequence[Piece], codes: Mapping[int, int], faults: list[Fault]) -> _Images:
    found = _Images()
    decode = decoder(ImageFields)
    for position, piece in enumerate(pieces):
        entry = decode(piece)
        fault = _image_fault(entry, found.rows)
        if entry is None or fault is not None:
            faults.append(Fault(IMAGE, position, str(fault), _name(entry, piece)))
            continue
        found.rows[entry.id] = None
        found.names.append(_file_name(entry))
        found.sizes_wh.append((entry.width, entry.height))
        found.uncounted.update((entry.id, codes[id_]) for id_ in _ids(entry.not_exhaustive_category_ids, codes))
    return found


def _image_fault(entry: ImageFields | None, known: Container[int]) -> str | None:
    if entry is None or entry.id is UNSET:
        return "image without an id"
    if not _is_id(entry.id):
        return "image id that is not a whole number"
    name = _file_name(entry)
    if not name or "\0" in name:
        return "image without a file name"
    if not all(_is_id(side) and 0 < side < 2**31 for side in (entry.width, entry.height)):
        return "image without a size"
    return "image id twice" if entry.id in known else None


def _file_name(entry: ImageFields) -> str:
    """The file's name; where there is none (LVIS), the last two parts of its address."""
    if isinstance(entry.file_name, str):
        return entry.file_name
    is_absent = entry.file_name is UNSET or entry.file_name is None
    if not is_absent or not isinstance(entry.coco_url, str):
        return ""
    folder, _, name = entry.coco_url.rpartition("/")
    parent = folder.rpartition("/")[2]
    return f"{parent}/{name}" if parent and name else name


def _ids(value: Any, codes: Mapping[int, int]) -> Iterator[int]:
    """The category ids in LVIS's list of those that are not all annotated in an image."""
    return (id_ for id_ in (value if isinstance(value, list) else ()) if _is_id(id_) and id_ in codes)


@dataclass
class _Objects:
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    image_ids: "array[int]" = field(default_factory=lambda: array("q"))
    codes: "array[int]" = field(default_factory=lambda: array("i"))
    boxes: "array[float]" = field(default_factory=lambda: array("d"))
    crowds: bytearray = field(default_factory=bytearray)
    parts: "array[int]" = field(default_factory=lambda: array("h"))
    outlines: list[Raw] = field(default_factory=list)
    uncounted: set[tuple[int, int]] = field(default_factory=set)

    def add(self, entry: AnnotationFields, code: int, box: tuple[float, float, float, float]) -> None:
        self.ids.append(entry.id)
        self.image_ids.append(entry.image_id)
        self.codes.append(code)
        self.boxes.extend(box)
        self.crowds.append(bool(entry.iscrowd))
        self.parts.append(_n_parts(entry.segmentation))
        self.outlines.append(entry.segmentation)

    def columns(self) -> ObjectColumns:
        return ObjectColumns(
            np.array(self.ids, dtype=np.int64),
            np.array(self.image_ids, dtype=np.int64),
            np.array(self.codes, dtype=np.int32),
            np.array(self.boxes, dtype=np.float64).reshape(-1, 4),
            np.array(self.crowds, dtype=np.bool_),
            np.array(self.parts, dtype=np.int16),
        )


def _objects(
    pieces: Sequence[Piece], images: Container[int], codes: Mapping[int, int], faults: list[Fault]
) -> _Objects:
    found, seen = _Objects(), set[int]()
    decode = decoder(AnnotationFields)
    with progress("reading annotations", len(pieces), "annotations") as advance:
        for position, piece in enumerate(pieces):
            entry = decode(piece)
            fault = _object_fault(entry, images, codes, seen)
            box = None if entry is None or fault else _box_xyxy_px(entry.bbox)
            if entry is not None and box is not None:
                seen.add(entry.id)
                found.add(entry, codes[entry.category_id], box)
            else:
                faults.append(Fault(ANNOTATION, position, fault or BAD_BOX, _name(entry, piece)))
                found.uncounted.update(_instance(entry, images, codes))
            if position % BATCH == BATCH - 1:
                advance(BATCH)
        advance(len(pieces) % BATCH)
    return found


def _object_fault(
    entry: AnnotationFields | None, images: Container[int], codes: Container[int], seen: Container[int]
) -> str | None:
    if entry is None or entry.id is UNSET:
        return "annotation without an id"
    if not _is_id(entry.id):
        return "annotation id that is not a whole number"
    if not _is_id(entry.image_id) or entry.image_id not in images:
        return NO_IMAGE
    if not _is_id(entry.category_id) or entry.category_id not in codes:
        return "annotation of an unknown category"
    return "annotation id twice" if entry.id in seen else None


def _instance(
    entry: AnnotationFields | None, images: Container[int], codes: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """The image and category of what is there although its entry can't be used, where they are known."""
    if entry is None or not _is_id(entry.image_id) or not _is_id(entry.category_id):
        return
    if entry.image_id in images and entry.category_id in codes:
        yield entry.image_id, codes[entry.category_id]


def _box_xyxy_px(value: Any) -> tuple[float, float, float, float] | None:
    """COCO's `[x, y, width, height]` as edges; None when it isn't one."""
    if type(value) is not list or len(value) != 4:
        return None
    for number in value:
        if type(number) not in (float, int) or not -1e9 < number < 1e9:  # which NaN isn't either
            return None
    x, y, width, height = value
    x1, y1 = float(x) + width, float(y) + height
    return (x, y, x1, y1) if x1 > x and y1 > y else None


def _n_parts(segmentation: Raw) -> int:
    """How many polygons there are; 0 for run lengths and for what is neither."""
    try:
        parts = _PARTS.decode(segmentation)
        are_lists = all(memoryview(part)[0] == 0x5B for part in parts)
    except msgspec.MsgspecError:
        content = bytes(segmentation)
        parts = (loaded(content) if content.startswith(b"[") else None) or []
        are_lists = all(isinstance(part, list) for part in parts)
    return min(len(parts), _MOST_PARTS) if are_lists else 0


def _is_id(value: Any) -> bool:
    """Whether it is a whole number that a column can hold; `True` is none."""
    return type(value) is int and -(2**63) <= value < 2**63


def _name(entry: ImageFields | AnnotationFields | CategoryFields | None, piece: Piece) -> str:
    """An entry's id, or its beginning, with nothing in it that acts on a terminal."""
    id_ = text_of(piece) if entry is None else None if entry.id is UNSET else entry.id
    text = str(id_)[:40] if id_ is None or isinstance(id_, str | int | float) else f"a {type(id_).__name__}"
    return printable(text)
