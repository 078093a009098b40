import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from evensight.annotations import Frame
from evensight.coco.reading import read_split
from evensight.errors import InputError
from evensight.photos.cutout_pixels import Cutout, inset, main_piece, of_side, without_halo
from evensight.photos.cutouts import MIN_BOX_SHARE, MIN_MAIN_PIECE, Cutouts, Selection
from evensight.photos.masks import bounds, decoded_counts, mask_of

MakeCoco = Callable[..., Path]
FRAME = Frame(120, 100)
IMAGES = [{"id": n, "file_name": f"{n}.jpg", "width": 120, "height": 100} for n in (1, 2)]
FILES = {"1.jpg": (120, 100), "2.jpg": (120, 100)}


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def thing(number: int, segmentation: Any, image_id: int = 1, category_id: int = 1, **other: Any) -> dict[str, Any]:
    entry = {"id": number, "image_id": image_id, "category_id": category_id, "segmentation": segmentation}
    if "bbox" not in other and isinstance(segmentation, list):
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in segmentation])
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        entry["bbox"] = [x0, y0, x1 - x0, y1 - y0]
    return entry | {"iscrowd": 0} | other


def paint(root: Path, pixels: NDArray[np.uint8], name: str = "1.jpg") -> None:
    """Puts these very pixels in place of a photograph: a PNG, whatever its name says."""
    Image.fromarray(pixels).save(root / "val2017" / name, "PNG")


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's plain code, counted one pixel after the other."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def whole(segmentation: Any, frame: Frame) -> NDArray[np.float64]:
    """The mask on the whole photograph, 0 to 1."""
    mask, (x0, y0, x1, y1) = mask_of(segmentation, frame)
    wide = np.zeros((frame.height_px + 8, frame.width_px + 8))
    wide[y0 + 4 : y1 + 4, x0 + 4 : x1 + 4] = mask / 255
    return wide[4:-4, 4:-4]


BLOB = [[60, 15, 95, 40, 85, 80, 40, 85, 22, 50, 35, 20]]
ALL_OK = [thing(1, [rectangle(20, 20, 80, 80)]), thing(2, BLOB, 2, 2)]


# --- segmentations


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", []),
        ("5d0", [5, 20]),  # 20 = 0b10100 would read as -12 in five bits, so a sixth follows: 20 + 32, then 0
        ("432N", [4, 3, 2, 1]),  # N is 30, which is -2: to be added to the one before the last, 3
        ("0l0", [0, 28]),  # l is 60 = 28 + 32
    ],
)
def test_compressed_run_lengths_by_hand(text: str, counts: list[int]) -> None:
    assert decoded_counts(text) == counts


