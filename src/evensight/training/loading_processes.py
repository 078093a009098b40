"""The processes that load data while a model trains: what is said when one of them dies, or says nothing any more.

The kernel kills a process when memory is short. torch notices a loader's process that died, but waits for ever for
one whose thread for sending was the one that got no memory; so each batch has to come within ten minutes, or within
as many seconds as `EVENSIGHT_LOADER_PATIENCE_S` says.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames
from typing import Any

from evensight.errors import InputError
from evensight.runs import one_line

PATIENCE_VARIABLE, PATIENCE_S = "EVENSIGHT_LOADER_PATIENCE_S", 600.0
_WRAPPED = f"Caught {InputError.__name__} in DataLoader worker"
_ENDED = ("exited unexpectedly", "is killed by signal", "DataLoader timed out")


def patience_s() -> float:
    """How many seconds a batch may take to be loaded.

    Raises:
        InputError: The environment says something that is no time.
    """
    said = os.environ.get(PATIENCE_VARIABLE, str(PATIENCE_S))
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise InputError(f"`{PATIENCE_VARIABLE}` is `{said}`: expected a number of seconds above 0")
    return seconds


def impatient(loader: Any) -> Any:
    """Has a `DataLoader` with processes, also one that accelerate has wrapped, wait for a batch only so long."""
    loads = getattr(loader, "base_dataloader", loader)
    if loads.num_workers > 0:
        loads.timeout = patience_s()
    return loader


@contextmanager
def loading_explained() -> Iterator[None]:
    """Has a loader's process that ended, or says nothing, be an error that says what to do.

    An `InputError` of such a process comes as its message, without torch's words and traceback around it.

    Raises:
        InputError: One did.
    """
    try:
        yield
    except InputError as error:
        if not str(error).startswith(_WRAPPED):
            raise
        clear_frames(error.__traceback__)
        raise InputError(str(error).rpartition(f"{InputError.__name__}: ")[2].removesuffix("\\n")) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _ENDED):
            raise
        clear_frames(error.__traceback__)  # the other processes end now, not when somebody forgets the error
        raise InputError(
            f"a process that loads data ended or was silent for {patience_s():,.0f} s (`{one_line(error)}`), as when "
            "memory is short: end other programs, or choose a smaller batch size, and run the command again, which "
            "goes on from its last checkpoint"
        ) from error
