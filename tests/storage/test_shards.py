import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from evensight.annotations import PAPER_GRID
from evensight.datasets.examples import Example
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import Factor, cell_factor, factor
from evensight.storage.formats import FORMATS
from evensight.storage.shards import Layout, ShardStore
from evensight.storage.stored import StoredExamples, store, store_part

SHARD_ROWS = 30


def made(seed: int = 0) -> SceneExamples:
    """324 small scenes: eleven shards of 30, the last one of 24."""
    factors = (
        Factor("shape", ("square", "circle")),
        factor("color", ("red", "green")),
        Factor("size", ("large",)),
        cell_factor(PAPER_GRID),
    )
    return SceneExamples(SceneDesign("few", "", PAPER_GRID, Product(factors)), 64, seed)


def content(folder: Path) -> dict[str, bytes]:
    """All files that are seen."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("at-once") / "set"
    store(made(), out, shard_rows=SHARD_ROWS)
    return content(out)


def test_a_layout_holds_every_row_once() -> None:
    for n, rows in itertools.product(range(12), range(1, 14)):
        layout = Layout(n, rows)
        assert [row for k in range(layout.n_shards) for row in layout.rows(k)] == list(range(n))
        for parts in range(1, 6):
            shards = [k for i in range(1, parts + 1) for k in layout.part(i, parts)]
            assert shards == list(range(layout.n_shards))


def test_the_files_are_named_by_their_number(at_once: dict[str, bytes]) -> None:
    data = sorted(name for name in at_once if name.endswith(".parquet"))
    assert data == [f"data-{k:05d}-of-00011.parquet" for k in range(11)]


def test_shards_are_read_as_one_set(tmp_path: Path) -> None:
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    stored, fresh = StoredExamples(tmp_path), made()
    assert list(stored) == list(fresh)
    for index in (0, 29, 30, 31, 299, 300, 323):
        assert stored.image(index).tobytes() == fresh.image(index).tobytes()
    for index in (-1, 324):
        with pytest.raises(IndexError):
            stored.encoded(index)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_parts_in_any_order_are_the_set_at_once(
    tmp_path: Path, at_once: dict[str, bytes], order: tuple[int, ...]
) -> None:
    sealed = [store_part(made(), tmp_path, (i, 3), shard_rows=SHARD_ROWS) for i in order]
    assert [manifest is not None for manifest in sealed] == [False, False, True]
    assert content(tmp_path) == at_once


def test_storing_what_parts_have_begun_completes_it(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    store_part(made(), tmp_path, (2, 3), shard_rows=SHARD_ROWS)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("data-*")}
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    after = {path.name: path.stat().st_ino for path in tmp_path.glob("data-*")}
    assert before
    assert before.items() <= after.items()
    assert content(tmp_path) == at_once


def test_parts_from_several_folders_are_put_together(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    for i in (1, 2):
        store_part(made(), tmp_path / str(i), (i, 2), shard_rows=SHARD_ROWS)
    for pattern in ("data-*", ".sha256-data-*"):
        for path in (tmp_path / "2").glob(pattern):
            path.rename(tmp_path / "1" / path.name)
    before = {path.name: path.stat().st_ino for path in (tmp_path / "1").glob("data-*")}
    store(made(), tmp_path / "1", shard_rows=SHARD_ROWS)
    assert content(tmp_path / "1") == at_once
    assert before == {path.name: path.stat().st_ino for path in (tmp_path / "1").glob("data-*")}


def test_more_parts_than_shards_are_the_set_too(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    for i in range(1, 17):
        store_part(made(), tmp_path, (i, 16), shard_rows=SHARD_ROWS)
    assert content(tmp_path) == at_once


@pytest.mark.parametrize("part", [(0, 3), (4, 3), (1, 0)])
def test_a_part_that_is_none_is_refused(tmp_path: Path, part: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        store_part(made(), tmp_path / "set", part)
    assert not (tmp_path / "set").exists()


def test_a_part_of_another_set_does_not_join(tmp_path: Path) -> None:
    store_part(made(), tmp_path, (1, 2), shard_rows=SHARD_ROWS)
    store(made(seed=1), tmp_path, shard_rows=SHARD_ROWS)  # nobody writes there: what was begun is given up
    assert list(StoredExamples(tmp_path)) == list(made(seed=1))
    with pytest.raises(InputError, match="choose a new folder"):
        store_part(made(), tmp_path, (2, 2), shard_rows=SHARD_ROWS)


@pytest.mark.parametrize("shard_rows", [0, -3])
def test_shards_of_no_rows_are_refused(tmp_path: Path, shard_rows: int) -> None:
    with pytest.raises(InputError, match="1 or more"):
        store(made(), tmp_path / "set", shard_rows=shard_rows)


def test_a_set_of_nothing_is_one_empty_file(tmp_path: Path) -> None:
    store(made(), tmp_path, limit=0)
    assert len(StoredExamples(tmp_path)) == 0
    assert list(StoredExamples(tmp_path)) == []


class InBulk(SceneExamples):
    """A set with a faster way to all its rows than one by one."""

    asked: ClassVar[list[tuple[int, int]]] = []

    def encoded_rows(self, start: int, stop: int) -> Iterator[tuple[Example, bytes]]:
        self.asked.append((start, stop))
        return ((self[index], self.encoded(index)) for index in range(start, stop))


def test_a_set_is_asked_in_bulk_if_it_can(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    examples = made()
    examples.__class__ = InBulk
    store(examples, tmp_path, shard_rows=SHARD_ROWS)
    assert content(tmp_path) == at_once
    assert InBulk.asked == [(k, min(k + 30, 324)) for k in range(0, 324, 30)]


def test_nothing_hidden_is_left_but_the_lock(tmp_path: Path) -> None:
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] in ([], [".lock"])


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_shard_that_was_damaged_before_the_set_was_whole_is_written_again(name: str, tmp_path: Path) -> None:
    def stored(out: Path) -> ShardStore:
        return ShardStore(made(), out, FORMATS[name], shard_rows=SHARD_ROWS)

    stored(tmp_path / "whole").complete()
    stored(tmp_path / "set").run((1, 2))
    first = min(tmp_path.glob("set/data-*"))
    file = min(first.iterdir()) if first.is_dir() else first
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    stored(tmp_path / "set").complete()
    assert hash_files(tmp_path / "set") == hash_files(tmp_path / "whole")


def test_a_shard_that_is_damaged_while_others_are_written_is_told(tmp_path: Path) -> None:
    store_part(made(), tmp_path, (1, 2), shard_rows=SHARD_ROWS)
    first = min(tmp_path.glob("data-*"))
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"`.*data-00000.*` was damaged since it was written: run the command again"):
        store_part(made(), tmp_path, (2, 2), shard_rows=SHARD_ROWS)
    assert not first.exists()
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    assert len(StoredExamples(tmp_path)) == len(made())


def test_who_comes_when_another_has_sealed_the_set_writes_nothing(tmp_path: Path) -> None:
    late = ShardStore(made(), tmp_path, FORMATS["parquet"], shard_rows=SHARD_ROWS)
    with late.joined() as done:
        assert done is None
        store(made(), tmp_path, shard_rows=SHARD_ROWS)
        before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
        for shard in range(late.layout.n_shards):
            late.write(shard, lambda *_: None)
        late.seal()
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before


def test_locks_that_a_kill_left_behind_the_manifest_go_when_the_set_is_stored_again(tmp_path: Path) -> None:
    store(made(), tmp_path / "set")
    (tmp_path / "set" / ".lock-data-00000-of-00001.parquet").touch()
    store(made(), tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").glob(".*")] == [".lock"]


# Other processes

HERE = Path(__file__).parent
SCRIPT = f"""
import importlib.util, sys, time
from collections.abc import Callable, Iterator
from pathlib import Path
spec = importlib.util.spec_from_file_location("shards", {str(HERE / "test_shards.py")!r})
shards = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shards)
out, i, n, pause_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

