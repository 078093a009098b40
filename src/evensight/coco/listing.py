"""What a COCO file lists, checked; whether the images are there is not looked at yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from evensight.coco.instances import ObjectColumns

CATEGORY, IMAGE, ANNOTATION = range(3)
"""The kinds of entries, in the order in which faults are told."""
NO_IMAGE = "annotation of an image that can't be used"
BATCH = 16_384

Outlines = Sequence[Raw]
"""What objects have for segmentations, still in the file's bytes."""


class Fault(NamedTuple):
    """An entry that can't be used."""

    kind: int
    position: int
    reason: str
    name: str


@dataclass(frozen=True)
class Listing:
    """What a file lists.

    Attributes:
        n_entries: How many entries of each kind the file has, by kind.
        categories: The names of the usable categories, sorted; several ids may share one.
        image_ids: The usable images, in the file's order, int64 `[image]`.
        sizes_wh: Their sizes in pixels, int32 `[image, 2]`.
        names: Their files' names, as the file has them.
        objects: The usable annotations of these images.
        uncounted: Image ids and category codes whose instances can't be counted.
        faults: What can't be used, by kind and place.
        segmentations: What each object has for a segmentation, pieces of JSON; None where that wasn't asked for.
    """

    n_entries: tuple[int, int, int]
    categories: tuple[str, ...]
    image_ids: NDArray[np.int64]
    sizes_wh: NDArray[np.int32]
    names: tuple[str, ...]
    objects: ObjectColumns
    uncounted: tuple[tuple[int, int], ...]
    faults: tuple[Fault, ...]
    segmentations: pa.ChunkedArray | None = None

    def positions(self, kind: int) -> NDArray[np.int64]:
        """The places in the file of the usable entries of a kind."""
        bad = [fault.position for fault in self.faults if fault.kind == kind]
        return np.delete(np.arange(self.n_entries[kind]), bad)


def chunks(outlines: Outlines) -> Iterator[pa.Array]:
    """Segmentations as Arrow's arrays, some at a time, so that they need not be there twice."""
    for start in range(0, len(outlines), BATCH):
        yield pa.array(map(bytes, outlines[start : start + BATCH]), pa.binary())
