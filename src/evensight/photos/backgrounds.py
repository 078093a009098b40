"""Photographs as backgrounds: a folder of the user's, or the images of a set in COCO's format.

A background is what a person sees who opens the file, turned as its EXIF tag says (`pictures.load_rgb`); then the
largest square in its middle, resized with antialiasing.

Every file is decoded once when the pool is made, so that a broken one is found before a set is begun; the
fingerprint is of all files' names and bytes, and a file that has changed since is refused.
"""

from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evensight.coco.reading import read_split
from evensight.errors import InputError
from evensight.memory import ByteCache
from evensight.pictures.decoding import decode_rgb
from evensight.pictures.files import read_file
from evensight.progress import track
from evensight.runs import hash_json, one_line

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""What the names of pictures in a folder end in; files of other names are not looked at."""
CACHE_BYTES = 128 * 2**20
"""How much of the resized pictures is kept: about 400 of 336 px."""

Pixels = NDArray[np.uint8]


class PhotoBackgrounds:
    """A pool of background pictures from files; `name` is "photo".

    Attributes:
        fingerprint: A hash of the files' names and bytes.
    """

    name = "photo"

    def __init__(self, folder: Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        """Takes all pictures in a folder, by name; folders in it are not entered.

        Raises:
            InputError: The folder is missing or has no pictures, or one is broken, huge, or a link out of it.
        """
        self._take(_pictures_in(folder), cache_bytes)

    @classmethod
    def of_coco(cls, root: Path, split: str, *, cache_bytes: int = CACHE_BYTES) -> "PhotoBackgrounds":
        """Takes the images of a split in COCO's format, by name, and what is annotated in them.

        Args:
            root: The folder that holds `annotations/` and the images' folder.
            split: The split's name ("val2017").
            cache_bytes: How much of the resized pictures is kept.

        Raises:
            InputError: There is no such split, or an image is broken or huge.
        """
        found = read_split(root, split)
        shown: dict[Path, set[str]] = defaultdict(set)
        for image_id, category in {(thing.image_id, thing.category) for thing in found.objects} | found.uncounted:
            shown[found.images[image_id].file].add(category)
        pool = cls.__new__(cls)
        pool._take(sorted({image.file for image in found.images.values()}), cache_bytes, shown)
        return pool

    def __len__(self) -> int:
        return len(self._paths)

    def member_name(self, k: int) -> str:
        """The file's name."""
        return self._path(k).name

    def shows(self, k: int) -> frozenset[str]:
        """The categories that are annotated in picture `k`, crowds too; nothing is known of a user's folder."""
        return frozenset(self._shown.get(self._path(k), ()))

    def pixels(self, k: int, size_px: int) -> Pixels:
        """Picture `k`'s middle square, read-only uint8 `[size_px, size_px, 3]`; kept, as far as room is.

        Raises:
            InputError: The file is gone, or is not what it was when the pool was made.
        """
        found = self._kept.get((k, size_px))
        return self._kept.put((k, size_px), self._resized(k, size_px)) if found is None else found

    def _take(self, paths: list[Path], cache_bytes: int, shown: Mapping[Path, set[str]] | None = None) -> None:
        self._shown = dict(shown or {})
        self._paths = paths
        self._hashes = [_checked(path) for path in track(paths, "checking backgrounds", len(paths), "pictures")]
        self._kept: ByteCache[tuple[int, int], Pixels] = ByteCache(cache_bytes)
        named = sorted((path.name, digest) for path, digest in zip(paths, self._hashes, strict=True))
        self.fingerprint = hash_json({"photos": named})

    def _path(self, k: int) -> Path:
        if not 0 <= k < len(self):
            raise IndexError(f"the ground `{self.name}` has pictures 0 to {len(self) - 1}, got {k}")
        return self._paths[k]

    def _resized(self, k: int, size_px: int) -> Pixels:
        path = self._path(k)
        content = read_file(path)
        if sha256(content).hexdigest() != self._hashes[k]:
            raise InputError(f"`{path}` has changed since the set was begun: put the old one back or begin again")
        return np.array(square(decode_rgb(content, path), size_px))


def square(image: Image.Image, size_px: int) -> Image.Image:
    """The largest square in the middle of a picture, resized with antialiasing."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((size_px, size_px), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _pictures_in(folder: Path) -> list[Path]:
    hint = f"give a folder with pictures ({', '.join(SUFFIXES)})"
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        raise InputError(f"the background folder `{folder}` {what}: {hint}")
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"the background folder `{folder}` can't be read: {one_line(error)}") from error
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES and not path.is_dir()]
    if not pictures:
        raise InputError(f"the background folder `{folder}` has no pictures among its {len(files)} entries: {hint}")
    for path in pictures:
        _check_inside(path, folder)
    return pictures


def _check_inside(path: Path, folder: Path) -> None:
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        is_inside = False
    if not is_inside:
        raise InputError(f"`{path}` is a link out of its folder: copy the picture there or take the link out")


def _checked(path: Path) -> str:
    """The hash of a file that can be decoded."""
    content = read_file(path)
    decode_rgb(content, path)
    return sha256(content).hexdigest()
