"""The entries of a COCO file, each a piece of JSON that is decoded on its own.

msgspec splits a file in a second and makes no Python object of what nobody asks for. What it refuses (`NaN`, half a
surrogate pair, a byte order mark, UTF-16) is split again by Python's own scanner, which takes these: so one broken
entry costs that entry and not the file.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct

from evensight.coco.scanner import members
from evensight.errors import InputError
from evensight.runs import one_line

KEYS = ("images", "annotations", "categories")
_REFUSED = (msgspec.MsgspecError, UnicodeError, RecursionError)

Piece = Raw | memoryview


class Entries(NamedTuple):
    """A file's three lists, each entry a piece of JSON."""

    images: Sequence[Piece]
    annotations: Sequence[Piece]
    categories: Sequence[Piece]


class ImageFields(Struct, gc=False):
    """What is read of an image's entry."""

    id: Any = UNSET
    file_name: Any = UNSET
    coco_url: Any = UNSET
    width: Any = UNSET
    height: Any = UNSET
    not_exhaustive_category_ids: Any = UNSET


class AnnotationFields(Struct, gc=False):
    """What is read of an annotation's entry; its segmentation, most of a file, stays JSON."""

    id: Any = UNSET
    image_id: Any = UNSET
    category_id: Any = UNSET
    bbox: Any = UNSET
    iscrowd: Any = 0
    segmentation: Raw = Raw()


class CategoryFields(Struct, gc=False):
    """What is read of a category's entry."""

    id: Any = UNSET
    name: Any = UNSET


Fields = TypeVar("Fields", ImageFields, AnnotationFields, CategoryFields)


class _Lists(Struct, gc=False):
    images: list[Raw]
    annotations: list[Raw]
    categories: list[Raw]


class _Named(Struct, gc=False):
    images: Raw
    annotations: Raw
    categories: Raw


def read_entries(path: Path) -> tuple[Entries, str]:
    """The entries of a COCO file, and the SHA-256 of the very bytes that they were read from.

    Raises:
        InputError: It can't be read, is no JSON, or is not an object with the three lists.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"`{path}` can't be read as JSON: {one_line(error)}") from error
    digest = sha256(content).hexdigest()
    try:
        lists = msgspec.json.decode(content, type=_Lists)
    except _REFUSED:
        text, encoding = _decoded(content, path)
        del content  # a large file is there twice as it is
        return _scanned(text, encoding, path), digest
    return Entries(lists.images, lists.annotations, lists.categories), digest


def holds_entries(path: Path) -> bool:
    """Whether a file is a JSON object with COCO's three keys, whatever is under them."""
    content = path.read_bytes()
    try:
        msgspec.json.decode(content, type=_Named)
    except _REFUSED:
        try:
            return set(KEYS) <= set(members(content.decode(json.detect_encoding(content), "surrogatepass"), KEYS))
        except ValueError:
            return False
    return True


def decoder(kind: type[Fields]) -> Callable[[Piece], Fields | None]:
    """Decodes an entry; gives None for what is no JSON object."""
    decode = msgspec.json.Decoder(kind).decode

    def fields_of(piece: Piece) -> Fields | None:
        try:
            return decode(piece)
        except _REFUSED:
            return _decoded_slowly(piece, kind)

    return fields_of


def loaded(piece: bytes) -> Any:
    """The Python value of a piece of JSON that Python's own reader takes; None for what it refuses."""
    try:
        return json.loads(piece)
    except (ValueError, RecursionError):
        return None


def text_of(piece: Piece) -> str:
    """A piece as text, for its name among what can't be used."""
    return bytes(piece).decode(errors="replace")


def _decoded_slowly(piece: Piece, kind: type[Fields]) -> Fields | None:
    value = loaded(bytes(piece))
    if not isinstance(value, dict):
        return None
    fields = {name: value[name] for name in kind.__struct_fields__ if name in value}
    if "segmentation" in fields:
        fields["segmentation"] = Raw(json.dumps(fields["segmentation"]).encode())
    return kind(**fields)


def _decoded(content: bytes, path: Path) -> tuple[str, str]:
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding, "surrogatepass"), encoding
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` can't be read as JSON: it is not {encoding} at byte {error.start:,}") from error


def _scanned(text: str, encoding: str, path: Path) -> Entries:
    try:
        found = members(text, KEYS)
    except JSONDecodeError as error:
        n_bytes = len(text[: error.pos].encode(encoding, "surrogatepass"))
        raise InputError(
            f"`{path}` can't be read as JSON: {error.msg} at byte {n_bytes:,}; if it was cut short, fetch it again"
        ) from error
    lists = [found.get(key) for key in KEYS]
    for key, entries in zip(KEYS, lists, strict=True):
        if entries is None:
            raise InputError(f"`{path}` is not COCO's: expected an object with a list named `{key}`")
    return Entries(*(entries for entries in lists if entries is not None))
