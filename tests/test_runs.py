import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from evensight import runs
from evensight.errors import InputError
from evensight.runs import (
    RunFolder,
    RunManifest,
    atomic_file,
    atomic_folder,
    drop_receipts,
    fingerprint,
    has_receipt,
    hash_file,
    hash_files,
    hash_json,
    is_as_received,
    read_json,
    versions,
    write_json,
    write_text,
)

CONFIG: dict[str, Any] = {"design": "toy", "seed": 0}
INPUTS = {"data": "abc"}
OURS = fingerprint("dataset", CONFIG, INPUTS)


def finished(path: Path, config: dict[str, Any] = CONFIG) -> RunFolder:
    """A whole run of kind `dataset` with two files."""
    run = RunFolder(path)
    with run.locked():
        run.begin("dataset", fingerprint("dataset", config, INPUTS))
        write_text(path / "rows.txt", "the rows\n")
        write_text(path / "deep" / "more.txt", "more\n")
        run.seal(RunManifest("dataset", config, INPUTS, hash_files(path)))
    return run


@contextmanager
def killed_when_ready(script: str, *args: object) -> Iterator[None]:
    """Runs a script in another process until it prints a line; kills it for good (SIGKILL) after the block."""
    command = [sys.executable, "-c", script, *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def assert_one_line(error: BaseException) -> None:
    assert len(str(error).splitlines()) == 1


# Files and folders that are whole or not there


def _fail_within(writing: AbstractContextManager[Path], text: str, name: str = ".") -> None:
    """Writes some text where the block says, and fails before its end."""
    with writing as temporary:
        (temporary / name).write_text(text)
        (temporary.parent / "nowhere").read_text()


def test_a_file_appears_with_all_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with path.open() as reader:
        write_text(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_file_stays_as_it_was_when_the_block_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError):
        _fail_within(atomic_file(path), "ne")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    for name in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / "deep").mkdir()
            (temporary / "deep" / name).write_text(name)
    assert [file.name for file in path.rglob("*") if file.is_file()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_stays_as_it_was_when_the_block_raises(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    with atomic_folder(path) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(FileNotFoundError):
        _fail_within(atomic_folder(path), "new", "a")
    assert (path / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_stays_as_it_was_when_the_last_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    with atomic_folder(path) as temporary:
        (temporary / "a").write_text("old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if (self / "a").is_file() and (self / "a").read_text() == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"), atomic_folder(path) as temporary:
        (temporary / "a").write_text("new")
    assert (path / "a").read_text() == "old"


def test_json_that_can_not_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"b": float("nan")})
    assert path.read_bytes() == before
    assert list(json.loads(before)) == ["b", "a"]


KILLED_FILE = """
import sys, time
from pathlib import Path
from evensight.runs import atomic_file
with atomic_file(Path(sys.argv[1])) as temporary, temporary.open("wb") as file:
    file.write(b"new" * 100_000)
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_kill_in_the_middle_of_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with killed_when_ready(KILLED_FILE, path):
        assert any(file.stat().st_size > 100_000 for file in tmp_path.iterdir())
    assert path.read_bytes() == b"old"


KILLED_ANYWHERE = """
import itertools, sys
from pathlib import Path
from evensight.runs import write_text
for n in itertools.count():
    write_text(Path(sys.argv[1]), "ab"[n % 2] * 300_000)
    if n == 0:
        print("ready", flush=True)
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.011, 0.023, 0.037, 0.053])
def test_a_kill_at_any_time_leaves_a_whole_file(tmp_path: Path, delay_s: float) -> None:
    path = tmp_path / "a.txt"
    with killed_when_ready(KILLED_ANYWHERE, path):
        time.sleep(delay_s)
    assert path.read_text() in ("a" * 300_000, "b" * 300_000)


