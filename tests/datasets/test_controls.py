"""Controls by hand, by their properties, and on what they are for: telling who looks from who doesn't."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Box, Cell, Frame, Grid
from evensight.audits.audit import audit
from evensight.datasets.altered import box_in_cell
from evensight.datasets.controls import CONTROLS, controlled, mirrored_answer
from evensight.datasets.covered import Covered, _free, _n_free
from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.swapped import WrongPhoto
from evensight.errors import InputError
from evensight.scenes.catalog import design
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import StoredExamples, store
from made_photos import MadePhoto, MadePhotos, asked_of

NAMES = ("cat", "dog", "cup", "kite", "car")


@pytest.fixture
def three() -> MadePhotos:
    """A cat at the top left and a cup in the center; a dog at the bottom right; a kite at the center left."""
    return MadePhotos(
        [
            MadePhoto((90, 90), [("cat", 0, 0, 9, 9), ("cup", 42, 40, 48, 50)]),
            MadePhoto((180, 90), [("dog", 160, 80, 172, 90)], shade=50),
            MadePhoto((90, 90), [("kite", 2, 40, 8, 46)], shade=99),
        ]
    )


@st.composite
def photo_sets(draw: st.DrawFn) -> MadePhotos:
    """Photographs of a few sizes, with objects anywhere, some on the borders of cells."""
    photos = []
    for shade in range(draw(st.integers(2, 12))):
        width, height = draw(st.sampled_from([(45, 45), (90, 60), (64, 48)]))
        things = []
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)):
            x0, y0 = draw(st.integers(0, 2 * width - 2)) / 2, draw(st.integers(0, 2 * height - 2)) / 2
            x1, y1 = (draw(st.integers(1, 40)) / 2 + low for low in (x0, y0))
            things.append((name, x0, y0, min(x1, width), min(y1, height)))
        photos.append(MadePhoto((width, height), things, shade))
    return MadePhotos(photos)


def usable(examples: MadePhotos, name: str, seed: int = 0) -> ExampleSet:
    """The control; sets that are too poor for it are passed over."""
    assume(len(examples))
    try:
        return controlled(examples, name, seed)
    except InputError:
        reject()


# By hand


def test_the_mirrored_picture_by_hand(three: MadePhotos) -> None:
    mirrored = controlled(three, "mirrored", 0)
    example = mirrored[0]
    assert example.id == "made-0-0-mirrored"
    assert example.box == Box(81, 0, 90, 9)
    assert (example.cell, example.area, example.question.answer) == (Cell(0, 8), "top right", "top right")
    assert example.others[0].box == Box(42, 40, 48, 50)
    assert (example.question.text, example.question.options) == (three[0].question.text, three[0].question.options)
    assert np.array_equal(mirrored.pixels(0)[:, ::-1], three.pixels(0))
    assert mirrored[2].question.answer == "bottom left"
    assert mirrored[2].box == Box(8, 80, 20, 90)


@pytest.mark.parametrize(
    ("answer", "mirrored"),
    [("top left", "top right"), ("center", "center"), ("bottom center", "bottom center"), ("right", "left")],
)
def test_mirrored_answers(answer: str, mirrored: str) -> None:
    assert mirrored_answer(answer) == mirrored
    assert mirrored_answer(mirrored) == answer


def test_an_object_on_a_border_is_mirrored_with_its_answer() -> None:
    """The centre of the box is at a third of the width: in the center by the rule, and on the right one's border."""
    examples = MadePhotos([MadePhoto((90, 90), [("cat", 27, 40, 33, 50)])])
    mirrored = controlled(examples, "mirrored", 0)[0]
    assert (examples[0].area, mirrored.area, mirrored.cell) == ("center", "center", Cell(4, 5))
    assert mirrored.box.center_px == pytest.approx((60, 45), abs=2e-6)
    assert PAPER_GRID.cell_at(mirrored.box.center_px, mirrored.frame) == mirrored.cell


def test_scenes_are_mirrored_with_their_centroids(mini_train: SceneDesign) -> None:
    scenes = SceneExamples(mini_train, 108, 0)
    mirrored = controlled(scenes, "mirrored", 0)
    assert mirrored[0].centroid_xy_px is not None
    assert scenes[0].centroid_xy_px is not None
    assert mirrored[0].centroid_xy_px[0] == 108 - scenes[0].centroid_xy_px[0]
    assert mirrored.info.balanced == tuple(pair for pair in scenes.info.balanced if "slot" not in pair)
    assert audit(mirrored).faults == ()


