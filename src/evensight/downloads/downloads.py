"""One file from a URL, whole and right, or not there at all.

What has come of a file stands in a *part* beside its place (`.download-NAME`), with what the server called this
version of the file (`.download-NAME.json`). A part is always a prefix of what the server sent: it is only ever
written on, so a process may be killed at any byte and the next one goes on. The file gets its name once all its bytes
are there, are on the disk, and have the SHA-256 that was known before (or, where none is, pass the caller's check).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from evensight.downloads.connections import Answer, Connections, DownloadError, Interrupted
from evensight.downloads.parts import Part, write_all
from evensight.errors import InputError
from evensight.runs import hash_file, one_line

MOST_UNPINNED_BYTES = 64 << 20
"""Where no size is known beforehand, a server that sends more than this is not believed."""

Fault = Callable[[Path], str | None]
"""What is wrong with a file that came whole, to be put after its URL ("is not a JPEG"); None for nothing."""


class UnreachableError(DownloadError):
    """A file didn't come whole in all the tries there are; another file of the same server hardly would."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file below some base URL, and what is known of its bytes beforehand.

    Attributes:
        path: Its path below the base ("zips/val2017.zip").
        n_bytes: Its size.
        sha256: Its SHA-256, in hex.
    """

    path: str
    n_bytes: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def fault(self, path: Path) -> str | None:
        """How a file that is here differs from this one; None if it doesn't."""
        n_bytes = path.stat().st_size
        if self.n_bytes is not None and n_bytes != self.n_bytes:
            return f"has {n_bytes:,} bytes: expected {self.n_bytes:,}"
        if self.sha256 is not None and (found := hash_file(path)) != self.sha256:
            return f"has other bytes than it should: expected SHA-256 {self.sha256}, got {found}"
        return None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on with a server that fails.

    Attributes:
        stall_s: How long to wait for the next byte, in seconds.
        n_tries: After how many tries in a row that brought less than `step_bytes` to give up.
        step_bytes: What a try must bring to count as getting on.
        first_wait_s: The wait after the first such try, in seconds; it doubles with each.
        longest_wait_s: The longest wait, also where the server asks for a longer one.
        sleep: How to wait some seconds; None for as long as the download isn't stopped.
    """

    stall_s: float = 30.0
    n_tries: int = 6
    step_bytes: int = 1 << 20
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    sleep: Callable[[float], object] | None = None

    def wait_s(self, n_failed: int, asked_s: float) -> float:
        """How long to wait after the `n_failed`-th try in a row, where the server asks for `asked_s`."""
        return min(self.longest_wait_s, max(asked_s, self.first_wait_s * 2.0 ** (n_failed - 1)))


class Downloader:
    """Downloads files; one may be used by many threads, each with a file of its own."""

    def __init__(
        self, patience: Patience | None = None, n_at_once: int = 1, tell: Callable[[str], None] | None = None
    ) -> None:
        """Opens nothing yet.

        Args:
            patience: How long to go on with a server that fails.
            n_at_once: How many threads will use it.
            tell: Is told, in a line, why a try ended and when the next begins.
        """
        self._patience = patience or Patience()
        self._connections = Connections(self._patience.stall_s, n_at_once)
        self._stopped = threading.Event()
        self._sleep = self._stopped.wait if self._patience.sleep is None else self._patience.sleep
        self._tell = tell or (lambda _: None)

    def stop(self) -> None:
        """Lets the downloads that are under way end soon; their parts stay."""
        self._stopped.set()

    def download(
        self,
        base: str,
        file: RemoteFile,
        target: Path,
        *,
        parts: Path | None = None,
        fault: Fault | None = None,
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Downloads a file to `target`, going on with what is there of it.

        Args:
            base: The URL below which its path is.
            file: The file.
            target: Where it shall be.
            parts: The folder for its part, on the same disk; `target`'s by default.
            fault: What else to check of its bytes.
            moved: Is told how many of its bytes are here, now and then.

        Raises:
            DownloadError: It can't be had, or isn't what it should be.
            UnreachableError: It did not come whole in all the tries there are; what came stays.
            InputError: The disk is full or can't be written; what came stays.
        """
        url = f"{base}/{quote(file.path)}"
        part = Part(parts or target.parent, target.name)
        try:
            self._download(url, file, part, fault, moved)
            part.publish(target)
        except OSError as error:
            raise InputError(
                f"`{part.path}` can't be written: {error.strerror or one_line(error)}; what came of `{url}` stays: "
                "free some space or check the folder, then run the same command again"
            ) from error

    def _download(
        self, url: str, file: RemoteFile, part: Part, fault: Fault | None, moved: Callable[[int], None]
    ) -> None:
        for is_last in (False, True):  # bytes that came damaged get one more chance, from the first on
            self._complete(url, file, part, moved)
            found = file.fault(part.path) or (fault(part.path) if fault else None)
            if found is None:
                return
            part.discard()
            if is_last:
                raise DownloadError(f"`{url}` {found}")
            self._tell(f"`{url}` {found}; from the beginning once more")

    def _complete(self, url: str, file: RemoteFile, part: Part, moved: Callable[[int], None]) -> None:
        """Receives until all bytes are there."""
        n_failed, best = 0, part.n_bytes
        while True:
            try:
                self._receive(url, file, part, moved)
            except Interrupted as interrupted:
                if part.n_bytes >= best + self._patience.step_bytes:
                    n_failed, best = 0, part.n_bytes
                n_failed += 1
                self._wait(url, interrupted, n_failed, part.n_bytes)
            else:
                return

    def _wait(self, url: str, interrupted: Interrupted, n_failed: int, n_bytes: int) -> None:
        if self._stopped.is_set() or n_failed >= self._patience.n_tries:
            raise UnreachableError(
                f"`{url}` did not come whole: {interrupted} (tries: {n_failed}); {n_bytes:,} bytes are here, "
                "the same command goes on with them"
            )
        wait_s = self._patience.wait_s(n_failed, interrupted.wait_s)
        self._tell(f"`{url}`: {interrupted}; again in {wait_s:.0f} s ({n_failed} of {self._patience.n_tries})")
        self._sleep(wait_s)

    def _receive(self, url: str, file: RemoteFile, part: Part, moved: Callable[[int], None]) -> None:
        """One try: asks for what is missing and writes what comes."""
        here, validator = part.n_bytes, part.validator
        if here == file.n_bytes and part.path.exists():
            return
        if self._stopped.is_set():
            raise Interrupted("stopped")
        if (file.n_bytes is not None and here > file.n_bytes) or (file.sha256 is None and validator is None):
            part.discard()  # nothing would tell that the rest is of the same file
            here = 0
        answer = self._connections.open(url, here, validator if here else None)
        try:
            _check_size(url, file, answer)  # before what is there is given up
            if answer.start == 0:
                part.begin(answer.validator)
            self._write(url, file, part, answer, moved)
        finally:
            answer.close()

    def _write(self, url: str, file: RemoteFile, part: Part, answer: Answer, moved: Callable[[int], None]) -> None:
        expected = answer.n_bytes if file.n_bytes is None else file.n_bytes
        most = MOST_UNPINNED_BYTES if expected is None else expected
        here = answer.start
        with part.path.open("ab", buffering=0) as out:
            while block := answer.read():
                here += len(block)
                if here > most:
                    out.close()
                    part.discard()
                    raise DownloadError(
                        f"`{url}` goes on after {most:,} bytes, all it should have ({answer.content_type})"
                    )
                write_all(out.fileno(), block)
                moved(here)
                if self._stopped.is_set():
                    raise Interrupted("stopped")
        if expected is not None and here < expected:
            raise Interrupted("the connection broke off")


def _check_size(url: str, file: RemoteFile, answer: Answer) -> None:
    promised, expected = answer.n_bytes, file.n_bytes
    if promised is None or expected is None or promised == expected:
        return
    raise DownloadError(
        f"`{url}` is another file: expected {expected:,} bytes, the server has {promised:,} ({answer.content_type})"
    )


def download_from(
    downloader: Downloader,
    bases: Sequence[str],
    file: RemoteFile,
    target: Path,
    *,
    parts: Path | None = None,
    fault: Fault | None = None,
    moved: Callable[[int], None] = lambda _: None,
) -> None:
    """Downloads a file from the first of the base URLs that has it; the arguments are `Downloader.download`'s.

    Raises:
        DownloadError: None has it; the message has each one's reason.
        UnreachableError: None has it, and the last could not be reached.
    """
    reasons: list[DownloadError] = []
    for base in bases:
        try:
            downloader.download(base, file, target, parts=parts, fault=fault, moved=moved)
        except DownloadError as error:
            reasons.append(error)
        else:
            return
    raise type(reasons[-1])("; and ".join(map(str, reasons)))
