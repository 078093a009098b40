from itertools import combinations, product
from math import cos, pi, sin
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evensight.errors import InputError
from evensight.scenes import sprites
from evensight.scenes.shapes import SHAPES, same_when_rotated
from evensight.scenes.sprites import (
    AREA_SHARE,
    SHEENS,
    Anchor,
    Fit,
    Look,
    Sprite,
    bounds_px,
    cut_sprite,
    extent_px,
    reach_px,
    sprite,
)

RED = (255, 0, 0)
FITS: tuple[Fit, ...] = get_args(Fit)
ANCHORS: tuple[Anchor, ...] = get_args(Anchor)
ROTATIONS = (0, 17, 45, 90, 201.5)
LAYOUTS = tuple(product(FITS, ANCHORS))


def in_window(drawn: Sprite, side: int | None = None) -> NDArray[np.uint8]:
    """The sprite's coverage in its window, or in a larger one with the same centre."""
    side = side or drawn.window_px
    window = np.zeros((side, side), dtype=np.uint8)
    (x, y), (height, width) = drawn.offset_px, drawn.alpha.shape
    border = (side - drawn.window_px) // 2
    window[border + y : border + y + height, border + x : border + x + width] = drawn.alpha
    return window


def center_of_window(drawn: Sprite) -> tuple[float, float]:
    """The window's centre from the sprite's top left corner."""
    return drawn.window_px / 2 - drawn.offset_px[0], drawn.window_px / 2 - drawn.offset_px[1]


# ---- The reference's five shapes, drawn a second way: crossings of a ray with corners given here.

FIFTHS = [2 * pi * k / 10 for k in range(10)]
STAR_RADIUS = 1 / cos(pi / 10)
STAR_RADII = [STAR_RADIUS, STAR_RADIUS * sin(pi / 10) / sin(7 * pi / 10)]
STAR_MIDDLE = (STAR_RADIUS - STAR_RADIUS * cos(pi / 5)) / 2
CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": [(0, -1), (1, 1), (-1, 1)],
    "plus": [
        *((-1 / 3, -1), (1 / 3, -1), (1 / 3, -1 / 3), (1, -1 / 3), (1, 1 / 3), (1 / 3, 1 / 3)),
        *((1 / 3, 1), (-1 / 3, 1), (-1 / 3, 1 / 3), (-1, 1 / 3), (-1, -1 / 3), (-1 / 3, -1 / 3)),
    ],
    "star": [(STAR_RADII[k % 2] * sin(a), STAR_MIDDLE - STAR_RADII[k % 2] * cos(a)) for k, a in enumerate(FIFTHS)],
}


def second_coverage(shape: str, extent: int) -> NDArray[np.uint8]:
    """The mask of a shape that fills a square of `extent` pixels, from 8 x 8 samples a pixel."""
    at = (np.arange(8 * extent) + 0.5) / (4 * extent) - 1
    x, y = np.meshgrid(at, at)
    inside = np.hypot(x, y) <= 1
    if shape in CORNERS:
        inside = np.zeros(x.shape, dtype=bool)
        corners = CORNERS[shape]
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y0 != y1:
                inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    share = inside.reshape(extent, 8, extent, 8).mean(axis=(1, 3))
    covered: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return covered


@pytest.mark.parametrize("shape", [*CORNERS, "circle"])
@pytest.mark.parametrize("extent", [4, 5, 16, 32, 33, 128])
def test_the_five_shapes_fill_their_extent_as_drawn_a_second_way(shape: str, extent: int) -> None:
    drawn = sprite(Look(shape, RED), extent, extent % 2)
    assert drawn.window_px == extent
    assert np.array_equal(in_window(drawn), second_coverage(shape, extent))


def test_the_paper_s_sizes_at_336_px() -> None:
    for share, extent in ((0.86, 32), (0.43, 16)):
        drawn = sprite(Look("square", RED), share * 336 / 9, 0)
        assert drawn.alpha.shape == (extent, extent)
        assert (drawn.alpha == 255).all()
        assert drawn.offset_px == (0, 0)


def test_pixels_half_in_are_half_covered() -> None:
    # The triangle's sides go from (0, -1) to (±1, 1): in the bottom row of 2 x 2 px each is in for 3/4.
    assert sprite(Look("triangle", RED), 2, 0).alpha.tolist() == [[64, 64], [191, 191]]


