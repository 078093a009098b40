import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evensight.annotations import Frame
from evensight.coco.reading import read_split
from evensight.pictures import checks, files
from evensight.pictures.check_record import PictureCheck
from evensight.pictures.checks import check_pictures
from evensight.pictures.decoding import Picture, decode, load_rgb, pixel_hash
from evensight.pictures.files import AMBIGUOUS, MISSING, NOT_A_FILE, OTHER_SIZE, UNDECODABLE

FRAME = Frame(30, 20)
Wanted = list[tuple[Path, Frame]]


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty record of the test's own."""
    monkeypatch.setenv("EVENSIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures" / "checks-1.sqlite"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file has been decoded, by name."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def counted(content: bytes, path: Path) -> Picture:
        with lock:
            counts[path.name] += 1
        return decode(content, path)

    monkeypatch.setattr(checks, "decode", counted)
    return counts


def settle(path: Path, age_s: float = 10) -> Path:
    """Has a file be last written some time ago."""
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def photo(path: Path, seed: int = 0, size_wh: tuple[int, int] = (30, 20), tag: int = 1) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size_wh[::-1], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = tag
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", exif=exif)
    return settle(path)


def photos(folder: Path, n: int) -> Wanted:
    return [(photo(folder / f"{k:03}.png", seed=k), FRAME) for k in range(n)]


def expected(path: Path) -> PictureCheck:
    """What a sound picture's check is, by hand."""
    return PictureCheck(None, sha256(path.read_bytes()).hexdigest(), pixel_hash(load_rgb(path)).hex())


def test_pictures_are_checked_in_order_and_each_file_once(tmp_path: Path, decoded: Counter[str]) -> None:
    wanted = photos(tmp_path / "p", 150)
    mixed = wanted[::-1] + wanted[::2]
    found = check_pictures(mixed)
    assert found == [expected(path) for path, _ in mixed]
    assert decoded == {path.name: 1 for path, _ in wanted}


def test_every_trouble_has_its_name(tmp_path: Path) -> None:
    good = photo(tmp_path / "good.png")
    cut, small, turned = tmp_path / "cut.png", tmp_path / "small.png", photo(tmp_path / "t.png", tag=3)
    cut.write_bytes(good.read_bytes()[:-400])
    photo(small, size_wh=(29, 20))
    os.mkfifo(tmp_path / "pipe.png")
    paths = [good, cut, small, turned, tmp_path / "pipe.png", tmp_path / "none.png", Path("a\0b"), tmp_path]
    found = check_pictures([(path, FRAME) for path in paths])
    faults = [None, UNDECODABLE, OTHER_SIZE, AMBIGUOUS, NOT_A_FILE, MISSING, MISSING, NOT_A_FILE]
    assert [each.fault for each in found] == faults
    assert [each.pixels_hash is not None for each in found] == [fault is None for fault in faults]
    hashes = [sha256(path.read_bytes()).hexdigest() for path in paths[:4]] + [None] * 4
    assert [each.file_hash for each in found] == hashes
    assert found == check_pictures([(path, FRAME) for path in paths])


def test_one_file_with_two_declared_sizes_is_decoded_once(tmp_path: Path, decoded: Counter[str]) -> None:
    path = photo(tmp_path / "a.png", tag=6)
    frames = [Frame(30, 20), Frame(20, 30), Frame(9, 9)]
    for _ in range(2):
        stored, turned, wrong = check_pictures([(path, frame) for frame in frames])
        assert stored.pixels_hash == pixel_hash(load_rgb(path, orientation="stored")).hex()
        assert turned.pixels_hash == pixel_hash(load_rgb(path)).hex() != stored.pixels_hash
        assert wrong.fault == OTHER_SIZE
    assert decoded == {"a.png": 1}


def test_what_is_on_record_is_not_decoded_again(tmp_path: Path, decoded: Counter[str]) -> None:
    wanted = photos(tmp_path / "p", 70)
    first = check_pictures(wanted)
    assert check_pictures(wanted) == first
    assert check_pictures(wanted[::-1]) == first[::-1]
    assert decoded.total() == 70
    check_pictures([*wanted, (photo(tmp_path / "new.png"), FRAME)])
    assert decoded.total() == 71
    check_pictures([(wanted[0][0], Frame(1, 1))])  # of this size nothing is known
    assert decoded.total() == 72


def test_orientations_are_kept_apart(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", tag=2)
    for _ in range(2):
        found = [check_pictures([(path, FRAME)], orientation)[0] for orientation in ("by-size", "stored", "turned")]
        assert [each.fault for each in found] == [AMBIGUOUS, None, None]
        assert found[1].pixels_hash != found[2].pixels_hash


@pytest.mark.parametrize("age_s", [10.0, 100.0])
def test_a_file_that_has_changed_is_decoded_again(tmp_path: Path, decoded: Counter[str], age_s: float) -> None:
    path = tmp_path / "a.png"
    photo(path, seed=1)
    before = check_pictures([(path, FRAME)])
    path.unlink()
    settle(photo(path, seed=2), age_s)
    assert check_pictures([(path, FRAME)]) == [expected(path)] != before
    assert decoded.total() == 2


def test_a_file_that_was_just_written_is_not_put_on_record(tmp_path: Path, decoded: Counter[str]) -> None:
    # It could be written again within the same tick of the file system's clock, and look the same.
    path = photo(tmp_path / "a.png")
    for age_s, n_decoded in ((0, 3), (1, 6), (-100, 9), (30, 10)):
        settle(path, age_s)
        for _ in range(3):
            check_pictures([(path, FRAME)])
        assert decoded.total() == n_decoded, age_s


def test_a_file_that_changes_while_it_is_read_is_not_put_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo(tmp_path / "a.png", seed=1)
    read = files.read_file

    def read_and_change(path: Path) -> bytes:
        content = read(path)
        monkeypatch.setattr(checks, "read_file", read)
        photo(path, seed=2)
        return content

    monkeypatch.setattr(checks, "read_file", read_and_change)
    assert check_pictures([(path, FRAME)]) != [expected(path)]
    assert check_pictures([(path, FRAME)]) == [expected(path)]


def test_a_file_that_is_gone_is_looked_for_again(tmp_path: Path) -> None:
    wanted = photos(tmp_path / "p", 2)
    content = wanted[0][0].read_bytes()
    wanted[0][0].unlink()
    assert [each.fault for each in check_pictures(wanted)] == [MISSING, None]
    wanted[0][0].write_bytes(content)
    assert [each.fault for each in check_pictures(wanted)] == [None, None]
    wanted[1][0].unlink()
    assert [each.fault for each in check_pictures(wanted)] == [None, MISSING]


def test_a_lack_of_memory_is_not_put_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "a.png")

    def starve(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("evensight.pictures.decoding._as_rgb", starve)
        assert check_pictures([(path, FRAME)])[0].fault == UNDECODABLE
    assert check_pictures([(path, FRAME)]) == [expected(path)]


def test_another_version_of_the_decoder_decodes_again(
    tmp_path: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = photos(tmp_path / "p", 3)
    check_pictures(wanted)
    for name, value in (("check_record.DECODER_VERSION", 999), ("check_record.MAX_PIXELS", 10**7)):
        before = decoded.total()
        monkeypatch.setattr(f"evensight.pictures.{name}", value)
        check_pictures(wanted)
        check_pictures(wanted)
        assert decoded.total() == before + 3


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(84), b"\xff" * 10_000])
def test_a_damaged_record_is_made_anew(tmp_path: Path, record: Path, content: bytes, decoded: Counter[str]) -> None:
    wanted = photos(tmp_path / "p", 3)
    record.parent.mkdir(parents=True)
    record.write_bytes(content)
    for _ in range(3):
        assert check_pictures(wanted) == [expected(path) for path, _ in wanted]
    assert decoded.total() in (3, 6)


def test_a_record_damaged_in_its_middle_is_done_without(tmp_path: Path, record: Path) -> None:
    wanted = photos(tmp_path / "p", 100)
    check_pictures(wanted)
    content = bytearray(record.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 200] = b"\xff" * 200
    record.write_bytes(content)
    for _ in range(3):
        assert check_pictures(wanted) == [expected(path) for path, _ in wanted]


@pytest.mark.parametrize(
    "change",
    [
        "file_hash = 'no hash'",
        "pixels_hash = null",
        "pixels_hash = x'00'",
        "fault = 'I like it not'",
        "fault = 7, pixels_hash = null",
    ],
)
def test_an_entry_that_is_none_of_ours_is_not_believed(tmp_path: Path, record: Path, change: str) -> None:
    wanted = photos(tmp_path / "p", 2)
    check_pictures(wanted)
    with sqlite3.connect(record) as connection:
        connection.execute(f"update checks set {change}")
    connection.close()
    assert check_pictures(wanted) == [expected(path) for path, _ in wanted]


@pytest.fixture
def unusable(request: pytest.FixtureRequest, tmp_path: Path, record: Path) -> Iterator[None]:
    """A record that is there and can't be used, each in another way."""
    how = request.param
    connection = None
    record.parent.parent.mkdir(parents=True)
    if how == "no folder":
        record.parent.write_text("a file where the folder should be")
    else:
        record.parent.mkdir()
    if how == "a folder":
        record.mkdir()
    if how == "locked":
        connection = sqlite3.connect(record)
        connection.execute("begin exclusive")
    if how == "another table":
        other = sqlite3.connect(record)
        other.execute("create table checks (path)")
        other.close()
    yield
    if connection is not None:
        connection.close()


@pytest.mark.parametrize("unusable", ["no folder", "a folder", "locked", "another table"], indirect=True)
@pytest.mark.usefixtures("unusable")
def test_a_record_that_cannot_be_used_is_done_without(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evensight.pictures.check_record._WAIT_S", 0.1)
    wanted = photos(tmp_path / "p", 3)
    assert check_pictures(wanted) == [expected(path) for path, _ in wanted]
    assert capfd.readouterr() == ("", "")


def test_no_record_is_kept_where_none_is_wanted(
    tmp_path: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENSIGHT_CACHE", "off")
    wanted = photos(tmp_path / "p", 3)
    assert check_pictures(wanted) == check_pictures(wanted)
    assert decoded.total() == 6
    assert not (tmp_path / "cache").exists()


def test_names_and_sizes_of_any_kind_are_kept(tmp_path: Path, decoded: Counter[str]) -> None:
    names = ["\udcff.png", "é\u202e.png", "a\nb.png", "'; drop table checks; --.png"]
    wanted = [(photo(tmp_path / name), Frame(10**30, 20)) for name in names] + [(Path("\ud800.png"), FRAME)]
    for _ in range(2):
        assert [each.fault for each in check_pictures(wanted)] == [OTHER_SIZE] * 4 + [MISSING]
    assert decoded.total() == 4


def test_a_relative_path_is_of_the_folder_it_is_in(
    tmp_path: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for k, name in enumerate("ab"):
        photo(tmp_path / name / "p.png", seed=k)
    for name in "abab":
        monkeypatch.chdir(tmp_path / name)
        assert check_pictures([(Path("p.png"), FRAME)]) == [expected(tmp_path / name / "p.png")]
    assert decoded.total() == 2


def test_nothing_to_check_is_nothing() -> None:
    assert check_pictures([]) == []


def test_a_large_picture_is_held_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, most = 0, 0
    lock = threading.Lock()

    def slow(content: bytes, path: Path) -> Picture:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        time.sleep(0.01)
        with lock:
            held -= 1
        return decode(content, path)

    monkeypatch.setattr(checks, "decode", slow)
    monkeypatch.setattr(checks, "_LARGE_PIXELS", 599)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    check_pictures(photos(tmp_path / "large", 12))
    assert most == 1


KILLED = """
import os, sys
from pathlib import Path
from evensight.annotations import Frame
from evensight.pictures import checks, files
decode, n = checks.decode, [0]
def counted(content, path):
    n[0] += 1
    if n[0] == 100:
        os.kill(os.getpid(), 9)
    return decode(content, path)
checks.decode = counted
checks._MOST_THREADS = 1
checks.check_pictures([(path, Frame(30, 20)) for path in sorted(Path(sys.argv[1]).iterdir())])
"""


def test_a_killed_run_goes_on(tmp_path: Path, decoded: Counter[str]) -> None:
    wanted = photos(tmp_path / "p", 150)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "p")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert check_pictures(wanted) == [expected(path) for path, _ in wanted]
    assert decoded.total() == 150 - 64  # what is written is written in batches of 64


def without_record(wanted: Sequence[tuple[Path, Frame]], monkeypatch: pytest.MonkeyPatch, n: int) -> object:
    monkeypatch.setenv("EVENSIGHT_CACHE", "off")
    monkeypatch.setattr(os, "cpu_count", lambda: n)
    return check_pictures(wanted)


@pytest.mark.photos
def test_real_photographs_are_the_same_in_any_number_of_threads(
    photos_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_split(photos_root, "val2017").images.values()
    wanted = [(image.file, image.frame) for image in images][:60]
    found = check_pictures(wanted)
    assert {each.fault for each in found} == {None}
    assert found == check_pictures(wanted) == without_record(wanted, monkeypatch, 1)
    assert found == without_record(wanted, monkeypatch, 4)
    for (path, _), each in zip(wanted, found, strict=True):
        with Image.open(path) as image:  # the second opinion: none of them has a tag
            assert each.pixels_hash == pixel_hash(image.convert("RGB")).hex()
