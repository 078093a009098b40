from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from evensight.annotations import Box, Frame
from evensight.audits.audit import audit
from evensight.audits.columns import AuditTable, NoPictureError, Target, tabulate
from evensight.audits.pixels import (
    BEYOND,
    EDGE,
    EMPTY,
    FAINT,
    HIDDEN,
    SIZE,
    faults_of,
    hidden,
    is_empty,
    look_at,
    visibility,
)
from evensight.datasets.scene_examples import SceneExamples
from evensight.scenes.catalog import design

SIDE = 96
BOX = Box(40, 30, 64, 54)
Pixels = NDArray[np.uint8]


def plain(*rgb: int) -> Pixels:
    return np.full((SIDE, SIDE, 3), rgb, dtype=np.uint8)


def noisy(seed: int, spread: int = 256) -> Pixels:
    low = 128 - spread // 2
    return np.random.default_rng(seed).integers(low, low + spread, (SIDE, SIDE, 3), dtype=np.uint8)


def gradient() -> Pixels:
    ramp = np.linspace(0, 255, SIDE).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (SIDE, SIDE, 3)).copy()


def with_square(ground: Pixels, *rgb: int) -> Pixels:
    pixels = ground.copy()
    pixels[30:54, 40:64] = rgb
    return pixels


def seen(pixels: Pixels, box: Box = BOX) -> list[str]:
    return faults_of(Target(box, Frame(SIDE, SIDE)), Image.fromarray(pixels))


GROUNDS = {"black": plain(0, 0, 0), "white": plain(255, 255, 255), "noise": noisy(1), "gradient": gradient()}


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 0)])
def test_a_coloured_square_is_seen_on_every_ground(name: str, rgb: tuple[int, int, int]) -> None:
    assert seen(with_square(GROUNDS[name], *rgb)) == []


def test_a_plain_grey_square_is_seen_on_noise_by_being_plain() -> None:
    assert seen(with_square(noisy(3), 128, 128, 128)) == []


@pytest.mark.parametrize("name", ["black", "white"])
def test_a_square_of_the_colour_of_its_plain_ground_is_certainly_not_there(name: str) -> None:
    assert seen(GROUNDS[name]) == [EMPTY]


def test_a_square_that_differs_by_one_grey_level_is_faint() -> None:
    assert seen(with_square(plain(100, 100, 100), 101, 101, 101)) == [FAINT]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_on_noise_is_faint_and_not_empty(seed: int) -> None:
    assert seen(noisy(seed)) == [FAINT]
    assert seen(noisy(seed, 40), Box(10, 10, 18, 18)) == [FAINT]


def test_nothing_on_a_gradient_is_faint() -> None:
    assert seen(gradient()) == [FAINT]


def test_a_small_part_of_the_box_is_enough() -> None:
    pixels = plain(0, 0, 0)
    pixels[41:43, 40:64] = (255, 255, 255)  # a bar: 2 of the box's 24 rows
    assert seen(pixels) == []


def test_another_object_in_the_ring_does_not_hide_the_object_or_make_one() -> None:
    pixels = noisy(4, 40)
    pixels[30:54, 66:80] = (0, 255, 0)
    assert seen(pixels) == [FAINT]
    assert seen(with_square(pixels, 255, 0, 0)) == []


def test_visibility_is_the_same_in_the_mirror() -> None:
    pixels = with_square(noisy(5, 60), 200, 60, 60)
    straight, mirrored = visibility(pixels, BOX), visibility(pixels[:, ::-1], BOX.mirrored(Frame(SIDE, SIDE)))
    assert straight is not None
    assert mirrored is not None
    assert straight.contrast == pytest.approx(mirrored.contrast, rel=0.1)


def test_black_on_white_is_a_hundred_of_lightness() -> None:
    found = visibility(with_square(plain(255, 255, 255), 0, 0, 0), BOX)
    assert found is not None
    assert found.contrast == pytest.approx(100, abs=0.1)  # L* is 0 for black, 100 for white, by definition


def test_red_on_black_has_the_contrast_of_the_standard() -> None:
    # CIE L*a*b* of sRGB red (D65) is (53.24, 80.09, 67.20), black is the origin
    found = visibility(with_square(plain(0, 0, 0), 255, 0, 0), BOX)
    assert found is not None
    assert found.contrast == pytest.approx(np.linalg.norm([53.24, 80.09, 67.20]), abs=0.1)


