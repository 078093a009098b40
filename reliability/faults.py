"""Commands whose disk fails, whose files are damaged, whose workers die: the right result or one line, no third.

    python reliability/faults.py --out runs/faults        (or: make faults)

*disk*: of the calls to the kernel that a command makes about its folder, one is made to fail: no space (ENOSPC), an
input/output error (EIO), a read-only file system (EROFS), no right (EACCES), too many files (EMFILE).
*inputs*: a file that the command reads is cut in half, emptied, removed, or has one bit flipped.
*left behind*: the same is done to each file that a killed run left in its folder; then the command is started again.
*caches*: the same is done to each file of the cache that a run filled; then the command is run anew.
*package*: the same is done to the embedded model's files, in a copy of the package.
*around*: the kernel reads 4,096 bytes at a time at most; the clock jumps back an hour whenever it is asked; a process
that loads data is killed, or gets no more memory.

After each, the command either ends well with the same bytes as ever, or with a status that isn't zero and one line on
stderr that names what is wrong; and after a failing disk or worker the same command, undisturbed, ends in the same
bytes. Photographs bear no hash: where they are damaged the set may be another one, without them.
"""

import argparse
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import commands
from evensight.progress import progress
from evensight.randomness import below, shuffled
from evensight.runs import write_json
from stage import Stage
from tracing import Ended, at, by_strace, disturbing, points, with_worker