@pytest.mark.parametrize("text", ["5d", "!", "5\u00ff", "o" * 20])
def test_compressed_run_lengths_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        decoded_counts(text)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32))
def test_run_lengths_are_read_as_coco_writes_them(width: int, height: int, share: float, seed: int) -> None:
    from pycocotools import mask as coco_mask

    mask = np.random.default_rng(seed).random((height, width)) < share
    mask[height // 2, width // 2] = True
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    frame = Frame(width, height)
    compressed = {"size": [height, width], "counts": code["counts"].decode()}
    plain = {"size": [height, width], "counts": run_lengths(mask)}
    assert np.array_equal(whole(compressed, frame), mask)
    assert np.array_equal(whole(plain, frame), mask)


def test_a_polygon_by_hand() -> None:
    mask = whole([rectangle(10, 20, 30, 25)], FRAME)
    inside = np.zeros((100, 120))
    inside[20:25, 10:30] = 1
    assert np.abs(mask - inside).max() < 0.15
    assert mask.sum() == pytest.approx(100, rel=0.04)


def test_a_polygon_has_soft_edges() -> None:
    mask = whole([rectangle(10.5, 20, 30, 40)], FRAME)
    assert 0.45 < mask[30, 10] < 0.65
    assert mask[30, 9] == 0
    assert mask[30, 11] == 1


def test_a_disc_is_where_and_as_large_as_its_polygon() -> None:
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    mask = whole([np.stack([60.3 + 30 * np.cos(turn), 50.7 + 30 * np.sin(turn)], axis=1).ravel().tolist()], FRAME)
    y, x = np.indices(mask.shape) + 0.5  # a pixel's centre
    assert mask.sum() == pytest.approx(np.pi * 900, rel=0.006)
    assert (mask * x).sum() / mask.sum() == pytest.approx(60.3, abs=0.03)
    assert (mask * y).sum() / mask.sum() == pytest.approx(50.7, abs=0.03)


def test_several_polygons_are_one_mask() -> None:
    parts = [rectangle(10, 10, 30, 30), rectangle(25, 10, 50, 30)]
    both = whole(parts, FRAME)
    assert np.array_equal(both, np.maximum(whole(parts[:1], FRAME), whole(parts[1:], FRAME)))


def test_a_polygon_off_the_photograph_is_cut_at_its_edge() -> None:
    mask = whole([rectangle(-500, 50, 60, 9000)], FRAME)
    assert mask[60:, :59].min() == 1
    assert mask[:49].max() == 0


N = 120 * 100
BAD: list[Any] = [
    None,
    5,
    "x",
    [],
    [[]],
    [[1, 2, 3, 4]],
    [[1, 2, 3, 4, 5, 6, 7]],
    [[1, 2, 3, 4, 5, None]],
    [[1, 2, 3, 4, 5, True]],
    [[1, 2, 3, 4, 5, float("nan")]],
    [[1, 2, 3, 4, 5, 1e300]],
    [rectangle(500, 500, 600, 600)],
    {},
    {"size": [100, 120]},
    {"size": [120, 100], "counts": [10, N - 10]},
    {"size": [100, 120], "counts": [10, N]},
    {"size": [100, 120], "counts": [-10, N + 10]},
    {"size": [100, 120], "counts": [10.0, N - 10]},
    {"size": [100, 120], "counts": [N]},
    {"size": [100, 120], "counts": "d"},
    {"size": [10**6, 10**6], "counts": [0, 10**12]},
]


@pytest.mark.parametrize("segmentation", BAD, ids=range(len(BAD)))
def test_a_segmentation_that_is_none_is_counted(make_coco: MakeCoco, segmentation: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        mask_of(segmentation, FRAME)
    bad = thing(9, segmentation, bbox=[10, 10, 60, 60])
    chosen = Cutouts.of_coco(make_coco(FILES, IMAGES, [*ALL_OK, bad]), "val2017")
    assert chosen.rejected.by_reason == {"segmentation that is none of COCO's": ["9"]}


# --- which objects are fit


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (thing(9, [rectangle(20, 20, 80, 80)], iscrowd=1), "crowd"),
        (thing(9, [rectangle(20, 20, 80, 67)]), "a side of less than 48 px"),
        (thing(9, [rectangle(1, 20, 80, 80)]), "cut off by the photograph's edge"),
        (thing(9, [rectangle(20, 20, 80, 99)]), "cut off by the photograph's edge"),
        (thing(9, [rectangle(1, 20, 80, 80)], bbox=[20, 20, 60, 60]), "cut off by the photograph's edge"),
        (thing(9, [rectangle(20, 20, 80, 50), rectangle(20, 60, 80, 80)]), "in more than one piece"),
        (thing(9, [[20, 20, 23, 20, 90, 90, 87, 90]]), "mask that does not fill its box"),
        (thing(9, [rectangle(40, 40, 50, 50)], bbox=[20, 20, 60, 60]), "mask that does not fill its box"),
        (thing(9, [rectangle(20, 20, 80, 80)], 3), "image file that can't be decoded"),
        (thing(9, [rectangle(20, 20, 80, 80)], 4), "image of another size than declared"),
    ],
)
def test_what_is_not_fit_is_counted_by_its_reason(make_coco: MakeCoco, bad: dict[str, Any], reason: str) -> None:
    images = [*IMAGES, *({"id": n, "file_name": f"{n}.jpg", "width": 120, "height": 100} for n in (3, 4))]
    root = make_coco(FILES | {"3.jpg": (120, 100), "4.jpg": (121, 100)}, images, [*ALL_OK, bad])
    (root / "val2017" / "3.jpg").write_bytes(b"no")
    chosen = Cutouts.of_coco(root, "val2017")
    assert chosen.rejected.by_reason == {reason: ["9"]}
    assert (chosen.count("cat"), chosen.count("dog")) == (1, 1)


