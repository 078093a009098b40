"""What a command asks of the kernel for its folder, and how one of these calls is made its last, or made to fail.

`strace` lists the calls (`points`) and, in another run of the same command, sends SIGKILL as the n-th of a kind
begins, or has it fail with an error of the kernel's (`at`). So it is the real process that is hit, in Python or in
the libraries beneath it.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evensight.errors import InputError

WRITES = ("write", "pwrite64", "writev", "fsync", "rename", "mkdir", "unlink", "rmdir", "unlinkat")
"""The calls that change what is on the disk."""

_CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)$")


@dataclass(frozen=True, slots=True)
class Point:
    """A call to the kernel: the n-th of its kind that the process makes.

    Attributes:
        call: The kind: `fsync`.
        nth: Which one, from 1 on, of all that the process makes, its folder's or not.
        path: What it is about, below the command's folder.
    """

    call: str
    nth: int
    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status (negative: the signal), and what it wrote to stderr."""

    status: int
    stderr: str


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
    found, seen, first = [], Counter[str](), matches[0][1] if matches else ""
    for match in matches:
        if match[1] == first:
            seen[match[2]] += 1
            about = re.search(re.escape(str(folder)) + r'(/[^">]*)', match[3])
            if about:
                found.append(Point(match[2], seen[match[2]], about[1]))
    return found


def at(point: Point, what: str, line: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Runs the command with `what` (`signal=KILL`, `error=ENOSPC`) at a call."""
    inject = f"inject={point.call}:{what}:when={point.nth}"
    # without --seccomp-bpf, with which strace 6.1 doesn't count the calls for `when`
    words = [needs_strace(), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={point.call}"]
    done = subprocess.run([*words, "-e", inject, *line], env=env, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stderr)


def killed_after(seconds: float, line: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Runs the command and kills it, with all its processes, after so long."""
    run = subprocess.Popen(
        list(line), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0
    )
    try:
        _, stderr = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        _, stderr = run.communicate()
    return Ended(run.returncode, stderr)
