import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evensight.annotations import Box
from evensight.coco.reading import CocoFiles, CocoSplit, has_split, read_instances, read_split
from evensight.errors import InputError

MakeCoco = Callable[..., Path]


def image(number: int, name: str | None = None, width: int = 40, height: int = 30) -> dict[str, Any]:
    return {"id": number, "file_name": name or f"{number}.jpg", "width": width, "height": height}


def thing(number: int, image_id: int = 1, category_id: int = 1, **other: Any) -> dict[str, Any]:
    box = [1, 2, 10, 5]
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": box, "iscrowd": 0} | other


ONE_FILE = {"1.jpg": (40, 30)}


def assert_all_counted(split: CocoSplit, n_categories: int) -> None:
    assert split.n_accepted == len(split.images) + len(split.objects) + n_categories
    assert len(split.images) + len(split.objects) + n_categories + len(split.rejected) == split.n_total


def test_a_split_by_hand(make_coco: MakeCoco) -> None:
    root = make_coco(ONE_FILE, [image(1)], [thing(7), thing(8, category_id=2, iscrowd=1)])
    split = read_split(root, "val2017")
    assert split.name == "val2017"
    assert (split.images[1].frame.width_px, split.images[1].frame.height_px) == (40, 30)
    assert [(o.id, o.category, o.is_crowd) for o in split.objects] == [(7, "cat", False), (8, "dog", True)]
    assert split.objects[0].box == Box(1, 2, 11, 7)
    assert len(split.rejected) == 0
    assert split.n_total == 1 + 2 + 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "image without an id"),
        ("1.jpg", "image without an id"),
        ({}, "image without an id"),
        ({"id": "1", "file_name": "1.jpg", "width": 40, "height": 30}, "image id that is not a whole number"),
        ({"id": True, "file_name": "1.jpg", "width": 40, "height": 30}, "image id that is not a whole number"),
        (image(2) | {"id": 2**63}, "image id that is not a whole number"),
        (image(2, "1.jpg", width=2**31), "image without a size"),
        ({"id": 2, "width": 40, "height": 30}, "image without a file name"),
        (image(2, "a\0b.jpg"), "image without a file name"),
        ({"id": 2, "file_name": 5, "width": 40, "height": 30}, "image without a file name"),
        ({"id": 2, "file_name": "1.jpg"}, "image without a size"),
        (image(2, "1.jpg", width=0), "image without a size"),
        ({"id": 2, "file_name": "1.jpg", "width": 40.5, "height": "30"}, "image without a size"),
        (image(1), "image id twice"),
        (image(2), "image file missing"),
        (image(2, "."), "image file missing"),
        (image(2, "new\nline\x1b[31m.jpg"), "image file missing"),
        (image(2, "../secret.jpg"), "image file outside the folder"),
        (image(2, "../val2017/../secret.jpg"), "image file outside the folder"),
        (image(2, "/etc/passwd"), "image file outside the folder"),
        (image(2, "\ud800.jpg"), "image file outside the folder"),
        (image(2, "link.jpg"), "image file outside the folder"),
        (image(2, "folder/secret.jpg"), "image file outside the folder"),
        (image(2, "loop.jpg"), "image file outside the folder"),
        (image(2, "x" * 300 + ".jpg"), "image file missing"),
    ],
)
def test_an_image_that_can_not_be_used_is_counted_by_its_reason(make_coco: MakeCoco, bad: Any, reason: str) -> None:
    root = make_coco(ONE_FILE, [image(1), bad], [thing(7)])
    (root / "secret.jpg").write_bytes((root / "val2017" / "1.jpg").read_bytes())
    (root / "val2017" / "link.jpg").symlink_to(root / "secret.jpg")
    (root / "val2017" / "folder").symlink_to(root)
    (root / "val2017" / "loop.jpg").symlink_to(root / "val2017" / "loop.jpg")
    split = read_split(root, "val2017")
    assert split.rejected.counts() == {reason: 1}
    assert_all_counted(split, 2)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "annotation without an id"),
        ([], "annotation without an id"),
        (thing(7) | {"id": 7.0}, "annotation id that is not a whole number"),
        (thing(7), "annotation id twice"),
        (thing(8, image_id=99), "annotation of an image that can't be used"),
        (thing(8) | {"image_id": None}, "annotation of an image that can't be used"),
        (thing(8, category_id=99), "annotation of an unknown category"),
        (thing(8) | {"category_id": [1]}, "annotation of an unknown category"),
    ],
)
def test_an_annotation_that_can_not_be_used_is_counted_by_its_reason(
    make_coco: MakeCoco, bad: Any, reason: str
) -> None:
    split = read_split(make_coco(ONE_FILE, [image(1)], [thing(7), bad]), "val2017")
    assert split.rejected.counts() == {reason: 1}
    assert_all_counted(split, 2)


