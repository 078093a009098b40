"""Small folders in COCO's format with arbitrary trouble in them, and a watch over which files are opened."""

import json
import os
import struct
import sys
import sysconfig
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

SPLIT = "val2017"
SIZE_WH = (30, 20)
SECRET = "secret.png"
BESIDE = "@beside@"
"""In an annotation file it stands for the folder that the set's folder and the secret are in."""

Draw = Callable[[st.SearchStrategy[Any]], Any]
Fields = Mapping[str, st.SearchStrategy[Any]]


def _picture(kind: str, mode: str = "RGB", size_wh: tuple[int, int] = SIZE_WH, tag: int = 1) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (*size_wh[::-1], 3), dtype=np.uint8)
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = tag
    Image.fromarray(pixels).convert(mode).save(file, kind, exif=exif)
    return file.getvalue()


def _bomb() -> bytes:
    content = bytearray(_picture("PNG"))
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


_JPEG = _picture("JPEG")
FILES: Mapping[str, bytes] = {
    "1.jpg": _JPEG,
    "2.jpg": _picture("PNG", "LA"),
    "3.jpg": _picture("JPEG", "CMYK"),
    "4.webp": _picture("WEBP", tag=6),
    "sub/5.jpg": _JPEG + b"\0" * 9,
    "é\u202e.png": _picture("PNG", "P"),
    "'\"<b>&`.jpg": _picture("JPEG", "L"),
    "cut.jpg": _JPEG[: len(_JPEG) // 2],
    "zeros.jpg": _JPEG[: len(_JPEG) // 2] + bytes(len(_JPEG) // 2),
    "empty.jpg": b"",
    "garbage.jpg": bytes(range(256)) * 4,
    "bomb.png": _bomb(),
    "small.jpg": _picture("JPEG", size_wh=(29, 20)),
    "mirrored.jpg": _picture("JPEG", tag=2),
    "turned.jpg": _picture("JPEG", size_wh=SIZE_WH[::-1], tag=8),
    "new\nline\x1b[31m.jpg": _JPEG,
    "text.jpg": b'{"images": []}',
    "gif.jpg": _picture("GIF"),
}
"""What lies in the images' folder, by name; beside them are links, a pipe and a folder."""

_NAMES_OUT = (
    f"{BESIDE}/{SECRET}", f"../../{SECRET}", f"sub/../../../{SECRET}", "link.png", f"linked/{SECRET}", "chain.png",
    f"linked/set/{SPLIT}/linked/{SECRET}", f"{SPLIT}/linked/{SECRET}",
)  # fmt: skip
_NAMES_ODD = (
    f"../../../{SECRET}", "loop.jpg", "pipe.jpg", "sub", ".", "..", "", "sub/../1.jpg", "./1.jpg", "1.jpg/",
    "1.jpg/../2.jpg", "/dev/zero", "/proc/self/environ", "../../annotations/instances_val2017.json",
    f"../{SECRET}", "/etc/hostname", "file:///etc/hostname",
    "C:\\x.jpg", "a\0b.jpg", "\0", "\ud800.jpg", "\udcff.jpg", "x" * 300 + ".jpg", "y/" * 3000,
    "\x1b]0;title\x07", "none.jpg", "~/x", "$HOME/x", "http://127.0.0.1:9/x.jpg", "\\\\host\\x",
    " ", "1.JPG", "linked/../1.jpg", "sub//5.jpg",
)  # fmt: skip
_NAMES_OF_CATEGORIES = (
    "cat", "dog", "a`b", "<script>alert(1)</script>", "naïve 猫", "x" * 200, "", " ", "\x1b[31mred", "two\nlines",
    "cat ", "Choose from [left, right].", "\ud800", "{0}", "%s", "center", "top left", "\u202egnp",
)  # fmt: skip

_SMALL = st.integers(0, 3)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from([10**400, -(2**63), 2**63, 2**64, -1, 0, "1", 1.0, 1e308, "\x1b[31m\n", "\ud800", [], {}, [[]]]),
    st.recursive(_SMALL, _nested, max_leaves=4),
)  # fmt: skip
_ID = st.integers(0, 4)
_NAME = st.sampled_from(_NAMES_OUT) | st.sampled_from(_NAMES_ODD) | st.text(max_size=3)
_LENGTH = st.one_of(st.floats(1, 12), st.integers(1, 12))
_FAR = st.sampled_from([0, -1, -0.0, 1e-320, 1e9, 1e18, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 25])
_BOX = st.one_of(
    st.tuples(st.floats(0, 18), st.floats(0, 10), _LENGTH, _LENGTH).map(list),
    st.tuples(st.floats(0, 18), st.floats(0, 10), _LENGTH, _LENGTH).map(list),
    st.lists(st.one_of(_LENGTH, _FAR), min_size=4, max_size=4),
    st.lists(st.one_of(_LENGTH, _FAR, _JUNK), max_size=5),
)
_OUTLINE = st.one_of(
    st.just([[1, 1, 9, 1, 9, 9, 1, 9]]),
    st.lists(st.lists(st.one_of(_LENGTH, _FAR), max_size=9), max_size=2),
    st.fixed_dictionaries(
        {"counts": st.one_of(st.text(max_size=5), st.lists(_ID), _JUNK), "size": st.just([20, 30])}
    ),
    _JUNK,
)


@dataclass(frozen=True)
class Troubled:
    """A folder to be: what its annotation file holds, and which files of `FILES` there are."""

    annotations: bytes
    names: tuple[str, ...]


_SOUND_ENTRIES = {
    "categories": [{"id": 1, "name": "cat"}],
    "images": [{"id": 1, "file_name": "1.jpg", "width": SIZE_WH[0], "height": SIZE_WH[1]}],
    "annotations": [{"id": 100, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}],
}
SOUND = Troubled(json.dumps(_SOUND_ENTRIES).encode(), ("1.jpg",))
"""A folder without trouble."""


@st.composite
def troubled(draw: Draw) -> Troubled:
    """Folders of which some can be used in part, and some not at all."""
    names = ["1.jpg", *draw(st.lists(st.sampled_from(list(FILES)[1:]), max_size=6, unique=True))]
    known = st.sampled_from(range(1, len(names) + 1))

    content: dict[str, Any] = {
        "categories": [_entry(draw, _category(draw, k)) for k in range(1, draw(st.integers(1, 4)))],
        "images": [_entry(draw, _image(draw, k, names)) for k in range(1, len(names))],
        "annotations": [_entry(draw, _thing(draw, k, known)) for k in range(draw(st.integers(0, 9)))],
    }
    lure = {"id": 50, "file_name": draw(st.sampled_from(_NAMES_OUT)), "width": SIZE_WH[0], "height": SIZE_WH[1]}
    content["images"].append(lure)
    content["annotations"].append({"id": 150, "image_id": 50, "category_id": 1, "bbox": [1, 2, 3, 4]})
    for key, sound in _SOUND_ENTRIES.items():
        if not _rarely(draw, 8):
            content[key].insert(draw(st.integers(0, len(content[key]))), *sound)
    for key in list(content):
        if _rarely(draw, 25):
            content[key] = draw(_JUNK)
        elif _rarely(draw, 25):
            del content[key]
    if _rarely(draw, 5):
        content["info"] = draw(_JUNK)
    return Troubled(_mangled(draw, json.dumps(content).encode()), tuple(names))


def _category(draw: Draw, k: int) -> Fields:
    return {"id": _mostly(draw, st.just(k + 1), _ID), "name": st.sampled_from(_NAMES_OF_CATEGORIES)}


def _image(draw: Draw, k: int, names: Sequence[str]) -> Fields:
    width, height = draw(st.sampled_from([SIZE_WH, SIZE_WH, SIZE_WH, SIZE_WH[::-1], (30, 30)]))
    return {
        "id": _mostly(draw, st.just(k + 1), _ID),
        "file_name": draw(st.sampled_from([st.just(names[k])] * 5 + [_NAME])),
        "width": st.just(width),
        "height": st.just(height),
    }


def _thing(draw: Draw, k: int, image_ids: st.SearchStrategy[int]) -> Fields:
    return {
        "id": _mostly(draw, st.just(k), _ID),
        "image_id": _mostly(draw, image_ids, _ID),
        "category_id": _mostly(draw, st.integers(1, 3), _ID),
        "bbox": _BOX,
        "iscrowd": st.sampled_from([0, 0, 0, 1]),
        "segmentation": _OUTLINE,
        "area": _LENGTH,
    }


def _mostly(draw: Draw, good: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return other if _rarely(draw, 12) else good


def _rarely(draw: Draw, n: int) -> bool:
    return bool(draw(st.integers(0, n - 1)) == n // 2 + 1)  # the ends of a range are drawn more often


def _entry(draw: Draw, fields: Fields) -> Any:
    if _rarely(draw, 30):
        return draw(_JUNK)
    entry = {}
    for key, good in fields.items():
        if not _rarely(draw, 40):
            entry[key] = draw(_JUNK) if _rarely(draw, 30) else draw(good)
    if _rarely(draw, 10):
        entry[draw(st.text(max_size=3))] = draw(_JUNK)
    return entry


def _mangled(draw: Draw, content: bytes) -> bytes:
    """The JSON, at times cut short or of another kind."""
    if not _rarely(draw, 12):
        return content
    how = draw(st.integers(0, 9))
    at = draw(st.integers(0, len(content)))
    return (
        content[:at],
        content[:at] + draw(st.binary(max_size=4)) + content[at:],
        b"\xef\xbb\xbf" + content,
        content.decode().encode("utf-16"),
        b"[" * 100_000,
        b'{"images": ' * 5_000 + b"1" + b"}" * 5_000,
        b'{"images": [], "annotations": NaN, "categories": []}',
        draw(st.binary(max_size=20)),
        json.dumps(draw(_JUNK)).encode(),
        content + content,
    )[how]


def write_troubled(made: Troubled, beside: Path) -> Path:
    """Writes the folder into `beside`, which holds a secret that nothing may open; returns the folder."""
    root = beside / "set"
    images = root / SPLIT
    for folder in (images / "sub", root / "annotations"):
        folder.mkdir(parents=True)
    (beside / SECRET).write_bytes(_picture("PNG"))
    (root / "annotations" / f"instances_{SPLIT}.json").write_bytes(
        made.annotations.replace(BESIDE.encode(), str(beside).encode())
    )
    for name in made.names:
        (images / name).write_bytes(FILES[name])
        os.utime(images / name, (1e9, 1e9))
    (images / "link.png").symlink_to(beside / SECRET)
    (images / "chain.png").symlink_to("link.png")
    (images / "linked").symlink_to(beside)
    (images / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(images / "pipe.jpg")
    return root


class _Watch:
    """Notes what is opened while it is on; hooks can't be taken off again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_on, self.seen = False, set[str]()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, given: tuple[Any, ...]) -> None:
        if self.is_on and event in ("open", "os.scandir", "os.listdir", "sqlite3.connect"):
            path = given[0] if given[0] is not None else "."
            if isinstance(path, str | bytes | os.PathLike):
                with self._lock:
                    self.seen.add(os.fsdecode(path))


_watch: list[_Watch] = []


@contextmanager
def watched() -> Iterator[set[str]]:
    """Collects the paths of all files and folders that any thread opens while the block runs."""
    if not _watch:
        _watch.append(_Watch())
    watch = _watch[0]
    watch.seen = set()
    watch.is_on = True
    try:
        yield watch.seen
    finally:
        watch.is_on = False


def opened_outside(seen: set[str], root: Path) -> list[str]:
    """Those that are neither in the folder, nor Python's and its packages' own, nor among the caches."""
    own = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), os.environ["EVENSIGHT_CACHE"]}
    own |= {str(Path(__file__).parents[2] / "src"), str(root)}
    inside = [Path(path).resolve() for path in own]
    found = {path: _real(path) for path in seen}
    return sorted(path for path, real in found.items() if not any(real.is_relative_to(place) for place in inside))


def _real(path: str) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError):
        return Path("/unknown")