DISK = (
    ("write", "ENOSPC"),
    ("write", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("fsync", "EIO"),
    ("fsync", "ENOSPC"),
    ("rename", "EIO"),
    ("rename", "EROFS"),
    ("mkdir", "ENOSPC"),
    ("mkdir", "EROFS"),
    ("unlink", "EACCES"),
    ("openat", "EACCES"),
    ("openat", "ENOSPC"),
    ("openat", "EMFILE"),
)
"""Calls, and how they fail."""

AROUND = {"short reads": {"SHORT_READS": "4096"}, "a clock that jumps back": {"CLOCK_BACK_S": "3600"}}
"""What `disturbed.c` is told."""

KINDS = ("disk", "inputs", "left behind", "caches", "package", "around")


def half(content: bytes) -> bytes:
    """The first half."""
    return content[: len(content) // 2]


def flipped(where: str) -> Callable[[bytes], bytes]:
    """Flips one bit, at a place that a hash of the content and a word choose."""

    def flip(content: bytes) -> bytes:
        if not content:
            return b"\0"
        bit = below(8 * len(content), len(content), f"a bit flipped {where}")
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    return flip


DAMAGES: Mapping[str, Callable[[bytes], bytes] | None] = {
    "with a bit flipped": flipped("here"),
    "cut in half": half,
    "emptied": lambda _: b"",
    "removed": None,
    "with another bit flipped": flipped("there"),
}
"""How a file is damaged; None: it is taken away."""


@dataclass
class Verdicts:
    """How trials ended.

    Attributes:
        right: With the right result.
        told: With one line.
        other: With the right result of other inputs: these bear no hash.
        faults: Otherwise, a line each.
    """

    right: int = 0
    told: int = 0
    other: int = 0
    faults: list[str] = field(default_factory=list)

    def take(self, what: str, ended: Ended, *, same: bool, noise: bool = False) -> None:
        """Counts an end; with noise, others may have written before the line."""
        lines = [line for line in ended.stderr.splitlines() if line.startswith("evensight: ")]
        is_told = bool(lines) and "`" in lines[-1]
        is_told &= ended.stderr.rstrip().endswith(lines[-1]) if noise and lines else "Traceback" not in ended.stderr
        if ended.status == 0 and same:
            self.right += 1
        elif ended.status == 0:
            self.faults.append(f"{what}: ended well with other bytes")
        elif ended.status > 0 and is_told:
            self.told += 1
        else:
            self.faults.append(f"{what}: ended with {ended.status}: {ended.stderr.strip()[-600:]}")

    @property
    def n(self) -> int:
        """How many."""
        return self.right + self.told + self.other + len(self.faults)


@dataclass
class Disturbed(Stage):
    """A command and how it ended under each kind of fault.

    Attributes:
        n_each: How many calls of each kind fail.
        n_damages: How many of the damages each file gets.
        verdicts: How the trials of each kind ended.
    """

    n_each: int = 3
    n_damages: int = len(DAMAGES)
    verdicts: dict[str, Verdicts] = field(default_factory=dict)

    def trials(self, kinds: Iterable[str]) -> Iterator[None]:
        """All trials of these kinds, one at each step."""
        ways = {
            "disk": self.disks,
            "inputs": self.inputs,
            "left behind": self.left_behind,
            "caches": self.caches,
            "package": self.package,
            "around": self.around,
        }
        for kind in kinds:
            self.verdicts[kind] = Verdicts()
            yield from ways[kind](self.verdicts[kind])

    def disks(self, verdicts: Verdicts) -> Iterator[None]:
        """Has up to so many calls of each kind fail, one in each run."""
        if not self.writes:
            return
        self.clear()
        calls = sorted({call for call, _ in DISK})
        found = [point for point in points(self.line, self.env, self.out, calls) if ".lock" not in point.path]
        for call, error in DISK:
            of_kind = [point for point in found if point.call == call]
            for point in shuffled(of_kind, self.seed, f"{call} {error} of {self.command.name}")[: self.n_each]:
                self.clear()
                what = f"{error} at {call} {point.nth} of {point.path}"
                ended = at(point, error, self.line, self.env, self.out)
                if not ended.was_hit:
                    self.clear()
                    ended = by_strace(point, error, self.line, self.env)
                verdicts.take(what, ended, same=self._is_same(ended))
                self._ends_well_again(what, verdicts)
                yield

    def inputs(self, verdicts: Verdicts) -> Iterator[None]:
        """Damages each file that the command reads."""
        for source in self.command.reads:
            files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
            for file in some(files):
                for name in self._drawn(file):
                    self.clear()
                    with damaged(file, name):
                        ended = self.run()
                    same, what = self._is_same(ended), f"{file.relative_to(source.parent)} {name}"
                    if ended.status == 0 and not same and not self.command.reads_hashed:
                        verdicts.other += 1
                    else:
                        verdicts.take(what, ended, same=same)
                    yield

    def left_behind(self, verdicts: Verdicts) -> Iterator[None]:
        """Damages each file of a folder that a killed run left; the command is started again."""
        if not self.command.writes:
            return
        self.clear()
        found = points(self.line, self.env, self.out, ("rename", "fsync"))
        kept = self.root / "left"
        for third in (1, 2):
            self.clear()
            point = found[third * len(found) // 3]
            if not at(point, None, self.line, self.env, self.out).is_killed:
                verdicts.faults.append(f"{point} was not reached again")
                continue
            shutil.rmtree(kept, ignore_errors=True)
            self.out.rename(kept)
            for file in some(sorted(path for path in kept.rglob("*") if path.is_file())):
                for name in self._drawn(file):
                    self.clear()
                    shutil.copytree(kept, self.out)
                    damage(self.out / file.relative_to(kept), name)
                    what = f"killed at {point.call} {point.nth}, {file.relative_to(kept)} {name}"
                    ended = self.run()
                    verdicts.take(what, ended, same=self._is_same(ended))
                    yield
        shutil.rmtree(kept, ignore_errors=True)

    def caches(self, verdicts: Verdicts) -> Iterator[None]:
        """Damages each file of a filled cache; the command is run anew."""
        self.clear()
        self.run()
        kept = self.root / "kept"
        if not self.cache.exists():
            return
        shutil.copytree(self.cache, kept)
        for file in some(sorted(path for path in kept.rglob("*") if path.is_file())):
            for name in self._drawn(file):
                self.clear()
                shutil.copytree(kept, self.cache)
                damage(self.cache / file.relative_to(kept), name)
                ended = self.run()
                what = f"cache {file.relative_to(kept)} {name}"
                verdicts.take(what, ended, same=self._is_same(ended))
                yield
        shutil.rmtree(kept)

    def package(self, verdicts: Verdicts) -> Iterator[None]:
        """Damages each file of the embedded model."""
        if self.command.name != "evaluate":
            return
        for file in sorted((self.bench.package / "models" / "embedded_weights").iterdir()):
            for name in self._drawn(file):
                self.clear()
                with damaged(file, name):
                    ended = self.run()
                verdicts.take(f"{file.name} {name}", ended, same=self._is_same(ended))
                yield

    def around(self, verdicts: Verdicts) -> Iterator[None]:
        """Disturbs what is around the command's process."""
        library = str(disturbing(self.root))
        for what, told in AROUND.items():
            self.clear()
            ended = self.run(LD_PRELOAD=library, **told)
            verdicts.take(what, ended, same=self._is_same(ended))
            yield
        if not self.command.has_workers:
            return
        for what, does in WORKERS.items():
            self.clear()
            had, ended = with_worker(does, self.line, self.env)
            if not had:
                verdicts.faults.append(f"{what}: there was no worker")
                continue
            verdicts.take(what, ended, same=self._is_same(ended), noise=True)  # the worker's own
            self._ends_well_again(what, verdicts)
            yield

    def rows(self) -> list[dict[str, Any]]:
        """What goes into the table."""
        return [
            {
                "command": self.command.name,
                "kind": kind,
                "trials": of.n,
                "right": of.right,
                "told": of.told,
                "other": of.other,
                "faults": of.faults,
            }
            for kind, of in self.verdicts.items()
            if of.n
        ]

    def _is_same(self, ended: Ended) -> bool:
        return self.result(ended) == self.expected

    def _ends_well_again(self, after: str, verdicts: Verdicts) -> None:
        ended = self.run()
        if ended.status != 0 or not self._is_same(ended):
            verdicts.faults.append(f"{after}: another run doesn't end in the same bytes: {ended.stderr[-300:]}")

    def _drawn(self, file: Path) -> list[str]:
        """The damages that a file gets."""
        return list(shuffled(list(DAMAGES), self.seed, f"damages of {file.name}")[: self.n_damages])


def damage(file: Path, name: str) -> None:
    """Does to a file what a damage's name says."""
    change = DAMAGES[name]
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change(file.read_bytes()))


@contextmanager
def damaged(file: Path, name: str) -> Iterator[None]:
    """A file is damaged while the block runs."""
    content = file.read_bytes()
    damage(file, name)
    try:
        yield
    finally:
        file.write_bytes(content)


def _kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def _starve(worker: int) -> None:
    """Lets a process have no more memory than it has."""
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + (1 << 20)
    resource.prlimit(worker, resource.RLIMIT_AS, (most, most))


WORKERS: Mapping[str, Callable[[int], None]] = {"a worker that dies": _kill, "a worker without memory": _starve}


def some(files: list[Path], n_alike: int = 2) -> list[Path]:
    """The files but for locks, and at most so many of one folder with one suffix."""
    taken: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        if file.name != ".lock":
            alike = taken.setdefault((file.parent, file.suffix), [])
            alike.append(file) if len(alike) < n_alike or not file.suffix else None
    return [file for alike in taken.values() for file in alike]


def main() -> None:
    """Puts every command on trial, prints the table and ends with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=3, help="failing calls of each kind")
    parser.add_argument("--damages", type=int, default=len(DAMAGES), help="how many of the damages each file gets")
    parser.add_argument("--only", nargs="+", help="these commands alone")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="these kinds alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and faults.json")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    rows: list[dict[str, Any]] = []
    with commands((given.out / "inputs").absolute()) as bench:
        for name in given.only or bench.by_name:
            root = given.out.absolute() / name.replace(" ", "-")
            trial = Disturbed(
                bench.by_name[name], bench, root, given.seed, n_each=given.each, n_damages=given.damages
            )
            trial.prepare()
            with progress(f"faults of {name}", 0, "runs") as advance:
                for _ in trial.trials(given.kinds):
                    advance()
            for row in trial.rows():
                print(row, flush=True)
            rows += trial.rows()
            write_json(given.out / "faults.json", rows)
    sys.exit(any(row["faults"] for row in rows))


if __name__ == "__main__":
    main()
