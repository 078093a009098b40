import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evensight.annotations import AREAS
from evensight.audits.audit import audit
from evensight.coco.reading import CocoFiles
from evensight.datasets.controls import controlled
from evensight.datasets.photo_examples import PhotoExamples
from evensight.datasets.priors import Prior
from evensight.errors import InputError
from evensight.photos.catalog import PhotoDesign
from evensight.storage.parquet import DATA_NAME
from evensight.storage.stored import StoredExamples, store

MakeCoco = Callable[..., Path]


def image(number: int, name: str, width: int = 90, height: int = 90) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": width, "height": height}


def thing(number: int, image_id: int, category_id: int, bbox: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": bbox, "iscrowd": 0}


def of(root: Path, seed: int = 0, **settings: Any) -> PhotoExamples:
    """The photographs of val2017, with some settings of the design."""
    design = PhotoDesign.model_validate({"name": "mine", "photos": "val2017", **settings})
    apart = [CocoFiles.in_layout(root, split) for split in design.apart_from]
    prior = CocoFiles.in_layout(root, design.prior) if design.prior else None
    return PhotoExamples(CocoFiles.in_layout(root, "val2017"), design, seed, apart_from=apart, prior=prior)


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
    found = list(of(root))
    assert [(e.area, e.attributes["category"]) for e in found] == [
        ("top left", "cat"),
        ("bottom right", "dog"),
        ("center", "cat"),
    ]
    assert [e.question.answer for e in found] == [e.area for e in found]
    assert all("Where is the cat?" in found[k].question.text for k in (0, 2))
    assert found[0].box.xyxy_px == (0, 0, 9, 9)


def test_photographs_are_asked_in_the_words_of_the_scenes(root: Path) -> None:
    question = of(root)[0].question
    assert question.task == "absolute-position"
    assert sorted(question.options) == sorted(AREAS)
    assert question.text.startswith("Answer using as few words as possible. Where is the cat? Choose from [")


def test_photographs_are_stored_byte_by_byte(root: Path, tmp_path: Path) -> None:
    store(of(root), tmp_path / "set")
    stored = StoredExamples(tmp_path / "set")
    assert list(stored) == list(of(root))
    assert stored.encoded(0) == (root / "val2017" / "1.jpg").read_bytes()
    assert stored.info.factors == ("category", "box_share", "certainty_band")
    assert stored.info.of_photos


def test_a_photograph_with_an_orientation_tag_is_stored_as_it_was_annotated(root: Path, tmp_path: Path) -> None:
    path = root / "val2017" / "2.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as photo:
        photo.save(path, exif=exif)
    store(of(root), tmp_path / "set")
    stored = StoredExamples(tmp_path / "set")
    assert stored.image(2).size == (180, 90)
    assert not stored.image(2).getexif()


def test_a_photograph_with_broken_exif_is_stored_byte_by_byte_and_without_a_warning(root: Path) -> None:
    path = root / "val2017" / "1.jpg"
    with Image.open(path) as photo:
        photo.save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert of(root).encoded(0) == path.read_bytes()


def test_a_photograph_that_is_cut_short_is_left_out_and_noted(root: Path) -> None:
    path = root / "val2017" / "1.jpg"
    path.write_bytes(path.read_bytes()[:500])
    found = of(root)
    assert [example.id for example in found] == ["val2017-000000000002-3"]
    assert found.info.notes["left_out"]["image file that can't be decoded"]["n"] == 2


def test_nothing_to_ask_is_one_line_with_the_reasons(root: Path) -> None:
    for path in (root / "val2017").iterdir():
        path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"can't be decoded.: 3") as caught:
        of(root)
    assert len(str(caught.value).splitlines()) == 1


def test_the_hash_changes_with_the_annotations_and_the_seed(root: Path) -> None:
    before = of(root).hash
    assert of(root).hash == before
    assert of(root, seed=1).hash != before
    path = root / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert of(root).hash != before


def test_the_hash_changes_with_any_photograph_also_in_folders_of_their_own(make_coco: MakeCoco) -> None:
    files = {"a/1.jpg": (90, 90), "b/1.jpg": (90, 90)}
    images = [image(1, "a/1.jpg"), image(2, "b/1.jpg")]
    root = make_coco(files, images, [thing(1, 1, 1, [0, 0, 9, 9]), thing(2, 2, 1, [0, 0, 9, 9])])
    hashes = {of(root).hash}
    for name in files:
        Image.new("RGB", (90, 90), "red").save(root / "val2017" / name)
        hashes.add(of(root).hash)
    assert len(hashes) == 3


