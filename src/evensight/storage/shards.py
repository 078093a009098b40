"""Storing a set in shards, by any number of processes, in any order, and killed at any instant: the same bytes.

Which rows a shard holds follows from the number of examples and the rows a shard has, and a shard's bytes from
its rows; who wrote it, and when, leaves no trace. A shard appears whole or not at all, so one that is there is
finished; whoever comes again goes on with the first that is missing. The manifest is written last, by whoever
finds all shards there.

A shard that is there has a receipt, its hash (`.sha256-SHARD`, until the set is sealed): one that was damaged before
the manifest held its hash is written again, and so is one that was brought here without its receipt.

Four kinds of file keep the processes apart, all hidden, all locked by `flock` (which a kill releases):

* `.lock`, held for the moments in which a folder is begun or sealed;
* `.begun-dataset`, which holds the fingerprint of what is being stored: only the same set may join;
* `.lock-writers`, shared by all that write; a folder is begun anew only when nobody holds it;
* `.lock-SHARD`, held while that shard is written.
"""

import fcntl
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.progress import Advance, progress
from evensight.runs import (
    RunFolder,
    RunManifest,
    drop_receipts,
    fingerprint,
    has_receipt,
    hash_files,
    is_as_received,
    leave_as_found,
    write_text,
)
from evensight.storage.card import CARD_NAME, CardNotes, card

EncodedRow = tuple[Example, bytes]
KIND = "dataset"
_MARKER = f".begun-{KIND}"
_WRITERS = ".lock-writers"
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Which rows each shard holds: `shard_rows` each, in order, the last one the rest.

    Attributes:
        n: How many rows there are.
        shard_rows: How many a shard has.
    """

    n: int
    shard_rows: int

    def __post_init__(self) -> None:
        if self.shard_rows < 1:
            raise InputError(f"a shard of `{self.shard_rows}` rows: expected 1 or more")

    @property
    def n_shards(self) -> int:
        """How many shards there are; a set of nothing has one, which is empty."""
        return max(1, -(-self.n // self.shard_rows))

    def rows(self, shard: int) -> range:
        """The rows of a shard, counted from 0."""
        return range(shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.n))

    def part(self, i: int, n_parts: int) -> range:
        """The shards of part `i` of `n_parts`, counted from 1: contiguous, and as many in each as can be.

        Raises:
            InputError: There is no such part.
        """
        if not 1 <= i <= n_parts:
            raise InputError(f"the shard `{i}/{n_parts}` is none: expected i/n with i from 1 to n")
        return range((i - 1) * self.n_shards // n_parts, i * self.n_shards // n_parts)


class ShardFormat(ABC):
    """How a shard is written, and what it is called."""

    name: str
    """What the command line calls it."""
    shard_rows: int
    """How many rows a shard has if nobody says otherwise."""
    stem: str
    """What a shard's name is made of: `stem.format(k, n)`."""

    def shard_name(self, shard: int, layout: Layout) -> str:
        """The name of a shard's file or folder."""
        return self.stem.format(shard, layout.n_shards)

    @abstractmethod
    def write(self, examples: ExampleSet, rows: range, path: Path, advance: Advance) -> None:
        """Writes a shard's rows to `path`, whole or not at all, with a receipt."""


