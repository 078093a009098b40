"""Where images are: COCO's, LVIS's and Objects365's names, and those that would lead out of the folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evensight.coco.image_files import MISSING, OUTSIDE, SHARED, UNPRINTABLE, find_images
from evensight.coco.reading import CocoFiles, CocoSplit, read_instances
from evensight.errors import InputError

LVIS_URL = "http://images.cocodataset.org/{}"


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def paths(folder: Path, *names: str) -> list[str]:
    """Where each is, or why it can't be used."""
    return [each.fault or each.path for each in find_images(folder, names)]


def written(folder: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]], *names: str) -> Path:
    path = folder / "set.json"
    categories = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def thing(number: int, image_id: int, category_id: int = 1) -> dict[str, Any]:
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": [1, 2, 3, 4]}


def relative(split: CocoSplit, folder: Path) -> list[str]:
    return [image.file.relative_to(folder).as_posix() for image in split.images.values()]


def lvis(folder: Path, images: Path | None) -> CocoSplit:
    """Four images of LVIS, of which one is not annotated for all of its cans."""
    names = ("train2017/1.jpg", "val2017/2.jpg", "val2017/3.jpg", "val2017/4.jpg")
    entries: list[dict[str, Any]] = [
        {"id": k, "coco_url": LVIS_URL.format(name), "width": 40, "height": 30, "not_exhaustive_category_ids": []}
        for k, name in enumerate(names, 1)
    ]
    entries[1]["not_exhaustive_category_ids"] = [1, 99, "1"]
    things = [thing(1, 1), thing(2, 2), thing(3, 2, 2), thing(4, 3, 3)]
    path = written(folder, entries, things, "aerosol_can", "bow_(weapon)", "aerosol can")
    return read_instances(CocoFiles("lvis_val", path, images))


def test_lvis_in_the_folders_of_coco(tmp_path: Path) -> None:
    folder = touch(tmp_path / "coco", "train2017/1.jpg", "val2017/2.jpg", "val2017/3.jpg", "4.jpg")
    split = lvis(tmp_path, folder)
    assert relative(split, folder) == ["train2017/1.jpg", "val2017/2.jpg", "val2017/3.jpg"]
    assert split.rejected.by_reason == {MISSING: ["4"]}
    assert split.categories == ("aerosol can", "bow (weapon)")
    assert [o.category for o in split.objects] == ["aerosol can", "aerosol can", "bow (weapon)", "aerosol can"]
    assert split.uncounted == {(2, "aerosol can")}
    assert split.n_accepted + len(split.rejected) == split.n_total == 4 + 4 + 3


def test_lvis_with_all_images_in_one_folder(tmp_path: Path) -> None:
    folder = touch(tmp_path / "val2017", "1.jpg", "2.jpg", "3.jpg", "4.jpg")
    assert relative(lvis(tmp_path, folder), folder) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_annotations_alone(tmp_path: Path) -> None:
    split = lvis(tmp_path, None)
    assert len(split.images) == len(split.objects) == 4
    assert split.images[1].path is None
    with pytest.raises(ValueError, match="without images"):
        _ = split.images[1].file
    assert len(split.rejected) == 0


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (5, None),
        ("", None),
        ("http://x/", None),
        ("1.jpg", "1.jpg"),
        ("http://x/1.jpg", "1.jpg"),
        ("http://x/..", None),
    ],
)
def test_an_address_that_ends_in_no_name_is_none(tmp_path: Path, url: Any, name: str | None) -> None:
    touch(tmp_path, "1.jpg", "2.jpg")
    images = [{"id": 1, "coco_url": url, "width": 4, "height": 3}, {"id": 2, "file_name": "2.jpg"} | SIZE]
    split = read_instances(CocoFiles("x", written(tmp_path, images, [thing(1, 2)], "cat"), tmp_path))
    assert (1 in split.images) == (name is not None)


SIZE = {"width": 4, "height": 3}
OBJECTS365 = ("images/v1/patch8/a.jpg", "images/v2/patch16/b.jpg", "images/v1/patch8/gone.jpg")


