"""Columns and objects against pycocotools, a second reader of the same files."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from evensight.annotations import Box
from evensight.coco.reading import CocoFiles, CocoSplit, Objects, has_split, read_instances, read_split

MakeCoco = Callable[..., Path]
POLYGON = [0, 0, 4, 0, 4, 4]
RUNS = {"counts": [0, 12], "size": [3, 4]}


def annotation(number: int, **other: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 5], "iscrowd": 0} | other


@pytest.fixture
def split(make_coco: MakeCoco) -> CocoSplit:
    annotations = [
        annotation(9, segmentation=[POLYGON, POLYGON]),
        annotation(8, category_id=2, iscrowd=1, segmentation=RUNS),
        annotation(7, image_id=2, bbox=[0.5, 0, 1, 1], segmentation=[POLYGON]),
        annotation(6),
    ]
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 40, "height": 30} for k in (1, 2)]
    return read_split(make_coco({"1.jpg": (40, 30), "2.jpg": (40, 30)}, images, annotations), "val2017")


def test_columns_by_hand(split: CocoSplit) -> None:
    columns = split.columns
    assert split.categories == ("cat", "dog")
    assert columns.ids.tolist() == [9, 8, 7, 6]
    assert columns.image_ids.tolist() == [1, 1, 2, 1]
    assert columns.category_codes.tolist() == [0, 1, 0, 0]
    assert columns.boxes_xyxy_px.tolist() == [[1, 2, 11, 7], [1, 2, 11, 7], [0.5, 0, 1.5, 1], [1, 2, 11, 7]]
    assert columns.is_crowd.tolist() == [False, True, False, False]
    assert columns.n_parts.tolist() == [2, 0, 1, 0]
    types = [str(column.dtype) for column in columns.all()]
    assert types == ["int64", "int64", "int32", "float64", "bool", "int16"]


@pytest.mark.parametrize(
    ("outline", "n_parts"),
    [
        ([], 0),
        ([POLYGON], 1),
        ([POLYGON] * 3, 3),
        ([[]], 1),
        ([POLYGON, [float("nan"), 1]], 2),
        ([POLYGON, None], 0),
        ([POLYGON, float("nan")], 0),
        (POLYGON, 0),
        (RUNS, 0),
        (None, 0),
        ("[[", 0),
        (float("nan"), 0),
        ([[]] * 40_000, 32_767),
    ],
)
def test_the_parts_of_an_outline(make_coco: MakeCoco, outline: Any, n_parts: int) -> None:
    one = {"id": 1, "file_name": "1.jpg", "width": 40, "height": 30}
    root = make_coco({"1.jpg": (40, 30)}, [one], [annotation(1, segmentation=outline)])
    split = read_split(root, "val2017", with_segmentations=True)
    assert split.objects[0].n_parts == n_parts
    assert repr(split.objects[0].segmentation) == repr(outline)


def test_columns_can_not_be_written(split: CocoSplit) -> None:
    with pytest.raises(ValueError, match="read-only"):
        split.columns.ids[0] = 5


def test_objects_are_a_sequence(split: CocoSplit) -> None:
    objects = split.objects
    listed = list(objects)
    assert len(objects) == len(listed) == 4
    assert [objects[k] for k in range(-4, 4)] == listed * 2
    assert objects[1] == listed[1]
    assert (listed[1].id, listed[1].category, listed[1].is_crowd, listed[2].n_parts) == (8, "dog", True, 1)
    assert listed[2].box == Box(0.5, 0, 1.5, 1)
    assert listed[3] in objects
    assert all(type(thing.id) is int and type(thing.is_crowd) is bool for thing in objects)
    with pytest.raises(IndexError):
        objects[4]


@pytest.mark.parametrize(
    "cut", [slice(1, 3), slice(None, None, -1), slice(-1, None), slice(3, 0, -2), slice(9, 2), slice(2, None, -1)]
)
def test_a_slice_of_objects_is_that_of_their_list(split: CocoSplit, cut: slice) -> None:
    part = split.objects[cut]
    assert isinstance(part, Objects)
    assert list(part) == list(split.objects)[cut]
    assert [part[k] for k in range(len(part))] == list(part)
    assert part == split.objects[cut]
    assert (part == split.objects) == (len(part) == 4 and cut.step is None)


def test_images_are_a_mapping(split: CocoSplit) -> None:
    assert list(split.images) == [1, 2]
    assert [image.id for image in split.images.values()] == [1, 2]
    assert 1 in split.images
    assert 3 not in split.images
    assert split.images[2].file.name == "2.jpg"
    with pytest.raises(KeyError):
        split.images[3]


def as_pycocotools_has_it(path: Path) -> dict[int, Any]:
    """What each image has: annotation ids, categories, boxes as width and height, crowds, polygons."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    found = {}
    for image_id in coco.getImgIds():
        entries = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        found[image_id] = {
            entry["id"]: (
                coco.loadCats(entry["category_id"])[0]["name"],
                entry["bbox"],
                bool(entry["iscrowd"]),
                len(entry["segmentation"]) if isinstance(entry["segmentation"], list) else 0,
            )
            for entry in entries
            if min(entry["bbox"][2:]) > 0
        }
    return found


