"""The journal of a set that is being asked: answers, appended as they come.

A line is the answers that came together, as JSON, and the CRC-32 of that. Only whole lines that are as they were
written count, so those who were answered together are there together or not at all, whenever a process is killed;
they are asked again together. Each process has a file of its own. What was asked again stands behind what it
replaces.
"""

import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Self

import msgspec

from evensight.models.answering import Answer

FLUSH_S = 1.0
"""So long after a write the disk is asked to keep it: a power cut costs that much work at most, a kill none."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(list[Answer])


class Journal:
    """A process's file in a journal, open to be appended to."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Opens it behind its last whole line.

        Args:
            folder: The journal's folder.
            rank: The process's number.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = _path(folder, rank)
        content = path.read_bytes() if path.exists() else b""
        self._file: IO[bytes] = path.open("ab", buffering=0)
        self._file.truncate(content.rfind(b"\n") + 1)
        self._flushed_s = time.monotonic()

    def append(self, answers: Sequence[Answer]) -> None:
        """Writes answers that came together."""
        line = memoryview(checked_line(_ENCODER.encode([_storable(answer) for answer in answers])))
        while line:
            line = line[self._file.write(line) :]
        if time.monotonic() - self._flushed_s > FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        os.fsync(self._file.fileno())
        self._flushed_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.close()


def read_journal(folder: Path) -> dict[int, Answer]:
    """The answers so far, by the questions' places; of those with a fault, the fault."""
    found: dict[int, Answer] = {}
    for path in sorted(folder.glob(_path(folder, "*").name)):
        for line in path.read_bytes().split(b"\n")[:-1]:
            for answer in _answers(line):
                if answer.fault is None or found.get(answer.index, answer).fault is not None:
                    found[answer.index] = answer
    return found


def checked_line(content: bytes) -> bytes:
    """A line of a journal: JSON, what tells whether it has changed since, and the line's end."""
    return b"%b\t%08x\n" % (content, zlib.crc32(content))


def _answers(line: bytes) -> list[Answer]:
    """A line's answers; none of one that is not as it was written: they are asked again."""
    content = line.rpartition(b"\t")[0]
    try:
        return _DECODER.decode(content) if checked_line(content) == line + b"\n" else []
    except msgspec.DecodeError:
        return []


def _path(folder: Path, rank: int | str) -> Path:
    return folder / f"answers-{rank}.jsonl"


def _storable(answer: Answer) -> Answer:
    """The answer with what no file can hold, halves of characters, replaced."""
    raw = answer.raw.encode("utf-8", "replace").decode("utf-8")
    return answer if raw == answer.raw else replace(answer, raw=raw)