KILLED_RUN = """
import sys, time
from pathlib import Path
from evensight.runs import RunFolder, atomic_file, write_text
run = RunFolder(Path(sys.argv[1]))
with run.locked():
    run.begin("dataset", sys.argv[2])
    write_text(run.path / "first.txt", "whole")
    with atomic_file(run.path / "second.txt") as temporary:
        temporary.write_text("hal")
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_killed_run_has_no_manifest_and_no_half_files(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with killed_when_ready(KILLED_RUN, run.path, OURS):
        pass
    assert not run.manifest_path.exists()
    assert not (run.path / "second.txt").exists()
    with pytest.raises(InputError, match="half written") as caught:
        run.manifest("dataset")
    assert_one_line(caught.value)
    assert not run.is_done("dataset", CONFIG, INPUTS)


def test_a_killed_run_is_taken_up_where_it_was(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with killed_when_ready(KILLED_RUN, run.path, OURS):
        pass
    with run.locked():
        run.begin("dataset", OURS)
    assert (run.path / "first.txt").read_text() == "whole"


def test_a_killed_run_of_another_configuration_is_started_afresh(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with killed_when_ready(KILLED_RUN, run.path, "another fingerprint"):
        pass
    with run.locked():
        run.begin("dataset", OURS)
    assert not (run.path / "first.txt").exists()


def test_a_run_that_was_killed_while_it_began_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".partial-77-.begun-dataset").write_text("abc")
    RunFolder(tmp_path).begin("dataset", OURS)


# Two processes


LOCKED = """
import sys, time
from pathlib import Path
from evensight.runs import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_folder_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        killed_when_ready(LOCKED, run.path),
        pytest.raises(InputError, match="another evensight process") as caught,
        run.locked(),
    ):
        pytest.fail("both processes have the lock")
    assert_one_line(caught.value)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with killed_when_ready(LOCKED, run.path):
        pass
    with run.locked():
        assert run.path.is_dir()


def test_the_lock_is_free_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with RunFolder(tmp_path).locked():
            pass


def test_a_lock_on_a_file_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("mine")
    with pytest.raises(InputError) as caught, RunFolder(path).locked():
        pass
    assert_one_line(caught.value)
    assert path.read_text() == "mine"


# Whole runs


def test_a_finished_run_is_done(tmp_path: Path) -> None:
    assert finished(tmp_path).is_done("dataset", CONFIG, INPUTS)


def test_a_finished_run_leaves_its_files_a_lock_and_the_manifest(tmp_path: Path) -> None:
    finished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "deep", "manifest.json", "rows.txt"}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    finished(tmp_path / "a")
    finished(tmp_path / "b")
    assert hash_file(tmp_path / "a" / "manifest.json") == hash_file(tmp_path / "b" / "manifest.json")


def test_the_manifest_is_read_back(tmp_path: Path) -> None:
    manifest = finished(tmp_path).manifest("dataset")
    assert (manifest.kind, manifest.config, manifest.inputs) == ("dataset", CONFIG, INPUTS)
    assert set(manifest.files) == {"rows.txt", "deep/more.txt"}
    assert manifest.versions == versions()


@pytest.mark.parametrize(
    ("kind", "config", "inputs"),
    [
        ("evaluation", CONFIG, INPUTS),
        ("dataset", CONFIG | {"seed": 1}, INPUTS),
        ("dataset", CONFIG, {"data": "abd"}),
    ],
)
def test_another_run_is_not_done(tmp_path: Path, kind: str, config: dict[str, Any], inputs: dict[str, str]) -> None:
    assert not finished(tmp_path).is_done(kind, config, inputs)


def test_a_run_that_another_version_made_is_not_done(tmp_path: Path) -> None:
    run = finished(tmp_path)
    manifest = json.loads(run.manifest_path.read_text())
    manifest["versions"]["evensight"] = "0.0.0"
    run.manifest_path.write_text(json.dumps(manifest))
    assert not run.is_done("dataset", CONFIG, INPUTS)


