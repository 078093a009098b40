"""COCO's layout is there in the end, whole, whatever was there before; nothing of the user's is lost."""

import fcntl
import hashlib
import io
import json
import shutil
import signal
import stat
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from evensight.cli.photos_fetch import fetch
from evensight.coco.reading import read_split
from evensight.downloads import single_photos, sources
from evensight.downloads.connections import DownloadError
from evensight.downloads.downloads import Downloader, Patience, RemoteFile, UnreachableError
from evensight.downloads.fetch import Fetch, Wanted
from evensight.downloads.sources import SOURCES, PhotoSource, choose_photos, mirrored
from evensight.errors import InputError
from faulty_server import Fault, FaultyServer, serving

ALL, NONE = Wanted(photos=True), Wanted(photos=False)
CATS = Wanted(photos=True, categories=("cat",))
SIZES = {f"{i:012d}.jpg": (16 + i, 24) for i in (1, 2, 3, 4)}
HOLDS = {1: ("cat",), 2: ("dog",), 3: ("dog", "cat"), 4: ("dog",)}
CATEGORIES = {"cat": 17, "dog": 18}


def jpeg(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


PHOTOS = {name: jpeg(*size) for name, size in SIZES.items()}


def instances() -> bytes:
    images = [{"id": int(n[:12]), "file_name": n, "width": w, "height": h} for n, (w, h) in reversed(SIZES.items())]
    pairs = [(i, name) for i, names in HOLDS.items() for name in names]
    annotations = [
        {"id": n, "image_id": i, "category_id": CATEGORIES[name], "bbox": [1, 1, 5, 5], "iscrowd": n == 3}
        for n, (i, name) in enumerate(pairs)
    ]
    categories = [{"id": i, "name": name} for name, i in CATEGORIES.items()]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}).encode()


def zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def pinned(path: str, content: bytes) -> RemoteFile:
    return RemoteFile(path, len(content), hashlib.sha256(content).hexdigest())


PHOTOS_ZIP = zipped({"val2017/": b""} | {f"val2017/{name}": content for name, content in PHOTOS.items()})
INSTANCES = instances()
ANNOTATIONS_ZIP = zipped(
    {
        "annotations/instances_val2017.json": INSTANCES,
        "annotations/instances_train2017.json": INSTANCES + b" ",
        "annotations/captions_val2017.json": b"{}",
    }
)
FILES = {
    "/zips/val2017.zip": PHOTOS_ZIP,
    "/annotations/annotations_trainval2017.zip": ANNOTATIONS_ZIP,
    **{f"/val2017/{name}": content for name, content in PHOTOS.items()},
}
SOURCE = PhotoSource(
    "coco-val",
    "val2017",
    pinned("zips/val2017.zip", PHOTOS_ZIP),
    pinned("annotations/annotations_trainval2017.zip", ANNOTATIONS_ZIP),
    len(INSTANCES),
    takes_all=True,
)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FILES) as running:
        yield running


def fetching(server: FaultyServer, to: Path, source: PhotoSource = SOURCE, zips: Path | None = None) -> Fetch:
    downloader = Downloader(Patience(stall_s=5.0, n_tries=3, sleep=lambda _: None), n_at_once=4)
    return Fetch(mirrored(source, server.base), to, downloader, 4, zips)


def refused(fetching: Fetch, wanted: Wanted = ALL) -> str:
    with pytest.raises(InputError) as caught:
        fetching.run(wanted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def visible(to: Path) -> dict[str, bytes]:
    """All that a user sees of a folder."""
    files = (path for path in to.rglob("*") if path.is_file())
    return {
        path.relative_to(to).as_posix(): path.read_bytes()
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(to).parts)
    }


WHOLE = {"annotations/instances_val2017.json": INSTANCES} | {f"val2017/{name}": c for name, c in PHOTOS.items()}


def test_a_split_is_there_as_coco_lays_it_out(server: FaultyServer, tmp_path: Path) -> None:
    assert fetching(server, tmp_path / "coco").run(ALL) == 4
    assert visible(tmp_path / "coco") == WHOLE
    split = read_split(tmp_path / "coco", "val2017")
    assert (len(split.images), len(split.objects)) == (4, 5)


