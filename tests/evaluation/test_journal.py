"""A journal keeps what was written whole, in any number of files, and never mixes a torn line with the next."""

from pathlib import Path

import pytest

from evensight.evaluation.journal import Journal, read_journal
from evensight.models.answering import Answer

FULL = Answer(3, "top left", (-0.1, -1e-17, -1 / 3), (2, 1, 3), (-1.0, -2.5, -3.0))


def write(folder: Path, *groups: list[Answer], rank: int = 0) -> Path:
    with Journal(folder, rank) as journal:
        for group in groups:
            journal.append(group)
    return folder / f"answers-{rank}.jsonl"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, [FULL, Answer(0, "")], [Answer(7, "a\nb \u2028 \x00 \"'")])
    assert read_journal(tmp_path) == {3: FULL, 0: Answer(0, ""), 7: Answer(7, "a\nb \u2028 \x00 \"'")}


def test_a_folder_that_is_not_there_has_no_answers(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == {}


@pytest.mark.parametrize("n_left", range(1, 60, 7))
def test_of_a_torn_line_nothing_counts_and_the_next_stands_by_itself(tmp_path: Path, n_left: int) -> None:
    path = write(tmp_path, [Answer(0, "center")])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:n_left])
    assert set(read_journal(tmp_path)) == {0}
    write(tmp_path, [Answer(1, "left"), Answer(2, "right")])
    assert set(read_journal(tmp_path)) == {0, 1, 2}
    assert path.read_bytes().startswith(whole)


def test_a_line_that_cant_be_read_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, [Answer(0, "center")], [Answer(1, "left")])
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\x00" * (len(first) - 1) + b"\n" + second)
    assert set(read_journal(tmp_path)) == {1}


@pytest.mark.parametrize("bit", range(8))
def test_of_a_line_in_which_a_bit_has_flipped_nothing_counts(bit: int, tmp_path: Path) -> None:
    path = write(tmp_path, [Answer(0, "left")], [Answer(1, "right")])
    content = path.read_bytes()
    for place in range(content.index(b"\n") + 1):
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        found = read_journal(tmp_path)
        assert found.keys() <= {1}
        assert found.get(1, Answer(1, "right")) == Answer(1, "right")


def test_each_process_has_its_file_and_all_are_read(tmp_path: Path) -> None:
    paths = {write(tmp_path, [Answer(k, str(k))], rank=k) for k in range(3)}
    assert len(paths) == 3
    assert {k: one.raw for k, one in read_journal(tmp_path).items()} == {0: "0", 1: "1", 2: "2"}


def test_an_answer_replaces_a_fault_and_no_fault_an_answer(tmp_path: Path) -> None:
    fault = Answer(0, "", fault="HTTP 500")
    write(tmp_path, [fault])
    assert read_journal(tmp_path) == {0: fault}
    write(tmp_path, [Answer(0, "center")], rank=1)
    assert read_journal(tmp_path) == {0: Answer(0, "center")}
    write(tmp_path, [fault], rank=2)
    assert read_journal(tmp_path) == {0: Answer(0, "center")}


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, [Answer(0, "a\ud83d")])
    assert read_journal(tmp_path)[0].raw == "a?"


def test_the_disk_is_asked_at_most_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, n_flushed = 0.0, 0

    def flushed(_: int) -> None:
        nonlocal n_flushed
        n_flushed += 1

    monkeypatch.setattr("evensight.evaluation.journal.time.monotonic", lambda: now)
    monkeypatch.setattr("evensight.evaluation.journal.os.fsync", flushed)
    with Journal(tmp_path, 0) as journal:
        for k in range(35):
            now = k / 10
            journal.append([Answer(k, "")])
        assert n_flushed == 3
    assert n_flushed == 4