class Slow(shards.SceneExamples):
    encoded_rows = None
    def encoded(self, index):
        time.sleep(pause_s)
        return super().encoded(index)

examples = shards.made()
examples.__class__ = Slow
print("ready", flush=True)
shards.store_part(examples, out, (i, n), shard_rows=shards.SHARD_ROWS)
"""


def started(out: Path, i: int = 1, n: int = 1, pause_s: float = 0.001) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(out), str(i), str(n), str(pause_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(
    ("n_finished", "after_s"), [(0, 0.0), (0, 0.05), (1, 0.02), (4, 0.037), (7, 0.0), (10, 0.01)]
)
def test_a_store_killed_at_any_instant_goes_on_to_the_same_bytes(
    tmp_path: Path, at_once: dict[str, bytes], n_finished: int, after_s: float
) -> None:
    process = started(tmp_path)
    _wait(lambda: len(list(tmp_path.glob("data-*"))) >= n_finished)
    time.sleep(after_s)
    killed(process)
    finished = {path.name: path.stat().st_ino for path in tmp_path.glob("data-*")}
    assert n_finished <= len(finished) < 11
    with pytest.raises(InputError):
        StoredExamples(tmp_path)
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    assert content(tmp_path) == at_once
    assert list(tmp_path.glob(".partial-*")) == []
    assert finished.items() <= {path.name: path.stat().st_ino for path in tmp_path.glob("data-*")}.items()


def test_parts_at_the_same_time_are_the_set_at_once(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    processes = [started(tmp_path, i, 3) for i in (3, 1, 2)]
    assert [process.communicate()[1] for process in processes] == ["", "", ""]
    assert content(tmp_path) == at_once


def test_two_processes_that_write_the_same_shard_are_told_apart(tmp_path: Path, at_once: dict[str, bytes]) -> None:
    process = started(tmp_path, 1, 2, pause_s=0.05)
    _wait(lambda: any(tmp_path.glob(".partial-*")))
    with pytest.raises(InputError, match="being written by another"):
        store_part(made(), tmp_path, (1, 2), shard_rows=SHARD_ROWS)
    with pytest.raises(InputError, match="being written by another"):
        store(made(seed=1), tmp_path, shard_rows=SHARD_ROWS)
    store_part(made(), tmp_path, (2, 2), shard_rows=SHARD_ROWS)  # the other half is free
    killed(process)
    store(made(), tmp_path, shard_rows=SHARD_ROWS)
    assert content(tmp_path) == at_once


def _wait(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.005)