@pytest.mark.parametrize(
    ("side", "parity", "extent"),
    [
        (32.1, 0, 32),
        (16.05, 0, 16),
        (32.99, 0, 32),
        (33.01, 0, 34),
        (32.1, 1, 33),
        (31.9, 1, 31),
        (1, 0, 2),
        (1, 1, 1),
    ],
)
def test_an_extent_is_the_nearest_of_its_parity(side: float, parity: int, extent: int) -> None:
    assert extent_px(side, parity) == extent


# ---- What holds for all looks.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("side", "parity"), [(4.0, 0), (16.05, 0), (33.3, 1)])
def test_the_sprite_turned_the_other_way_is_the_mirrored_sprite(shape: str, side: float, parity: int) -> None:
    for (fit, anchor), angle, sheen in product(LAYOUTS, ROTATIONS, SHEENS):
        there = sprite(Look(shape, (255, 0, 200), sheen, angle, fit, anchor), side, parity)
        back = sprite(Look(shape, (255, 0, 200), sheen, -angle, fit, anchor), side, parity)
        assert np.array_equal(back.alpha, there.alpha[:, ::-1]), (fit, anchor, angle)
        assert np.array_equal(back.rgb, there.rgb[:, ::-1]), (fit, anchor, angle, sheen)
        width = there.alpha.shape[1]
        mirrored_x = there.window_px - there.offset_px[0] - width
        assert (back.window_px, back.offset_px) == (there.window_px, (mirrored_x, there.offset_px[1]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("side", "parity"), [(4.0, 0), (5.2, 1), (16.05, 0), (33.3, 1)])
def test_a_sprite_touches_all_its_edges_and_fits_its_window(shape: str, side: float, parity: int) -> None:
    for (fit, anchor), angle in product(LAYOUTS, ROTATIONS):
        drawn = sprite(Look(shape, RED, "none", angle, fit, anchor), side, parity)
        alpha, (x, y) = drawn.alpha, drawn.offset_px
        assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
        assert drawn.window_px % 2 == parity
        assert min(x, y) >= 0
        assert max(x + alpha.shape[1], y + alpha.shape[0]) <= drawn.window_px
        assert drawn.rgb.shape == (*alpha.shape, 3)


@pytest.mark.parametrize("side", [14, 16.05, 24, 32.1])
@pytest.mark.parametrize("anchor", ANCHORS)
def test_fit_area_gives_all_shapes_the_same_area(side: float, anchor: Anchor) -> None:
    areas = [
        sprite(Look(shape, RED, "none", angle, "area", anchor), side, parity).area_px
        for shape, angle, parity in product(SHAPES, ROTATIONS, (0, 1))
    ]
    assert max(areas) / min(areas) < 1.02
    assert np.mean(areas) == pytest.approx(AREA_SHARE * side**2, rel=0.01)


def test_edges_along_the_pixels_are_placed_to_a_32nd_of_a_pixel() -> None:
    for side, parity in product(np.arange(14, 34, 0.13), (0, 1)):
        square = sprite(Look("square", RED, fit="area"), float(side), parity)
        assert square.area_px**0.5 == pytest.approx(AREA_SHARE**0.5 * side, abs=1 / 32 + 0.003)  # of 255 levels


def test_the_star_is_the_leanest_and_as_large_either_way() -> None:
    assert pytest.approx(SHAPES["star"].area / 4) == AREA_SHARE
    by_area, by_box = (sprite(Look("star", RED, fit=fit), 32, 0) for fit in FITS)
    assert by_area.alpha.shape == by_box.alpha.shape
    square = sprite(Look("square", RED, fit="area"), 32, 0)
    assert square.alpha.shape == (18, 18)  # sqrt(0.31) * 32 = 17.8


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [8, 16.05, 32.1])
def test_the_anchor_lies_on_the_centre_of_the_window(shape: str, side: float) -> None:
    for fit, angle, parity in product(FITS, ROTATIONS, (0, 1)):
        by_box = sprite(Look(shape, RED, "none", angle, fit, "box"), side, parity)
        height, width = by_box.alpha.shape
        assert center_of_window(by_box) == pytest.approx((width / 2, height / 2), abs=0.5)
        by_mass = sprite(Look(shape, RED, "none", angle, fit, "centroid"), side, parity)
        assert center_of_window(by_mass) == pytest.approx(by_mass.centroid_px, abs=0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [8, 16.05, 32.1])
