"""Reading photographs in COCO's format: a JSON file of instances and a folder of images.

COCO 2017, LVIS, Objects365 and sets of one's own are read alike. Nothing is trusted: every entry that can't be used
is counted under the reason, with its id, and the rest goes on; `accepted + rejected = total`. File names must stay
in the folder.

A large file is checked once: what it lists is kept in the user's cache under the hash of its bytes
(`listing_cache`). Where its images are is looked up each time.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evensight.coco.checking import check_entries
from evensight.coco.entries import read_entries
from evensight.coco.image_files import Found, find_images
from evensight.coco.instances import CocoImage, CocoObject, Images, ObjectColumns, Objects
from evensight.coco.listing import ANNOTATION, CATEGORY, IMAGE, NO_IMAGE, Fault, Listing, chunks
from evensight.coco.listing_cache import keep, read_kept
from evensight.errors import InputError, printable
from evensight.runs import hash_file

__all__ = [
    "CocoFiles",
    "CocoImage",
    "CocoObject",
    "CocoSplit",
    "ObjectColumns",
    "Objects",
    "Rejections",
    "annotations_path",
    "has_split",
    "read_instances",
    "read_split",
]

MIN_KEPT_BYTES = 2**20
"""A smaller file is checked in no more time than its cache would take to be found, and leaves nothing behind."""
_NOT_IN_NAMES = frozenset('/\\:*?"<>|`')


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
    """A set's usable entries.

    Attributes:
        name: The set's name ("val2017").
        images: The images, by id.
        objects: The annotated objects, in the file's order.
        columns: The same as arrays.
        categories: The categories' names, sorted, to which the columns' codes refer.
        uncounted: Image id and category whose instances can't be counted: an annotation of it can't be used, or the
            file says that not all of them are annotated (LVIS's `not_exhaustive_category_ids`).
        rejected: What could not be used, and why.
        n_accepted: How many images, annotations and category ids are used.
        n_total: How many the file lists.
        annotations_hash: The SHA-256 of the annotation file.
    """

    name: str
    images: Mapping[int, CocoImage]
    objects: Objects
    columns: ObjectColumns = field(repr=False)
    categories: tuple[str, ...] = field(repr=False)
    uncounted: frozenset[tuple[int, str]] = field(repr=False)
    rejected: Rejections = field(repr=False)
    n_accepted: int
    n_total: int
    annotations_hash: str


@dataclass(frozen=True, slots=True)
class CocoFiles:
    """Where a set's annotations and images are.

    Attributes:
        name: What the set is called; it becomes a part of files' names.
        annotations: The JSON file.
        images: The images' folder; None for annotations alone, of which no image is looked for.

    Raises:
        InputError: The name can't be a part of a file's name.
    """

    name: str
    annotations: Path
    images: Path | None

    def __post_init__(self) -> None:
        is_short = 0 < len(self.name) <= 100 and self.name == self.name.strip()
        if not (is_short and self.name.isprintable() and self.name[0] != "." and _NOT_IN_NAMES.isdisjoint(self.name)):
            raise InputError(
                f"the split `{printable(self.name[:60])}` is not a folder's name: expected one such as `val2017`"
            )

    @classmethod
    def in_layout(cls, root: Path, split: str) -> "CocoFiles":
        """The files of a split in COCO's layout.

        Args:
            root: The folder that holds `annotations/` and the images' folder.
            split: The split's name, which is the images' folder ("val2017").

        Raises:
            InputError: There is no such split.
        """
        files = cls(split, annotations_path(root, split), root / split)
        if not root.is_dir():
            raise InputError(
                f"`{root}` is not a folder: expected one with annotations/ and {split}/ in COCO's layout"
            )
        if not files.annotations.is_file():
            known = sorted(p.name for p in (root / "annotations").glob("instances_*.json"))
            raise InputError(
                f"`{files.annotations}` is not there: expected COCO's instances of `{split}`; "
                f"{', '.join(known) if known else 'no instances_*.json'} found in `{root / 'annotations'}`"
            )
        if not (root / split).is_dir():
            raise InputError(f"`{root / split}` is not there: expected the folder of the images of `{split}`")
        return files


PHOTOS_VARIABLE = "EVENSIGHT_PHOTOS"
PHOTOS_FOLDER = Path("data/coco")


def photos_root() -> Path:
    """The folder of photographs: what `EVENSIGHT_PHOTOS` names, else `data/coco`."""
    return Path(os.environ.get(PHOTOS_VARIABLE) or PHOTOS_FOLDER)


def has_split(root: Path, split: str) -> bool:
    """Whether the folder holds that split's annotations and images."""
    return annotations_path(root, split).is_file() and (root / split).is_dir()


def annotations_path(root: Path, split: str) -> Path:
    """Where COCO's layout has a split's instances."""
    return root / "annotations" / f"instances_{split}.json"


def read_split(root: Path, split: str, *, with_segmentations: bool = False) -> CocoSplit:
    """Reads a split of a folder in COCO's layout.

    Args:
        root: The folder that holds `annotations/` and the images' folder.
        split: The split's name, which is the images' folder ("val2017").
        with_segmentations: Keeps what each object has for a segmentation.

    Raises:
        InputError: There is no such split, or its annotations are not COCO's.
    """
    return read_instances(CocoFiles.in_layout(root, split), with_segmentations=with_segmentations)


def read_instances(files: CocoFiles, *, with_segmentations: bool = False) -> CocoSplit:
    """Reads a set's annotations and looks for its images.

    Args:
        files: Where they are.
        with_segmentations: Keeps what each object has for a segmentation.

    Raises:
        InputError: A file or folder is not there, or the annotations are not COCO's, or nothing in them is usable.
    """
    if not files.annotations.is_file():
        raise InputError(f"`{files.annotations}` is not there: expected COCO's instances of `{files.name}`")
    if files.images is not None and not files.images.is_dir():
        raise InputError(f"`{files.images}` is not there: expected the folder of the images of `{files.name}`")
    listing, digest = _listed(files.annotations, with_segmentations=with_segmentations)
    split = _placed(listing, files, digest)
    if not split.images or not split.objects:
        left_out = split.rejected.counts()
        raise InputError(f"`{files.annotations}` has no usable images with annotations; left out: {left_out}")
    return split


def _listed(path: Path, *, with_segmentations: bool) -> tuple[Listing, str]:
    """What the file lists, and the SHA-256 of the bytes that say so."""
    is_large = path.stat().st_size >= MIN_KEPT_BYTES
    if is_large:
        digest = hash_file(path)  # a little at a time: what is kept needs none of the file's bytes in memory
        kept = read_kept(digest, with_segmentations=with_segmentations)
        if kept is not None:
            return kept, digest
    entries, digest = read_entries(path)
    listing, outlines = check_entries(entries)
    if is_large:
        keep(digest, listing, outlines)
    if with_segmentations:
        listing = replace(listing, segmentations=pa.chunked_array(chunks(outlines), pa.binary()))
    return listing, digest


def _placed(listing: Listing, files: CocoFiles, digest: str) -> CocoSplit:
    """The listing without the images that are not in the folder, and without their objects."""
    found = [Found(name, None) for name in listing.names]
    if files.images is not None:
        found = find_images(files.images, listing.names)
    is_there = np.array([each.fault is None for each in found], dtype=np.bool_)
    is_placed = np.isin(listing.objects.image_ids, listing.image_ids[is_there])
    faults = [*listing.faults, *_missing_images(listing, found), *_left_objects(listing, is_placed)]
    rejected = Rejections()
    for fault in sorted(faults):
        rejected.add(fault.reason, fault.name)
    paths = [each.path for each in found if each.fault is None]
    images = Images(listing.image_ids[is_there], listing.sizes_wh[is_there], paths, files.images)
    columns, segmentations = listing.objects, listing.segmentations
    if not is_placed.all():
        columns = columns.rows(is_placed)
        segmentations = None if segmentations is None else segmentations.filter(pa.array(is_placed))
    return CocoSplit(
        files.name,
        images,
        Objects(columns, listing.categories, segmentations),
        columns,
        listing.categories,
        frozenset((id_, listing.categories[code]) for id_, code in listing.uncounted if id_ in images),
        rejected,
        len(images) + len(columns) + len(listing.positions(CATEGORY)),
        sum(listing.n_entries),
        digest,
    )


def _missing_images(listing: Listing, found: list[Found]) -> list[Fault]:
    rows = zip(listing.positions(IMAGE).tolist(), listing.image_ids.tolist(), found, strict=True)
    return [Fault(IMAGE, position, each.fault, str(id_)) for position, id_, each in rows if each.fault is not None]


def _left_objects(listing: Listing, is_placed: NDArray[np.bool_]) -> list[Fault]:
    if is_placed.all():
        return []
    left = ~is_placed
    rows = zip(listing.positions(ANNOTATION)[left].tolist(), listing.objects.ids[left].tolist(), strict=True)
    return [Fault(ANNOTATION, position, NO_IMAGE, str(id_)) for position, id_ in rows]
