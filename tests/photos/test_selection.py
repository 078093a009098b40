import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evensight.annotations import PAPER_GRID, Frame
from evensight.errors import InputError
from evensight.photos.coco import Rejections, has_split, read_split
from evensight.photos.selection import (
    Photo,
    load_rgb,
    main_object_counts,
    readable,
    single_instance_counts,
    single_instances,
)

MakeCoco = Callable[..., Path]
FILES = {"1.jpg": (90, 90), "2.jpg": (180, 90)}
IMAGES = [
    {"id": 1, "file_name": "1.jpg", "width": 90, "height": 90},
    {"id": 2, "file_name": "2.jpg", "width": 180, "height": 90},
]


def thing(number: int, image_id: int, category_id: int, bbox: Any, iscrowd: int = 0) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": bbox,
        "iscrowd": iscrowd,
    }


def chosen(root: Path) -> list[str]:
    return [photo.id for photo in single_instances(read_split(root, "val2017"))]


def test_only_the_single_object_of_a_category_is_asked_for(make_coco: MakeCoco) -> None:
    annotations = [
        thing(1, 1, 1, [0, 0, 10, 10]),
        thing(2, 1, 2, [0, 0, 10, 10]),
        thing(3, 1, 2, [50, 50, 10, 10]),
        thing(4, 2, 2, [0, 0, 20, 20]),
    ]
    root = make_coco(FILES, IMAGES, annotations)
    assert chosen(root) == ["val2017-000000000001-1", "val2017-000000000002-4"]
    photos = single_instances(read_split(root, "val2017"))
    assert [photo.category for photo in photos] == ["cat", "dog"]
    assert photos[1].annotation.frame == Frame(180, 90)


def test_a_crowd_counts_as_an_instance_and_is_never_asked_for(make_coco: MakeCoco) -> None:
    annotations = [
        thing(1, 1, 1, [0, 0, 10, 10]),
        thing(2, 1, 1, [0, 0, 90, 90], iscrowd=1),
        thing(3, 2, 1, [0, 0, 90, 90], iscrowd=1),
        thing(4, 2, 2, [0, 0, 9, 9]),
    ]
    assert chosen(make_coco(FILES, IMAGES, annotations)) == ["val2017-000000000002-4"]


def test_an_object_with_a_bad_box_still_counts_as_an_instance(make_coco: MakeCoco) -> None:
    # Two cats are in the picture, whatever is wrong with the box of one: "the cat" would mean either.
    annotations = [
        thing(1, 1, 1, [0, 0, 10, 10]),
        thing(2, 1, 1, [50, 50, 10, 0]),
        thing(4, 2, 2, [0, 0, 9, 9]),
    ]
    assert chosen(make_coco(FILES, IMAGES, annotations)) == ["val2017-000000000002-4"]


def test_two_categories_of_one_name_are_one_category(make_coco: MakeCoco) -> None:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "dog"}]
    annotations = [
        thing(1, 1, 1, [0, 0, 9, 9]),
        thing(2, 1, 2, [50, 50, 9, 9]),
        thing(3, 1, 3, [1, 1, 5, 5]),
    ]
    assert chosen(make_coco(FILES, IMAGES, annotations, categories)) == ["val2017-000000000001-3"]


def test_the_cell_of_an_object_half_off_the_image_is_the_nearest(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, [thing(1, 1, 1, [-100, 40, 110, 10])])
    photo = single_instances(read_split(root, "val2017"))[0]
    cell = PAPER_GRID.cell_of(photo.annotation.objects[0], photo.annotation.frame)
    assert (cell.row, cell.col) == (4, 0)


def test_an_order_that_does_not_depend_on_the_file(make_coco: MakeCoco) -> None:
    annotations = [thing(k, 2 - k % 2, 1 + k // 2 % 2, [0, 0, 9, 9]) for k in range(4)]
    root = make_coco(FILES, IMAGES, annotations)
    before = chosen(root)
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: content[key][::-1] for key in content}))
    assert chosen(root) == before


def kept(root: Path) -> tuple[list[str], dict[str, int]]:
    rejected = Rejections()
    photos = readable(single_instances(read_split(root, "val2017")), rejected.add)
    return [photo.id for photo in photos], rejected.counts()


@pytest.fixture
def two_photos(make_coco: MakeCoco) -> Path:
    return make_coco(FILES, IMAGES, [thing(1, 1, 1, [0, 0, 9, 9]), thing(2, 2, 1, [0, 0, 9, 9])])


def test_whole_images_are_kept(two_photos: Path) -> None:
    assert kept(two_photos) == (["val2017-000000000001-1", "val2017-000000000002-2"], {})


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_truncated_image_is_left_out_and_counted(two_photos: Path, share: float) -> None:
    path = two_photos / "val2017" / "1.jpg"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert kept(two_photos) == (["val2017-000000000002-2"], {"image file that can't be decoded": 1})