@pytest.mark.parametrize(
    "bbox",
    [
        None,
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        "1234",
        [1, 2, "3", 4],
        [1, 2, True, 4],
        [1, 2, 10, 0],
        [1, 2, 0, 10],
        [1, 2, -3, 4],
        [float("nan"), 2, 3, 4],
        [1, 2, float("inf"), 4],
        [1, 2, 3, float("nan")],
        [1, 2, 10**400, 4],
        [1e8, 2, 1e-12, 4],
        {"x": 1},
    ],
)
def test_a_box_that_is_none_is_counted(make_coco: MakeCoco, bbox: Any) -> None:
    split = read_split(make_coco(ONE_FILE, [image(1)], [thing(7), thing(8, bbox=bbox)]), "val2017")
    assert split.rejected.by_reason == {"box without four finite numbers, a width and a height": ["8"]}


def test_a_box_off_the_image_is_kept_as_it_is(make_coco: MakeCoco) -> None:
    split = read_split(make_coco(ONE_FILE, [image(1)], [thing(7, bbox=[-5, 20, 100, 100])]), "val2017")
    assert split.objects[0].box.xyxy_px == (-5, 20, 95, 120)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "category without an id or a printable name"),
        ({"id": 3}, "category without an id or a printable name"),
        ({"id": 3, "name": ""}, "category without an id or a printable name"),
        ({"id": 3, "name": "  "}, "category without an id or a printable name"),
        ({"id": 3, "name": "cat\x1b[31m"}, "category without an id or a printable name"),
        ({"id": 3, "name": "ca\nt"}, "category without an id or a printable name"),
        ({"id": 3, "name": "c\u202eat"}, "category without an id or a printable name"),
        ({"id": 3, "name": "x" * 101}, "category without an id or a printable name"),
        ({"id": 3, "name": 5}, "category without an id or a printable name"),
        ({"id": 3, "name": "__ "}, "category without an id or a printable name"),
        ({"id": "3", "name": "cow"}, "category id that is not a whole number"),
        ({"id": 1, "name": "cow"}, "category id twice"),
    ],
)
def test_a_category_that_can_not_be_used_is_counted(make_coco: MakeCoco, bad: Any, reason: str) -> None:
    categories = [{"id": 1, "name": " cat "}, bad]
    split = read_split(make_coco(ONE_FILE, [image(1)], [thing(7)], categories), "val2017")
    assert split.rejected.counts() == {reason: 1}
    assert split.objects[0].category == "cat"
    assert_all_counted(split, 1)


def test_a_name_with_markup_is_kept_as_text(make_coco: MakeCoco) -> None:
    name = "<img src=x onerror=alert(1)>"
    split = read_split(make_coco(ONE_FILE, [image(1)], [thing(7)], [{"id": 1, "name": name}]), "val2017")
    assert split.objects[0].category == name


