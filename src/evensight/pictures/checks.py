"""Whether many photographs can be used: each file is decoded once, in a few threads, and what was found is kept.

The record is by path and by what the file system says of the file, and of one version of the decoder; so a second
look at a hundred thousand photographs takes seconds, and one that was killed goes on. Results are in order and do
not depend on the threads, nor on the record.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evensight.annotations import Frame
from evensight.pictures.check_record import CheckRecord, FileState, PictureCheck, file_state
from evensight.pictures.decoding import Orientation, Picture, decode, pixel_hash, stored_size_wh
from evensight.pictures.files import PictureError, read_file
from evensight.progress import progress

_MOST_THREADS = 4  # each holds a picture
_BATCH = 64
_LARGE_PIXELS = 20_000_000
_SETTLED_NS = 2 * 10**9  # what was written later could be written again within one tick, and look the same


@dataclass(frozen=True, slots=True)
class _Job:
    """A file and the sizes that are declared for it."""

    path: Path
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a job has come to; `state` is None where it's not to be kept."""

    job: _Job
    checks: tuple[PictureCheck, ...]
    state: FileState | None


def check_pictures(wanted: Sequence[tuple[Path, Frame]], orientation: Orientation = "by-size") -> list[PictureCheck]:
    """What is wrong with each picture, or its hashes, in the order of `wanted`.

    Args:
        wanted: The files, each with the size that is declared for it.
        orientation: Which way they are taken (`pictures.load_rgb`).
    """
    frames: dict[Path, dict[Frame, None]] = {}
    for path, frame in wanted:
        frames.setdefault(path, {})[frame] = None
    jobs = [_Job(path, tuple(declared)) for path, declared in frames.items()]
    known: dict[tuple[Path, Frame], PictureCheck] = {}
    with progress("checking photographs", len(jobs), "photographs") as advance:
        for found in _all_found(jobs, orientation):
            known.update(
                ((found.job.path, frame), each) for frame, each in zip(found.job.frames, found.checks, strict=True)
            )
            advance()
    return [known[one] for one in wanted]


def _all_found(jobs: Sequence[_Job], orientation: Orientation) -> Iterator[_Found]:
    """Every job's findings, those that are on record as they are, in no order."""
    n_threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1))
    checker = _Checker(orientation)
    with closing(CheckRecord(orientation)) as record, ThreadPoolExecutor(n_threads) as threads:
        unknown: list[_Job] = []
        for job in jobs:
            checks = record.known(job.path, job.frames)
            if checks is None:
                unknown.append(job)
            else:
                yield _Found(job, checks, None)
        for begin in range(0, len(unknown), _BATCH):
            found = []
            for each in threads.map(checker, unknown[begin : begin + _BATCH]):
                found.append(each)
                yield each
            record.keep([(f.job.path, f.state, f.job.frames, f.checks) for f in found if f.state is not None])


class _Checker:
    """Checks one file, in any thread; large pictures are held one at a time."""

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._large = threading.Lock()

    def __call__(self, job: _Job) -> _Found:
        before, now_ns = file_state(job.path), time.time_ns()
        try:
            content = read_file(job.path)
        except PictureError as error:
            return _Found(job, (PictureCheck(error.fault, None, None),) * len(job.frames), None)
        file_hash = sha256(content).hexdigest()
        checks, is_final = self._checks(content, job, file_hash)
        is_settled = before is not None and now_ns - before.mtime_ns > _SETTLED_NS
        return _Found(job, checks, before if is_final and is_settled else None)

    def _checks(self, content: bytes, job: _Job, file_hash: str) -> tuple[tuple[PictureCheck, ...], bool]:
        """The findings, and whether they would be the same again: a lack of memory passes."""
        try:
            width, height = stored_size_wh(content, job.path)
            with self._large if width * height > _LARGE_PIXELS else nullcontext():
                picture = decode(content, job.path)
                return tuple(self._check(picture, frame, file_hash) for frame in job.frames), True
        except PictureError as error:
            failed = PictureCheck(error.fault, file_hash, None)
            return (failed,) * len(job.frames), not isinstance(error.__cause__, MemoryError)

    def _check(self, picture: Picture, frame: Frame, file_hash: str) -> PictureCheck:
        try:
            seen = picture.seen(frame, self._orientation)
        except PictureError as error:
            return PictureCheck(error.fault, file_hash, None)
        return PictureCheck(None, file_hash, pixel_hash(seen).hex())
