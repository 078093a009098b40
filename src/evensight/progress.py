"""How far long work is, at what rate, and how long it will still take; always on stderr.

In a terminal it is a live bar. Elsewhere (a log, a pipe) it is a line every few seconds, so that a log file
stays readable. Work that is done within two seconds shows nothing.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Item = TypeVar("Item")

QUIET_S = 2.0
_LOG_EVERY_S = 10.0


class Advance(Protocol):
    """Tells the progress that more units are done, with a short note to show beside the rate."""

    def __call__(self, n: int = 1, note: str = "") -> None:
        """Counts `n` more units as done."""


class _Rate(TextColumn):
    def __init__(self, unit: str) -> None:
        super().__init__("")
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed and speed >= 10 else _slow(speed, self._unit))


def _slow(speed: float | None, unit: str) -> str:
    return f"{speed:.2f} {unit}/s" if speed else ""


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Shows the progress of the block; the block calls what it is given as units get done.

    Args:
        label: What is being done.
        total: How many units there are.
        unit: What a unit is ("scenes"), for the rate.
    """
    if sys.stderr.isatty():
        with _bar(label, total, unit) as advance:
            yield advance
    else:
        with _lines(label, total, unit) as advance:
            yield advance


def track(
    items: Iterable[Item],
    label: str,
    total: int,
    unit: str,
    weight: Callable[[Item], int] = lambda _: 1,
) -> Iterator[Item]:
    """Passes the items on, showing the progress; an item counts for `weight(item)` units once it is used."""
    with progress(label, total, unit) as advance:
        for item in items:
            yield item
            advance(weight(item))


def say(line: str) -> None:
    """Writes one line beside the progress: something that the user should know and that stops nothing."""
    print(f"evensight: {line}", file=sys.stderr, flush=True)  # noqa: T201 - this is the progress display itself


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), refresh_per_second=5)
    task = bar.add_task(label, total=total, note="")
    begun = time.monotonic()
    started = False

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal started
        bar.update(task, advance=n, note=note)
        if not started and time.monotonic() - begun > QUIET_S:
            bar.start()
            started = True

    try:
        yield advance
    finally:
        if started:
            bar.stop()


@contextmanager
def _lines(label: str, total: int, unit: str) -> Iterator[Advance]:
    begun = last = time.monotonic()
    done = 0

    def write(now: float, note: str) -> None:
        rate = done / max(now - begun, 1e-9)
        left = f"{(total - done) / rate:.0f} s left" if rate and done < total else f"{now - begun:.0f} s"
        print(  # noqa: T201 - this is the progress display itself
            f"{label}: {done}/{total} {unit}, {rate:.3g} {unit}/s, {left} {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - begun > QUIET_S and (now - last > _LOG_EVERY_S or done >= total):
            last = now
            write(now, note)

    yield advance