@pytest.mark.parametrize("name", ["rows.txt", "deep/more.txt"])
def test_one_flipped_bit_is_seen(tmp_path: Path, name: str) -> None:
    run = finished(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[2] ^= 1
    (tmp_path / name).write_bytes(content)
    assert not run.is_done("dataset", CONFIG, INPUTS)
    with pytest.raises(InputError, match="damaged") as caught:
        run.check_files(run.manifest("dataset"))
    assert_one_line(caught.value)


def test_a_missing_file_is_seen(tmp_path: Path) -> None:
    run = finished(tmp_path)
    (tmp_path / "rows.txt").unlink()
    assert not run.is_done("dataset", CONFIG, INPUTS)


def test_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a stored set: expected a fine-tuning run") as caught:
        finished(tmp_path).manifest("finetune")
    assert_one_line(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder") as caught:
        RunFolder(tmp_path / "none").manifest("dataset")
    assert_one_line(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"dataset"',
        b"\xff\xfe\x00",
        b"{}",
        b'{"kind": "dataset"}',
        b"[" * 100_000,
        b'{"kind": "dataset", "config": 1, "inputs": {}, "files": {}, "facts": {}, "versions": {}}',
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        RunFolder(tmp_path).manifest("dataset")
    assert_one_line(caught.value)
    assert not RunFolder(tmp_path).is_done("dataset", CONFIG, INPUTS)


# Beginning


def test_a_run_begins_in_an_empty_folder(tmp_path: Path) -> None:
    RunFolder(tmp_path).begin("dataset", OURS)
    assert not RunFolder(tmp_path).is_done("dataset", CONFIG, INPUTS)


def test_a_run_does_not_begin_among_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="empty or a new folder") as caught:
        RunFolder(tmp_path).begin("dataset", OURS)
    assert_one_line(caught.value)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_run_does_not_begin_on_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        RunFolder(tmp_path / "a").begin("dataset", OURS)


def test_a_run_does_not_begin_over_a_whole_one_of_another_configuration(tmp_path: Path) -> None:
    finished(tmp_path, CONFIG | {"seed": 1})
    with pytest.raises(InputError, match="another configuration") as caught:
        RunFolder(tmp_path).begin("dataset", OURS)
    assert_one_line(caught.value)
    assert RunFolder(tmp_path).is_done("dataset", CONFIG | {"seed": 1}, INPUTS)


def test_a_run_does_not_begin_over_a_whole_one_of_another_kind(tmp_path: Path) -> None:
    finished(tmp_path)
    with pytest.raises(InputError, match="expected a fine-tuning run"):
        RunFolder(tmp_path).begin("finetune", OURS, replace=True)
    assert RunFolder(tmp_path).is_done("dataset", CONFIG, INPUTS)


def test_a_whole_run_is_thrown_away_on_demand(tmp_path: Path) -> None:
    run = finished(tmp_path, CONFIG | {"seed": 1})
    run.begin("dataset", OURS, replace=True)
    assert not (tmp_path / "rows.txt").exists()
    assert not run.manifest_path.exists()


def test_a_damaged_run_can_be_made_again(tmp_path: Path) -> None:
    (finished(tmp_path).path / "rows.txt").write_text("damaged")
    finished(tmp_path)
    assert RunFolder(tmp_path).is_done("dataset", CONFIG, INPUTS)


def test_throwing_away_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").write_text("mine")
    run = finished(tmp_path / "run", CONFIG | {"seed": 1})
    (run.path / "link").symlink_to(tmp_path / "precious")
    run.begin("dataset", OURS, replace=True)
    assert (tmp_path / "precious" / "a").read_text() == "mine"


# Hashes and JSON


def test_the_order_of_keys_does_not_change_a_hash() -> None:
    assert hash_json({"a": 1, "b": [1, 2]}) == hash_json({"b": [1, 2], "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": 2})


def test_the_hash_of_a_file_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")  # the example of FIPS 180-2
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_file(tmp_path / "a") == expected


def test_hidden_files_and_the_manifest_have_no_hash(tmp_path: Path) -> None:
    for name in ("a.txt", ".lock", "manifest.json", ".hidden/b.txt"):
        write_text(tmp_path / name, "x")
    assert list(hash_files(tmp_path)) == ["a.txt"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json.*expected a run manifest") as caught:
        read_json(tmp_path / "none.json", "run manifest")
    assert_one_line(caught.value)


def test_a_folder_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_json(tmp_path, "run manifest")


def test_this_process_is_not_the_writer_of_another(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a") as temporary:
        assert str(os.getpid()) in temporary.name
        temporary.touch()


@pytest.mark.parametrize("was", ["whole", "begun"])
def test_a_kill_while_another_run_is_thrown_away_does_not_lock_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str
) -> None:
    run = finished(tmp_path, CONFIG | {"seed": 1})
    if was == "begun":
        run.manifest_path.unlink()
        (tmp_path / ".begun-dataset").write_text("another")

    def killed(path: Path, missing_ok: bool = False) -> None:
        real(path, missing_ok=missing_ok)
        if path.parent == tmp_path and not path.name.startswith(".partial"):
            raise KeyboardInterrupt

    real = Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            run.begin("dataset", OURS, replace=True)
    run.begin("dataset", OURS, replace=True)
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", ".begun-dataset"}


@pytest.mark.parametrize("content", [b'{"kind": NaN}', b'{"kind": 1' + b"0" * 5000 + b"}"])
def test_a_number_that_is_none_is_not_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="can't be read as a run manifest"):
        read_json(tmp_path / "a.json", "run manifest")


def test_a_folder_that_is_refused_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError), RunFolder(tmp_path).locked():
        RunFolder(tmp_path).begin("dataset", "fingerprint")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / ".lock").write_text("mine too")
    with pytest.raises(InputError), RunFolder(tmp_path).locked():
        RunFolder(tmp_path).begin("dataset", "fingerprint")
    assert (tmp_path / ".lock").read_text() == "mine too"


