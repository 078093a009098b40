import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evensight.annotations import AREAS
from evensight.coco.reading import CocoFiles
from evensight.datasets.controls import CONTROLS
from evensight.datasets.examples import ExampleSet
from evensight.datasets.orders import Order
from evensight.datasets.photo_sets import photo_set
from evensight.errors import InputError
from evensight.photos.catalog import PhotoDesign, photo_design, photo_names
from evensight.storage.stored import StoredExamples, store

MakeCoco = Callable[..., Path]
MINI = "name: mini\nparts:\n  - {shape: [square], color: [red], size: [large]}\n"


@pytest.fixture
def root(make_coco: MakeCoco) -> Path:
    """27 photographs with a cat and a dog or a cow each, the cats three times in each area."""
    files = {f"{k}.jpg": (90 + k % 3, 90 + k // 3) for k in range(27)}
    images = [{"id": k, "file_name": name, "width": w, "height": h} for k, (name, (w, h)) in enumerate(files.items())]
    annotations = []
    for k in range(27):
        area = k % 9
        for number, category in ((2 * k, 1), (2 * k + 1, 2 + k % 2)):
            x, y = (area % 3, area // 3) if category == 1 else ((area + 1) % 3, area // 3)
            box = [30 * x + 10, 30 * y + 10, 10, 10]
            annotations.append({"id": number, "image_id": k, "category_id": category, "bbox": box})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "cow"}]
    return make_coco(files, images, annotations, categories)


def a_set(root: Path, seed: int = 0, **settings: Any) -> ExampleSet:
    design = PhotoDesign.model_validate({"name": "mine", "photos": "val2017", **settings})
    return photo_set(design, root, seed, size_px=90)


def test_the_matched_setting_has_as_many_as_the_design(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(MINI.replace("parts:", "grid: 3x3\nparts:").replace("mini", "small"))
    matched = a_set(root, draw={"like": str(path)})
    assert len(matched) == 9
    assert matched.info.config["draw"]["n"] == 9
    with pytest.raises(InputError, match="`1,620` photographs' objects are asked for, and there are 54"):
        a_set(root, draw={"like": "civet-train"})


def test_a_mixture_has_all_scenes_and_the_photographs_share(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "mini.yaml"
    path.write_text(MINI)
    mixed = a_set(root, scenes={"design": str(path), "photo_share": 0.25})
    sources = Counter(example.attributes["source"] for example in mixed)
    assert sources == {"mini": 81, "mine-photos": 27}
    assert not mixed.info.of_photos
    assert list(a_set(root, scenes={"design": str(path), "photo_share": 0.25})) == list(mixed)


def test_a_mixture_with_balanced_photographs(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "mini.yaml"
    path.write_text(MINI)
    scenes = {"design": str(path), "photo_share": 0.35}  # 44 of 125, so about 5 of each area
    mixed = a_set(root, scenes=scenes, draw={"balance": "area"})
    areas = Counter(example.area for example in mixed if example.attributes["source"] == "mine-photos")
    assert areas == dict.fromkeys(AREAS, 5)
    with pytest.raises(InputError, match="says by `scenes` and by `draw`"):
        a_set(root, scenes=scenes, draw={"n": 5})
    with pytest.raises(InputError, match="photographs balanced by area and category"):
        a_set(root, scenes=scenes, draw={"balance": "area-category"})
    with pytest.raises(InputError, match="there are 54"):
        a_set(root, scenes={"design": str(path), "photo_share": 0.9})


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_is_a_set_like_any_other(root: Path, tmp_path: Path, control: str) -> None:
    plain, controlled = a_set(root), a_set(root, control=control)
    assert controlled.info.name == f"mine-{control}"
    assert len(controlled) == len(plain)
    assert controlled.hash != plain.hash
    store(controlled, tmp_path / "set")
    assert list(StoredExamples(tmp_path / "set")) == list(controlled)


def test_an_unknown_control_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match="`upside-down` is not known: expected one of wrong-photo, black"):
        a_set(root, control="upside-down")


def test_a_prior_that_is_not_there_is_done_without(root: Path) -> None:
    assert a_set(root, prior="train2017").info.prior is None
    content = json.loads((root / "annotations" / "instances_val2017.json").read_text())
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    assert a_set(root, prior="train2017").info.prior is not None


def test_files_that_are_not_in_cocos_layout(root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.json"
    (root / "annotations" / "instances_val2017.json").rename(moved)
    files = CocoFiles("elsewhere", moved, root / "val2017")
    design = PhotoDesign(name="mine", photos="elsewhere")
    assert len(photo_set(design, None, 0, files=files)) == 54
    with pytest.raises(InputError, match="expected the folder with elsewhere/"):
        photo_set(design, None, 0)


@pytest.mark.parametrize("name", photo_names())
def test_every_shipped_design_is_made_of_the_real_photographs_or_says_why_not(
    name: str, photos_root: Path, tmp_path: Path
) -> None:
    order = Order(name, size_px=90, photos=photos_root)
    if name in ("coco-train-matched", "coco-train-mixed"):  # there are fewer photographs here than scenes
        with pytest.raises(InputError, match=r"`1,620` photographs' objects are asked for, and there are [0-9]+:"):
            order.examples()
        return
    examples = order.examples()
    assert examples.info.name == name
    assert examples.info.of_photos
    store(examples, tmp_path / "set", limit=3)
    assert list(StoredExamples(tmp_path / "set")) == [examples[k] for k in range(3)]


def test_a_design_of_photographs_needs_a_folder_and_no_parts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVENSIGHT_PHOTOS", raising=False)
    with pytest.raises(InputError, match=r"`data/coco` is none; name one by `--photos FOLDER` or EVENSIGHT_PHOTOS"):
        Order("coco-val").examples()
    with pytest.raises(InputError, match="is of photographs: leave out `--part`"):
        Order("coco-val", part="test", photos=root).examples()
    monkeypatch.setenv("EVENSIGHT_PHOTOS", str(root))
    assert len(Order("coco-val").examples()) == 54


def test_an_order_of_photographs_is_the_same_anywhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "mine.yaml").write_text("name: mine\nphotos: val2017\ndraw: {n: 20}\n")
    monkeypatch.chdir(root)
    order = Order("mine.yaml", photos=Path(), task="row-position")
    here = list(order.examples())
    resolved, command = order.resolved(), order.command
    monkeypatch.chdir(tmp_path)
    assert list(resolved.examples()) == here
    assert {example.question.task for example in here} == {"row-position"}
    assert command == "evensight generate mine.yaml --seed 0 --task row-position --photos FOLDER"


def test_a_mixtures_command_says_the_size_of_its_scenes() -> None:
    mixed = Order("coco-train-mixed", size_px=108, photos=Path("photos"))
    assert mixed.command == "evensight generate coco-train-mixed --size 108 --seed 0 --photos FOLDER"
    assert "--size" not in Order("coco-train", size_px=108, photos=Path("photos")).command


def test_what_ships_for_training_is_kept_apart_from_the_test() -> None:
    for name in photo_names():
        design = photo_design(name)
        assert design is not None
        assert ("val2017" in design.apart_from) == (design.photos == "train2017")