def test_a_small_second_piece_is_left_away(make_coco: MakeCoco) -> None:
    dotted = [rectangle(20, 20, 80, 80), rectangle(90, 20, 95, 25)]
    chosen = Cutouts.of_coco(make_coco(FILES, IMAGES, [thing(1, dotted)]), "val2017")
    cut = chosen.cut("cat", 0, 40)
    assert cut.alpha.shape == (40, 40)
    assert (cut.alpha[10:30, 10:30] == 255).all()


def test_categories_and_members_are_in_an_order_that_the_file_does_not_give(make_coco: MakeCoco) -> None:
    objects = [thing(n, [rectangle(20, 20, 80, 80)], 2 - n % 2, 1 + n // 4) for n in range(1, 7)]
    root = make_coco(FILES, IMAGES, objects[::-1], [{"id": 1, "name": "zebra"}, {"id": 2, "name": "cat"}])
    chosen = Cutouts.of_coco(root, "val2017")
    assert chosen.categories == ("cat", "zebra")
    names = [chosen.member_name(category, k) for category in chosen.categories for k in range(chosen.count(category))]
    assert [name.rpartition("-")[2] for name in names] == ["5", "4", "6", "1", "3", "2"]
    assert names[0] == "val2017-000000000001-5"
    assert chosen.count("cow") == 0


def test_only_the_categories_that_are_asked_for_are_taken(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, ALL_OK)
    assert Cutouts.of_coco(root, "val2017", ("dog",)).categories == ("dog",)
    with pytest.raises(InputError, match="`cow` is not known: expected one of cat, dog"):
        Cutouts.of_coco(root, "val2017", ("cow",))
    with pytest.raises(InputError, match="`cat` is not known: expected one of dog"):
        Cutouts.of_coco(root, "val2017", ("dog",)).cut("cat", 0, 30)


def test_nothing_fit_is_one_line(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, ALL_OK)
    with pytest.raises(InputError, match="a side of less than 300 px': 2") as caught:
        Cutouts.of_coco(root, "val2017", min_side_px=300)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError, match="least side `3` px"):
        Selection(3)
    with pytest.raises(InputError, match="from 0 to 1"):
        Selection(min_box_share=1.5)


def test_a_fingerprint_is_of_what_was_taken_and_of_its_pixels(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, ALL_OK)
    first, fewer = Cutouts.of_coco(root, "val2017"), Cutouts.of_coco(root, "val2017", ("cat",))
    assert first.fingerprint == Cutouts.of_coco(root, "val2017").fingerprint != fewer.fingerprint
    paint(root, np.zeros((100, 120, 3), np.uint8), "2.jpg")
    assert Cutouts.of_coco(root, "val2017").fingerprint != first.fingerprint
    assert Cutouts.of_coco(root, "val2017", ("cat",)).fingerprint == fewer.fingerprint


def test_segmentations_are_kept_only_where_asked_for(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, ALL_OK)
    assert [o.segmentation for o in read_split(root, "val2017").objects] == [None, None]
    kept = read_split(root, "val2017", with_segmentations=True)
    assert [o.segmentation for o in kept.objects] == [ALL_OK[0]["segmentation"], BLOB]
    assert kept.objects == read_split(root, "val2017").objects


# --- the cut


def assert_cut_to_bounds(cut: Cutout) -> None:
    assert cut.rgb.shape == (*cut.alpha.shape, 3)
    assert all(edge.any() for edge in (cut.alpha[0], cut.alpha[-1], cut.alpha[:, 0], cut.alpha[:, -1]))


@pytest.fixture
def shapes(make_coco: MakeCoco) -> Cutouts:
    """A square, a tall triangle whose tip is sharp, a flat one, a disc and a blob."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = np.stack([60 + 30 * np.cos(turn), 50 + 30 * np.sin(turn)], axis=1).ravel().tolist()
    outlines: Sequence[Any] = ([rectangle(20, 20, 80, 80)], [[60, 5, 86, 95, 34, 95]], [[5, 50, 114, 20, 114, 80]])
    objects = [thing(n, outline) for n, outline in enumerate([*outlines, [disc], BLOB])]
    return Cutouts.of_coco(make_coco(FILES, IMAGES, objects), "val2017")


@pytest.mark.parametrize("side", [1, 2, 3, 7, 16, 31, 32, 64, 65, 200])
def test_the_longer_side_is_what_was_asked_for_to_the_pixel(shapes: Cutouts, side: int) -> None:
    for k in range(shapes.count("cat")):
        cut = shapes.cut("cat", k, side)
        assert max(cut.alpha.shape) == side
        assert_cut_to_bounds(cut)


@pytest.mark.parametrize("area", [30, 100, 333.3, 1000, 5000])
def test_the_area_is_what_was_asked_for(shapes: Cutouts, area: float) -> None:
    for k in range(shapes.count("cat")):
        cut = shapes.cut_of_area("cat", k, area)
        assert cut.alpha.sum() / 255 == pytest.approx(area, rel=0.003)
        assert_cut_to_bounds(cut)


def test_proportions_are_kept(shapes: Cutouts) -> None:
    for k, (width, height) in enumerate([(60, 60), (52, 90), (109, 60), (60, 60), (73, 70)]):
        got_height, got_width = shapes.cut("cat", k, 100).alpha.shape
        assert got_width / got_height == pytest.approx(width / height, rel=0.06)


@given(st.integers(0, 2**32), st.integers(1, 70))
def test_any_mask_that_is_fit_gives_a_cut_of_the_side(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((80, 70), np.uint8)
    for _ in range(rng.integers(2, 9)):
        x, y, w, h = rng.integers(4, 40), rng.integers(4, 50), rng.integers(4, 26), rng.integers(4, 26)
        mask[y : y + h, x : x + w] = 255
    piece, share = main_piece(mask)
    x0, y0, x1, y1 = bounds(inset(piece) > 127)
    assume(share >= MIN_MAIN_PIECE and (inset(piece) > 127).sum() >= MIN_BOX_SHARE * (x1 - x0) * (y1 - y0))
    source = without_halo(piece, np.zeros((80, 70, 3), np.uint8))
    cut = of_side(source, side)
    assert max(cut.alpha.shape) == side
    assert_cut_to_bounds(cut)


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("side", [5, 6, 9])
def test_a_mast_too_thin_to_be_seen_does_not_count_to_the_side(side: int, upside_down: bool) -> None:
    mask = np.zeros((400, 120), np.uint8)
    mask[10:200, 58:61] = mask[200:390, 10:110] = 255
    if upside_down:
        mask = np.ascontiguousarray(mask[::-1])
    cut = of_side(without_halo(mask, np.zeros((400, 120, 3), np.uint8)), side)
    assert max(cut.alpha.shape) == side
    assert_cut_to_bounds(cut)


@pytest.mark.parametrize("side", [24, 48, 120])
def test_nothing_of_the_old_background_is_blended_in(make_coco: MakeCoco, side: int) -> None:
    # The object is grey; the background is bright green, and reaches 2 px into the outline.
    root = make_coco(FILES, IMAGES, [thing(1, [rectangle(20, 20, 80, 80)])])
    pixels = np.full((100, 120, 3), (0, 255, 0), np.uint8)
    pixels[22:78, 22:78] = 90
    paint(root, pixels)
    cut = Cutouts.of_coco(root, "val2017").cut("cat", 0, side)
    assert (cut.rgb == 90).all()


def test_thin_parts_keep_their_own_colour(make_coco: MakeCoco) -> None:
    # A grey body with a red handle of 4 px, whose outermost pixels are the background's green.
    root = make_coco(FILES, IMAGES, [thing(1, [rectangle(20, 40, 70, 95), rectangle(42.1, 10, 46, 45)])])
    pixels = np.full((100, 120, 3), (0, 255, 0), np.uint8)
    pixels[40:95, 20:70] = 90
    pixels[5:39, 43:45] = (250, 0, 0)
    paint(root, pixels)
    cut = Cutouts.of_coco(root, "val2017").cut("cat", 0, 85)
    column = int(cut.alpha[10].argmax())
    assert cut.alpha[10, column] > 100
    assert cut.rgb[10, column].tolist() == [250, 0, 0]


def test_the_colours_are_in_their_places(make_coco: MakeCoco) -> None:
    root = make_coco(FILES, IMAGES, [thing(1, [rectangle(20, 20, 80, 80)])])
    pixels = np.zeros((100, 120, 3), np.uint8)
    pixels[:50, :50, 0] = pixels[:50, 50:, 1] = pixels[50:, :50, 2] = 255
    pixels[50:, 50:] = 255
    paint(root, pixels)
    cut = Cutouts.of_coco(root, "val2017").cut("cat", 0, 40)
    corners = [cut.rgb[y, x].tolist() for y, x in ((5, 5), (5, 35), (35, 5), (35, 35))]
    assert corners == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


def test_a_mirrored_photograph_gives_the_mirrored_cut(make_coco: MakeCoco, tmp_path: Path) -> None:
    root = make_coco(FILES, IMAGES, [thing(1, BLOB)])
    pixels = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    paint(root, pixels)
    cut = Cutouts.of_coco(root, "val2017").cut("cat", 0, 50)
    flipped = [[120 - v if n % 2 == 0 else v for n, v in enumerate(BLOB[0])]]
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": [thing(1, flipped)]}))
    paint(root, np.ascontiguousarray(pixels[:, ::-1]))
    mirrored = Cutouts.of_coco(root, "val2017").cut("cat", 0, 50)
    assert mirrored.alpha.shape == cut.alpha.shape
    # Pillow draws polygons a little differently from left and from right.
    assert np.abs(mirrored.alpha[:, ::-1].astype(int) - cut.alpha).mean() < 3


def test_cuts_are_kept_and_can_not_be_changed(shapes: Cutouts) -> None:
    cut = shapes.cut("cat", 0, 30)
    assert shapes.cut("cat", 0, 30) is cut
    assert shapes.cut_of_area("cat", 0, 30) is not cut
    for array in cut:
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    sent = pickle.dumps(shapes)
    assert len(sent) < 20_000
    again = pickle.loads(sent).cut("cat", 0, 30)
    assert np.array_equal(again.alpha, cut.alpha)
    assert np.array_equal(again.rgb, cut.rgb)


def test_sizes_and_numbers_that_are_none_are_refused(shapes: Cutouts) -> None:
    with pytest.raises(ValueError, match="1 px or more"):
        shapes.cut("cat", 0, 0)
    with pytest.raises(ValueError, match="4 px or more"):
        shapes.cut_of_area("cat", 0, 3)
    for k in (-1, 5):
        with pytest.raises(IndexError, match="cut-outs 0 to 4"):
            shapes.cut("cat", k, 30)


# --- real photographs


@pytest.mark.photos
def test_real_masks_are_those_of_pycocotools(photos_root: Path) -> None:
    from pycocotools import mask as coco_mask

    split = read_split(photos_root, "val2017", with_segmentations=True)
    n_seen = {"polygons": 0, "run lengths": 0}
    overlaps = []
    for thing in split.objects:
        if min(thing.box.x1_px - thing.box.x0_px, thing.box.y1_px - thing.box.y0_px) < 48:
            continue
        frame = split.images[thing.image_id].frame
        size = (frame.height_px, frame.width_px)
        is_code = isinstance(thing.segmentation, dict)
        n_seen["run lengths" if is_code else "polygons"] += 1
        codes = coco_mask.frPyObjects(thing.segmentation, *size)
        expected = coco_mask.decode(codes if is_code else coco_mask.merge(codes)).astype(bool)
        mine = whole(thing.segmentation, frame) > 0.5
        overlap = (mine & expected).sum() / (mine | expected).sum()
        assert overlap == 1 if is_code else overlap > 0.95, thing
        overlaps.append(overlap)
    assert min(n_seen.values()) > 10
    # Masks of whole pixels differ along their outlines: of a fork, that is much of it.
    assert np.mean(np.array(overlaps) > 0.98) > 0.98
    assert np.mean(overlaps) > 0.995


@pytest.mark.photos
def test_real_objects_are_cut_out(photos_root: Path) -> None:
    chosen = Cutouts.of_coco(photos_root, "val2017")
    split = read_split(photos_root, "val2017")
    members = [(category, k) for category in chosen.categories for k in range(chosen.count(category))]
    assert len(members) + len(chosen.rejected) == len(split.objects)
    assert len(members) > 250
    for category, k in members[::4]:
        for side in (17, 64):
            cut = chosen.cut(category, k, side)
            assert max(cut.alpha.shape) == side
            assert_cut_to_bounds(cut)
        assert chosen.cut_of_area(category, k, 900).alpha.sum() / 255 == pytest.approx(900, rel=0.01)
