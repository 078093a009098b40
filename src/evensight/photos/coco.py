"""Reading a folder in COCO's format: `ROOT/annotations/instances_SPLIT.json` and `ROOT/SPLIT/*.jpg`.

Nothing is trusted: every entry that can't be used is counted under the reason, with its id, and the rest goes
on; `accepted + rejected = total`. File names must stay in the folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from evensight.annotations import Box, Frame
from evensight.errors import InputError
from evensight.runs import hash_file, one_line


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image's entry."""

    id: int
    path: Path
    frame: Frame


@dataclass(frozen=True, slots=True)
class CocoObject:
    """An annotated object, or a region of many (`is_crowd`).

    Its `segmentation` is what the file has, unchecked, and only where the reader was asked to keep it: polygons
    are most of such a file.
    """

    id: int
    image_id: int
    category: str
    box: Box
    is_crowd: bool
    segmentation: Any = field(default=None, repr=False, compare=False)


@dataclass
class Rejections:
    """What was left out, by reason: the entries' ids, in order."""

    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, what: str) -> None:
        """Counts an entry that can't be used."""
        self.by_reason.setdefault(reason, []).append(what)

    def __len__(self) -> int:
        return sum(map(len, self.by_reason.values()))

    def counts(self) -> dict[str, int]:
        """How many were left out for each reason."""
        return {reason: len(ids) for reason, ids in self.by_reason.items()}


@dataclass(frozen=True)
class CocoSplit:
    """A split's usable entries.

    Attributes:
        name: The split's name ("val2017").
        images: The images, by id.
        objects: The annotated objects.
        unplaced: Image id and category of the objects that are there, but whose box can't be used.
        rejected: What could not be used, and why.
        n_total: How many images and annotations the file lists.
        annotations_hash: The SHA-256 of the annotation file.
    """

    name: str
    images: Mapping[int, CocoImage]
    objects: tuple[CocoObject, ...]
    unplaced: frozenset[tuple[int, str]]
    rejected: Rejections
    n_total: int
    annotations_hash: str


def has_split(root: Path, split: str) -> bool:
    """Whether the folder holds that split's annotations and images."""
    return annotations_path(root, split).is_file() and (root / split).is_dir()


def annotations_path(root: Path, split: str) -> Path:
    """Where COCO's layout has a split's instances."""
    return root / "annotations" / f"instances_{split}.json"


def read_split(root: Path, split: str, *, with_segmentations: bool = False) -> CocoSplit:
    """Reads a split.

    Args:
        root: The folder that holds `annotations/` and the images' folder.
        split: The split's name, which is the images' folder ("val2017").
        with_segmentations: Keeps what each object has for a segmentation.

    Raises:
        InputError: There is no such split, or its annotations are not COCO's.
    """
    if Path(split).name != split:
        raise InputError(f"the split `{split}` is not a folder's name: expected one such as `val2017`")
    path, folder = annotations_path(root, split), root / split
    if not root.is_dir():
        raise InputError(f"`{root}` is not a folder: expected one with annotations/ and {split}/ in COCO's layout")
    if not path.is_file():
        known = sorted(p.name for p in (root / "annotations").glob("instances_*.json"))
        raise InputError(
            f"`{path}` is not there: expected COCO's instances of `{split}`; "
            f"{', '.join(known) if known else 'no instances_*.json'} found in `{root / 'annotations'}`"
        )
    if not folder.is_dir():
        raise InputError(f"`{folder}` is not there: expected the folder of the images of `{split}`")
    content = _load(path)
    rejected = Rejections()
    categories = _categories(content["categories"], rejected)
    images = _images(content["images"], folder, rejected)
    entries = content["annotations"] if with_segmentations else _without_segmentations(content["annotations"])
    objects, unplaced = _objects(entries, images, categories, rejected)
    if not images or not objects:
        raise InputError(f"`{path}` has no usable images with annotations; left out: {rejected.counts()}")
    n_total = len(content["images"]) + len(content["annotations"]) + len(content["categories"])
    return CocoSplit(split, images, objects, unplaced, rejected, n_total, hash_file(path))


