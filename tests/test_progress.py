import io
import time
from types import SimpleNamespace

import pytest

from evensight import progress as module
from evensight.progress import progress, track


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_short_work_shows_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 100, "scenes") as advance:
        clock.now_s += 1.9
        advance(100)
    assert capsys.readouterr() == ("", "")


def test_long_work_says_how_far_it_is_at_what_rate_and_how_long_it_takes(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("drawing", 100, "scenes") as advance:
        clock.now_s += 20
        advance(40, note="loss 0.5")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "drawing: 40/100 scenes, 2 scenes/s, 30 s left loss 0.5\n"


def test_the_last_unit_is_always_told(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 2, "scenes") as advance:
        for _ in range(2):
            clock.now_s += 2
            advance()
    assert capsys.readouterr().err == "drawing: 2/2 scenes, 0.5 scenes/s, 4 s\n"


def test_a_log_gets_a_line_every_few_seconds_only(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 10_000, "scenes") as advance:
        for _ in range(1_000):
            clock.now_s += 0.1
            advance()
    assert 5 <= len(capsys.readouterr().err.splitlines()) <= 20


def test_tracking_passes_the_items_on_and_weighs_them(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for item in track(["a", "bb", "ccc"], "reading", 6, "letters", weight=len):
        clock.now_s += 4
        seen.append(item)
    assert seen == ["a", "bb", "ccc"]
    assert capsys.readouterr().err.splitlines()[-1].startswith("reading: 6/6 letters")


def test_an_error_in_the_work_comes_through(clock: Clock) -> None:
    with pytest.raises(KeyError), progress("drawing", 2, "scenes"):
        raise KeyError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_rate_and_time_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress("drawing", 100, "scenes") as advance:
        clock.now_s += 3
        advance(20)
        time.sleep(0.02)
        advance(20, note="loss 0.5")
    shown = terminal.getvalue()
    assert all(part in shown for part in ("drawing", "40/100", "scenes/s", "0:00", "loss 0.5"))


def test_short_work_shows_nothing_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("drawing", 2, "scenes") as advance:
        advance(2)
    assert terminal.getvalue() == ""