@pytest.mark.parametrize("have", ["images/v1/patch8/a.jpg", "v1/patch8/a.jpg", "patch8/a.jpg", "a.jpg"])
def test_leading_folders_that_are_not_there_are_left_out(tmp_path: Path, have: str) -> None:
    touch(tmp_path, have)
    assert paths(tmp_path, OBJECTS365[0], OBJECTS365[2]) == [have, MISSING]


def test_each_folder_is_found_by_itself(tmp_path: Path) -> None:
    touch(tmp_path, "patch8/a.jpg", "v2/patch16/b.jpg")
    assert paths(tmp_path, *OBJECTS365) == ["patch8/a.jpg", "v2/patch16/b.jpg", MISSING]


def test_a_folder_that_is_there_is_the_one_that_is_meant(tmp_path: Path) -> None:
    touch(tmp_path, "patch8/b.jpg", "a.jpg")
    assert paths(tmp_path, "patch8/a.jpg") == [MISSING]


def test_two_names_are_never_one_file(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    assert paths(tmp_path, "a/1.jpg", "b/1.jpg", "a/2.jpg", "3.jpg", "c/3.jpg") == [
        SHARED, SHARED, "2.jpg", "3.jpg", SHARED,
    ]  # fmt: skip


def test_nothing_outside_is_listed_or_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = touch(tmp_path / "in", "a/1.jpg")
    secret = touch(tmp_path / "out", "1.jpg", "a/1.jpg")
    (folder / "climbs").symlink_to(secret)
    (folder / "stays").symlink_to(folder / "a")
    (folder / "file.jpg").symlink_to(secret / "1.jpg")
    (folder / "good.jpg").symlink_to(folder / "a" / "1.jpg")
    (folder / "dead.jpg").symlink_to(folder / "none.jpg")
    os.mkfifo(folder / "pipe.jpg")
    listed = []
    scandir = os.scandir

    def listing(path: Any) -> Any:
        listed.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listing)
    asked = {
        "climbs/1.jpg": OUTSIDE,
        "climbs/a/1.jpg": OUTSIDE,
        "x/climbs/1.jpg": OUTSIDE,
        "stays/1.jpg": "stays/1.jpg",
        "file.jpg": OUTSIDE,
        "good.jpg": "good.jpg",
        "dead.jpg": MISSING,
        "pipe.jpg": MISSING,
        "../out/1.jpg": OUTSIDE,
        "a/../../out/1.jpg": OUTSIDE,
        "a/../a/1.jpg": "a/../a/1.jpg",
        "./a/1.jpg": "./a/1.jpg",
        str(secret / "1.jpg"): OUTSIDE,
        str(folder / "a" / "1.jpg"): str(folder / "a" / "1.jpg"),
        "a": MISSING,
        "a/": MISSING,
        ".": MISSING,
        "..": OUTSIDE,
        "x" * 300: MISSING,
        "x" * 300 + "/1.jpg": MISSING,
        "x/" * 3000 + "1.jpg": MISSING,
        "\\..\\out": MISSING,
    }
    assert dict(zip(asked, paths(folder, *asked), strict=True)) == asked
    assert listed
    assert all(Path(path).is_relative_to(folder) for path in listed)


def test_a_name_that_acts_on_a_terminal_is_not_taken(tmp_path: Path) -> None:
    names = ["a\x1b[31m.jpg", "b\n.jpg", "c\x9b1m.jpg", "dé \u00a0ü.jpg"]
    touch(tmp_path, *names)
    assert paths(tmp_path, *names) == [UNPRINTABLE, UNPRINTABLE, UNPRINTABLE, names[3]]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a\\b", ".hidden", "a\nb", " a", "x" * 101, 'a"b', "a:b"]
)
def test_a_set_s_name_is_a_part_of_a_file_s_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not a folder's name") as caught:
        CocoFiles(name, tmp_path / "a.json", None)
    assert str(caught.value).isprintable()


def test_files_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json` is not there: expected COCO's instances of `x`"):
        read_instances(CocoFiles("x", tmp_path / "a.json", None))
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match="expected the folder of the images of `x`"):
        read_instances(CocoFiles("x", tmp_path / "a.json", tmp_path / "none"))
