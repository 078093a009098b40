"""How long the parts of a study took, kept in its folder to say how long the others will take.

Nothing but forecasts is made of it: durations differ from run to run, so they are in no result and no manifest.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from evensight.runs import MANIFEST_NAME

Kind = Literal["train", "ask", "probe"]
_NAME = ".durations.jsonl"


class Duration(msgspec.Struct, frozen=True):
    """What one part took.

    Attributes:
        kind: What was done.
        model: The model it was done with.
        n: How many examples went through the model.
        seconds: How long it took.
        size_bytes: What its folder holds.
    """

    kind: Kind
    model: str
    n: float
    seconds: float
    size_bytes: int


@contextmanager
def measured(out: Path, folder: Path, kind: Kind, model: str, n: float) -> Iterator[None]:
    """Notes how long the block takes to fill a folder; nothing where it was filled before."""
    was_done, start = (folder / MANIFEST_NAME).exists(), time.monotonic()
    yield
    if was_done:
        return
    took = Duration(kind, model, n, time.monotonic() - start, size_bytes(folder))
    with (out / _NAME).open("ab", buffering=0) as file:  # one write, so that several processes may append
        file.write(msgspec.json.encode(took) + b"\n")


def read_durations(out: Path) -> list[Duration]:
    """What has been noted; lines that can't be read are left out."""
    try:
        lines = (out / _NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Duration))
        except msgspec.DecodeError:
            continue
    return found


def forecast(durations: list[Duration], kind: Kind, model: str, n: float) -> tuple[float, int] | None:
    """The seconds and bytes that a part will take, by what those of its kind took; None before there is one."""
    like = [one for one in durations if one.kind == kind and one.model == model and one.n]
    if not like:
        return None
    rate = statistics.median(one.seconds / one.n for one in like)
    return rate * n, int(statistics.median(one.size_bytes for one in like))


def size_bytes(folder: Path) -> int:
    """What a folder's files hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