def test_with_fit_box_the_larger_side_is_the_extent_whatever_the_rotation(shape: str, side: float) -> None:
    for angle, parity in product(ROTATIONS, (0, 1)):
        drawn = sprite(Look(shape, RED, "none", angle), side, parity)
        assert max(drawn.alpha.shape) == extent_px(side, parity) == drawn.window_px


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_and_reach_are_those_of_the_drawn_mask(shape: str) -> None:
    for (fit, anchor), angle, parity in product(LAYOUTS, ROTATIONS, (0, 1)):
        look = Look(shape, RED, "none", angle, fit, anchor)
        drawn = sprite(look, 41.7, parity)
        height, width = drawn.alpha.shape
        assert bounds_px(look, 41.7, parity) == pytest.approx((width, height), abs=2)
        x, y = center_of_window(drawn)
        assert reach_px(look, 41.7, parity) == pytest.approx((x, y, width - x, height - y), abs=1)


def test_bounds_and_reach_by_hand() -> None:
    assert bounds_px(Look("square", RED), 32.1, 0) == (32, 32)
    assert bounds_px(Look("semicircle", RED), 32.1, 0) == (32, 16)
    assert bounds_px(Look("semicircle", RED, rotation_deg=90), 32.1, 0) == (16, 32)
    assert bounds_px(Look("square", RED, rotation_deg=45), 32.1, 0) == pytest.approx((32, 32))
    side = 20 * AREA_SHARE**0.5
    assert bounds_px(Look("square", RED, fit="area"), 20, 0) == pytest.approx((side, side))
    # The triangle's centroid is two thirds down.
    assert reach_px(Look("triangle", RED, anchor="centroid"), 30, 0) == pytest.approx((15, 20, 15, 10))
    # Turned by 90°, its tip is to the left.
    assert reach_px(Look("triangle", RED, rotation_deg=90, anchor="centroid"), 30, 0) == pytest.approx(
        (20, 15, 10, 15)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_rotations_that_look_the_same_give_the_same_bits(shape: str) -> None:
    for angle, (fit, anchor) in product((0, 20), LAYOUTS):
        one = sprite(Look(shape, RED, "glossy", angle, fit, anchor), 20, 0)
        for other in range(angle + 4, angle + 361, 4):
            another = sprite(Look(shape, RED, "glossy", other, fit, anchor), 20, 0)
            same = np.array_equal(in_window(one, 60), in_window(another, 60))
            assert same == same_when_rotated(SHAPES[shape], angle, other), other


def test_an_arrow_turned_by_90_degrees_points_to_the_left() -> None:
    up, left = (sprite(Look("arrow", RED, rotation_deg=angle), 20, 0) for angle in (0, 90))
    assert np.array_equal(left.alpha, np.rot90(up.alpha))
    assert left.alpha[:, :10].sum() > left.alpha[:, 10:].sum()


@pytest.mark.parametrize("fit", FITS)
def test_two_shapes_never_look_the_same_at_16_px(fit: Fit) -> None:
    for a, b in combinations(SHAPES, 2):
        one, two = (in_window(sprite(Look(name, RED, fit=fit), 16, 0), 32).astype(int) for name in (a, b))
        assert np.abs(one - two).sum() / 255 >= 5, (a, b)  # px


def test_area_and_centroid_by_hand() -> None:
    alpha = np.array([[255, 0, 0], [255, 0, 51]], dtype=np.uint8)
    drawn = Sprite(alpha, np.zeros((2, 3, 3), dtype=np.uint8), (0, 0), 4)
    assert drawn.area_px == pytest.approx(2.2)
    assert drawn.centroid_px == pytest.approx(((2 * 0.5 + 0.2 * 2.5) / 2.2, (0.5 + 1.2 * 1.5) / 2.2))


def test_a_large_sprite_is_drawn_in_parts_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [Look("star", RED, "none", 17, fit, "centroid") for fit in FITS]
    in_parts = [sprite(look, 61, 1).alpha for look in looks]
    for cached in (sprites.sprite, sprites._mask):
        cached.cache_clear()
    monkeypatch.setattr(sprites, "_MAX_SAMPLES", 1 << 24)
    assert all(np.array_equal(a, sprite(look, 61, 1).alpha) for a, look in zip(in_parts, looks, strict=True))


# ---- Colours and sheens.


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sheen_tells_nothing_of_left_and_right(shape: str) -> None:
    for sheen, anchor in product(SHEENS, ANCHORS):
        rgb = sprite(Look(shape, (255, 0, 255), sheen, 0, "box", anchor), 32, 0).rgb
        assert np.array_equal(rgb, rgb[:, ::-1])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_glossy_object_has_a_white_spot_and_a_matte_one_has_none(shape: str) -> None:
    for (fit, anchor), angle in product(LAYOUTS, range(0, 360, 15)):
        none, matte, glossy = (sprite(Look(shape, RED, sheen, angle, fit, anchor), 16, 0) for sheen in SHEENS)
        whole = none.alpha == 255
        assert glossy.rgb[whole][:, 1].max() > 100, (fit, anchor, angle)
        assert (matte.rgb[..., 1:] == 0).all()
        assert (none.rgb == RED).all()
        assert matte.rgb[whole][:, 0].min() < 230  # of 255: it darkens downwards


def test_glossy_white_is_darker_than_matte_white_which_is_darker_than_plain() -> None:
    for shape in SHAPES:
        plain, matte, glossy = (sprite(Look(shape, (255, 255, 255), sheen), 16, 0) for sheen in SHEENS)
        means = [each.rgb[each.alpha > 0].mean() for each in (plain, matte, glossy)]
        assert means[0] > means[1] + 8
        assert means[1] > means[2] + 15


def test_the_light_stays_above_when_a_shape_turns() -> None:
    for angle in (0, 90, 180, 270):
        rgb = sprite(Look("circle", RED, "glossy", angle), 32, 0).rgb
        assert rgb[:16, :, 1].max() > 200
        assert rgb[20:, :, 1].max() < 20


def test_the_sheen_scales_with_the_shape_wherever_it_is_anchored() -> None:
    by_box, by_mass = (sprite(Look("triangle", RED, "matte", anchor=anchor), 36, 0) for anchor in ANCHORS)
    assert by_box.offset_px == (0, 0)
    assert by_mass.offset_px == (6, 0)  # the centroid is 24 px below the top, so the window has 48
    assert np.array_equal(by_box.rgb, by_mass.rgb)


def test_a_sprite_can_not_be_changed() -> None:
    drawn = sprite(Look("plus", RED), 9, 1)
    with pytest.raises(ValueError, match="read-only"):
        drawn.alpha[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        drawn.rgb[0, 0] = 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shape": "blob"}, "the shape `blob` is not known: expected one of square, circle"),
        ({"sheen": "shiny"}, "the sheen `shiny` is not known: expected one of none, matte, glossy"),
        ({"fit": "mass"}, "the fit `mass` is not known: expected one of box, area"),
        ({"anchor": "tip"}, "the anchor `tip` is not known: expected one of box, centroid"),
        ({"rgb": (0, 0, 256)}, r"the colour `\(0, 0, 256\)` is not one"),
        ({"rgb": (0, 0)}, r"the colour `\(0, 0\)` is not one"),
        ({"rgb": (0, 0, 0.5)}, "three whole numbers"),
        ({"rotation_deg": float("inf")}, "the rotation `inf` is not one"),
    ],
)
def test_a_look_that_is_none_says_what_it_could_be(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Look(**({"shape": "square", "rgb": RED} | given))  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("side", "parity"), [(0.9, 0), (-3, 0), (float("nan"), 0), (float("inf"), 0), (9, 2)])
def test_a_side_below_a_pixel_is_an_error(side: float, parity: int) -> None:
    with pytest.raises(InputError, match="at least 1 px"):
        sprite(Look("square", RED), side, parity)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_side_of_one_pixel_can_be_drawn(shape: str) -> None:
    for (fit, anchor), parity in product(LAYOUTS, (0, 1)):
        assert sprite(Look(shape, RED, "glossy", 10, fit, anchor), 1, parity).area_px > 0