def test_everything_wrong_at_once_is_all_counted(make_coco: MakeCoco) -> None:
    images = [image(1), image(1), image(2), None, image(3, "../x.jpg")]
    annotations = [thing(7), thing(7), thing(8, image_id=2), thing(9, bbox=[1, 2, 3, 0]), 5]
    categories = [{"id": 1, "name": "cat"}, {"id": 1, "name": "cow"}, None]
    split = read_split(make_coco(ONE_FILE, images, annotations, categories), "val2017")
    assert split.n_total == 13
    assert len(split.rejected) == 10
    assert_all_counted(split, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"images": [{"id": 1, "file_na',
        b"[]",
        b"null",
        b"5",
        b'"images"',
        b"{}",
        b'{"images": [], "annotations": []}',
        b'{"images": {}, "annotations": [], "categories": []}',
        b'{"licenses": [], "info": {}, "images": [], "annotations": [], "categories": []}',
        b"\xff\xfe\xfa",
        b"\x00" * 100,
        b"[" * 200_000,
        b'{"images": [' + b"9" * 10_000 + b'], "annotations": [], "categories": []}',
    ],
)
def test_annotations_of_another_kind_are_one_line(make_coco: MakeCoco, content: bytes) -> None:
    root = make_coco(ONE_FILE, [], [])
    (root / "annotations" / "instances_val2017.json").write_bytes(content)
    with pytest.raises(InputError, match=r"instances_val2017\.json") as caught:
        read_split(root, "val2017")
    assert len(str(caught.value).splitlines()) == 1


WHOLE = json.dumps(
    {
        "info": {"description": "ü"},
        "images": [image(1)],
        "annotations": [thing(7, segmentation=[[1, 2, 3, 4, 5, 6]]), thing(8, bbox=[1, 2, float("nan"), 4])],
        "categories": [{"id": 1, "name": "cat"}],
    },
    ensure_ascii=False,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_is_cut_short_is_one_line_that_says_where(make_coco: MakeCoco, encoding: str) -> None:
    root = make_coco(ONE_FILE, [], [])
    path = root / "annotations" / "instances_val2017.json"
    content = WHOLE.encode(encoding)
    for n_bytes in range(0, len(content), 50):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(InputError, match=r"can't be read as JSON.* at byte [\d,]+|is not COCO's") as caught:
            read_split(root, "val2017")
        assert len(str(caught.value).splitlines()) == 1
    path.write_bytes(content)
    split = read_split(root, "val2017")
    assert [o.id for o in split.objects] == [7]
    assert split.rejected.counts() == {"box without four finite numbers, a width and a height": 1}


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (b'{"id": 8, "image_id": 1, "category_id": 1, "bbox": [NaN, 1, 2, 3]}', "8"),
        (b'{"id": 8, "image_id": 1, "category_id": 1, "bbox": [1e999, 1, 2, 3]}', "8"),
        (b'{"id": 8, "image_id": 1, "category_id": 1, "bbox": [' + b"[" * 400 + b"]" * 400 + b"]}", "8"),
        (b'{"id": ' + b"9" * 400 + b"}", "9" * 40),
        (b'{"id": ' + b"9" * 5000 + b"}", '{"id": ' + "9" * 33),
        (b'{"id": "\\ud800"}', r"\ud800"),
        (b'{"id": "\xff"}', '{"id": "\ufffd"}'),
        (b'{"id": "a\\u001b[31m"}', r"a\x1b[31m"),
        (b'{"id": [[1]]}', "a list"),
        (b"[" * 400 + b"]" * 400, "[" * 40),
        (b'"text"', '"text"'),
        (b"{}", "None"),
    ],
)
def test_one_broken_entry_is_named_and_the_rest_goes_on(make_coco: MakeCoco, entry: bytes, name: str) -> None:
    root = make_coco(ONE_FILE, [image(1)], [thing(7), "here"])
    path = root / "annotations" / "instances_val2017.json"
    path.write_bytes(path.read_bytes().replace(b'"here"', entry))
    split = read_split(root, "val2017")
    assert [o.id for o in split.objects] == [7]
    assert list(split.rejected.by_reason.values()) == [[name]]
    assert_all_counted(split, 2)


def test_brackets_without_end_are_one_line(make_coco: MakeCoco) -> None:
    root = make_coco(ONE_FILE, [image(1)], [thing(7), "here"])
    path = root / "annotations" / "instances_val2017.json"
    path.write_bytes(path.read_bytes().replace(b'"here"', b"[" * 100_000 + b"]" * 100_000))
    with pytest.raises(InputError, match="Brackets too deep at byte") as caught:
        read_split(root, "val2017")
    assert len(str(caught.value).splitlines()) == 1


def test_of_two_keys_the_last_counts(make_coco: MakeCoco) -> None:
    root = make_coco(ONE_FILE, [], [])
    path = root / "annotations" / "instances_val2017.json"
    one, other = json.dumps(thing(7)), json.dumps(thing(8))[:-1] + ', "id": 9}'
    rest = f'"images": [{json.dumps(image(1))}], "categories": [{{"id": 1, "name": "cat"}}]'
    path.write_text(f'{{"annotations": [{one}], {rest}, "annotations": [{other}]}}')
    assert [o.id for o in read_split(root, "val2017").objects] == [9]