class ShardStore:
    """A set on its way into a folder."""

    def __init__(
        self,
        examples: ExampleSet,
        out: Path,
        shard_format: ShardFormat,
        limit: int | None = None,
        shard_rows: int | None = None,
        notes: CardNotes | None = None,
    ) -> None:
        """Says what is to be stored; nothing is touched yet.

        Args:
            examples: The set.
            out: The folder.
            shard_format: How shards are written.
            limit: Only so many examples, from the first; the set then claims no balance.
            shard_rows: How many rows a shard has; the format's number by default.
            notes: What the card is to say that the set can't know.
        """
        n = len(examples) if limit is None else min(limit, len(examples))
        rows = shard_format.shard_rows if shard_rows is None else shard_rows
        self._examples = examples
        self._format = shard_format
        self._notes = notes
        self._folder = RunFolder(out)
        self.layout = Layout(n, min(rows, max(n, 1)))
        self._config = {
            **examples.info.config,
            "n": n,
            "format": shard_format.name,
            "shard_rows": self.layout.shard_rows,
        }
        self._inputs = {"data": examples.hash}

    def complete(self) -> RunManifest:
        """Writes all shards that are missing and seals the set.

        Raises:
            InputError: The folder holds something else, or another process is writing a shard.
        """
        manifest = self.run((1, 1))
        if manifest is None:
            raise InputError(f"`{self._folder.path}` lost a file while it was written: run the command again")
        return manifest

    def run(self, part: tuple[int, int]) -> RunManifest | None:
        """Writes those shards of part `(i, n)`, `i` from 1 to `n`, that are missing, and seals a set that is whole.

        Returns:
            The manifest, or none when shards of others are still missing.

        Raises:
            InputError: There is no such part, the folder holds something else, or another process is writing one
                of these shards.
        """
        shards = self.layout.part(*part)
        with self.joined() as done:
            if done is not None:
                return done
            total = sum(len(self.layout.rows(shard)) for shard in shards)
            with progress(f"storing {self._examples.info.name}", total, "examples") as advance:
                for shard in shards:
                    self.write(shard, advance)
            return self.seal()

    @contextmanager
    def joined(self) -> Iterator[RunManifest | None]:
        """Begins the folder, or joins those who write the same set to it, while the block runs.

        Yields:
            The manifest if the folder holds the set already; there is then nothing to do.
        """
        with _begun(self._folder, self._take_over) as (done, writers):
            try:
                yield done
            finally:
                if writers is not None:
                    writers.close()

    def _take_over(self) -> RunManifest | None:
        """Makes the folder ready, or says that it is done; `.lock` is held."""
        folder, own = self._folder, fingerprint(KIND, self._config, self._inputs)
        if folder.is_done(KIND, self._config, self._inputs):
            self._drop_locks()  # of who was killed behind the manifest
            return folder.manifest(KIND)
        marker = folder.path / _MARKER
        joins = not folder.manifest_path.exists() and marker.exists() and marker.read_text() == own
        if not joins:
            _refuse_while_written(folder.path)
            folder.begin(KIND, own)
        return None

    def missing(self) -> list[int]:
        """The shards that are not there yet."""
        path, layout = self._folder.path, self.layout
        return [
            shard
            for shard in range(layout.n_shards)
            if not has_receipt(path / self._format.shard_name(shard, layout))
        ]

    def write(self, shard: int, advance: Advance) -> None:
        """Writes a shard unless it is there; to be called by who has joined.

        Raises:
            InputError: Another process is writing it.
        """
        rows = self.layout.rows(shard)
        path = self._folder.path / self._format.shard_name(shard, self.layout)
        if self._is_there(path):
            advance(len(rows))
            return
        with (path.parent / f".lock-{path.name}").open("w") as lock:
            if not _locks(lock, fcntl.LOCK_EX):
                raise _busy(path)
            if self._is_there(path):  # finished by another while this one came
                advance(len(rows))
                return
            self._format.write(self._examples, rows, path, advance)

    def _is_there(self, path: Path) -> bool:
        """Whether a shard is there, unchanged; receipts go when the set is sealed, but only behind its manifest."""
        return is_as_received(path) or self._folder.manifest_path.exists()

    def seal(self) -> RunManifest | None:
        """Writes card and manifest if all shards are there; to be called by who has joined.

        Returns:
            The manifest; none when a shard is missing.
        """
        folder = self._folder
        with (folder.path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # waits: another may be sealing
            if folder.manifest_path.exists():
                return folder.manifest(KIND)
            if self.missing():
                return None
            folder.sweep()  # of what the killed left; nobody is writing, for all is there
            self._check_shards()
            manifest = RunManifest(KIND, self._config, self._inputs, _hashes(folder.path), self._facts())
            write_text(folder.path / CARD_NAME, card(manifest, self._notes))
            folder.seal(manifest)
            self._drop_locks()
            return manifest

    def _check_shards(self) -> None:
        """Checks that no shard has changed since it was written.

        Raises:
            InputError: One has; it is taken away.
        """
        for shard in range(self.layout.n_shards):
            path = self._folder.path / self._format.shard_name(shard, self.layout)
            if not is_as_received(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                raise InputError(
                    f"`{path}` was damaged since it was written: run the command again, which makes it anew"
                )

    def _drop_locks(self) -> None:
        """Removes locks and receipts of a whole set: whoever holds a lock finds the manifest, and writes nothing."""
        for path in self._folder.path.glob(".lock-*"):
            path.unlink(missing_ok=True)
        drop_receipts(self._folder.path)

    def _facts(self) -> dict[str, Any]:
        info, n = self._examples.info, self.layout.n
        return {
            "name": info.name,
            "n": n,
            "n_shards": self.layout.n_shards,
            "factors": list(info.factors),
            "grid": [info.grid.rows, info.grid.cols],
            "balanced": [list(pair) for pair in info.balanced] if n == len(self._examples) else [],
            "notes": dict(info.notes),
            "of_photos": info.of_photos,
            "prior": None if info.prior is None else dict(info.prior),
        }


def _hashes(folder: Path) -> dict[str, str]:
    """The hashes of the data. The card is left out: whoever shares a set may edit it."""
    return {name: hashed for name, hashed in hash_files(folder).items() if name != CARD_NAME}


@contextmanager
def _begun(
    folder: RunFolder, take_over: Callable[[], RunManifest | None]
) -> Iterator[tuple[RunManifest | None, Any]]:
    """Calls `take_over` under the folder's lock; gives what it said and the shared lock of those who write."""
    path = folder.path
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"`{path}` can't be a folder: there is a file of that name") from error
    had_lock = (path / ".lock").exists()
    with (path / ".lock").open("a") as lock:
        _wait_for(lock, path)
        try:
            done = take_over()
        except BaseException:
            leave_as_found(path, had_lock=had_lock)
            raise
        writers = None
        if done is None:
            writers = (path / _WRITERS).open("w")
            fcntl.flock(writers, fcntl.LOCK_SH)
    yield done, writers


def _refuse_while_written(path: Path) -> None:
    """Checks that nobody writes to the folder; `.lock` is held, so nobody can begin to meanwhile."""
    if (path / _WRITERS).exists():
        with (path / _WRITERS).open("w") as writers:
            if not _locks(writers, fcntl.LOCK_EX):
                raise _busy(path)


def _locks(file: Any, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(lock: Any, path: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while not _locks(lock, fcntl.LOCK_EX):
        if time.monotonic() > give_up:
            raise _busy(path)
        time.sleep(0.02)


def _busy(path: Path) -> InputError:
    return InputError(
        f"`{path}` is being written by another evensight process: wait for it, or choose another folder"
    )


def encoded_rows(examples: ExampleSet, rows: range) -> Iterator[EncodedRow]:
    """The examples of some rows with their images as files; a set may have a faster way than one by one."""
    in_bulk = getattr(examples, "encoded_rows", None)
    if in_bulk is not None:
        yield from in_bulk(rows.start, rows.stop)
        return
    for index in rows:
        yield examples[index], examples.encoded(index)
