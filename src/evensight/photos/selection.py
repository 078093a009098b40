"""Which objects of the photographs are asked for: the paper's rule.

A question is asked about an object whose category has exactly one instance in its photograph; a crowd region
counts as an instance and is never the one. Its cell is the one that holds the centre of its box; a centre off
the image counts to the nearest cell.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from evensight.annotations import Annotation, Frame, Grid, Object
from evensight.errors import InputError
from evensight.photos.coco import CocoImage, CocoObject, CocoSplit
from evensight.progress import track
from evensight.runs import one_line

MAX_PIXELS = 100_000_000
"""A photograph with more pixels is refused before it is decoded."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""What is decoded, whatever a file is called; some of Pillow's other formats run programs."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph and the one object in it that is asked for.

    Attributes:
        id: Unique in the split: image and object.
        path: The image's file.
        annotation: The frame and the object.
    """

    id: str
    path: Path
    annotation: Annotation

    @property
    def category(self) -> str:
        """The object's category."""
        return self.annotation.objects[0].name


def single_instances(split: CocoSplit) -> tuple[Photo, ...]:
    """The photographs' objects that are the only one of their category, by image, then by category."""
    groups: dict[tuple[int, str], list[CocoObject]] = defaultdict(list)
    for thing in split.objects:
        groups[thing.image_id, thing.category].append(thing)
    alone = (
        group[0]
        for key, group in sorted(groups.items())
        if len(group) == 1 and key not in split.uncounted and not group[0].is_crowd
    )
    return tuple(_photo(split, thing) for thing in alone)


def readable(photos: Sequence[Photo], reject: Callable[[str, str], None]) -> tuple[Photo, ...]:
    """Those whose image can be decoded and has the size that its annotation declares.

    Args:
        photos: The photographs.
        reject: Is told the reason and the id of each one that is left out.
    """
    faults: dict[tuple[Path, Frame], str | None] = {}
    kept = []
    for photo in track(photos, "checking photographs", len(photos), "questions"):
        key = (photo.path, photo.annotation.frame)
        if key not in faults:
            faults[key] = _fault(*key)
        fault = faults[key]
        if fault is None:
            kept.append(photo)
        else:
            reject(fault, photo.id)
    return tuple(kept)


def load_rgb(path: Path) -> Image.Image:
    """A photograph's pixels as its annotators saw them, RGB.

    An orientation tag is left unheeded: COCO's boxes are given on the stored pixels, and a file whose tag would
    turn it has been checked against its declared size by `readable`.

    Raises:
        InputError: The file can't be decoded, or is too large.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"`{path}` has {image.width} x {image.height} pixels: expected 100 million at most")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"`{path}` can't be read as an image: {one_line(error)}") from error


def main_object_counts(split: CocoSplit, grid: Grid) -> list[list[int]]:
    """How often each cell holds the centre of a photograph's largest object (by box area, crowds left out)."""
    largest: dict[int, CocoObject] = {}
    for thing in split.objects:
        if not thing.is_crowd:
            other = largest.get(thing.image_id, thing)
            largest[thing.image_id] = max(thing, other, key=lambda o: (o.box.area_px, -o.id))
    return _counts(((thing.box.center_px, split.images[thing.image_id].frame) for thing in largest.values()), grid)


def single_instance_counts(split: CocoSplit, grid: Grid) -> list[list[int]]:
    """How often each cell holds the centre of an object that `single_instances` asks for."""
    photos = single_instances(split)
    return _counts(((photo.annotation.objects[0].box.center_px, photo.annotation.frame) for photo in photos), grid)


def _counts(points: Iterable[tuple[tuple[float, float], Frame]], grid: Grid) -> list[list[int]]:
    counts = [[0] * grid.cols for _ in range(grid.rows)]
    for point_px, frame in points:
        cell = grid.cell_at(point_px, frame)
        counts[cell.row][cell.col] += 1
    return counts


def _photo(split: CocoSplit, thing: CocoObject) -> Photo:
    image: CocoImage = split.images[thing.image_id]
    annotation = Annotation(image.frame, (Object(thing.category, thing.box),))
    return Photo(f"{split.name}-{image.id:012d}-{thing.id}", image.file, annotation)


def _fault(path: Path, frame: Frame) -> str | None:
    try:
        image = load_rgb(path)
    except InputError:
        return "image file that can't be decoded"
    if image.size != (frame.width_px, frame.height_px):
        return "image of another size than declared"
    return None