some_id = st.one_of(st.integers(-1, 4), st.sampled_from([2**64, -(2**63) - 1, True, 1.0, "1", None, [1]]))
some_number = st.floats(-10, 50) | st.integers(0, 50) | st.sampled_from([float("nan"), 10**300, None, True])
some_box = st.lists(some_number, min_size=3, max_size=5) | st.lists(st.integers(0, 9), min_size=4, max_size=4)
outline = (
    st.lists(st.lists(some_number, max_size=3) | st.none(), max_size=3) | st.text(max_size=2) | st.just({"size": 1})
)
some_name = st.sampled_from(
    ["1.jpg", "2.jpg", "a/1.jpg", "../1.jpg", "/1.jpg", "\ud800", "a\0", "", None, "cat", "c_at"]
)


def entry_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields) | st.none() | st.integers(0, 3)


some_set = st.fixed_dictionaries(
    {
        "images": st.lists(
            entry_of(
                id=some_id,
                file_name=some_name,
                coco_url=some_name,
                width=st.integers(0, 40),
                height=st.integers(1, 40),
                not_exhaustive_category_ids=st.lists(some_id, max_size=2) | some_id,
            ),
            max_size=5,
        ),
        "annotations": st.lists(
            entry_of(
                id=some_id,
                image_id=some_id,
                category_id=some_id,
                bbox=some_box,
                iscrowd=some_id,
                segmentation=outline,
            ),
            max_size=8,
        ),
        "categories": st.lists(entry_of(id=some_id, name=some_name), max_size=4),
    }
)


@settings(max_examples=200)
@given(some_set)
def test_whatever_a_file_holds_all_of_it_is_accepted_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("some")
    (root / "1.jpg").touch()
    content["images"].append(image(77, "1.jpg"))
    content["categories"].append({"id": 77, "name": "zebra"})
    content["annotations"].append(thing(77, 77, 77))
    (root / "a.json").write_text(json.dumps(content))
    split = read_instances(CocoFiles("some", root / "a.json", root), with_segmentations=True)
    assert split.n_accepted + len(split.rejected) == split.n_total == sum(map(len, content.values()))
    assert len({o.id for o in split.objects}) == len(split.objects) >= 1
    for each in split.objects:
        assert each.image_id in split.images
        assert each.category in split.categories
    assert all(path.file.resolve().is_relative_to(root.resolve()) for path in split.images.values())
    assert all(name.isprintable() for names in split.rejected.by_reason.values() for name in names)


def test_a_folder_with_nothing_usable_says_what_was_left_out(make_coco: MakeCoco) -> None:
    root = make_coco({}, [image(1)], [thing(7)])
    with pytest.raises(InputError, match="image file missing") as caught:
        read_split(root, "val2017")
    assert len(str(caught.value).splitlines()) == 1


def test_a_split_that_is_not_there_names_those_that_are(make_coco: MakeCoco) -> None:
    root = make_coco(ONE_FILE, [image(1)], [thing(7)])
    with pytest.raises(InputError, match=r"instances_test2017\.json.*instances_val2017\.json"):
        read_split(root, "test2017")
    assert has_split(root, "val2017")
    assert not has_split(root, "test2017")


def test_a_folder_without_the_images_folder_is_refused(make_coco: MakeCoco) -> None:
    root = make_coco({}, [image(1)], [thing(7)])
    (root / "val2017").rmdir()
    with pytest.raises(InputError, match="expected the folder of the images"):
        read_split(root, "val2017")


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read_split(tmp_path / "none", "val2017")


@pytest.mark.photos
@pytest.mark.parametrize("name", ["val2017", "train2017"])
def test_all_real_annotations_are_used_or_counted(photos_root: Path, name: str) -> None:
    if not has_split(photos_root, name):
        pytest.skip(f"no {name} there")
    content = json.loads((photos_root / "annotations" / f"instances_{name}.json").read_text())
    split = read_split(photos_root, name)
    assert_all_counted(split, len(content["categories"]))
    assert len(split.rejected) < 0.01 * split.n_total


@pytest.mark.photos
def test_real_objects_are_those_of_the_file(photos_root: Path) -> None:
    content = json.loads((photos_root / "annotations" / "instances_val2017.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    by_hand = Counter(names[entry["category_id"]] for entry in content["annotations"] if entry["bbox"][3] > 0)
    assert Counter(thing.category for thing in read_split(photos_root, "val2017").objects) == by_hand
