"""How many cases of trouble are made up: a few in the tests, as many as `EVENSIGHT_FUZZ` says in `make fuzz`."""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

IS_LONG = "EVENSIGHT_FUZZ" in os.environ


def check_line(error: Exception, file: Path | None = None) -> None:
    """Checks that a refusal is one line that can be printed, and names the file."""
    assert str(error).isprintable(), str(error)
    assert file is None or str(file) in str(error), str(error)


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