def test_what_is_no_place_cant_be_mirrored(mini_train: SceneDesign) -> None:
    with pytest.raises(InputError, match="`property-color`; leave out"):
        controlled(SceneExamples(mini_train, 108, 0, "property-color"), "mirrored", 0)


@pytest.mark.parametrize(("task", "expected"), [("row-position", "top"), ("column-position", "right")])
def test_rows_stay_and_columns_swap(mini_train: SceneDesign, task: str, expected: str) -> None:
    assert controlled(SceneExamples(mini_train, 108, 0, task), "mirrored", 0)[0].question.answer == expected


def test_a_black_picture_is_black_and_as_large(three: MadePhotos) -> None:
    black = controlled(three, "black", 0)
    assert black.image(2).size == (180, 90)
    assert not black.pixels(2).any()
    assert replace(black[2], id=three[2].id) == three[2]


def test_a_wrong_photo_by_hand(three: MadePhotos) -> None:
    wrong = controlled(three, "wrong-photo", 0)
    for k, example in enumerate(wrong):
        assert example.question == three[k].question
        assert (example.cell, example.area) == (three[k].cell, three[k].area)
        assert example.attributes == three[k].attributes
        assert wrong.image(k).size == (example.frame.width_px, example.frame.height_px)
    assert np.array_equal(wrong.pixels(0), three.pixels(2)) or np.array_equal(wrong.pixels(0), three.pixels(3))
    assert wrong.info.notes["n_with_what_is_asked_for"] == 0


def test_the_box_of_a_wrong_photo_lies_at_the_same_share_of_its_frame() -> None:
    photos = [MadePhoto((90, 90), [("cat", 9, 0, 18, 9)]), MadePhoto((180, 45), [("dog", 0, 0, 5, 5)])]
    wrong = controlled(MadePhotos(photos), "wrong-photo", 0)[0]
    assert (wrong.frame, wrong.box) == (Frame(180, 45), Box(18, 0, 36, 4.5))
    assert [(thing.name, thing.box) for thing in wrong.others] == [("dog", Box(0, 0, 5, 5))]


def test_where_every_photo_shows_what_is_asked_for_another_one_is_taken_and_counted() -> None:
    photos = MadePhotos([MadePhoto((90, 90), [("cat", 0, 0, 9, 9)], shade) for shade in range(4)])
    wrong = WrongPhoto(photos, 0)
    assert wrong.info.notes["n_with_what_is_asked_for"] == 4
    assert all(wrong.source(k) != k for k in range(4))


def test_one_photograph_has_no_wrong_one() -> None:
    things = [("cat", 0, 0, 9, 9), ("dog", 50, 0, 59, 9)]
    with pytest.raises(InputError, match="no two different pictures") as caught:
        controlled(MadePhotos([MadePhoto((90, 90), things)]), "wrong-photo", 0)
    assert len(str(caught.value).splitlines()) == 1


def test_the_same_photograph_is_seen_by_its_pixels_where_annotations_have_gaps() -> None:
    """The first photograph is there three times, each time with one object annotated: never its own wrong photo."""
    things = [("cat", 0, 0, 9, 9), ("dog", 50, 0, 59, 9), ("cup", 20, 50, 30, 60)]
    photos = [MadePhoto((90, 90), things), MadePhoto((90, 90), [("kite", 4, 4, 8, 8)], shade=9)]
    examples = MadePhotos(photos, knows_others=False)
    for seed in range(10):
        wrong = WrongPhoto(examples, seed)
        assert [examples.photo(wrong.source(k)) for k in range(4)][:3] == [1, 1, 1]
        assert not any(np.array_equal(wrong.pixels(k), examples.pixels(k)) for k in range(4))


def test_a_set_is_wrapped_without_its_pictures_being_decoded(three: MadePhotos) -> None:
    for name in CONTROLS:
        three.n_decoded = 0
        controlled(three, name, 0)
        assert three.n_decoded <= 2