def test_what_has_no_box_that_can_be_used_is_known_to_be_there(make_coco: MakeCoco) -> None:
    files = {f"{k}.jpg": (90, 90 + k) for k in range(3)}
    images = [image(k, f"{k}.jpg", height=90 + k) for k in range(3)]
    annotations = [thing(k, k, 1 + k % 2, [0, 0, 9, 9]) for k in range(3)]
    root = make_coco(files, images, [*annotations, thing(9, 0, 2, [5, 5, 0, 9])])  # a dog without a width
    found = of(root)
    (dog,) = found[0].others
    assert (dog.name, dict(dog.attributes), dog.box.xyxy_px) == ("dog", {"unplaced": "yes"}, (0, 0, 90, 90))
    wrong = controlled(found, "wrong-photo", 0)  # "Where is the dog?" is never asked of photograph 0
    assert all(example.attributes["category"] not in {o.name for o in example.others} for example in wrong)
    assert wrong[1].frame.height_px == 92


def test_each_question_says_how_certain_it_is_and_how_large_its_box(root: Path) -> None:
    found = list(of(root))
    # The cat of photograph 2 is 20 x 10 px of 180 x 90, and all of its box is in the center.
    assert [example.certainty for example in found] == [1.0, 1.0, 1.0]
    assert [example.attributes["certainty_band"] for example in found] == ["all in its area"] * 3
    assert [example.attributes["box_share"] for example in found] == ["1 to 5 %"] * 3
    assert {other.name for other in found[0].others} == {"dog"}
    assert found[2].others == ()