@pytest.mark.parametrize("content", [b"not an image", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_file_that_is_no_image_is_left_out_and_counted(two_photos: Path, content: bytes) -> None:
    (two_photos / "val2017" / "1.jpg").write_bytes(content)
    assert kept(two_photos) == (["val2017-000000000002-2"], {"image file that can't be decoded": 1})


def test_an_image_of_another_size_than_declared_is_left_out_and_counted(two_photos: Path) -> None:
    Image.new("RGB", (90, 91)).save(two_photos / "val2017" / "1.jpg")
    assert kept(two_photos) == (["val2017-000000000002-2"], {"image of another size than declared": 1})


def test_one_file_with_two_declared_sizes_is_kept_for_the_right_one(make_coco: MakeCoco) -> None:
    again = {"id": 3, "file_name": "1.jpg", "width": 50, "height": 90}
    annotations = [thing(1, 1, 1, [0, 0, 9, 9]), thing(3, 3, 1, [0, 0, 9, 9])]
    root = make_coco(FILES, [*IMAGES, again], annotations)
    assert kept(root) == (["val2017-000000000001-1"], {"image of another size than declared": 1})


def test_an_image_is_read_as_rgb(tmp_path: Path) -> None:
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    loaded = load_rgb(tmp_path / "grey.png")
    assert loaded.mode == "RGB"
    assert np.array_equal(np.asarray(loaded)[..., 1], grey)


def test_an_orientation_tag_does_not_turn_the_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (30, 10)).save(tmp_path / "a.jpg", exif=exif)
    assert load_rgb(tmp_path / "a.jpg").size == (30, 10)


def test_an_image_that_can_not_be_read_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    for name in ("a.jpg", "none.jpg", "."):
        with pytest.raises(InputError, match="can't be read as an image") as caught:
            load_rgb(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evensight.photos.selection.MAX_PIXELS", 99)
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="10 x 10 pixels"):
        load_rgb(tmp_path / "a.png")


def test_the_main_object_is_the_largest_that_is_no_crowd(make_coco: MakeCoco) -> None:
    annotations = [
        thing(1, 1, 1, [0, 0, 10, 10]),
        thing(2, 1, 1, [40, 40, 10, 20]),  # its middle is (45, 50): cell (5, 4)
        thing(3, 1, 2, [0, 0, 90, 90], iscrowd=1),
        thing(4, 2, 1, [160, 0, 20, 10]),  # its middle is (170, 5): cell (0, 8)
    ]
    counts = main_object_counts(read_split(make_coco(FILES, IMAGES, annotations), "val2017"), PAPER_GRID)
    expected = np.zeros((9, 9), dtype=int)
    expected[5, 4] = expected[0, 8] = 1
    assert counts == expected.tolist()


def test_the_single_instances_are_counted_in_their_cells(make_coco: MakeCoco) -> None:
    annotations = [
        thing(1, 1, 1, [0, 0, 10, 10]),
        thing(2, 1, 2, [40, 40, 10, 20]),
        thing(3, 2, 1, [0, 0, 90, 90]),
        thing(4, 2, 1, [160, 0, 20, 10]),
    ]
    counts = single_instance_counts(read_split(make_coco(FILES, IMAGES, annotations), "val2017"), PAPER_GRID)
    expected = np.zeros((9, 9), dtype=int)
    expected[0, 0] = expected[5, 4] = 1
    assert counts == expected.tolist()


AREA_NAMES = (
    ("top left", "top center", "top right"),
    ("center left", "center", "center right"),
    ("bottom left", "bottom center", "bottom right"),
)


def areas_by_hand(path: Path) -> Counter[str]:
    """The areas of all objects that are alone of their category, straight from COCO's file.

    In integers: coordinates have two decimals, so centre * 200 is whole.
    """
    content = json.loads(path.read_text())
    sizes = {entry["id"]: (entry["width"], entry["height"]) for entry in content["images"]}
    alike = defaultdict(list)
    for entry in content["annotations"]:
        alike[entry["image_id"], entry["category_id"]].append(entry)
    found: Counter[str] = Counter()
    for (image_id, _), entries in alike.items():
        if len(entries) == 1 and entries[0]["iscrowd"] == 0:
            x, y, w, h = (round(100 * value) for value in entries[0]["bbox"])
            width, height = sizes[image_id]
            col, row = (2 * x + w) * 3 // (200 * width), (2 * y + h) * 3 // (200 * height)
            found[AREA_NAMES[min(row, 2)][min(col, 2)]] += 1
    return found


@pytest.mark.photos
@pytest.mark.parametrize("name", ["val2017", "train2017"])
def test_the_areas_of_real_single_instances(photos_root: Path, name: str) -> None:
    if not has_split(photos_root, name):
        pytest.skip(f"no {name} there")

    def area(photo: Photo) -> str:
        return PAPER_GRID.area_of(PAPER_GRID.cell_of(photo.annotation.objects[0], photo.annotation.frame))

    by_hand = areas_by_hand(photos_root / "annotations" / f"instances_{name}.json")
    assert Counter(map(area, single_instances(read_split(photos_root, name)))) == by_hand
    assert by_hand.total() > 300
