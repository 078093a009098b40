"""How many cases of trouble are made up: a few in the tests, as many as `EVENSIGHT_FUZZ` says in `make fuzz`."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings

IS_LONG = "EVENSIGHT_FUZZ" in os.environ


def check_line(error: Exception, file: Path | None = None) -> None:
    """Checks that a refusal is one line that can be printed, and names the file."""
    assert str(error).isprintable(), str(error)
    assert file is None or str(file) in str(error), str(error)


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """A folder that is there, and empty, while the block runs."""
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def n_cases(short: int) -> int:
    """How many cases there are: `short` in the tests."""
    return int(os.environ.get("EVENSIGHT_FUZZ") or short)


def cases(short: int) -> settings:
    """Settings for that many cases: the same in each run of the tests, others each time where there are many."""
    return settings(
        max_examples=n_cases(short),
        derandomize=not IS_LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def tell(what: str, accepted: int, refused: int, n: int) -> None:
    """Checks that all cases were accepted or refused; appends the counts to the file that `EVENSIGHT_FUZZ_LOG` names.

    Args:
        what: What the cases were.
        accepted: How many were taken, with a right result.
        refused: How many were refused in one line.
        n: How many there were.
    """
    assert accepted + refused == n, (what, accepted, refused, n)
    if "EVENSIGHT_FUZZ_LOG" in os.environ:
        with Path(os.environ["EVENSIGHT_FUZZ_LOG"]).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"what": what, "accepted": accepted, "refused": refused, "n": n}) + "\n")


def tell_seen(what: str, seen: Mapping[str, int], accepted: str, refused: str) -> None:
    """Tells of the cases that were counted under two names; there are no others."""
    tell(what, seen[accepted], seen[refused], sum(seen.values()))
