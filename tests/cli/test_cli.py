"""The commands as a user types them: help, bad input in one line, exit codes, nothing lost."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.models.embedded import EMBEDDED_FOLDER
from forged import reseal
from made_runs import half, write_run

COMMANDS = ("designs", "generate", "audit", "finetune", "evaluate", "score", "compare", "probe", "report", "study")
PHOTOS = ("photos make", "photos counts", "photos fetch", "photos sheet")
MAIN = "from evensight.cli import main; main()"


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def assert_one_line(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("evensight: ")


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        "embedded train",
        "embedded card",
        "models list",
        "models inspect",
        "models accelerate",
        "probe compare",
        *PHOTOS,
    ],
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(cli.app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert f"evensight {command}" in " ".join(shown.output.replace("│", " ").split())


def test_help_names_all_commands() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    assert all(command in shown for command in (*COMMANDS, "embedded", "photos", "models"))


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "numpy", "scipy", "pyarrow", "PIL", "pydantic", "jinja2")
    code = (
        "import sys; sys.argv = ['evensight', '--help']\n"
        "from evensight.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_designs_are_listed_with_their_sizes() -> None:
    shown = CliRunner().invoke(cli.app, ["designs"]).output
    assert all(size in shown for size in ("1,620", "3,888", "11,664"))


@pytest.fixture
def half_written(tmp_path: Path) -> Path:
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "data-00000-of-00001.parquet").write_bytes(b"PAR1")
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "civet-tset", "--out", "OUT"], "`civet-tset` is not known: expected one of civet-train"),
        (["generate", "civet-test", "--out", "OUT", "--size", "20"], "`20` px is too small for a 9x9 grid"),
        (["audit", "nowhere"], "`nowhere` is not a folder"),
        (["audit", "no\x1b[31mwhere\u202e"], r"`no\x1b[31mwhere\u202e` is not a folder"),
        (["audit", "half"], "half written"),
        (["photos", "make", "nowhere", "--split", "val2017", "--out", "OUT"], "`nowhere` is not a folder"),
        (["photos", "make", ".", "--split", "val2017", "--out", "OUT"], "expected COCO's instances of `val2017`"),
        (["photos", "make", ".", "--split", "val2017"], "`--out` is missing"),
        (["photos", "make", "--out", "OUT"], "ROOT is missing"),
        (["photos", "make", ".", "--out", "OUT"], "`--split` is missing"),
        (["photos", "make", "--annotations", "a.json", "--out", "OUT"], "`--images` is missing"),
        (["photos", "counts", "--annotations", "a.json", "--images", "."], "`a.json` is not there"),
        (["photos", "sheet", "half", "sheet.jpg"], "half written"),
        (["photos", "sheet", "half", "sheet.gif"], "ends in .jpg or .png"),
        (["generate", "coco-val", "--photos", "nowhere", "--out", "OUT"], "expected a folder with val2017/"),
        (["generate", "coco-vla", "--out", "OUT"], "coco-train-mixed"),
        (["photos", "make", ".", "--split", "val2017", "--prior", "x", "--out", "OUT"], "expected COCO's instances"),
        (["finetune", "--model", "embedded", "--data", "half", "--out", "OUT"], "half written"),
        (["evaluate", "--model", "embedded", "--data", "half", "--out", "OUT"], "half written"),
        (["score", "nowhere"], "`nowhere` is not a folder"),
        (["score", "half"], "half written"),
        (["score", "--data", "half", "--answers", "a.jsonl", "--out", "OUT"], "`a.jsonl` is not a file"),
        (["report", "nowhere", "--out", "OUT"], "`nowhere` is not a folder"),
        (["report", "half", "--out", "OUT"], "holds no evaluation"),
        (["study", "nowhere.yaml", "--out", "OUT"], "is not there: expected a YAML file"),
        (["embedded", "train", "--out", "half"], "`half` is not empty"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    half_written: Path,
    arguments: Sequence[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evensight", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("evensight: ")
    assert len(printed.splitlines()) == 1
    assert says in printed
    assert {path.name for path in tmp_path.iterdir()} == {"half"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "set"
    assert run("generate", "civet-train", "--out", str(folder), "--limit", "20", "--size", "108").returncode == 0
    return folder


def test_a_model_folder_without_weights_is_one_line(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_bytes((EMBEDDED_FOLDER / "config.json").read_bytes())
    done = run("evaluate", "--model", "model", "--data", str(stored), "--out", "run", cwd=tmp_path)
    assert_one_line(done)
    assert "has no weights as safetensors" in done.stderr


def test_generating_into_the_folder_of_another_set_loses_nothing(stored: Path) -> None:
    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    done = run("generate", "civet-test", "--out", str(stored))
    assert_one_line(done)
    assert "choose a new folder" in done.stderr
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before


def test_a_full_disk_is_one_line_and_leaves_no_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["evensight", "generate", "civet-train", "--out", str(tmp_path / "set")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    printed = capsys.readouterr().err.strip()
    assert printed.startswith("evensight: No space left on device")
    assert "free some space" in printed
    assert not (tmp_path / "set" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "memory is too small (`MemoryError`)"),
        (RuntimeError("Caught it.\nDefaultCPUAllocator: can't allocate memory"), "can't allocate memory"),
        (RuntimeError("shapes differ"), None),
    ],
)
def test_a_lack_of_memory_is_one_line_and_a_bug_is_none(
    error: Exception, says: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit if says else RuntimeError):
        cli.main()
    printed = capsys.readouterr().err
    assert printed.count("\n") == (1 if says else 0)
    assert (says or "") in printed


def test_audit_exits_with_one_when_the_claim_is_broken(stored: Path, tmp_path: Path) -> None:
    import shutil

    assert run("audit", str(stored)).returncode == 0
    broken = Path(shutil.copytree(stored, tmp_path / "broken"))
    facts = json.loads((broken / "manifest.json").read_text())["facts"]
    reseal(broken, facts={**facts, "balanced": [["area", "slot"], ["shape", "area"]]})
    done = run("audit", str(broken), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_an_embedded_folder_can_be_trained_anew_only_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert_one_line(run("embedded", "train", "--out", str(tmp_path)))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_report_does_not_replace_a_device(tmp_path: Path) -> None:
    write_run(tmp_path / "run", half)
    os.mkfifo(tmp_path / "pipe")
    assert_one_line(run("report", str(tmp_path / "run"), "--out", str(tmp_path / "pipe")))
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("facts", [{"set": ""}, {"grid": [3, 3]}, {"grid": [9.5, 9]}])
def test_an_evaluation_whose_manifest_is_wrong_is_one_line(tmp_path: Path, facts: dict[str, object]) -> None:
    write_run(tmp_path / "run", half)
    known = json.loads((tmp_path / "run" / "manifest.json").read_text())["facts"]
    reseal(tmp_path / "run", facts=known | facts)
    assert_one_line(run("report", str(tmp_path / "run"), "--out", str(tmp_path / "r.html")))


def test_ctrl_c_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evensight.storage.shards.ShardStore.run", stop)
    monkeypatch.setattr(sys, "argv", ["evensight", "generate", "civet-train", "--out", str(tmp_path / "set")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert "run the same command again" in capsys.readouterr().err