def as_columns_have_it(split: CocoSplit) -> dict[int, Any]:
    found: dict[int, Any] = {id_: {} for id_ in split.images}
    for image_id, id_, code, (x0, y0, x1, y1), crowd, parts in zip(
        *(
            column.tolist()
            for column in (
                split.columns.image_ids,
                split.columns.ids,
                split.columns.category_codes,
                split.columns.boxes_xyxy_px,
                split.columns.is_crowd,
                split.columns.n_parts,
            )
        ),
        strict=True,
    ):
        found[image_id][id_] = (split.categories[code], pytest.approx([x0, y0, x1 - x0, y1 - y0]), crowd, parts)
    return found


@pytest.mark.photos
@pytest.mark.parametrize("name", ["val2017", "train2017"])
def test_real_columns_are_those_of_pycocotools(photos_root: Path, name: str) -> None:
    if not has_split(photos_root, name):
        pytest.skip(f"no {name} there")
    split = read_split(photos_root, name)
    expected = as_pycocotools_has_it(photos_root / "annotations" / f"instances_{name}.json")
    assert as_columns_have_it(split) == expected
    assert max(split.columns.n_parts) > 1


number = st.floats(0, 600, allow_nan=False).map(lambda x: round(x, 2))
polygon = st.lists(number, min_size=6, max_size=8)
made_annotation = st.fixed_dictionaries(
    {
        "image_id": st.integers(1, 4),
        "category_id": st.integers(1, 3),
        "bbox": st.lists(number, min_size=4, max_size=4),
        "iscrowd": st.sampled_from([0, 1]),
        "segmentation": st.one_of(st.lists(polygon, max_size=3), st.just(RUNS)),
        "area": number,
    }
)


@settings(max_examples=60)
@given(st.lists(made_annotation, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_made_columns_are_those_of_pycocotools(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]], random: Any
) -> None:
    ids = random.sample(range(100), len(entries))
    content = {
        "images": [{"id": k, "file_name": f"{k}.jpg", "width": 640, "height": 480} for k in (3, 1, 2, 4)],
        "annotations": [entry | {"id": id_} for entry, id_ in zip(entries, ids, strict=True)]
        + [annotation(100, segmentation=[])],
        "categories": [{"id": k, "name": name} for k, name in enumerate(("zebra", "cat", "dog"), 1)],
    }
    path = tmp_path_factory.mktemp("made") / "made.json"
    path.write_text(json.dumps(content))
    split = read_instances(CocoFiles("made", path, None))
    assert as_columns_have_it(split) == as_pycocotools_has_it(path)
    assert split.n_accepted + len(split.rejected) == split.n_total


def test_boxes_are_as_exact_as_the_file(split: CocoSplit) -> None:
    assert np.array_equal(split.columns.boxes_xyxy_px, [thing.box.xyxy_px for thing in split.objects])
