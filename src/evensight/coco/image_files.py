"""Where in a folder the images are that a COCO file names; nothing outside the folder is ever looked into.

A file's folders are listed once, and a name that stands there for a plain file needs no more. Links, names that
climb (`..`), that begin at the root, or that hold odd characters go the careful way, each by itself.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

OUTSIDE = "image file outside the folder"
MISSING = "image file missing"
UNPRINTABLE = "image file name with control characters"
SHARED = "image file that several entries would share, as their own folders are not there"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ODD = re.compile(rf"{_CONTROL.pattern}|[\\:]|(?:^|/)\.{{0,2}}(?:/|$)")
_LONGEST = 1000


class Found(NamedTuple):
    """An image's path in the folder, and why it can't be used, if it can't."""

    path: str
    fault: str | None


class _Listed(NamedTuple):
    plain: frozenset[str]
    links: frozenset[str]


def find_images(folder: Path, names: Sequence[str]) -> list[Found]:
    """Where each of the named images is.

    A name is tried as it is. Where its first folders are not in this one, they are left out: Objects365 says
    `images/v1/patch8/a.jpg` of what a user may have as `patch8/a.jpg`. That is decided once for all files of a
    folder. Where it makes one file out of several names, none is taken for those that had to be shortened.

    Args:
        folder: The images' folder.
        names: The files' names as the annotations have them.
    """
    search = _Search(folder)
    found = [search.find(name) for name in names]
    shared = _shared(names, found)
    return [
        Found(each.path, SHARED) if each.path in shared and each.path != name else each
        for name, each in zip(names, found, strict=True)
    ]


def _shared(names: Sequence[str], found: Sequence[Found]) -> set[str]:
    first: dict[str, str] = {}
    return {
        each.path
        for name, each in zip(names, found, strict=True)
        if each.fault is None and first.setdefault(each.path, name) != name
    }


class _Search:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = os.path.realpath(folder)
        self._places: dict[str, str] = {}
        self._listed: dict[str, _Listed | None] = {}

    def find(self, name: str) -> Found:
        if len(name) > _LONGEST or _ODD.search(name):
            return Found(name, self._careful_fault(name))
        parent, _, last = name.rpartition("/")
        if parent not in self._places:
            self._places[parent] = self._place(parent)
        place = self._places[parent]
        path = f"{place}/{last}" if place else last
        return Found(path, self._fault(place, last, path))

    def _place(self, parent: str) -> str:
        """The parent without as many of its first folders as it takes for the rest to be here."""
        while parent and not os.path.isdir(self._folder / parent):  # noqa: PTH112 - takes names that are too long
            parent = parent.partition("/")[2]
        return parent

    def _fault(self, place: str, last: str, path: str) -> str | None:
        if place not in self._listed:
            self._listed[place] = self._list(place)
        listed = self._listed[place]
        if listed is None:
            return OUTSIDE
        if last in listed.plain:
            return None
        # What isn't listed may still be there: some systems take `A.JPG` for `a.jpg`.
        if last not in listed.links and not os.path.isfile(self._folder / path):  # noqa: PTH113 - as above
            return MISSING
        return self._careful_fault(path)

    def _list(self, place: str) -> _Listed | None:
        """The files of a folder; None where it is outside."""
        real = os.path.realpath(self._folder / place)
        if not Path(real).is_relative_to(self._root):
            return None
        try:
            with os.scandir(real) as entries:
                files = [(entry.name, entry.is_file(follow_symlinks=False), entry.is_symlink()) for entry in entries]
        except OSError:
            files = []
        return _Listed(
            frozenset(name for name, is_plain, _ in files if is_plain),
            frozenset(name for name, _, is_link in files if is_link),
        )

    def _careful_fault(self, name: str) -> str | None:
        path = self._folder / name
        try:
            if not path.resolve().is_relative_to(self._root):
                return OUTSIDE
        except (OSError, ValueError, RuntimeError):  # a loop of links, or a name that no file can have
            return OUTSIDE
        if not os.path.isfile(path):  # noqa: PTH113 - as above
            return MISSING
        return UNPRINTABLE if _CONTROL.search(name) else None
