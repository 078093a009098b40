"""What was found of photographs before: an SQLite file among the caches, without which everything works too.

An entry holds for a file of the same path, size, times and inode, for one declared size and orientation, and for one
version of the decoder. A record that is damaged is thrown away; one that is locked or can't be written is done
without.
"""

import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import PIL
from PIL import features

from evensight.annotations import Frame
from evensight.caches import cache_folder
from evensight.pictures.decoding import MAX_PIXELS, Orientation
from evensight.pictures.files import FAULTS, MAX_BYTES

DECODER_VERSION = 1
"""Goes up with every change of what `pictures` makes of a file."""

_NAME = "checks-1.sqlite"
_WAIT_S = 2.0
_TABLE = """
create table if not exists checks (
    path blob, frame text, orientation text,
    size integer, mtime_ns integer, ctime_ns integer, inode integer, decoder text,
    fault text, file_hash text, pixels_hash text,
    primary key (path, frame, orientation)
) without rowid
"""
_FIND = """
select size, mtime_ns, ctime_ns, inode, decoder, fault, file_hash, pixels_hash from checks
where path = ? and frame = ? and orientation = ?
"""
_KEEP = "insert or replace into checks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PictureCheck:
    """What was found of a picture that is declared to have a certain size.

    Attributes:
        fault: One of `files.FAULTS`; None where it can be used.
        file_hash: The SHA-256 of the file's bytes, in hex; None where they can't be read.
        pixels_hash: The `pixel_hash` of what is to be seen, in hex; None where there is a fault.
    """

    fault: str | None
    file_hash: str | None
    pixels_hash: str | None


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def file_state(path: Path) -> FileState | None:
    """The file's state; None where there is no such file."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return FileState(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino & (2**63 - 1))


class CheckRecord:
    """The findings on record, of one orientation; to be used in one thread, and closed."""

    def __init__(self, orientation: Orientation) -> None:
        """Opens the record, or makes it; what can't be opened is done without."""
        self._orientation = orientation
        self._decoder = _decoder()
        folder = cache_folder("pictures")
        self._path = folder / _NAME if folder is not None else None
        self._connection: sqlite3.Connection | None = None
        if self._path is not None:
            try:
                self._connection = sqlite3.connect(self._path, timeout=_WAIT_S)
                self._connection.execute("pragma synchronous = normal")
                self._connection.execute(_TABLE)
                self._connection.commit()
            except (sqlite3.Error, OSError) as error:
                self._do_without(error)

    def known(self, path: Path, frames: Iterable[Frame]) -> tuple[PictureCheck, ...] | None:
        """What was found of a file for all of these sizes; None if one is not known, or the file has changed."""
        state = file_state(path) if self._connection is not None else None
        if state is None:
            return None
        found = []
        for frame in frames:
            check = self._found(path, frame, state)
            if check is None:
                return None
            found.append(check)
        return tuple(found)

    def keep(self, found: Sequence[tuple[Path, FileState, Sequence[Frame], Sequence[PictureCheck]]]) -> None:
        """Puts findings on record, all or none."""
        rows = [
            (*self._key(path, frame), *astuple(state), self._decoder, *astuple(check))
            for path, state, frames, checks in found
            for frame, check in zip(frames, checks, strict=True)
        ]
        if self._connection is None or not rows:
            return
        try:
            with self._connection:
                self._connection.executemany(_KEEP, rows)
        except sqlite3.Error as error:
            self._do_without(error)

    def close(self) -> None:
        """Lets go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _found(self, path: Path, frame: Frame, state: FileState) -> PictureCheck | None:
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(_FIND, self._key(path, frame)).fetchone()
        except sqlite3.Error as error:
            self._do_without(error)
            return None
        if row is None or row[:5] != (*astuple(state), self._decoder):
            return None
        check = PictureCheck(*row[5:])
        return check if _is_sound(check) else None

    def _key(self, path: Path, frame: Frame) -> tuple[bytes, str, str]:
        return os.fsencode(path.absolute()), f"{frame.width_px}x{frame.height_px}", self._orientation

    def _do_without(self, error: Exception) -> None:
        self.close()
        if self._path is not None and type(error) is sqlite3.DatabaseError:  # it is damaged, or none at all
            try:
                self._path.unlink()
            except OSError:
                return


def _is_sound(check: PictureCheck) -> bool:
    """Whether an entry is as one of ours: the file is the user's."""
    hashes = [check.file_hash] if check.fault else [check.file_hash, check.pixels_hash]
    is_known = check.fault in FAULTS if check.fault is not None else True
    return is_known and all(isinstance(each, str) and _HASH.fullmatch(each) is not None for each in hashes)


def _decoder() -> str:
    """What pixels depend on besides the file."""
    libraries = {name: features.version(name) for name in ("jpg", "webp", "libtiff", "zlib")}
    return f"{DECODER_VERSION} Pillow {PIL.__version__} {libraries} {MAX_PIXELS} {MAX_BYTES}"
