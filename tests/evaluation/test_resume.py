"""An evaluation that is killed with SIGKILL, anywhere, asks nothing twice and ends in the same bytes as others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evensight.runs import RunFolder, hash_files

HARNESS = Path(__file__).parents[1] / "support" / "killed_evaluation.py"
N_KILLS = int(os.environ.get("EVENSIGHT_KILLS", "4"))


def run(out: Path, n_kills: int) -> int:
    """How often it was killed."""
    command = [sys.executable, str(HARNESS), str(out), str(n_kills), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run(out, 0) == 0
    return out


def test_a_killed_evaluation_ends_in_the_same_bytes(undisturbed: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "run", N_KILLS) >= min(N_KILLS, 3)
    assert hash_files(tmp_path / "run") == hash_files(undisturbed)
    assert RunFolder(tmp_path / "run").manifest("evaluation") == RunFolder(undisturbed).manifest("evaluation")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {path.name for path in undisturbed.iterdir()}
