"""What is kept gives the same set as the file; what is damaged, foreign or unwritable is as if it weren't there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evensight.caches import CACHE_VARIABLE
from evensight.coco import listing_cache, reading
from evensight.coco.reading import CocoFiles, CocoSplit, read_instances

POLYGON = [0.5, 0, 4, 0, 4, 4.25]
Writes = Callable[[dict[str, Any]], CocoFiles]


def images(**other: Any) -> list[Any]:
    listed = [{"id": k, "file_name": f"{k}.jpg", "width": 40, "height": 30} | other for k in (1, 2, 3)]
    return [*listed, listed[0], None, {"id": 9, "file_name": "\ud800.jpg", "width": 4, "height": 3}]


def annotations(**other: Any) -> list[Any]:
    def one(number: int, **own: Any) -> dict[str, Any]:
        return {"id": number, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 5], "iscrowd": 0} | other | own

    return [
        one(5, segmentation=[POLYGON, POLYGON]),
        "x\x1b[31m",
        one(4, image_id=3, segmentation=None),
        one(4, image_id=2, category_id=2),
        one(3, image_id=2, bbox=[1, 2, 3, 0]),
        one(2, image_id=2, iscrowd=1, segmentation={"counts": "a`1", "size": [30, 40]}),
        one(1, image_id=2, category_id=2, segmentation="none of them"),
    ]


CATEGORIES = [{"id": 1, "name": "aerosol_can"}, {"id": 2, "name": "dog"}, {"id": 2, "name": "cow"}]
PLAIN = {"images": images(), "annotations": annotations(), "categories": CATEGORIES}
KINDS = {
    "COCO": PLAIN,
    "NaN": PLAIN | {"annotations": [*annotations(), annotations()[0] | {"id": 6, "bbox": [1, 2, float("nan"), 4]}]},
    "NaN in an outline": PLAIN | {"annotations": annotations(segmentation=[[float("nan"), 1, 2, 3, 4, 5]])},
    "LVIS": PLAIN | {"images": images(not_exhaustive_category_ids=[2, 77])},
    "no fault": {
        "images": images()[:2],
        "annotations": [annotations()[0], annotations()[6]],
        "categories": CATEGORIES[:2],
    },
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "MIN_KEPT_BYTES", 0)
    return tmp_path / "cache" / "instances"


@pytest.fixture
def writes(tmp_path: Path) -> Writes:
    def write(content: dict[str, Any]) -> CocoFiles:
        (tmp_path / "images").mkdir()
        for k in (1, 2):  # the third one is missing
            (tmp_path / "images" / f"{k}.jpg").touch()
        (tmp_path / "set.json").write_text(json.dumps(content))
        return CocoFiles("set", tmp_path / "set.json", tmp_path / "images")

    return write


def told(split: CocoSplit) -> str:
    """All of a set, as text."""
    parts = [split.name, list(split.images.values()), split.categories, sorted(split.uncounted), split.n_total]
    return repr([*parts, split.rejected, [(thing, thing.segmentation) for thing in split.objects]])


def no_reading(*_: Any) -> Any:
    pytest.fail("the file was checked again")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_images", [True, False])
@pytest.mark.parametrize("with_segmentations", [True, False])
def test_what_is_kept_is_what_was_read(
    writes: Writes, monkeypatch: pytest.MonkeyPatch, kind: str, with_images: bool, with_segmentations: bool
) -> None:
    files = writes(KINDS[kind])
    if not with_images:
        files = CocoFiles(files.name, files.annotations, None)
    monkeypatch.setattr(reading, "MIN_KEPT_BYTES", 10**9)
    plain = told(read_instances(files, with_segmentations=with_segmentations))
    monkeypatch.setattr(reading, "MIN_KEPT_BYTES", 0)
    first = told(read_instances(files, with_segmentations=with_segmentations))
    monkeypatch.setattr(reading, "read_entries", no_reading)
    kept = told(read_instances(files, with_segmentations=with_segmentations))
    assert plain == first == kept


def test_the_faults_are_in_the_order_of_the_file(writes: Writes) -> None:
    assert list(read_instances(writes(PLAIN)).rejected.by_reason.items()) == [
        ("category id twice", ["2"]),
        ("image file missing", ["3"]),
        ("image id twice", ["1"]),
        ("image without an id", ["null"]),
        ("image file outside the folder", ["9"]),
        ("annotation without an id", ['"x\\u001b[31m"']),
        ("annotation of an image that can't be used", ["4"]),
        ("annotation id twice", ["4"]),
        ("box without four finite numbers, a width and a height", ["3"]),
    ]


def test_an_instance_that_can_not_be_used_makes_its_kind_uncounted(writes: Writes) -> None:
    assert read_instances(writes(PLAIN)).uncounted == {(2, "dog"), (2, "aerosol can")}


def test_what_is_said_of_a_missing_image_goes_with_it(writes: Writes) -> None:
    more = [*annotations(), {"id": 77, "image_id": 3, "category_id": 2, "bbox": None}]
    files = writes(PLAIN | {"annotations": more})
    for _ in range(2):
        split = read_instances(files, with_segmentations=True)
        assert split.uncounted == {(2, "dog"), (2, "aerosol can")}
        by_id = {
            entry["id"]: entry["segmentation"]
            for entry in PLAIN["annotations"]
            if isinstance(entry, dict) and "segmentation" in entry
        }
        assert {thing.id: thing.segmentation for thing in split.objects} == {k: by_id[k] for k in (5, 2, 1)}
    alone = read_instances(CocoFiles("set", files.annotations, None))
    assert alone.uncounted == {(2, "dog"), (2, "aerosol can"), (3, "dog")}


def test_outlines_are_only_read_when_asked_for(writes: Writes, cache: Path) -> None:
    files = writes(PLAIN)
    whole = told(read_instances(files, with_segmentations=True))
    (outlines,) = cache.rglob("segmentations.parquet")
    outlines.unlink()
    assert len(read_instances(files).objects) == 3
    assert not outlines.exists()
    assert told(read_instances(files, with_segmentations=True)) == whole
    assert outlines.exists()


def flipped(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def cut(path: Path, place: float) -> None:
    path.write_bytes(path.read_bytes()[: int(place * path.stat().st_size)])


def emptied(path: Path, place: float) -> None:
    path.write_text("{}" if path.suffix == ".json" else "")


def removed(path: Path, place: float) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flipped, cut, emptied, removed])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("name", ["meta.json", "objects.parquet", "images.parquet", "faults.parquet"])
def test_a_damaged_cache_is_made_anew(
    writes: Writes, cache: Path, damage: Callable[[Path, float], None], place: float, name: str
) -> None:
    files = writes(PLAIN)
    expected = told(read_instances(files))
    (path,) = cache.rglob(name)
    whole = path.read_bytes()
    damage(path, place)
    assert told(read_instances(files)) == expected
    assert path.read_bytes() == whole


def test_changed_facts_are_not_taken(writes: Writes, cache: Path) -> None:
    files = writes(PLAIN)
    expected = told(read_instances(files))
    (meta,) = cache.rglob("meta.json")
    meta.write_text(meta.read_text().replace("dog", "fox"))
    assert told(read_instances(files)) == expected


def test_another_file_s_cache_is_not_taken(writes: Writes, cache: Path, tmp_path: Path) -> None:
    files = writes(PLAIN)
    expected = told(read_instances(files))
    (folder,) = cache.iterdir()
    table = pq.read_table(folder / "objects.parquet")
    pq.write_table(table.slice(0, 1), folder / "objects.parquet")
    assert told(read_instances(files)) == expected


def test_a_changed_file_is_read_anew(writes: Writes, cache: Path) -> None:
    files = writes(PLAIN)
    before = read_instances(files)
    files.annotations.write_text(files.annotations.read_text().replace("dog", "fox"))
    after = read_instances(files)
    assert (before.categories, after.categories) == (("aerosol can", "dog"), ("aerosol can", "fox"))
    assert before.annotations_hash != after.annotations_hash
    assert len(list(cache.iterdir())) == 2


def test_a_cache_of_another_format_is_not_read(writes: Writes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = writes(PLAIN)
    read_instances(files)
    monkeypatch.setattr(listing_cache, "FORMAT", 10**6)
    read_instances(files)
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_can_not_be_written_is_done_without(
    writes: Writes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = writes(PLAIN)
    expected = told(read_instances(files))
    for folder in cache.iterdir():
        folder.rename(cache.parent / folder.name)

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(listing_cache, "_write", full)
    assert told(read_instances(files)) == expected
    assert list(cache.iterdir()) == []


def test_a_file_where_the_cache_should_be_is_left(writes: Writes, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("mine")
    assert len(read_instances(writes(PLAIN)).objects) == 3
    assert cache.read_text() == "mine"


def test_a_small_file_leaves_nothing_behind(writes: Writes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv(CACHE_VARIABLE, str(cache.parent))
    read_instances(writes(PLAIN))
    assert not cache.exists()


def test_the_same_file_leaves_the_same_bytes(writes: Writes, cache: Path) -> None:
    files = writes(PLAIN)

    def kept() -> dict[str, bytes]:
        read_instances(files)
        (folder,) = cache.iterdir()
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
        folder.rename(cache.parent / "before")
        return found

    first = kept()
    for path in (cache.parent / "before").iterdir():
        path.unlink()
    assert kept() == first
