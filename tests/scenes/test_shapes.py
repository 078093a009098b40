from dataclasses import replace
from itertools import combinations
from math import pi, sin, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from evensight.scenes.shapes import SHAPES, Points, Shape, rotated, same_when_rotated

FIVE_RADIUS = 1 / sin(2 * pi / 5)  # the circle of a pentagon's or pentagram's points, when it is 2 wide
AREAS = {
    "square": 4,
    "circle": pi,
    "triangle": 2,
    "star": 10 * sin(pi / 5) * sin(pi / 10) / (2 * sin(7 * pi / 10)) * FIVE_RADIUS**2,
    "plus": 5 * (2 / 3) ** 2,
    "pentagon": 5 / 2 * FIVE_RADIUS**2 * sin(2 * pi / 5),
    "hexagon": 3 * sqrt(3) / 2,
    "diamond": 2 * 0.64,
    "ring": pi * (1 - 0.55**2),
    "arrow": 1.7 * 1.1 / 2 + 0.6 * 0.9,
    "semicircle": pi / 2,
}
CENTROIDS_Y = {
    "square": 0,
    "circle": 0,
    "triangle": 1 / 3,
    "plus": 0,
    "hexagon": 0,
    "diamond": 0,
    "ring": 0,
    "semicircle": 0.5 - 4 / (3 * pi),
    "arrow": (0.935 * (0.1 - 1.1 / 3) + 0.54 * 0.55) / 1.475,
}


def grid(n: int, half: float = 1.25) -> tuple[Points, Points]:
    """Points of a square around the shapes, `[1, n]` and `[n, 1]`."""
    at = half * (2 * np.arange(n) + 1 - n) / n
    return at[None, :], at[:, None]


def crossings(shape: Shape, x: Points, y: Points) -> NDArray[np.int64]:
    """How many times the ray to the right of each point `[point]` crosses the outline."""
    count = np.zeros(len(x), dtype=np.int64)
    for loop in shape.outline:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if y0 != y1:
                count += ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return count


def distance_to_outline(shape: Shape, point: Points) -> float:
    """From a point `(x, y)` to the nearest edge."""
    nearest = np.inf
    for loop in shape.outline:
        edge = np.roll(loop, -1, axis=0) - loop
        length2 = np.maximum((edge**2).sum(axis=1), 1e-30)
        along = np.clip(((point - loop) * edge).sum(axis=1) / length2, 0, 1)
        nearest = min(nearest, np.linalg.norm(loop + along[:, None] * edge - point, axis=1).min())
    return nearest


def test_there_are_the_reference_s_five_shapes_and_nine_more() -> None:
    assert list(SHAPES)[:5] == ["square", "circle", "triangle", "star", "plus"]
    assert len(SHAPES) == 14
    assert all(shape.name == name for name, shape in SHAPES.items())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_is_drawn_is_what_is_outlined(shape: Shape) -> None:
    x, y = (axis.ravel() for axis in np.broadcast_arrays(*grid(101)))
    differ = np.flatnonzero(shape.inside(x, y) != (crossings(shape, x, y) % 2 == 1))
    assert all(distance_to_outline(shape, np.array([x[k], y[k]])) < 2e-5 for k in differ)  # a chord's sagitta
    assert shape.inside(x, y).sum() > 500


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_area_and_the_centroid_are_those_of_many_points(shape: Shape) -> None:
    x, y = grid(2000)
    inside = shape.inside(x, y)
    assert shape.area == pytest.approx(inside.mean() * 2.5**2, abs=0.008)
    assert shape.centroid[1] == pytest.approx((inside.sum(axis=1) @ y[:, 0]) / inside.sum(), abs=1e-3)
    assert shape.centroid[0] == 0


@pytest.mark.parametrize(("name", "area"), AREAS.items())
def test_the_area_is_the_formula_s(name: str, area: float) -> None:
    assert SHAPES[name].area == pytest.approx(area, rel=2e-5)


@pytest.mark.parametrize(("name", "y"), CENTROIDS_Y.items())
def test_the_centroid_is_the_formula_s(name: str, y: float) -> None:
    assert SHAPES[name].centroid[1] == pytest.approx(y, abs=1e-5)


def test_star_and_pentagon_have_their_centre_below_the_box_s() -> None:
    for name in ("star", "pentagon"):
        up = -SHAPES[name].bounds(0)[1]
        assert SHAPES[name].centroid[1] == pytest.approx(FIVE_RADIUS - up)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("rotation_deg", [0, 30, 90, 171.5, -45])
