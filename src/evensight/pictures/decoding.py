"""Pictures' pixels as people saw them: always RGB, whatever the file is.

Grey is grey, a palette is its colours, 16 bits a channel are the higher 8, CMYK is as browsers show it (JPEG's
inverted, with Adobe's marker or without), and what is transparent lies over black. Of several frames it is the first.
Colour profiles are left unheeded, as most models' own loaders do: a picture of a wide gamut is a little duller.

An EXIF tag may turn a picture. A user's own is turned, as whoever opens it sees it. An annotated one was annotated
either on its stored pixels or on the turned ones, as the tool had it, and the declared size says which; where it
can't, the picture is refused by that name.

A file that is cut short is an error and no half grey picture, whatever other libraries of the process have asked
Pillow for, and a picture's size is read before its pixels are.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from evensight.annotations import Frame
from evensight.errors import one_of, printable
from evensight.pictures.files import (
    AMBIGUOUS,
    HINT,
    OTHER_SIZE,
    TOO_LARGE,
    PictureError,
    read_file,
    shown,
)
from evensight.pictures.strictness import STRICT
from evensight.runs import one_line

MAX_PIXELS = 100_000_000
"""A picture with more pixels is refused before it is decoded."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""What is decoded, whatever a file is called: what photographs come in. Some of Pillow's other formats run programs;
GIF has no photographs. A JPEG with more pictures behind it (MPO) is its first."""

Orientation = Literal["by-size", "stored", "turned"]
"""Which way an annotated picture is taken: by its declared size, as stored, or as its EXIF tag turns it."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNS_BACK = {**_TURNS, 6: _TURNS[8], 8: _TURNS[6]}
_SWAPS_SIDES = (5, 6, 7, 8)
_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded file: its stored pixels, RGB, and the EXIF tag that turns them (1 to 8)."""

    path: Path
    stored: Image.Image
    tag: int

    def seen(self, frame: Frame | None = None, orientation: Orientation = "by-size") -> Image.Image:
        """The pixels that boxes in `frame` are about; without a declared frame those that a person sees.

        Raises:
            PictureError: Its size is not the declared one, or doesn't say which way it was annotated.
        """
        if orientation not in get_args(Orientation):
            raise one_of("the orientation", orientation, get_args(Orientation))
        if frame is None:
            return self.stored if orientation == "stored" else self._turned()
        fitting = self._fitting((frame.width_px, frame.height_px), orientation)
        if not fitting:
            raise PictureError(
                f"`{shown(self.path)}` has {self.stored.width} x {self.stored.height} pixels: expected "
                f"{frame.width_px} x {frame.height_px}, as is declared; mend the annotations or leave it out",
                OTHER_SIZE,
            )
        if len(fitting) > 1:
            raise PictureError(
                f"`{shown(self.path)}` has the EXIF orientation {self.tag}, which keeps its size: "
                "say whether it was annotated as stored or as turned",
                AMBIGUOUS,
            )
        return self.stored if fitting == ["stored"] else self._turned()

    def _fitting(self, declared_wh: tuple[int, int], orientation: Orientation) -> list[str]:
        """Which of the ways it can be taken have the declared size; a picture without a tag has but one."""
        stored_wh = self.stored.size
        sizes = {"stored": stored_wh, "turned": stored_wh[::-1] if self.tag in _SWAPS_SIDES else stored_wh}
        ways = ["stored"] if self.tag == 1 else list(sizes) if orientation == "by-size" else [orientation]
        return [way for way in ways if sizes[way] == declared_wh]

    def _turned(self) -> Image.Image:
        return self.stored.transpose(_TURNS[self.tag]) if self.tag in _TURNS else self.stored


def load_rgb(path: Path, frame: Frame | None = None, orientation: Orientation = "by-size") -> Image.Image:
    """A picture's pixels, RGB, as whoever annotated them in `frame` saw them.

    Args:
        path: The file.
        frame: The size that is declared for it; None for a picture of a user's own, which is turned by its tag.
        orientation: Which way it is taken.

    Raises:
        PictureError: The file is gone, or can't be decoded, or is too large, or is not what is declared.
    """
    return decode_rgb(read_file(path), path, frame, orientation)


def decode_rgb(
    content: bytes, path: Path, frame: Frame | None = None, orientation: Orientation = "by-size"
) -> Image.Image:
    """A picture's pixels, as `load_rgb` gives them, from the bytes of its file.

    Args:
        content: The file's bytes.
        path: The file, for the message.
        frame: The size that is declared for it.
        orientation: Which way it is taken.

    Raises:
        PictureError: It can't be decoded, or is too large, or is not what is declared.
    """
    return decode(content, path).seen(frame, orientation)


def decode(content: bytes, path: Path) -> Picture:
    """The whole picture, before anything is decided of the way it is taken.

    Raises:
        PictureError: It can't be decoded, or is too large.
    """
    with _opened(content, path) as image:
        tag = _tag(image)
        rgb = _as_rgb(image, content)
        if tag != 1 and image.format == "TIFF" and _tag(image) == 1:  # Pillow has turned it already
            rgb = rgb.transpose(_TURNS_BACK[tag])
    return Picture(path, rgb, tag)


def stored_size_wh(content: bytes, path: Path) -> tuple[int, int]:
    """The size of the stored pixels, which are not decoded.

    Raises:
        PictureError: It is no picture, or is too large.
    """
    with _opened(content, path) as image:
        width, height = image.size
        return (height, width) if image.format == "TIFF" and _tag(image) in _SWAPS_SIDES else (width, height)


def plain_bytes(path: Path, kind: str) -> bytes | None:
    """A file's own bytes, where whoever decodes them sees what `load_rgb` gives; None where they don't say it all.

    They are plain when they are RGB of that kind, with nothing transparent and no EXIF.

    Args:
        path: The file.
        kind: One of `FORMATS`.

    Raises:
        PictureError: The file is gone, or is no picture, or is too large.
    """
    content = read_file(path)
    with _opened(content, path) as image:
        is_plain = image.format == kind and image.mode == "RGB" and not image.has_transparency_data
        return content if is_plain and not _has_exif(image) else None


def pixel_hash(image: Image.Image) -> bytes:
    """The SHA-256 of a picture's size and RGB pixels."""
    pixels = image if image.mode == "RGB" else image.convert("RGB")
    return hashlib.sha256(f"{pixels.width}x{pixels.height}\n".encode() + pixels.tobytes()).digest()


