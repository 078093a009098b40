"""What a command asks of the kernel for its folder, and how one of these calls is made its last, or made to fail.

`strace` lists the calls (`points`). In another run of the same command SIGKILL comes as the n-th of a kind begins, or
that fails with an error of the kernel's: in the C library (`at`, `disturbed.c`), which takes no time, or, for what
doesn't go through that, by strace (`by_strace`). So it is the real process that is hit, in Python or in the libraries
beneath it.
"""

import errno
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from evensight.errors import InputError

WRITES = ("write", "pwrite64", "writev", "fsync", "rename", "mkdir", "unlink", "rmdir", "unlinkat")
"""The calls that change what is on the disk."""

_LONG_S = 3600.0
_CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)$")


@dataclass(frozen=True, slots=True)
class Point:
    """A call to the kernel: the n-th of its kind that the process makes.

    Attributes:
        call: The kind: `fsync`.
        nth: Which one, from 1 on, of all that the process makes, its folder's or not.
        nth_below: Which one of those about the command's folder.
        path: What it is about, below the command's folder.
    """

    call: str
    nth: int
    nth_below: int
    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status (negative: the signal), what it wrote, and whether the call to hit came."""

    status: int
    stderr: str
    stdout: str = ""
    was_hit: bool = True

    @property
    def is_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.status in (-signal.SIGKILL, 128 + signal.SIGKILL)


def can_hit() -> bool:
    """Whether there is what is needed to find calls to the kernel, and to hit them."""
    return shutil.which("strace") is not None and shutil.which("cc") is not None


def needs_strace() -> str:
    """Where strace is.

    Raises:
        InputError: It isn't installed.
    """
    found = shutil.which("strace")
    if found is None:
        raise InputError("`strace` is not installed: the trials need it to find and hit calls to the kernel")
    return found


def points(line: Sequence[str], env: Mapping[str, str], folder: Path, calls: Sequence[str] = WRITES) -> list[Point]:
    """The calls about files below `folder` that the command's own process makes, in order.

    Args:
        line: The command line; it is run to its end.
        env: Its environment.
        folder: Where the files are.
        calls: The kinds to list.
    """
    log = folder.parent / f"{folder.name}.strace"
    words = [needs_strace(), "-f", "-qq", "-y", "-s", "0", "--seccomp-bpf", "-o", str(log)]
    done = subprocess.run(
        [*words, "-e", f"trace={','.join(calls)}", *line], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise InputError(f"`{' '.join(line)}` ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found = listed(log.read_text(errors="replace").splitlines(), folder)
    log.unlink()
    return found


def listed(lines: Sequence[str], folder: Path) -> list[Point]:
    """The calls of the first process in strace's log that are about files below `folder`."""
    matches = [match for match in map(_CALL.match, lines) if match]
    found, seen, below, first = [], Counter[str](), Counter[str](), matches[0][1] if matches else ""
    for match in matches:
        if match[1] == first:
            seen[match[2]] += 1
            about = re.search(re.escape(str(folder)) + r'(/[^">]*)', match[3])
            if about:
                below[match[2]] += 1
                found.append(Point(match[2], seen[match[2]], below[match[2]], about[1]))
    return found


def at(point: Point, error: str | None, line: Sequence[str], env: Mapping[str, str], folder: Path) -> Ended:
    """Runs the command with a call that fails, or that is its last.

    Args:
        point: The call.
        error: How it fails (`ENOSPC`); None: SIGKILL comes as it begins.
        line: The command line.
        env: Its environment.
        folder: The folder that the call is about.
    """
    library, mark = disturbing(folder.parent), folder.parent / "hit"
    mark.unlink(missing_ok=True)
    told = {"HIT_CALL": point.call, "HIT_NTH": str(point.nth_below), "HIT_FOLDER": str(folder), "HIT_MARK": str(mark)}
    told["HIT_ERRNO"] = str(getattr(errno, error) if error else 0)
    ended = ran(line, {**env, **told, "LD_PRELOAD": str(library)})
    return replace(ended, was_hit=mark.exists())


def by_strace(point: Point, error: str | None, line: Sequence[str], env: Mapping[str, str]) -> Ended:
    """As `at`, for a call of whatever library, and many times slower."""
    inject = f"inject={point.call}:{f'error={error}' if error else 'signal=KILL'}:when={point.nth}"
    # without --seccomp-bpf, with which strace 6.1 doesn't count the calls for `when`
    words = [needs_strace(), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={point.call}"]
    return ran([*words, "-e", inject, *line], env)


def ran(line: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Runs the command to its end; one that hangs is killed in the end, too."""
    return killed_after(_LONG_S, line, env)


def killed_after(seconds: float, line: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Runs the command and kills it, with all its processes, after so long."""
    run = _begun(line, env)
    try:
        stdout, stderr = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        stdout, stderr = run.communicate()
    return Ended(run.returncode, stderr, stdout)


def with_worker(do: Callable[[int], None], line: Sequence[str], env: Mapping[str, str]) -> tuple[bool, Ended]:
    """Runs the command, and as soon as it has a process of its own does something to that, once.

    Returns:
        Whether it ever had one, and how it ended.
    """
    run = _begun(line, env)
    done = False
    while run.poll() is None and not done:
        for listed_in in Path(f"/proc/{run.pid}/task").glob("*/children"):
            with suppress(OSError):
                workers = listed_in.read_text().split()
                if workers:
                    do(int(workers[0]))
                    done = True
                    break
        time.sleep(0.002)
    stdout, stderr = run.communicate()
    return done, Ended(run.returncode, stderr, stdout)


def _begun(line: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        list(line), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


def disturbing(folder: Path) -> Path:
    """The library of `disturbed.c`, compiled into a folder.

    Raises:
        InputError: There is no compiler, or it fails.
    """
    library = folder / "disturbed.so"
    if library.exists():
        return library
    compiler = shutil.which("cc")
    if compiler is None:
        raise InputError("`cc` is not installed: the trials need a C compiler for `disturbed.c`")
    source = Path(__file__).with_name("disturbed.c")
    words = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(f"`{source}` can't be compiled: {done.stderr.strip()[-300:]}")
    return library