# ---- Cut-outs.


def cut_out(rows: list[list[int]], parity: int, anchor: Anchor = "box") -> Sprite:
    """A cut-out whose colours tell its pixels apart."""
    alpha = np.array(rows, dtype=np.uint8)
    rgb = np.stack(np.broadcast_arrays(*np.indices(alpha.shape), 7), axis=-1).astype(np.uint8)
    return cut_sprite(alpha, rgb, parity, anchor)


def test_a_cut_out_is_cut_to_its_bounds_with_its_colours() -> None:
    drawn = cut_out([[0, 0, 0, 0], [0, 9, 0, 0], [0, 255, 255, 0], [0, 0, 0, 0]], 0)
    assert drawn.alpha.tolist() == [[9, 0], [255, 255]]
    assert drawn.rgb[0, 1].tolist() == [1, 2, 7]
    assert (drawn.offset_px, drawn.window_px) == ((0, 0), 2)


def test_a_cut_out_of_the_window_s_parity_is_centred_exactly() -> None:
    drawn = cut_out([[255] * 5], 1)
    assert (drawn.offset_px, drawn.window_px) == ((0, 2), 5)
    drawn = cut_out([[255] * 2] * 6, 0)
    assert (drawn.offset_px, drawn.window_px) == ((2, 0), 6)


