"""A picture's file, and what can be wrong with it.

Only regular files are read: a pipe would be waited for, and a device can do anything when it is opened.
"""

import errno
import os
import stat
from pathlib import Path

from evensight.errors import InputError, printable
from evensight.runs import one_line

MAX_BYTES = 2**30
"""A file with more bytes is refused before it is read; a picture of `MAX_PIXELS` has fewer."""
MISSING, NOT_A_FILE, UNDECODABLE, TOO_LARGE, OTHER_SIZE, AMBIGUOUS = FAULTS = (
    "image file missing",
    "image that is no file",
    "image file that can't be decoded",
    "image too large to be decoded",
    "image of another size than declared",
    "EXIF tag turns it and its declared size doesn't say which way it was annotated",
)
"""Why a picture can't be used."""

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)  # and a ValueError: a name with a NUL
HINT = "mend it or take it out of the folder"


class PictureError(InputError):
    """A picture can't be used.

    Attributes:
        fault: One of `FAULTS`, by which such pictures are counted.
    """

    def __init__(self, message: str, fault: str = UNDECODABLE) -> None:
        super().__init__(message)
        self.fault = fault


def read_file(path: Path) -> bytes:
    """The bytes of a regular file; a pipe or a device of that name is neither waited for nor opened.

    Raises:
        PictureError: It is not there, is no file, is too large or can't be read.
    """
    try:
        _check_file(path.stat(), path)
        with os.fdopen(_open_at_once(path), "rb") as file:
            _check_file(os.fstat(file.fileno()), path)
            content = file.read(MAX_BYTES + 1)
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        fault = MISSING if isinstance(error, ValueError) or error.errno in _NOT_THERE else UNDECODABLE
        why = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise PictureError(f"`{shown(path)}` can't be read as an image: {why}; {HINT}", fault) from error
    if len(content) > MAX_BYTES:
        raise _too_large_a_file(path)
    return content


def shown(path: Path) -> str:
    """A path as a message shows it: on one line, with no character that a terminal would obey."""
    text = printable(str(path))
    return text if len(text) <= 300 else f"{text[:149]}…{text[-150:]}"


def _open_at_once(path: Path) -> int:
    """Opens without waiting: between the look at the file and now it may have become a pipe."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))


def _check_file(facts: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(facts.st_mode):
        what = "a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe or a device"
        raise PictureError(f"`{shown(path)}` can't be read as an image: it is {what}; {HINT}", NOT_A_FILE)
    if facts.st_size > MAX_BYTES:
        raise _too_large_a_file(path)


def _too_large_a_file(path: Path) -> PictureError:
    return PictureError(
        f"`{shown(path)}` has more than {MAX_BYTES // 10**6:,} million bytes: make it smaller or leave it out",
        TOO_LARGE,
    )
