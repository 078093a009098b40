"""Where COCO 2017 is to be had, what its files' bytes are, and which images of it are wanted.

COCO's host, images.cocodataset.org, is an S3 bucket: over https it shows Amazon's certificate, which does not name
it. The same bucket has an address that the certificate does name (`SAFE_BASE`); that is asked first. The host itself
is asked over plain http only, and only for what a pinned SHA-256 covers: the zip files.

The sizes and hashes of the three zips are those that TensorFlow Datasets has for the host's files
(`tensorflow_datasets/url_checksums/coco.txt`). Others have the same hashes: torchvision's prototype of COCO those of
train2017.zip and val2017.zip, ParlAI those of val2017.zip and annotations_trainval2017.zip. ParlAI's other hash of
train2017.zip is of a file on its own host.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from evensight.downloads.connections import checked_base
from evensight.downloads.downloads import RemoteFile
from evensight.errors import InputError, one_of
from evensight.runs import one_line

SAFE_BASE = "https://s3.amazonaws.com/images.cocodataset.org"
PLAIN_BASE = "http://images.cocodataset.org"


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """A split of a set in COCO's layout, and the zips that it comes in.

    Attributes:
        name: What a user calls it ("coco-val").
        split: The images' folder, in the zip and here ("val2017").
        photos_zip: The zip with all images, below the folder `split`.
        annotations_zip: The zip with `annotations/instances_SPLIT.json`.
        n_instances_bytes: About how long that JSON is.
        takes_all: Whether all images are meant where a user names none.
        n_splits: Of how many splits the annotations' zip has the instances.
        bases: The URLs below which the zips are, the first that answers is taken; their hashes make them safe.
        photo_bases: The URLs below which single images are (`SPLIT/NAME`), which no hash covers.
    """

    name: str
    split: str
    photos_zip: RemoteFile
    annotations_zip: RemoteFile
    n_instances_bytes: int
    takes_all: bool
    n_splits: int = 2
    bases: tuple[str, ...] = (SAFE_BASE, PLAIN_BASE)
    photo_bases: tuple[str, ...] = (SAFE_BASE,)

    @property
    def instances(self) -> str:
        """The annotations' name, in the zip's folder `annotations` and here."""
        return f"instances_{self.split}.json"


_ANNOTATIONS = RemoteFile(
    "annotations/annotations_trainval2017.zip",
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
)
_VAL = RemoteFile("zips/val2017.zip", 815_585_330, "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05")
_TRAIN = RemoteFile(
    "zips/train2017.zip", 19_336_861_798, "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"
)
SOURCES = {
    "coco-val": PhotoSource("coco-val", "val2017", _VAL, _ANNOTATIONS, 20_000_000, takes_all=True),
    "coco-train": PhotoSource("coco-train", "train2017", _TRAIN, _ANNOTATIONS, 470_000_000, takes_all=False),
}


def source_named(name: str) -> PhotoSource:
    """The source of that name.

    Raises:
        InputError: There is none.
    """
    if name not in SOURCES:
        raise one_of("the set", name, SOURCES)
    return SOURCES[name]


class Photo(msgspec.Struct, frozen=True):
    """An image's entry in the annotations."""

    id: int
    file_name: str
    width: int
    height: int


class _Instance(msgspec.Struct, frozen=True):
    image_id: int
    category_id: int


class _Category(msgspec.Struct, frozen=True):
    id: int
    name: str


class _Instances(msgspec.Struct, frozen=True):
    images: list[Photo]
    annotations: list[_Instance]
    categories: list[_Category]


def choose_photos(instances: Path, categories: Sequence[str], limit: int | None) -> list[Photo]:
    """The images that hold an object of one of the categories, crowds included, by id; the first `limit` of them.

    Args:
        instances: COCO's instances.
        categories: The categories' names; none for any image.
        limit: How many at most; a greater limit only adds images.

    Raises:
        InputError: The file isn't COCO's, or it has no such category.
    """
    try:
        content = msgspec.json.decode(instances.read_bytes(), type=_Instances)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"`{instances}` is not COCO's instances: {one_line(error)}") from error
    photos = sorted(content.images, key=lambda photo: photo.id)
    if categories:
        ids = _category_ids(content.categories, categories)
        holding = {each.image_id for each in content.annotations if each.category_id in ids}
        photos = [photo for photo in photos if photo.id in holding]
    for photo in photos:
        if Path(photo.file_name).name != photo.file_name or photo.file_name.startswith("."):
            raise InputError(f"`{instances}` has an image whose file name leads elsewhere: {photo.file_name[:100]!r}")
    return photos[:limit]


def _category_ids(known: Sequence[_Category], wanted: Sequence[str]) -> set[int]:
    names = {category.name: category.id for category in known}
    for name in wanted:
        if name not in names:
            raise one_of("the category", name, names)
    return {names[name] for name in wanted}


def mirrored(source: PhotoSource, url: str) -> PhotoSource:
    """The same source at another base URL, with the same hashes.

    Raises:
        InputError: It isn't a URL that can be one.
    """
    base = checked_base(url)
    return replace(source, bases=(base,), photo_bases=(base,))