def test_the_object_is_covered_and_so_is_another_place() -> None:
    examples = MadePhotos([MadePhoto((90, 90), [("cat", 10, 10, 20, 18)])])
    covered = Covered(examples, 0)
    first, second = covered.patches(0)
    assert first == (10, 10, 20, 18)
    assert (second[2] - second[0], second[3] - second[1]) == (10, 8)
    pixels, was = covered.pixels(0), examples.pixels(0)
    changed = (pixels != was).any(axis=-1)
    for x0, y0, x1, y1 in (first, second):
        assert len(np.unique(pixels[y0:y1, x0:x1].reshape(-1, 3), axis=0)) == 1
        changed[y0:y1, x0:x1] = False
    assert not changed.any()
    ring = [was[y, x] for y in range(8, 20) for x in range(8, 22) if not (10 <= x < 20 and 10 <= y < 18)]
    assert pixels[12, 12].tolist() == np.rint(np.mean(ring, axis=0)).tolist()
    assert examples.pixels(0)[12, 12].tolist() == was[12, 12].tolist()


def test_an_object_that_fills_the_picture_has_no_second_patch() -> None:
    covered = Covered(MadePhotos([MadePhoto((90, 90), [("cat", 0, 0, 90, 80)])]), 0)
    assert len(covered.patches(0)) == 1
    assert covered.info.notes["n_without_second_patch"] == 1
    assert len(np.unique(covered.pixels(0)[:80].reshape(-1, 3), axis=0)) == 1


def test_an_absent_object_by_hand(three: MadePhotos) -> None:
    absent = controlled(three, "absent", 0)
    for k, example in enumerate(absent):
        name = example.attributes["category"]
        assert name not in {three[k].attributes["category"], *(thing.name for thing in three[k].others)}
        assert example.question.text == three[k].question.text.replace(three[k].attributes["category"], name)
        assert (example.question.answer, example.box) == (three[k].question.answer, three[k].box)
    assert absent.info.balanced == (("area", "slot"),)
    assert np.array_equal(absent.pixels(0), three.pixels(0))


def test_a_name_inside_another_word_is_not_renamed() -> None:
    examples = MadePhotos([MadePhoto((90, 90), [("ear", 0, 0, 9, 9)]), MadePhoto((90, 90), [("cat", 9, 9, 20, 20)])])
    text = controlled(examples, "absent", 0)[0].question.text
    assert text.startswith("Where is the cat? Choose from [")


def test_a_name_that_is_there_twice_cant_be_absent() -> None:
    examples = MadePhotos([MadePhoto((90, 90), [("the", 0, 0, 9, 9)]), MadePhoto((90, 90), [("cat", 9, 9, 20, 20)])])
    with pytest.raises(InputError, match="names `the` 2 times"):
        controlled(examples, "absent", 0)


def test_nothing_is_absent_where_everything_is_shown() -> None:
    photos = MadePhotos([MadePhoto((90, 90), [("cat", 0, 0, 9, 9), ("dog", 20, 0, 29, 9)], k) for k in range(2)])
    with pytest.raises(InputError, match="none is absent"):
        controlled(photos, "absent", 0)


def test_scenes_have_absent_objects_by_colour_and_shape() -> None:
    scenes = SceneExamples(design("civet-test"), 108, 0)
    absent = controlled(scenes, "absent", 0)
    for k in range(0, len(scenes), 97):
        attributes = absent[k].attributes
        assert f"Where is the {attributes['color']} {attributes['shape']}?" in absent[k].question.text
        assert (attributes["color"], attributes["shape"]) != tuple(
            scenes[k].attributes[n] for n in ("color", "shape")
        )


def test_an_unknown_control_is_one_line_with_all_names(three: MadePhotos) -> None:
    with pytest.raises(InputError, match=r"the control `upside-down`.*wrong-photo, black, mirrored, covered, absent"):
        controlled(three, "upside-down", 0)


# Properties