def test_a_second_run_asks_for_nothing(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(ALL)
    server.asked.clear()
    lines: list[str] = []
    again = replace(fetching(server, tmp_path), say=lines.append)
    assert again.run(ALL) == 4
    assert again.run(CATS) == 4
    assert server.asked == []
    assert "all 4 photographs are there already" in lines[1]


def test_two_fetches_leave_the_same_bytes(server: FaultyServer, tmp_path: Path) -> None:
    for name in ("a", "b"):
        fetching(server, tmp_path / name).run(CATS)
    of = [{path.name: path.read_bytes() for path in (tmp_path / name / "val2017").iterdir()} for name in ("a", "b")]
    assert of[0] == of[1]


def test_only_annotations(server: FaultyServer, tmp_path: Path) -> None:
    assert fetching(server, tmp_path).run(NONE) == 0
    assert visible(tmp_path) == {"annotations/instances_val2017.json": INSTANCES}
    assert [path for path, _ in server.asked] == ["/annotations/annotations_trainval2017.zip"]


def test_the_annotations_zip_serves_both_splits_and_goes_then(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(ALL)
    assert [path.name for path in (tmp_path / ".fetching").iterdir()] == ["annotations_trainval2017.zip"]
    fetching(server, tmp_path, replace(SOURCE, split="train2017")).run(NONE)
    assert visible(tmp_path)["annotations/instances_train2017.json"] == INSTANCES + b" "
    assert len(server.asked) == 2
    assert not (tmp_path / ".fetching").exists()


def test_a_categorys_images_come_one_by_one(server: FaultyServer, tmp_path: Path) -> None:
    assert fetching(server, tmp_path).run(CATS) == 2  # images 1 and 3; the cat in 3 is a crowd
    names = ["000000000001.jpg", "000000000003.jpg"]
    assert sorted(path.name for path in (tmp_path / "val2017").glob("*.jpg")) == names
    record = json.loads((tmp_path / "val2017" / ".fetched.json").read_text())["files"]
    assert {name: (r["n_bytes"], r["sha256"]) for name, r in record.items()} == {
        name: (len(PHOTOS[name]), hashlib.sha256(PHOTOS[name]).hexdigest()) for name in names
    }
    assert "/zips/val2017.zip" not in [path for path, _ in server.asked]


def test_a_limit_takes_the_first_by_id_and_a_greater_one_adds(server: FaultyServer, tmp_path: Path) -> None:
    assert fetching(server, tmp_path).run(Wanted(photos=True, limit=2)) == 2
    server.asked.clear()
    assert fetching(server, tmp_path).run(Wanted(photos=True, limit=3)) == 3
    assert [path for path, _ in server.asked] == ["/val2017/000000000003.jpg"]


def test_categories_are_chosen_as_by_a_second_computation(photos_root: Path) -> None:
    path = photos_root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_bytes())
    ids = {c["id"] for c in content["categories"] if c["name"] in ("cat", "zebra")}
    expected = sorted({a["image_id"] for a in content["annotations"] if a["category_id"] in ids})
    chosen = choose_photos(path, ("cat", "zebra"), None)
    assert [photo.id for photo in chosen] == expected
    assert len(expected) > 7
    assert choose_photos(path, ("zebra", "cat"), 7) == chosen[:7]


def test_an_unknown_category_is_refused_with_those_there_are(server: FaultyServer, tmp_path: Path) -> None:
    message = refused(fetching(server, tmp_path), Wanted(photos=True, categories=("cats",)))
    assert "`cats` is not known: expected one of cat, dog" in message


def test_a_changed_image_is_noticed_and_never_overwritten(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(CATS)
    photo = tmp_path / "val2017" / "000000000003.jpg"
    changed = photo.read_bytes()[:-3] + b"abc"  # of the same length
    photo.write_bytes(changed)
    assert "000000000003.jpg` was changed or damaged" in refused(fetching(server, tmp_path), CATS)
    assert photo.read_bytes() == changed
    photo.unlink()
    fetching(server, tmp_path).run(CATS)
    assert photo.read_bytes() == PHOTOS[photo.name]


def test_an_image_that_comes_back_must_be_the_one_that_was_fetched(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(CATS)
    (tmp_path / "val2017" / "000000000003.jpg").unlink()
    server.files["/val2017/000000000003.jpg"] = jpeg(19, 24)[:-2] + b"\0\0"
    with pytest.raises(DownloadError, match=r"1 of 1 photographs can't be had.*expected SHA-256"):
        fetching(server, tmp_path).run(CATS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PHOTOS["000000000001.jpg"], "is a JPEG of 17x24 pixels: expected 19x24"),
        (PHOTOS["000000000003.jpg"][:-200], "is not a whole JPEG"),
        (PHOTOS["000000000003.jpg"][:-200] + bytes(200), "is not a whole JPEG"),
        (b"<html>Please log in</html>", "is not a whole JPEG"),
        (b"", "is not a whole JPEG"),
    ],
)
def test_what_is_not_that_image_is_refused(server: FaultyServer, tmp_path: Path, body: bytes, reason: str) -> None:
    server.fault_of["/val2017/000000000003.jpg"] = Fault(body=body)
    message = refused(fetching(server, tmp_path), CATS)
    assert message.startswith("1 of 2 photographs can't be had; what came stays; the first: ")
    assert reason in message
    assert [path.name for path in (tmp_path / "val2017").glob("*.jpg")] == ["000000000001.jpg"]
    server.fault_of.clear()
    assert fetching(server, tmp_path).run(CATS) == 2


def test_a_server_that_is_gone_ends_it_soon(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(futures: Iterable[Future[object]]) -> list[Future[object]]:
        return [*wait(futures).done]  # the main thread learns of it after all threads had their turn

    monkeypatch.setattr(single_photos, "as_completed", late)
    fetching(server, tmp_path).run(NONE)
    server.asked.clear()
    server.always = Fault(status=503, body=b"")
    with pytest.raises(UnreachableError):
        replace(fetching(server, tmp_path), n_at_once=1).run(Wanted(photos=True, limit=4))
    assert server.asked == [("/val2017/000000000001.jpg", None)] * 3  # all tries for the first, none for the others


def test_images_that_were_there_are_checked_and_taken(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "000000000001.jpg").write_bytes(PHOTOS["000000000001.jpg"])
    fetching(server, tmp_path).run(CATS)
    assert "/val2017/000000000001.jpg" not in [path for path, _ in server.asked]
    shutil.rmtree(tmp_path / "val2017")
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "000000000001.jpg").write_bytes(b"mine")
    assert "is not a whole JPEG" in refused(fetching(server, tmp_path), CATS)
    assert (tmp_path / "val2017" / "000000000001.jpg").read_bytes() == b"mine"


def test_single_images_first_then_all(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(CATS)
    assert fetching(server, tmp_path).run(ALL) == 4
    assert visible(tmp_path) == WHOLE
    record = json.loads((tmp_path / "val2017" / ".fetched.json").read_text())["files"]
    assert record["000000000003.jpg"]["sha256"] == hashlib.sha256(PHOTOS["000000000003.jpg"]).hexdigest()


def test_a_removed_image_is_mended_and_foreign_files_stay(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(ALL)
    (tmp_path / "val2017" / "000000000002.jpg").unlink()
    (tmp_path / "val2017" / "notes.txt").write_text("mine")
    fetching(server, tmp_path).run(ALL)
    assert visible(tmp_path) == WHOLE | {"val2017/notes.txt": b"mine"}
    server.asked.clear()
    fetching(server, tmp_path).run(ALL)
    assert server.asked == []


@pytest.mark.parametrize("name", ["val2017/000000000002.jpg", "annotations/instances_val2017.json"])
def test_what_is_there_with_other_bytes_is_not_overwritten(server: FaultyServer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    mine = WHOLE[name][:-1] + b"x"
    (tmp_path / name).write_bytes(mine)
    assert "is there with other bytes than in" in refused(fetching(server, tmp_path))
    assert (tmp_path / name).read_bytes() == mine
    (tmp_path / name).write_bytes(WHOLE[name])
    fetching(server, tmp_path).run(ALL)
    assert visible(tmp_path) == WHOLE


def test_a_changed_annotation_file_is_noticed_without_a_download(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(NONE)
    (tmp_path / "annotations" / "instances_val2017.json").write_bytes(INSTANCES[:-9])
    server.asked.clear()
    assert "was changed or damaged" in refused(fetching(server, tmp_path), NONE)
    assert server.asked == []


def test_a_damaged_record_is_named(server: FaultyServer, tmp_path: Path) -> None:
    fetching(server, tmp_path).run(NONE)
    (tmp_path / "annotations" / ".fetched.json").write_text('{"files": {"a": 3}}')
    assert ".fetched.json` is damaged" in refused(fetching(server, tmp_path), NONE)


def own_zips(folder: Path) -> Path:
    folder.mkdir()
    for path, content in FILES.items():
        if path.endswith(".zip"):
            (folder / Path(path).name).write_bytes(content)
    return folder


def test_zips_that_are_there_are_only_read(server: FaultyServer, tmp_path: Path) -> None:
    zips = own_zips(tmp_path / "zips")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in zips.iterdir()}
    assert fetching(server, tmp_path / "coco", zips=zips).run(ALL) == 4
    assert fetching(server, tmp_path / "cats", zips=zips).run(CATS) == 2
    assert server.asked == []
    assert visible(tmp_path / "coco") == WHOLE
    assert len(visible(tmp_path / "cats")) == 3
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in zips.iterdir()} == before


def test_a_zip_with_other_bytes_is_refused_by_its_hash(server: FaultyServer, tmp_path: Path) -> None:
    zips = own_zips(tmp_path / "zips")
    (zips / "val2017.zip").write_bytes(PHOTOS_ZIP[:-1] + b"x")
    message = refused(fetching(server, tmp_path / "coco", zips=zips))
    assert str(SOURCE.photos_zip.sha256) in message
    assert not (tmp_path / "coco" / "val2017").exists()


def test_a_folder_without_zips_of_use_is_refused_before_anything(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "zips").mkdir()
    message = refused(fetching(server, tmp_path / "coco", zips=tmp_path / "zips"))
    assert "has no annotations_trainval2017.zip or val2017.zip" in message
    assert server.asked == []
    assert not (tmp_path / "coco").exists()


def hostile(name: str, mode: int = stat.S_IFREG | 0o644) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as file:  # of a name that is there twice
        for each, kind in (("val2017/000000000001.jpg", stat.S_IFREG | 0o644), (name, mode)):
            info = zipfile.ZipInfo(each)
            info.filename = each
            info.external_attr = kind << 16
            file.writestr(info, b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        hostile("../outside.jpg"),
        hostile("val2017/../../outside.jpg"),
        hostile("/tmp/outside.jpg"),
        hostile("val2017/..\\outside.jpg"),
        hostile("C:/outside.jpg"),
        hostile("val2017/link.jpg", stat.S_IFLNK | 0o777),
        hostile("val2017/000000000001.jpg "[:-1]),
        hostile("val2017/a\x1b[31m.jpg"),
        b"not a zip",
        zipped({"elsewhere/000000000001.jpg": b"x"}),
    ],
)
def test_a_zip_that_leads_elsewhere_writes_nothing(server: FaultyServer, tmp_path: Path, content: bytes) -> None:
    server.files["/zips/val2017.zip"] = content
    to = tmp_path / "coco"
    refused(fetching(server, to, replace(SOURCE, photos_zip=pinned("zips/val2017.zip", content))))
    assert not (to / "val2017").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["coco"]


def test_a_damaged_member_leaves_no_folder(server: FaultyServer, tmp_path: Path) -> None:
    content = bytearray(PHOTOS_ZIP)
    content[len(content) // 2] ^= 255
    server.files["/zips/val2017.zip"] = bytes(content)
    message = refused(
        fetching(server, tmp_path, replace(SOURCE, photos_zip=pinned("zips/val2017.zip", bytes(content))))
    )
    assert "can't be unpacked" in message
    assert not (tmp_path / "val2017").exists()


def test_a_disk_without_room_is_told_before_anything(server: FaultyServer, tmp_path: Path) -> None:
    huge = replace(SOURCE, photos_zip=replace(SOURCE.photos_zip, n_bytes=10**18))
    message = refused(fetching(server, tmp_path / "coco", huge))
    assert "2,000,000,000.0 GB" in message
    assert "free" in message
    assert server.asked == []


def test_a_second_process_is_told_so(server: FaultyServer, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is being written by another evensight process" in refused(fetching(server, tmp_path))
    assert server.asked == []
    assert fetching(server, tmp_path).run(ALL) == 4


RUN = """
import json, sys
from pathlib import Path
from evensight.downloads.downloads import Downloader, Patience, RemoteFile
from evensight.downloads.fetch import Fetch, Wanted
from evensight.downloads.sources import PhotoSource
value = json.loads(sys.argv[1])
zips = [RemoteFile(**value.pop(name)) for name in ("photos_zip", "annotations_zip")]
source = PhotoSource(photos_zip=zips[0], annotations_zip=zips[1], **value)
print(Fetch(source, Path(sys.argv[2]), Downloader(), 2).run(Wanted(True, tuple(sys.argv[3:]))))
"""


@pytest.mark.parametrize("categories", [(), ("cat",)])
def test_killed_again_and_again_it_ends_the_same(
    server: FaultyServer, tmp_path: Path, categories: tuple[str, ...]
) -> None:
    server.pause_s, server.block_bytes = 0.01, 100
    value = asdict(mirrored(SOURCE, server.base))
    command = [sys.executable, "-c", RUN, json.dumps(value), str(tmp_path), *categories]
    for more in (100, 500, 1000):  # of about 1,700 and 3,000 bytes
        sent = server.sent
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(2000):
            if server.sent >= sent + more:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        seen = visible(tmp_path)
        assert seen == {name: WHOLE[name] for name in seen}  # nothing is ever half there
    server.pause_s, sent = 0.0, server.sent
    done = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    assert done.stdout == ("2\n" if categories else "4\n")
    assert len(visible(tmp_path)) == (3 if categories else 5)
    assert server.sent - sent < len(ANNOTATIONS_ZIP) + sum(map(len, PHOTOS.values()))


def test_cocos_own_host_is_asked_plainly_only_for_what_a_hash_covers() -> None:
    assert set(SOURCES) == {"coco-val", "coco-train"}
    for source in SOURCES.values():
        for file in (source.photos_zip, source.annotations_zip):
            assert file.n_bytes
            assert len(bytes.fromhex(str(file.sha256))) == 32
        assert all(base.startswith("https://") for base in source.photo_bases)
        assert source.bases[0] == source.photo_bases[0] == "https://s3.amazonaws.com/images.cocodataset.org"


app = typer.Typer(pretty_exceptions_enable=False)
app.command()(fetch)


def test_the_command_says_what_is_next(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.SOURCES, "coco-val", SOURCE)
    arguments = ["coco-val", "--to", str(tmp_path / "coco"), "--mirror", server.base]
    for _ in range(2):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        assert f"evensight photos counts {tmp_path / 'coco'} --split val2017" in done.output
        assert "licences" in done.output
    assert visible(tmp_path / "coco") == WHOLE
    done = CliRunner().invoke(app, [*arguments[:2], str(tmp_path / "cats"), *arguments[3:], "--category", "cat"])
    assert done.exit_code == 0, done.output
    assert "plain http protects nothing" in done.output
    assert len(visible(tmp_path / "cats")) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["coco"], "the set `coco` is not known: expected one of coco-val, coco-train"),
        (["coco-train", "--limit", "5"], "add --images or --category"),
        (["coco-val", "--mirror", "data/coco"], "`data/coco` can't be a mirror"),
        (["coco-val", "--from", "not-there"], "`not-there` is not a folder"),
    ],
)
def test_the_commands_mistakes_are_told_in_a_line(
    tmp_path: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert list(tmp_path.iterdir()) == []
