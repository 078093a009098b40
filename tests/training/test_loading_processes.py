"""Processes that load data and die, fall silent or fail: one line that says so."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from torch.utils.data import DataLoader

from evensight.errors import InputError, is_lack_of_memory
from evensight.training.loading_processes import impatient, loading_explained, patience_s


def die(_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(_: Any) -> Any:
    time.sleep(60)


def refuse(_: Any) -> Any:
    raise InputError("`a.jpg` can't be read: expected a picture")


def starve(_: Any) -> Any:
    raise MemoryError


def load(collate: Callable[[Any], Any]) -> None:
    """Loads what never comes."""
    numbers: Any = range(2)
    loader: Any = DataLoader(numbers, collate_fn=collate, num_workers=1)
    with loading_explained():
        list(impatient(loader))


def test_a_process_that_is_killed_is_told_of() -> None:
    with pytest.raises(
        InputError, match=r"a process that loads data ended .*`DataLoader worker.*run the command again"
    ):
        load(die)


def test_a_process_that_is_silent_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENSIGHT_LOADER_PATIENCE_S", "1")
    with pytest.raises(InputError, match=r"was silent for 1 s \(`DataLoader timed out after 1"):
        load(sleep)


@pytest.mark.parametrize("said", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_patience_that_is_none_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENSIGHT_LOADER_PATIENCE_S", said)
    with pytest.raises(InputError, match=r"`EVENSIGHT_LOADER_PATIENCE_S` is `.*`: expected a number of seconds"):
        patience_s()


def test_the_message_of_a_process_comes_alone() -> None:
    with pytest.raises(InputError) as caught:
        load(refuse)
    assert str(caught.value) == "`a.jpg` can't be read: expected a picture"


def test_a_process_without_memory_is_told_from_a_bug() -> None:
    with pytest.raises(MemoryError) as caught:
        load(starve)
    assert is_lack_of_memory(caught.value)
    assert not is_lack_of_memory(RuntimeError("shapes differ"))