def test_a_box_that_is_the_picture_has_no_ground() -> None:
    assert visibility(noisy(0), Box(0, 0, SIDE, SIDE)) is None


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(-3, 10, 20, 30), [BEYOND]),
        (Box(10, 10, 20, SIDE + 2), [BEYOND]),
        (Box(-0.4, 10, 20, 30), [EDGE]),
        (Box(80, 10, SIDE, 30), [EDGE]),
        (Box(80, 10, SIDE - 1, 30), []),
    ],
)
def test_cut_off(box: Box, expected: list[str]) -> None:
    assert faults_of(Target(box, Frame(SIDE, SIDE)), None) == expected


def test_a_picture_of_another_size_than_declared() -> None:
    assert faults_of(Target(BOX, Frame(SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE - 1))) == [SIZE]


def test_is_empty_looks_one_pixel_around_the_box() -> None:
    pixels = plain(9, 9, 9)
    assert is_empty(pixels, BOX)
    pixels[30, 40] = (9, 9, 10)
    assert not is_empty(pixels, BOX)
    assert not is_empty(with_square(plain(0, 0, 0), 9, 9, 9), BOX)


def test_an_object_that_shows_much_less_than_its_like_is_hidden() -> None:
    frame = Frame(SIDE, SIDE)
    stars: list[Target | None] = [Target(BOX, frame, "star", 200.0) for _ in range(6)]
    # thin things of another name are no measure for stars, nor the other way round
    bars: list[Target | None] = [Target(BOX, frame, "bar", 40.0) for _ in range(5)]
    assert hidden([*stars, *bars]) == []
    assert hidden([*stars, Target(BOX, frame, "star", 70.0), *bars]) == [6]
    assert hidden([*stars[:3], Target(BOX, frame, "star", 70.0)]) == []  # too few to know


def made(pictures: Sequence[Pixels | None], questions: Sequence[str], targets: tuple[Target, ...] = ()) -> AuditTable:
    def picture(index: int) -> Image.Image:
        pixels = pictures[index]
        if pixels is None:
            raise NoPictureError("picture that isn't there")
        return Image.fromarray(pixels)

    ids = tuple(f"q{k}" for k in range(len(pictures)))
    return AuditTable("made", ids, {}, questions=tuple(questions), targets=targets, picture=picture)


def test_one_picture_with_one_question_twice_is_a_fault_and_with_two_questions_is_counted() -> None:
    a, b = noisy(1), noisy(2)
    table = made([a, b, a, a, b], ["where?", "where?", "where?", "what?", "what?"])
    found = audit(table, pictures=look_at(table))
    assert found.faults == ("`q0` and `q2` have the same picture and the same question",)
    assert found.pictures is not None
    assert (found.pictures.n_read, found.pictures.n_different, found.pictures.n_shared) == (5, 2, 5)
    assert not found.ok


def test_a_picture_that_is_not_there_is_a_fault_with_its_reason() -> None:
    table = made([noisy(1), None], ["a", "b"])
    found = audit(table, pictures=look_at(table))
    assert found.faults == ("`q1` has no picture: picture that isn't there",)


def test_what_is_certain_is_a_fault_and_what_is_a_threshold_is_a_doubt() -> None:
    frame = Frame(SIDE, SIDE)
    targets = tuple(Target(box, frame) for box in (BOX, BOX, Box(-9, 0, 5, 5), BOX))
    table = made([plain(0, 0, 0), noisy(1), noisy(2), with_square(noisy(3), 255, 0, 0)], list("abcd"), targets)
    found = audit(table, pictures=look_at(table))
    assert [fault.split(":")[0] for fault in found.faults] == ["`q2` is cut off", "`q0` is empty"]
    assert found.pictures is not None
    assert dict(found.pictures.doubts) == {FAINT: ("q1",)}


def test_our_own_scenes_show_what_they_say() -> None:
    table = tabulate(SceneExamples(design("civet-train"), 108, 0))
    pictures = look_at(table)
    assert pictures.seen == {}
    assert pictures.n_read == pictures.n_different == 1620


def test_hidden_is_among_what_is_seen() -> None:
    frame = Frame(SIDE, SIDE)
    areas = [500.0] * 5 + [50.0]
    targets = tuple(Target(BOX, frame, "square", area) for area in areas)
    table = made([with_square(noisy(k), 255, 0, 0) for k in range(6)], list("abcdef"), targets)
    assert look_at(table).seen == {HIDDEN: ["q5"]}