@contextmanager
def _opened(content: bytes, path: Path) -> Iterator[Image.Image]:
    """The picture with its header read; whatever goes wrong in the block is the picture's fault."""
    try:
        with STRICT, Image.open(BytesIO(content), formats=FORMATS) as image:
            _check_size(image, path)
            if image.format in ("JPEG", "MPO"):
                _check_end(content)
            yield image
    except PictureError:
        raise
    except Exception as error:  # a broken file makes decoders raise almost anything
        raise PictureError(f"`{shown(path)}` can't be read as an image: {_why(error)}; {HINT}") from error


def _check_size(image: Image.Image, path: Path) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(
            f"`{shown(path)}` has {image.width} x {image.height} pixels: expected {MAX_PIXELS // 10**6} million "
            "at most; make it smaller or take it out of the folder",
            TOO_LARGE,
        )


def _check_end(content: bytes) -> None:
    """Finds the end marker of a JPEG behind its pixels.

    A download that was begun with the file's whole size ends in zeros, which decode to a grey.
    """
    at = 2
    while content[at : at + 2] != b"\xff\xda":
        if content[at : at + 1] != b"\xff" or len(content) < at + 4:
            return  # not for us to say: the decoder knows more kinds of markers
        is_fill = content[at + 1] == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    if content.find(b"\xff\xd9", at) < 0:
        raise ValueError("it is cut short")


def _tag(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none that is known: a broken tag turns nothing."""
    try:
        tag = image.getexif().get(_TAG, 1)
    except Exception:  # what cameras and editors leave there is of any kind
        return 1
    return tag if isinstance(tag, int) and tag in _TURNS else 1


def _has_exif(image: Image.Image) -> bool:
    """Whether there is any EXIF; what can't be read of it may still turn the picture elsewhere."""
    try:
        return bool(image.getexif())
    except Exception:  # as above
        return True


def _as_rgb(image: Image.Image, content: bytes) -> Image.Image:
    image.load()
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range, save it with 8 bits a channel")
    if image.mode.startswith("I"):
        return _higher_byte(image)
    if image.format == "PNG":
        _scale_transparency(image, content)
    if image.has_transparency_data:
        colored = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colored.size, (0, 0, 0, 255)), colored).convert("RGB")
    return image.convert("RGB")


def _higher_byte(image: Image.Image) -> Image.Image:
    """16 bits a pixel as 8, which Pillow would clip at 255 instead."""
    values = np.asarray(image)
    grey = (values.astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 0
    return Image.fromarray(grey).convert("RGB")


def _scale_transparency(image: Image.Image, content: bytes) -> None:
    """Brings a PNG's transparent colour to 8 bits, as Pillow has brought its pixels; it leaves the colour."""
    color, depth = image.info.get("transparency"), content[24]  # IHDR's, which comes first in every PNG
    if image.mode == "L" and isinstance(color, int) and depth < 8:
        image.info["transparency"] = color * 255 // (2**depth - 1)
    if image.mode == "RGB" and isinstance(color, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in color)


def _why(error: BaseException) -> str:
    """Pillow's reason, without the address of the buffer that it read from."""
    text = "it is none that is known" if "cannot identify" in str(error) else one_line(error)
    return printable(text)
