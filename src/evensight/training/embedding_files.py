"""Files for what a vision tower made of images: written once, then read where they are needed, gone afterwards.

They are mapped, not read: what is used stays in memory as long as the system has room for it. A file has a name only
until all processes have it open; one that a killed process left is removed by the next training a day later.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from tempfile import NamedTemporaryFile
from typing import IO

import numpy as np
import torch
from torch import Tensor

MAX_BYTES = 64 * 2**30
"""The most that the embeddings of one training may take; they never take more than half of what is free either."""

_SUFFIX = ".embeddings"
_LEFT_AFTER_S = 24 * 3600


class NoRoomError(Exception):
    """The embeddings would take more than they may."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds: rows `[token, layer, hidden]` of one type, by torch's name of it."""

    dtype: str
    n_layers: int
    n_hidden: int


class EmbeddingFile:
    """One process's embeddings."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        """Takes a file that is open for writing, and empty, and how large it may get."""
        self._file = file
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self.path = Path(file.name)
        self.layout: Layout | None = None
        self.n_rows = 0

    def append(self, rows: Tensor) -> int:
        """Writes rows `[token, layer, hidden]` at the end; gives the number of the first.

        Raises:
            NoRoomError: The file would get too large.
            OSError: They can't be written.
        """
        first = self.n_rows
        self._n_bytes += rows.nbytes
        if self._n_bytes > self._most_bytes:
            raise NoRoomError(
                f"what the vision tower makes of them takes more than {self._most_bytes / 2**30:,.1f} GiB"
            )
        self.layout = Layout(str(rows.dtype).removeprefix("torch."), *rows.shape[1:])
        self._file.write(rows.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        self.n_rows += len(rows)
        return first

    def flush(self) -> None:
        """Has all that was written be in the file, for other processes to read."""
        self._file.flush()


def mapped(path: Path, layout: Layout | None) -> Tensor:
    """The rows of a file, `[token, layer, hidden]`; empty if it has none."""
    if layout is None:
        return torch.empty(0, 0, 0)
    values = torch.from_numpy(np.memmap(path, np.uint8, "r+")).view(getattr(torch, layout.dtype))
    return values.view(-1, layout.n_layers, layout.n_hidden)


def check_room(folder: Path, n_bytes: int) -> None:
    """Checks that so much may be written into a folder.

    Raises:
        NoRoomError: It may not.
    """
    free = disk_usage(folder).free
    if n_bytes > _room(folder):
        raise NoRoomError(
            f"what the vision tower makes of them takes {n_bytes / 2**30:,.1f} GiB, and in `{folder}` "
            f"{free / 2**30:,.1f} are free"
        )


def _room(folder: Path) -> int:
    """How many bytes may be written into a folder."""
    return min(MAX_BYTES, disk_usage(folder).free // 2)


@contextmanager
def embedding_file(folder: Path) -> Iterator[EmbeddingFile]:
    """A new file, there while the block runs; what others left in the folder long ago is removed."""
    for left in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError):  # another process may be removing it, too
            if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                left.unlink()
    with NamedTemporaryFile(dir=folder, suffix=_SUFFIX, delete=False) as file:
        try:
            yield EmbeddingFile(file, _room(folder))
        finally:
            Path(file.name).unlink(missing_ok=True)