def test_the_bounds_are_those_of_many_points(shape: Shape, rotation_deg: float) -> None:
    x, y = (axis[shape.inside(*grid(800))] for axis in np.broadcast_arrays(*grid(800)))
    turned_x, turned_y = rotated(x, y, rotation_deg)
    found = (turned_x.min(), turned_y.min(), turned_x.max(), turned_y.max())
    assert shape.bounds(rotation_deg) == pytest.approx(found, abs=0.02)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_larger_side_is_two_and_the_box_is_centred(shape: Shape) -> None:
    x0, y0, x1, y1 = shape.bounds(0)
    assert (x0 + x1, y0 + y1) == (0, 0)
    assert max(x1 - x0, y1 - y0) == 2


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_shape_is_its_own_mirror_image_to_the_bit(shape: Shape) -> None:
    x, y = rotated(*grid(301), 12.3)
    assert np.array_equal(shape.inside(x, y), shape.inside(-x, y))
    for loop in shape.outline:
        points = {(float(px), float(py)) for px, py in loop}
        assert points == {(-px, py) for px, py in points}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_bounds_turned_the_other_way_are_mirrored_to_the_bit(shape: Shape) -> None:
    for rotation_deg in (10, 36, 45, 123.4):
        x0, y0, x1, y1 = shape.bounds(rotation_deg)
        assert shape.bounds(-rotation_deg) == (-x1, y0, -x0, y1)


def about_centroid(shape: Shape, rotation_deg: float) -> NDArray[np.bool_]:
    """The shape scaled to area 1, turned about its centroid, on a grid."""
    x, y = rotated(*grid(90, 1.2), -rotation_deg)
    unit = sqrt(shape.area)
    return shape.inside(unit * x, unit * y + shape.centroid[1])


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_symmetry_is_the_smallest_rotation_that_changes_nothing(shape: Shape) -> None:
    upright = about_centroid(shape, 0)
    for angle in range(3, 358):
        likeness = overlap(upright, about_centroid(shape, angle))
        off = min(angle % shape.symmetry_deg, -angle % shape.symmetry_deg) if shape.symmetry_deg else 0
        assert likeness > 0.995 if off == 0 else off < 3 or likeness < 0.99, angle


def test_no_shape_is_another_turned() -> None:
    upright = {name: about_centroid(shape, 0) for name, shape in SHAPES.items()}
    for a, b in combinations(SHAPES.values(), 2):
        step = min(a.symmetry_deg or 5, b.symmetry_deg or 5)
        most = max(overlap(about_centroid(a, angle), upright[b.name]) for angle in np.arange(0, 360, min(step, 6)))
        assert most < 0.95, (a.name, b.name)


def test_which_rotations_give_the_same_picture() -> None:
    assert same_when_rotated(SHAPES["square"], 10, 100)
    assert same_when_rotated(SHAPES["square"], 0, -270)
    assert not same_when_rotated(SHAPES["square"], 0, 45)
    assert same_when_rotated(SHAPES["star"], 0, 72)
    assert not same_when_rotated(SHAPES["star"], 0, 90)
    assert same_when_rotated(SHAPES["hexagon"], 30, 90)
    assert same_when_rotated(SHAPES["diamond"], 90, 270)
    assert not same_when_rotated(SHAPES["triangle"], 0, 120)
    assert same_when_rotated(SHAPES["arrow"], -90, 270)
    assert same_when_rotated(SHAPES["ring"], 0, 12.5)


def test_a_rotation_is_counter_clockwise_as_seen_and_exact_in_quarters() -> None:
    tip = np.array([0.0]), np.array([-1.0])  # up
    assert [float(v[0]) for v in rotated(*tip, 90)] == [-1, 0]  # left
    assert [float(v[0]) for v in rotated(*tip, 180)] == [0, 1]
    assert [float(v[0]) for v in rotated(*tip, -90)] == [1, 0]
    assert [float(v[0]) for v in rotated(*tip, 720)] == [0, -1]
    assert [float(v[0]) for v in rotated(*tip, 30)] == pytest.approx([-0.5, -sqrt(0.75)])
    assert [float(v[0]) for v in rotated(*tip, 240)] == pytest.approx([sqrt(0.75), 0.5])
    with pytest.raises(ValueError, match="finite"):
        rotated(*tip, float("nan"))


def test_turning_back_is_where_it_was() -> None:
    x, y = grid(7)
    for angle in (1, 44, 45, 46, 89, 135, 200, 301):
        assert np.allclose(rotated(*rotated(x, y, angle), -angle), np.broadcast_arrays(x, y))


def test_a_shape_that_breaks_the_frame_is_none() -> None:
    square = SHAPES["square"]
    with pytest.raises(ValueError, match="larger side 2 around the origin"):
        replace(square, outline=(square.outline[0] * 0.9,))
    with pytest.raises(ValueError, match="larger side 2 around the origin"):
        replace(square, outline=(square.outline[0] * (1, 0.5) + (0, 0.1),))
    with pytest.raises(ValueError, match="clockwise"):
        replace(square, outline=(square.outline[0][::-1],))


def test_an_outline_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SHAPES["star"].outline[0][0] = 0