@given(photo_sets(), st.sampled_from(sorted(CONTROLS)), st.integers(0, 3))
def test_a_control_goes_with_its_set_row_by_row(examples: MadePhotos, name: str, seed: int) -> None:
    control = usable(examples, name, seed)
    assert [example.id for example in control] == [f"{example.id}-{name}" for example in examples]
    assert control.info.name == "made-" + name
    assert control.info.of_photos
    assert control.info.config["of"] == examples.info.config
    assert control.hash != examples.hash
    for example in control:
        assert example.area == PAPER_GRID.area_of(example.cell) == example.question.answer
        assert example.cell == PAPER_GRID.cell_at(example.box.center_px, example.frame)


@given(photo_sets(), st.sampled_from(sorted(CONTROLS)))
def test_a_control_is_the_same_again_in_any_order(examples: MadePhotos, name: str) -> None:
    forwards, backwards = usable(examples, name), usable(examples, name)
    ahead = [(forwards[k], forwards.pixels(k).tobytes()) for k in range(len(examples))]
    back = [(backwards.pixels(k).tobytes(), backwards[k]) for k in reversed(range(len(examples)))]
    assert ahead == [(example, pixels) for pixels, example in reversed(back)]


@given(photo_sets())
def test_mirrored_twice_is_the_set_itself(examples: MadePhotos) -> None:
    twice = controlled(controlled(examples, "mirrored", 0), "mirrored", 0)
    for k, example in enumerate(twice):
        was = examples[k]
        assert example.box.xyxy_px == pytest.approx(was.box.xyxy_px, abs=3e-6)
        assert replace(example, id=was.id, box=was.box) == was
        assert np.array_equal(twice.pixels(k), examples.pixels(k))


@given(photo_sets(), st.integers(0, 3))
def test_a_wrong_photo_never_shows_the_same_picture_or_the_category(examples: MadePhotos, seed: int) -> None:
    wrong = usable(examples, "wrong-photo", seed)
    assert isinstance(wrong, WrongPhoto)
    n_shown = 0
    for k, example in enumerate(wrong):
        assert examples.photo(wrong.source(k)) != examples.photo(k)
        n_shown += example.attributes["category"] in {thing.name for thing in example.others}
    assert n_shown == wrong.info.notes["n_with_what_is_asked_for"]


@given(photo_sets(), st.integers(0, 3))
def test_absent_names_are_absent_and_asked_for_as_often(examples: MadePhotos, seed: int) -> None:
    absent = usable(examples, "absent", seed)
    for example in absent:
        there = {thing.name for thing in example.others}
        assert example.attributes["category"] not in there
    before, after = (Counter(example.attributes["category"] for example in some) for some in (examples, absent))
    n_moved = (before - after).total()
    assert n_moved <= absent.info.notes["n_names_repeated"]


@given(photo_sets(), st.integers(0, 3))
def test_second_patches_are_apart_and_in_the_picture(examples: MadePhotos, seed: int) -> None:
    covered = Covered(examples, seed)
    for k in range(len(examples)):
        patches = covered.patches(k)
        frame = examples[k].frame
        for x0, y0, x1, y1 in patches:
            assert 0 <= x0 < x1 <= frame.width_px
            assert 0 <= y0 < y1 <= frame.height_px
        if len(patches) == 2:
            (a0, b0, a1, b1), (x0, y0, x1, y1) = patches
            assert (x1 - x0, y1 - y0) == (a1 - a0, b1 - b0)
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_second_patch_can_be_anywhere_that_is_free(width: int, height: int, data: st.DataObject) -> None:
    """All places that the draw can give are all that a search of the frame finds."""
    frame = Frame(9, 7)
    x, y = data.draw(st.integers(0, 9 - width)), data.draw(st.integers(0, 7 - height))
    patch = (x, y, x + width, y + height)
    taken = {(a, b) for a in range(x, x + width) for b in range(y, y + height)}
    free = {
        (a, b, a + width, b + height)
        for a in range(10 - width)
        for b in range(8 - height)
        if not taken & {(c, d) for c in range(a, a + width) for d in range(b, b + height)}
    }
    n = _n_free(patch, frame)
    assert n == len(free)
    assert {_free(patch, frame, k) for k in range(n)} == free


@given(st.integers(3, 12), st.integers(1, 700), st.data())
def test_a_box_on_a_border_gets_into_its_cell(cols: int, width: int, data: st.DataObject) -> None:
    grid, frame = Grid(3, cols), Frame(width, 10)
    col = data.draw(st.integers(0, cols - 1))
    x = data.draw(st.sampled_from([col, col + 1])) * width / cols
    if 0 < x < width:
        box = box_in_cell(Box(x - 0.25, 1, x + 0.25, 2), frame, Cell(0, col), grid)
        assert grid.cell_at(box.center_px, frame) == Cell(0, col)