def test_a_manifest_with_one_flipped_bit_is_seen(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.seal(RunManifest("toy", {"seed": 1}, {}, {}))
    content = folder.manifest_path.read_bytes()
    assert folder.manifest("toy").config == {"seed": 1}
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        folder.manifest_path.write_bytes(bytes(changed))
        if not says_the_same(bytes(changed), content):  # white space may change
            with pytest.raises(InputError):
                folder.manifest("toy")


def says_the_same(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def test_a_manifest_of_before_they_had_their_own_hash_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.seal(RunManifest("toy", {}, {}, {}))
    value = json.loads(folder.manifest_path.read_text())
    del value["sha256"]
    folder.manifest_path.write_text(json.dumps(value))
    assert folder.manifest("toy").kind == "toy"


def test_what_a_killed_run_left_beside_its_whole_result_is_taken_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin("toy", "fingerprint")
    (tmp_path / "pictures").mkdir()
    folder.seal(RunManifest("toy", {}, {}, {}))
    (tmp_path / ".begun-toy").write_text("fingerprint")  # killed before it was unlinked
    (tmp_path / "pictures" / ".partial-1-a.png").write_bytes(b"half")
    assert folder.is_done("toy", {}, {})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["manifest.json", "pictures"]


def test_a_disk_that_refuses_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/a\.json'"):
        write_json(tmp_path / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def damage(path: Path) -> None:
    """Flips a bit of a file, or of a folder's first one."""
    file = next(iter(sorted(path.iterdir()))) if path.is_dir() else path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def test_what_has_a_receipt_is_known_to_be_unchanged(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a", receipt=True) as path:
        path.write_text("one")
    with atomic_folder(tmp_path / "b", receipt=True) as path:
        (path / "file").write_text("two")
    write_json(tmp_path / "c", {"three": 3}, receipt=True)
    for name in "abc":
        assert is_as_received(tmp_path / name)
        damage(tmp_path / name)
        assert not is_as_received(tmp_path / name)
        assert has_receipt(tmp_path / name)
    write_text(tmp_path / "d", "without")
    assert not is_as_received(tmp_path / "d")
    drop_receipts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_whatever_has_a_name_has_its_receipt_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Path, target: Path) -> Path:
        if target.name == "a":
            raise KeyboardInterrupt
        self.rename(target)
        return target

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "a", receipt=True) as path:
        path.write_text("new")
    assert has_receipt(tmp_path / "a")
    assert not is_as_received(tmp_path / "a")  # what is there is not what the receipt is for: it is made again


def test_all_is_on_the_disk_before_a_name_is_given_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, bool]] = []
    flush = runs.flush

    def seen(path: Path) -> None:
        kept.append((path.name.rpartition("-")[2], (tmp_path / "out").exists()))
        flush(path)

    monkeypatch.setattr(runs, "flush", seen)
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "deep").mkdir()
        for name in ("a", "deep/b"):
            (folder / name).write_text(name)
    assert sorted(kept[:-1]) == [("a", False), ("b", False), ("deep", False), ("out", False)]
    assert kept[-1] == (tmp_path.name.rpartition("-")[2], True)
    kept.clear()
    (tmp_path / "out" / "a").unlink()
    with atomic_file(tmp_path / "file") as path:
        path.write_text("a")
    assert [name for name, _ in kept] == ["file", tmp_path.name.rpartition("-")[2]]
