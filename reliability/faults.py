"""Commands whose disk fails and whose inputs are damaged: the right result or one line that says where, no third.

    python reliability/faults.py --out runs/faults        (or: make faults)

*The disk*: of the calls to the kernel that a command makes about its folder, one is made to fail: no space
(ENOSPC), an input/output error (EIO), a read-only file system (EROFS), no right (EACCES). *The inputs*: each file
that a command reads is cut in half, emptied, removed, and has one bit flipped, at two places. After each, the
command either ends well with the same bytes as ever, or with a status that isn't zero and one line on stderr that
names what is wrong; and after a failing disk the same command, undisturbed, ends in the same bytes. Photographs
bear no hash: where they are damaged the set may be another one, without them.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from commands import Command, commands, contents, environment
from evensight.progress import progress
from evensight.randomness import below, shuffled
from evensight.runs import write_json
from tracing import Ended, at, killed_after, points

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
    "cut in half": half,
    "emptied": lambda _: b"",
    "removed": None,
    "a bit flipped": flipped("here"),
    "another bit flipped": flipped("there"),
}
"""How a file is damaged; None: it is taken away."""


@dataclass
class Verdicts:
    """How the trials of a command ended.

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

    def take(self, what: str, ended: Ended, *, same: bool) -> None:
        """Counts an end."""
        lines = [line for line in ended.stderr.splitlines() if line.startswith("evensight: ")]
        if ended.status == 0 and same:
            self.right += 1
        elif ended.status == 0:
            self.faults.append(f"{what}: ended well with other bytes")
        elif ended.status > 0 and lines and "Traceback" not in ended.stderr and "`" in lines[-1]:
            self.told += 1
        else:
            self.faults.append(f"{what}: ended with {ended.status}: {ended.stderr.strip()[-300:]}")


@dataclass
class Trial:
    """A command, its folder, and what it gives undisturbed."""

    command: Command
    root: Path
    seed: int
    expected: dict[str, str] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def out(self) -> Path:
        """Where the command writes."""
        return self.root / "run"

    def run(self) -> Ended:
        """Runs the command to its end, undisturbed."""
        return killed_after(3600.0, self.command.line(self.out), environment(self.root / "cache"))

    def clear(self) -> None:
        """Takes away what is in the command's folder, and its cache."""
        for path in (self.out, self.root / "cache"):
            shutil.rmtree(path, ignore_errors=True)

    def prepare(self) -> None:
        """Runs the command undisturbed and keeps what it gives."""
        self.root.mkdir(parents=True)
        ended = self.run()
        if ended.status != 0:
            sys.exit(f"`{self.command.name}` undisturbed ended with {ended.status}: {ended.stderr[-500:]}")
        self.expected = contents(self.out)

    def disks(self, n_each: int) -> Iterator[None]:
        """Has up to so many calls of each kind fail, one in each run."""
        self.clear()
        line, env = self.command.line(self.out), environment(self.root / "cache")
        calls = sorted({call for call, _ in DISK})
        found = [point for point in points(line, env, self.out, calls) if ".lock" not in point.path]
        for call, error in DISK:
            of_kind = [point for point in found if point.call == call]
            for point in shuffled(of_kind, self.seed, f"{call} {error} of {self.command.name}")[:n_each]:
                self.clear()
                what = f"{error} at {call} {point.nth} of {point.path}"
                ended = at(point, f"error={error}", line, env)
                self.verdicts.take(what, ended, same=contents(self.out) == self.expected)
                if self.run().status != 0 or contents(self.out) != self.expected:
                    self.verdicts.faults.append(f"{what}: another run doesn't end in the same bytes")
                yield

    def damages(self) -> Iterator[None]:
        """Damages each file that the command reads, one in each run."""
        for source in self.command.reads:
            files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
            for file in some(files):
                content = file.read_bytes()
                for name, damage in DAMAGES.items():
                    self.clear()
                    try:
                        if damage is None:
                            file.unlink()
                        else:
                            file.write_bytes(damage(content))
                        ended = self.run()
                    finally:
                        file.write_bytes(content)
                    same = self.out.exists() and contents(self.out) == self.expected
                    what = f"{file.relative_to(source.parent)} {name}"
                    if ended.status == 0 and not same and not self.command.reads_hashed:
                        self.verdicts.other += 1
                    else:
                        self.verdicts.take(what, ended, same=same)
                    yield

    def row(self) -> dict[str, Any]:
        """What goes into the table."""
        of = self.verdicts
        return {
            "command": self.command.name,
            "right": of.right,
            "told": of.told,
            "other": of.other,
            "faults": of.faults,
        }


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
    parser.add_argument("--only", nargs="+", help="these commands alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and faults.json")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)
    rows = []
    with commands((arguments.out / "inputs").absolute()) as known:
        for name in arguments.only or known:
            trial = Trial(known[name], arguments.out.absolute() / name.replace(" ", "-"), arguments.seed)
            trial.prepare()
            with progress(f"faults of {name}", 0, "runs") as advance:
                for _ in chain(trial.disks(arguments.each), trial.damages()):
                    advance()
            rows.append(trial.row())
            print(rows[-1], flush=True)
            write_json(arguments.out / "faults.json", rows)
    sys.exit(any(row["faults"] for row in rows))


if __name__ == "__main__":
    main()
