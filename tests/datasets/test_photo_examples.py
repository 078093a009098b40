import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evensight.annotations import AREAS
from evensight.audits.audit import audit
from evensight.datasets.photo_examples import PhotoExamples
from evensight.errors import InputError
from evensight.storage.parquet import DATA_NAME
from evensight.storage.stored import StoredExamples, store

MakeCoco = Callable[..., Path]


def image(number: int, name: str, width: int = 90, height: int = 90) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": width, "height": height}


def thing(number: int, image_id: int, category_id: int, bbox: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": bbox, "iscrowd": 0}


@pytest.fixture
def root(make_coco: MakeCoco) -> Path:
    files = {"1.jpg": (90, 90), "2.jpg": (180, 90)}
    annotations = [
        thing(1, 1, 1, [0, 0, 9, 9]),
        thing(2, 1, 2, [80, 80, 9, 9]),
        thing(3, 2, 1, [80, 40, 20, 10]),
    ]
    return make_coco(files, [image(1, "1.jpg"), image(2, "2.jpg", width=180)], annotations)


def test_photographs_by_hand(root: Path) -> None:
    found = list(PhotoExamples.of_split(root, "val2017", seed=0))
    assert [(e.area, e.attributes["category"]) for e in found] == [
        ("top left", "cat"),
        ("bottom right", "dog"),
        ("center", "cat"),
    ]
    assert [e.question.answer for e in found] == [e.area for e in found]
    assert all("Where is the cat?" in found[k].question.text for k in (0, 2))
    assert found[0].box.xyxy_px == (0, 0, 9, 9)


def test_photographs_are_asked_in_the_words_of_the_scenes(root: Path) -> None:
    question = PhotoExamples.of_split(root, "val2017", seed=0)[0].question
    assert question.task == "absolute-position"
    assert sorted(question.options) == sorted(AREAS)
    assert question.text.startswith("Answer using as few words as possible. Where is the cat? Choose from [")


def test_photographs_are_stored_byte_by_byte(root: Path, tmp_path: Path) -> None:
    store(PhotoExamples.of_split(root, "val2017", seed=0), tmp_path / "set")
    stored = StoredExamples(tmp_path / "set")
    assert list(stored) == list(PhotoExamples.of_split(root, "val2017", seed=0))
    assert stored.encoded(0) == (root / "val2017" / "1.jpg").read_bytes()
    assert stored.info.factors == ("category",)


def test_a_photograph_with_an_orientation_tag_is_stored_as_it_was_annotated(root: Path, tmp_path: Path) -> None:
    path = root / "val2017" / "2.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as photo:
        photo.save(path, exif=exif)
    store(PhotoExamples.of_split(root, "val2017", seed=0), tmp_path / "set")
    stored = StoredExamples(tmp_path / "set")
    assert stored.image(2).size == (180, 90)
    assert not stored.image(2).getexif()


def test_a_photograph_that_is_cut_short_is_left_out_and_noted(root: Path) -> None:
    path = root / "val2017" / "1.jpg"
    path.write_bytes(path.read_bytes()[:500])
    found = PhotoExamples.of_split(root, "val2017", seed=0)
    assert [example.id for example in found] == ["val2017-000000000002-3"]
    assert found.info.notes["left_out"]["image file that can't be decoded"]["n"] == 2


def test_nothing_to_ask_is_one_line_with_the_reasons(root: Path) -> None:
    for path in (root / "val2017").iterdir():
        path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"can't be decoded.: 3") as caught:
        PhotoExamples.of_split(root, "val2017", seed=0)
    assert len(str(caught.value).splitlines()) == 1


def test_the_hash_changes_with_the_annotations_and_the_seed(root: Path) -> None:
    before = PhotoExamples.of_split(root, "val2017", seed=0).hash
    assert PhotoExamples.of_split(root, "val2017", seed=0).hash == before
    assert PhotoExamples.of_split(root, "val2017", seed=1).hash != before
    path = root / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert PhotoExamples.of_split(root, "val2017", seed=0).hash != before


def test_the_hash_changes_with_any_photograph_also_in_folders_of_their_own(make_coco: MakeCoco) -> None:
    files = {"a/1.jpg": (90, 90), "b/1.jpg": (90, 90)}
    images = [image(1, "a/1.jpg"), image(2, "b/1.jpg")]
    root = make_coco(files, images, [thing(1, 1, 1, [0, 0, 9, 9]), thing(2, 2, 1, [0, 0, 9, 9])])
    hashes = {PhotoExamples.of_split(root, "val2017", seed=0).hash}
    for name in files:
        Image.new("RGB", (90, 90), "red").save(root / "val2017" / name)
        hashes.add(PhotoExamples.of_split(root, "val2017", seed=0).hash)
    assert len(hashes) == 3


# The real photographs


@pytest.fixture(scope="module")
def val(photos_root: Path) -> PhotoExamples:
    return PhotoExamples.of_split(photos_root, "val2017", seed=0)


@pytest.mark.photos
def test_real_photographs_are_what_they_claim(val: PhotoExamples) -> None:
    found = audit(val)
    assert found.broken == ()
    assert found.faults == ()
    slots = Counter(example.question.slot for example in val)
    assert max(slots.values()) - min(slots.values()) <= 1


@pytest.mark.photos
def test_real_photographs_are_the_same_twice(val: PhotoExamples, photos_root: Path) -> None:
    again = PhotoExamples.of_split(photos_root, "val2017", seed=0)
    assert list(again) == list(val)
    assert again.hash == val.hash


@pytest.mark.photos
def test_real_photographs_are_read_back_as_they_were(val: PhotoExamples, tmp_path: Path) -> None:
    store(val, tmp_path, limit=12)
    stored = StoredExamples(tmp_path)
    assert list(stored) == [val[k] for k in range(12)]
    assert np.array_equal(np.asarray(stored.image(11)), np.asarray(val.image(11)))
    assert pq.read_schema(tmp_path / DATA_NAME).names[-1] == "category"


@pytest.mark.photos
def test_a_third_of_the_real_objects_is_in_the_center(val: PhotoExamples) -> None:
    share = Counter(example.area for example in val)["center"] / len(val)
    assert 0.2 < share < 0.5
