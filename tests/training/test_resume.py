"""A training that is killed with SIGKILL, anywhere, ends in the bytes of one that nobody disturbed."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evensight.errors import InputError
from evensight.runs import RunFolder, fingerprint, hash_files
from evensight.training.checkpoints import FOLDER_NAME, SEAL_NAME, Checkpoints
from evensight.training.finetune import finetune
from evensight.training.guard import Guard
from evensight.training.loop import Loop
from evensight.training.trainer import Upkeep

HARNESS = Path(__file__).parents[1] / "support" / "killed_training.py"
sys.path.insert(0, str(HARNESS.parent))
from killed_training import CONFIG, UPKEEP, examples  # noqa: E402

N_KILLS = int(os.environ.get("EVENSIGHT_KILLS", "4"))


class StopHereError(Exception):
    """What stands for a kill where no new process is needed."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finetune("embedded", examples(), CONFIG, out, upkeep=Upkeep())
    return out


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as a run leaves it that was killed in step 14, with checkpoints of steps 8, 9 and 12."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    train_until(14, out)
    assert steps(out) == [8, 9, 12]
    return out


def train_until(step: int, out: Path, **options: Any) -> None:
    before = Guard.on_pre_optimizer_step

    def stop(self: Guard, args: Any, state: Any, *rest: Any, **more: Any) -> None:
        if state.global_step + 1 == step:
            raise StopHereError
        before(self, args, state, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guard, "on_pre_optimizer_step", stop)
        with pytest.raises(StopHereError):
            finetune("embedded", examples(), CONFIG, out, upkeep=UPKEEP, **options)


def steps(out: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (out / FOLDER_NAME).glob("step-*"))


def resumed_from(out: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Where the run goes on from when it is begun again; it is then brought to its end."""
    seen: list[str | None] = []
    train = Loop.train

    def watched(self: Loop, resume_from_checkpoint: str | None = None, **options: Any) -> Any:
        seen.append(resume_from_checkpoint and Path(resume_from_checkpoint).name)
        return train(self, resume_from_checkpoint=resume_from_checkpoint, **options)

    monkeypatch.setattr(Loop, "train", watched)
    finetune("embedded", examples(), CONFIG, out, upkeep=UPKEEP)
    return seen


def assert_same(out: Path, undisturbed: Path) -> None:
    assert hash_files(out) == hash_files(undisturbed)
    assert (out / "manifest.json").read_bytes() == (undisturbed / "manifest.json").read_bytes()
    assert not (out / FOLDER_NAME).exists()


def test_killed_again_and_again_it_ends_in_the_same_bytes(undisturbed: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(HARNESS), str(tmp_path / "run"), str(N_KILLS), "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= min(N_KILLS, 3)
    assert_same(tmp_path / "run", undisturbed)


def test_it_goes_on_from_the_last_checkpoint(
    interrupted: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(interrupted, tmp_path / "run")
    assert resumed_from(tmp_path / "run", monkeypatch) == ["step-00000012"]
    assert_same(tmp_path / "run", undisturbed)


def damaged(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
def test_each_file_of_a_checkpoint_is_needed_whole(interrupted: Path, tmp_path: Path, how: str) -> None:
    run = fingerprint_of(interrupted)
    names = [path.name for path in (interrupted / FOLDER_NAME / "step-00000012").iterdir()]
    assert {"trained.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} < set(names)
    for name in names:
        out = tmp_path / name
        shutil.copytree(interrupted / FOLDER_NAME, out)
        damaged(out / "step-00000012" / name, how)
        assert [found.step for found in Checkpoints(out, run).whole()] == [9, 8], name


def fingerprint_of(out: Path) -> str:
    return (out / ".begun-finetune").read_text() + "-1"


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    interrupted: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    damaged(out / FOLDER_NAME / "step-00000012" / "optimizer.pt", "cut")
    assert resumed_from(out, monkeypatch) == ["step-00000009"]
    assert "the checkpoint of step 12 in" in capsys.readouterr().err
    assert_same(out, undisturbed)


def test_without_a_whole_checkpoint_it_begins_again(
    interrupted: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    for path in (out / FOLDER_NAME).glob("step-*"):
        (path / SEAL_NAME).unlink()
    (out / FOLDER_NAME / "checkpoint-13").mkdir()
    assert resumed_from(out, monkeypatch) == [None]
    assert_same(out, undisturbed)


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(
    interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    config = CONFIG.model_copy(update={"seed": 1, "epochs": 0.2})
    finetune("embedded", examples(), config, out)
    assert "were of a run with other settings or data: training begins again" in capsys.readouterr().err
    finetune("embedded", examples(), config, tmp_path / "alone")
    assert hash_files(out) == hash_files(tmp_path / "alone")


def test_how_often_a_checkpoint_is_written_is_no_part_of_the_run(undisturbed: Path) -> None:
    manifest = RunFolder(undisturbed).manifest("finetune")
    assert manifest.fingerprint == fingerprint("finetune", manifest.config, manifest.inputs)
    assert not set(Upkeep.model_fields) & set(manifest.config)


def test_a_disk_without_space_for_a_checkpoint_is_an_os_error_and_the_one_before_stays(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    save = Loop._save_rng_state

    def full(self: Loop, folder: str) -> None:
        if self.state.global_step == 9:
            raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64: file write failed")
        save(self, folder)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_save_rng_state", full)
        with pytest.raises(OSError, match="a checkpoint can't be written"):
            finetune("embedded", examples(), CONFIG, out, upkeep=UPKEEP)
    assert resumed_from(out, monkeypatch) == ["step-00000008"]
    assert_same(out, undisturbed)


def test_a_checkpoint_whose_best_weights_are_gone_is_not_gone_on_with(
    interrupted: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    shutil.rmtree(out / FOLDER_NAME / "step-00000012")  # 8 has the best weights until 9
    damaged(out / FOLDER_NAME / "step-00000008" / "trained.safetensors", "cut")
    assert resumed_from(out, monkeypatch) == [None]
    assert_same(out, undisturbed)


def test_a_checkpoint_of_another_run_is_never_given_out(interrupted: Path) -> None:
    path = interrupted / FOLDER_NAME
    assert [found.step for found in Checkpoints(path, fingerprint_of(interrupted)).whole()] == [12, 9, 8]
    assert not list(Checkpoints(path, "another").whole())


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_that_would_run_code_runs_none(interrupted: Path, tmp_path: Path) -> None:
    run, place, name = tmp_path / "run", tmp_path / "made by a payload", "optimizer.pt"
    shutil.copytree(interrupted, run)
    for step in steps(run):
        folder = run / FOLDER_NAME / f"step-{step:08d}"
        (folder / name).write_bytes(pickle.dumps({"state": Payload(place)}))
        seal = json.loads((folder / SEAL_NAME).read_text())
        files = {file: known for file, known in hash_files(folder).items() if file != SEAL_NAME}
        (folder / SEAL_NAME).write_text(json.dumps(seal | {"files": files}))
    with pytest.raises(InputError, match=r"the checkpoint `.*` holds more than numbers: remove it"):
        finetune("embedded", examples(), CONFIG, run, upkeep=UPKEEP)
    assert not place.exists()
    pickle.loads((run / FOLDER_NAME / "step-00000012" / name).read_bytes())
    assert place.exists()  # or the payload was none
