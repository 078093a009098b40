"""The trials in a short form: kills, faults, load; the long ones' figures stand in docs/reliability.md."""

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from itertools import islice
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


def needs_to_hit(trials: Any) -> None:
    """Skips a test where strace or a compiler isn't installed; in CI they have to be."""
    if not trials("tracing").can_hit():
        (pytest.fail if "CI" in os.environ else pytest.skip)("strace or cc is not installed: no call can be hit")


READS = "import os; print(len(os.read(os.open({file!r}, os.O_RDONLY), 100)))"
DATES = "import time; a, b = time.time(), time.time(); print(round(abs(a - b)), round(a))"
KEEPS = "import os; f = os.open({file!r}, os.O_RDWR); os.fsync(f); os.fsync(f)"


def test_what_disturbs_does(trials: Any, tmp_path: Path) -> None:
    needs_to_hit(trials)
    tracing = trials("tracing")
    file, now = tmp_path / "run" / "file", time.time()
    file.parent.mkdir()
    file.write_bytes(bytes(100))
    library = str(tracing.disturbing(tmp_path))

    def said(script: str, **env: str) -> list[int]:
        line = [sys.executable, "-c", script.format(file=str(file))]
        return [int(word) for word in tracing.ran(line, {"LD_PRELOAD": library, **env}).stdout.split()]

    assert said(READS) == [100]
    assert said(READS, SHORT_READS="7") == [7]
    assert said(DATES, CLOCK_BACK_S="3600")[0] == 3600
    apart, date = said(DATES, CLOCK_AHEAD_S="864000")
    assert (apart, round((date - now) / 86_400)) == (0, 10)
    line = [sys.executable, "-c", KEEPS.format(file=str(file))]
    found = [tracing.Point("fsync", k, k, "/file") for k in (1, 2, 3)]
    ends = [tracing.at(point, "EIO", line, {}, file.parent) for point in found]
    assert [(end.was_hit, end.status, "Input/output error" in end.stderr) for end in ends] == [
        (True, 1, True),
        (True, 1, True),
        (False, 0, False),
    ]
    assert tracing.at(found[1], None, line, {}, file.parent).is_killed


def test_a_command_that_is_killed_ends_in_the_same_bytes(trials: Any, bench: Any, tmp_path: Path) -> None:
    row = trials("kill").tried(bench, "generate", tmp_path, 2, 0).row()
    assert row["faults"] == []
    assert row["kills"] == 2
    assert row["calls"] > 50 or not trials("tracing").can_hit()


def test_what_a_kill_left_is_damaged_and_what_is_around_disturbed(trials: Any, bench: Any, tmp_path: Path) -> None:
    needs_to_hit(trials)
    trial = trials("faults").Disturbed(bench.by_name["generate"], bench, tmp_path / "trial", 0, n_damages=1)
    trial.prepare()
    n = sum(1 for kind in ("left behind", "around") for _ in islice(trial.trials([kind]), 4))
    rows = trial.rows()
    assert [fault for row in rows for fault in row["faults"]] == []
    assert sum(row["right"] + row["told"] for row in rows) == n > 4


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


def test_the_page_names_what_was_missed_and_what_was_not_measured(trials: Any, tmp_path: Path) -> None:
    page = trials("page").page
    killed = {"command": "generate", "calls": 83, "kills": 250, "ends": 70, "faults": []}
    (tmp_path / "kill").mkdir()
    (tmp_path / "kill" / "kill.json").write_text(json.dumps([killed]))
    good = page(tmp_path, "")
    assert "| 200 kills or more | 250 | reached |" in good
    assert "**missed**" not in good
    assert "Not measured: faults*/faults.json, fuzz*.jsonl, load/load.json" in good
    (tmp_path / "kill" / "kill.json").write_text(json.dumps([killed | {"faults": ["after 1 s: differs in a"]}]))
    (tmp_path / "faults").mkdir()
    counts = {"command": "score", "kind": "inputs", "trials": 2, "right": 0, "told": 1, "other": 0}
    silent = counts | {"faults": ["a with a bit flipped: ended well with other bytes"]}
    (tmp_path / "faults" / "faults.json").write_text(json.dumps([silent]))
    (tmp_path / "fuzz.jsonl").write_text(json.dumps({"what": "a", "n": 9_999, "accepted": 1, "refused": 9_997}))
    bad = page(tmp_path, "")
    for goal in ("100 % | 1 otherwise", "corruptions: 0 | 1", "line: 0 | 1", "each | 9,999 at least", "all | not so"):
        assert f"{goal} | **missed** |" in bad, goal


def test_the_page_is_of_the_trials_commands() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "**missed**" not in page
    assert "Not measured" not in page