def test_the_half_pixel_of_a_cut_out_brings_its_centroid_nearer_the_centre() -> None:
    heavy_left = cut_out([[255, 0, 1]], 0)
    assert (heavy_left.offset_px[0], heavy_left.window_px) == (1, 4)  # its left two pixels around the centre
    heavy_right = cut_out([[1, 0, 255]], 0)
    assert (heavy_right.offset_px[0], heavy_right.window_px) == (0, 4)


def test_a_cut_out_s_centroid_lies_on_the_centre_to_half_a_pixel() -> None:
    drawn = cut_out([[255] * 8, [255] * 2 + [0] * 6, [255] * 2 + [0] * 6], 0, "centroid")
    # x: (8 * 4 + 4 * 1) / 12 = 3; y: (8 * 0.5 + 2 * 1.5 + 2 * 2.5) / 12 = 1
    assert drawn.centroid_px == pytest.approx((3, 1))
    assert (drawn.offset_px, drawn.window_px) == ((2, 4), 10)


masks = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from([0, 0, 3, 128, 255]), min_size=width, max_size=width), min_size=1, max_size=6
    )
)


@given(masks.filter(lambda rows: any(map(any, rows))), st.sampled_from([0, 1]), st.sampled_from(ANCHORS))
def test_every_cut_out_lies_in_its_window_as_promised(rows: list[list[int]], parity: int, anchor: Anchor) -> None:
    drawn = cut_out(rows, parity, anchor)
    alpha, (x, y) = drawn.alpha, drawn.offset_px
    height, width = alpha.shape
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    assert drawn.window_px % 2 == parity
    assert min(x, y, drawn.window_px - x - width, drawn.window_px - y - height) >= 0
    point = (width / 2, height / 2) if anchor == "box" else drawn.centroid_px
    assert center_of_window(drawn) == pytest.approx(point, abs=0.5 + 1e-9)
    mirrored = cut_out([row[::-1] for row in rows], parity, anchor)
    assert np.array_equal(mirrored.alpha, alpha[:, ::-1])
    off_center = 2 * (drawn.centroid_px[0] - width / 2)
    tied = abs(off_center - round(off_center)) < 1e-9  # both sides are as good, and one is taken
    if not tied:
        assert mirrored.window_px == drawn.window_px
        assert mirrored.offset_px == (drawn.window_px - x - width, y)


@pytest.mark.parametrize("shape", [(3, 3, 4), (3, 2, 3), (3, 3)])
def test_colours_that_are_not_the_mask_s_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8 \\[height, width, 3\\]"):
        cut_sprite(np.full((3, 3), 9, dtype=np.uint8), np.zeros(shape, dtype=np.uint8), 0)


def test_a_cut_out_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="a covered pixel"):
        cut_out([[0, 0], [0, 0]], 0)