def test_pictures_and_names_are_used_equally_often() -> None:
    """Of 90 photographs of ten names every one is the wrong one once, and every name is asked for nine times."""
    names = [f"name{k}" for k in range(10)]
    photos = MadePhotos([MadePhoto((45, 45), [(names[k % 10], 0, 0, 9, 9)], shade=k) for k in range(90)])
    wrong = WrongPhoto(photos, 0)
    assert sorted(wrong.source(k) for k in range(90)) == list(range(90))
    absent = controlled(photos, "absent", 0)
    assert Counter(example.attributes["category"] for example in absent) == dict.fromkeys(names, 9)
    assert absent.info.notes["n_names_repeated"] == 0
    assert [wrong.source(k) for k in range(90)] != [WrongPhoto(photos, 1).source(k) for k in range(90)]


# As sets like any other


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_stored_audited_and_made_of_a_stored_set(name: str, three: MadePhotos, tmp_path: Path) -> None:
    control = controlled(three, name, 0)
    store(control, tmp_path / "control")
    stored = StoredExamples(tmp_path / "control")
    assert list(stored) == list(control)
    assert stored.info.name == f"made-{name}"
    found = audit(stored)
    assert (found.faults, found.broken) == ((), ())
    assert all(np.array_equal(stored.pixels(k), control.pixels(k)) for k in range(len(control)))
    store(three, tmp_path / "set")
    assert list(controlled(StoredExamples(tmp_path / "set"), name, 0)) == list(control)


# What they are for


def accuracy(examples: ExampleSet, says: Callable[[ExampleSet, int], str]) -> float:
    return float(np.mean([says(examples, k) == examples[k].question.answer for k in range(len(examples))]))


def says_center(examples: ExampleSet, index: int) -> str:
    return "center"


def reads_the_picture(examples: ExampleSet, index: int) -> str:
    """Finds the one plain red object; where there is none it guesses the center."""
    red = (examples.pixels(index) == (255, 0, 255)).all(axis=-1)
    if not red.any():
        return "center"
    y, x = (float(at.mean()) for at in np.nonzero(red))
    return PAPER_GRID.area_of(PAPER_GRID.cell_at((x, y), Frame(red.shape[1], red.shape[0])))


def test_controls_tell_a_reader_from_one_that_says_center_always() -> None:
    photos = MadePhotos(
        [MadePhoto((90, 90), [(NAMES[k % 5], 10 * k, 10 * k, 10 * k + 8, 10 * k + 8)]) for k in range(9)]
        + [MadePhoto((90, 90), [("bus", 10 * col, 40, 10 * col + 8, 48)]) for col in range(9)]
    )
    blind = {name: accuracy(controlled(photos, name, 0), says_center) for name in CONTROLS}
    reader = {name: accuracy(controlled(photos, name, 0), reads_the_picture) for name in CONTROLS}
    base = accuracy(photos, says_center)
    assert set(blind.values()) == {base}
    assert accuracy(photos, reads_the_picture) == reader["mirrored"] == reader["absent"] == 1
    assert reader["black"] == reader["covered"] == base
    assert reader["wrong-photo"] < 0.5


# The real photographs


@pytest.mark.photos
def test_real_wrong_photos_are_others_and_show_nothing_of_what_is_asked_for(photos_root: Path) -> None:
    val = asked_of(photos_root, "val2017")
    wrong = WrongPhoto(val, 0)
    stems = [example.id.rpartition("-")[0] for example in val]
    sources = [wrong.source(k) for k in range(len(val))]
    assert all(stems[k] != stems[source] for k, source in enumerate(sources))
    for example in wrong:
        assert example.attributes["category"] not in {thing.name for thing in example.others}
    assert wrong.info.notes["n_with_what_is_asked_for"] == 0
    assert max(Counter(sources).values()) <= 2


def test_every_area_has_a_mirror() -> None:
    assert sorted(map(mirrored_answer, AREAS)) == sorted(AREAS)