def _load(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"`{path}` can't be read as JSON: {one_line(error)}") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise InputError(f"`{path}` is not COCO's: expected an object with a list named `{key}`")
    return dict(content)


def _categories(entries: list[Any], rejected: Rejections) -> dict[int, str]:
    known: dict[int, str] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _is_id(entry.get("id")) or not _is_name(entry.get("name")):
            rejected.add("category without an id or a printable name", _name(entry))
        elif entry["id"] in known:
            rejected.add("category id twice", _name(entry))
        else:
            known[entry["id"]] = entry["name"].strip()
    return known


def _images(entries: list[Any], folder: Path, rejected: Rejections) -> dict[int, CocoImage]:
    known: dict[int, CocoImage] = {}
    for entry in entries:
        fault = _image_fault(entry)
        if fault is None and entry["id"] in known:
            fault = "image id twice"
        path = folder if fault else folder / entry["file_name"]
        if fault is None and not _is_inside(path, folder):
            fault = "image file outside the folder"
        if fault is None and not _is_file(path):
            fault = "image file missing"
        if fault is not None:
            rejected.add(fault, _name(entry))
            continue
        known[entry["id"]] = CocoImage(entry["id"], path, Frame(entry["width"], entry["height"]))
    return known


def _image_fault(entry: Any) -> str | None:
    if not isinstance(entry, dict) or not _is_id(entry.get("id")):
        return "image without an id"
    if not isinstance(entry.get("file_name"), str) or not entry["file_name"] or "\0" in entry["file_name"]:
        return "image without a file name"
    if not all(_is_id(entry.get(side)) and entry[side] > 0 for side in ("width", "height")):
        return "image without a size"
    return None


def _without_segmentations(entries: list[Any]) -> list[Any]:
    return [
        {key: value for key, value in entry.items() if key != "segmentation"} if isinstance(entry, dict) else entry
        for entry in entries
    ]


def _objects(
    entries: list[Any], images: Mapping[int, CocoImage], categories: Mapping[int, str], rejected: Rejections
) -> tuple[tuple[CocoObject, ...], frozenset[tuple[int, str]]]:
    objects: list[CocoObject] = []
    unplaced: set[tuple[int, str]] = set()
    seen: set[int] = set()
    for entry in entries:
        box = _box(entry.get("bbox")) if isinstance(entry, dict) else None
        fault = _object_fault(entry, images, categories)
        if fault is None and entry["id"] in seen:
            fault = "annotation id twice"
        if fault is None and box is None:
            fault = "box without four finite numbers, a width and a height"
            unplaced.add((entry["image_id"], categories[entry["category_id"]]))
        if fault is not None or box is None:
            rejected.add(str(fault), _name(entry))
            continue
        seen.add(entry["id"])
        crowd = bool(entry.get("iscrowd", 0))
        category = categories[entry["category_id"]]
        objects.append(CocoObject(entry["id"], entry["image_id"], category, box, crowd, entry.get("segmentation")))
    return tuple(objects), frozenset(unplaced)


def _object_fault(entry: Any, images: Mapping[int, CocoImage], categories: Mapping[int, str]) -> str | None:
    if not isinstance(entry, dict) or not _is_id(entry.get("id")):
        return "annotation without an id"
    if not _is_id(entry.get("image_id")) or entry["image_id"] not in images:
        return "annotation of an image that can't be used"
    if not _is_id(entry.get("category_id")) or entry["category_id"] not in categories:
        return "annotation of an unknown category"
    return None


def _box(value: Any) -> Box | None:
    """COCO's `[x, y, width, height]` as a box; None when it isn't one."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in value):
        return None
    x, y, width, height = map(float, value)
    if not all(map(isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        return None
    return Box(x, y, x + width, y + height) if x + width > x and y + height > y else None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= 100


def _is_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _name(entry: Any) -> str:
    return str(entry.get("id"))[:40] if isinstance(entry, dict) else repr(entry)[:40]
