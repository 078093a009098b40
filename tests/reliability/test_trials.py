"""The trials in a short form: kills, faults, load; the long ones' figures stand in docs/reliability.md."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TRIALS = ROOT / "reliability"


@pytest.fixture(scope="module")
def trials() -> Iterator[Any]:
    """Gives a module of the trials by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TRIALS)
        yield importlib.import_module


@pytest.fixture
def bench(trials: Any, tmp_path: Path) -> Iterator[Any]:
    with trials("commands").commands(tmp_path / "inputs", are_few=True) as made:
        yield made


def test_a_command_that_is_killed_ends_in_the_same_bytes(trials: Any, bench: Any, tmp_path: Path) -> None:
    row = trials("kill").tried(bench, "generate", tmp_path, 4, 0).row()
    assert row["faults"] == []
    assert row["kills"] == 4
    assert row["calls"] > 50 or not trials("tracing").can_hit()


def test_what_a_kill_left_is_damaged_and_what_is_around_disturbed(trials: Any, bench: Any, tmp_path: Path) -> None:
    if not trials("tracing").can_hit():
        pytest.skip("strace or cc is not installed: calls to the kernel can't be found and hit")
    trial = trials("faults").Trial(bench.by_name["generate"], bench, tmp_path / "trial", 0, 1, 1)
    trial.prepare()
    n = sum(1 for _ in trial.trials(["left behind", "around"]))
    rows = trial.rows()
    assert [fault for row in rows for fault in row["faults"]] == []
    assert sum(row["right"] + row["told"] for row in rows) == n > 8


def test_a_server_that_spoils_requests_loses_and_doubles_none(trials: Any, bench: Any, tmp_path: Path) -> None:
    root = tmp_path / "load"
    found = trials("load").at_a_server(bench, root, str(bench.root / "stars.yaml"), 16, (0.05, 0.2), 0.25)
    assert [fault for fault in found["faults"] if "memory" not in fault] == []  # of seconds, memory says nothing
    assert found["questions"] == 36
    assert found["requests"] == 36 + found["spoiled"] + 1  # the server is greeted
    assert found["spoiled"] > 3


def test_several_at_once_on_one_cache_end_as_alone(trials: Any, bench: Any, tmp_path: Path) -> None:
    assert trials("load").side_by_side(bench, tmp_path, {"photos": 3, "generate": 1})["faults"] == []


def test_every_line_that_is_broken_on_purpose_is_there_once(trials: Any) -> None:
    broken = trials("broken")
    assert len(broken.BREAKS) > 30
    for one in broken.BREAKS:
        assert (ROOT / "src" / "evensight" / one.file).read_text().count(one.old) == 1, one.name
        assert all((ROOT / "tests" / name).exists() for name in one.tests), one.name


def test_the_page_is_of_the_trials_commands() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "**missed**" not in page
    assert "Not measured" not in page