def test_the_rule_is_in_the_manifest_and_its_steps_in_the_notes(root: Path) -> None:
    found = of(root, rule={"only": ["cat"]})
    assert [example.attributes["category"] for example in found] == ["cat", "cat"]
    assert found.info.config["rule"]["only"] == ["cat"]
    selection = found.info.notes["selection"]
    assert selection["rule"] == {"only": ["cat"]}
    assert [step["n"] for step in selection["steps"]] == [3, 3, 3, 2]
    assert selection["asked"] == [1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert found.hash != of(root).hash


def test_nothing_left_is_said_with_what_each_rule_left(root: Path) -> None:
    with pytest.raises(InputError, match=r"no photograph to ask about.*all annotated objects: 3") as caught:
        of(root, rule={"min_box_share": 0.9})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", ["row-position", "column-position"])
def test_other_questions_of_place(root: Path, task: str) -> None:
    found = of(root, task=task)
    answers = [example.question.answer for example in found]
    assert answers == (["top", "bottom", "center"] if task == "row-position" else ["left", "right", "center"])
    assert audit(found).ok


def test_only_places_can_be_asked_of_photographs(root: Path) -> None:
    with pytest.raises(InputError, match="`counting` is not known: expected one of absolute-position, row-position"):
        of(root, task="counting")


@pytest.fixture
def nine(make_coco: MakeCoco) -> Path:
    """18 photographs of one cat each, two in each area, and a dog in the first."""
    files = {f"{k}.jpg": (90, 90 + k) for k in range(18)}
    images = [{"id": k, "file_name": name, "width": w, "height": h} for k, (name, (w, h)) in enumerate(files.items())]
    annotations = [thing(k + 1, k, 1, [30 * (k % 3) + 10, 30 * (k // 3 % 3) + 10, 10, 10]) for k in range(18)]
    return make_coco(files, images, [*annotations, thing(99, 0, 2, [0, 0, 9, 9])])


def test_a_balanced_set_claims_and_has_equally_many_of_each_area(nine: Path) -> None:
    found = of(nine, draw={"balance": "area"})
    assert Counter(example.area for example in found) == dict.fromkeys(AREAS, 2)
    assert ("task", "area") in found.info.balanced
    assert audit(found).ok
    by_category = of(nine, draw={"balance": "area-category"})
    assert {example.attributes["category"] for example in by_category} == {"cat"}
    assert ("category", "area") in by_category.info.balanced
    assert audit(by_category).ok


def test_a_broken_photograph_is_replaced_where_some_are_drawn(nine: Path) -> None:
    design: dict[str, Any] = {"draw": {"balance": "area", "per_area": 1}}
    before = of(nine, **design)
    broken = before[4]
    (nine / "val2017" / f"{int(broken.id.split('-')[1])}.jpg").write_bytes(b"no photograph")
    after = of(nine, **design)
    assert Counter(example.area for example in after) == dict.fromkeys(AREAS, 1)
    ids = [{example.id for example in found} for found in (before, after)]
    assert ids[0] - ids[1] == {broken.id}
    left_out = after.info.notes["left_out"]
    assert [fault["first"] for fault in left_out.values()] == [[broken.id]]


def test_every_selected_object_is_asked_drawn_not_or_left_out(nine: Path) -> None:
    for name in ("3.jpg", "7.jpg"):
        (nine / "val2017" / name).write_bytes(b"")
    found = of(nine)
    n_left_out = sum(fault["n"] for fault in found.info.notes["left_out"].values())
    assert len(found) + n_left_out == found.info.notes["selection"]["steps"][-1]["n"] == 19


def test_more_than_there_are_is_refused(nine: Path) -> None:
    assert len(of(nine, draw={"n": 19})) == 19
    with pytest.raises(InputError, match="`20` photographs' objects are asked for, and there are 19"):
        of(nine, draw={"n": 20})


def with_train(root: Path, copied: Mapping[str, str], images: list[dict[str, Any]]) -> Path:
    """A train split beside val2017, of copies of its photographs; each has a cat, at the left or the right."""
    (root / "train2017").mkdir()
    for name, original in copied.items():
        shutil.copy(root / "val2017" / original, root / "train2017" / name)
    annotations = [thing(k, each["id"], 1, [0 if k % 3 else 80, 0, 9, 9]) for k, each in enumerate(images)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    return root


def test_no_photograph_of_another_split_by_id_nor_by_pixels(root: Path) -> None:
    images = [image(1, "x.jpg", width=180), image(7, "y.jpg"), image(8, "z.jpg")]
    with_train(root, {"x.jpg": "2.jpg", "y.jpg": "1.jpg", "z.jpg": "1.jpg"}, images)
    with Image.open(root / "train2017" / "z.jpg") as photo:
        photo.convert("L").convert("RGB").save(root / "train2017" / "z.jpg")  # another photograph
    files = CocoFiles.in_layout(root, "train2017")
    val = CocoFiles.in_layout(root, "val2017")
    design = PhotoDesign(name="train", photos="train2017")
    assert len(PhotoExamples(files, design, 0)) == 3
    found = PhotoExamples(files, design, 0, apart_from=[val])
    assert [example.id for example in found] == ["train2017-000000000008-2"]
    left_out = {reason: fault["n"] for reason, fault in found.info.notes["left_out"].items()}
    assert left_out == {
        "photograph that is also in val2017, by its id": 1,
        "photograph that is also in val2017, by its pixels": 1,
    }
    assert set(found.info.config["apart_from"]) == {"val2017"}


def test_a_prior_is_learned_from_annotations_alone(root: Path) -> None:
    images = [image(k, f"{k}.jpg") for k in range(20, 26)]
    with_train(root, {}, images)  # no photograph is there
    prior = CocoFiles("train2017", root / "annotations" / "instances_train2017.json", None)
    design = PhotoDesign(name="val", photos="val2017")
    found = PhotoExamples(CocoFiles.in_layout(root, "val2017"), design, 0, prior=prior).info
    assert found.prior is not None
    learned = Prior.from_json(found.prior)
    # Of 6 cats 4 are at the left: k = 1, 2, 4, 5.
    assert learned.guesses("cat", 0.01)["category prior"] == "top left"
    assert found.config["prior"] is not None
    assert list(PhotoExamples(CocoFiles.in_layout(root, "val2017"), design, 0)) == list(of(root))


# The real photographs


@pytest.fixture(scope="module")
def val(photos_root: Path) -> PhotoExamples:
    return of(photos_root)


@pytest.mark.photos
def test_real_photographs_are_what_they_claim(val: PhotoExamples) -> None:
    found = audit(val)
    assert found.broken == ()
    assert found.faults == ()
    slots = Counter(example.question.slot for example in val)
    assert max(slots.values()) - min(slots.values()) <= 1


@pytest.mark.photos
def test_real_photographs_are_the_same_twice(val: PhotoExamples, photos_root: Path) -> None:
    again = of(photos_root)
    assert list(again) == list(val)
    assert again.hash == val.hash


@pytest.mark.photos
def test_real_photographs_are_read_back_as_they_were(val: PhotoExamples, tmp_path: Path) -> None:
    store(val, tmp_path, limit=12)
    stored = StoredExamples(tmp_path)
    assert list(stored) == [val[k] for k in range(12)]
    assert np.array_equal(np.asarray(stored.image(11)), np.asarray(val.image(11)))
    assert pq.read_schema(tmp_path / DATA_NAME).names[-3:] == ["category", "box_share", "certainty_band"]


@pytest.mark.photos
def test_a_third_of_the_real_objects_is_in_the_center(val: PhotoExamples) -> None:
    share = Counter(example.area for example in val)["center"] / len(val)
    assert 0.2 < share < 0.5
