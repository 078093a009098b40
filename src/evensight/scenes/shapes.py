"""Shapes: flat figures in exact coordinates, each both as a test for points and as an outline.

A shape lives in the square [-1, 1] x [-1, 1], y down: the larger side of its bounding box is 2 and the box's
centre is the origin. `inside` draws it, `outline` measures it (area, centroid, bounds under any rotation).
All shapes are symmetric about the vertical axis, and `inside` sees x by |x| alone, so that the symmetry is
exact to the bit and a picture of a shape tells nothing of left and right. None is a rotation of another.

Rotations are counter-clockwise as seen. A shape that some rotation maps on itself says so in `symmetry_deg`:
two rotations that differ by a multiple of it give the same picture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import acos, asin, atan2, cos, degrees, isfinite, pi, radians, remainder, sin, sqrt
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Inside = Callable[[Points, Points], NDArray[np.bool_]]

_STEP_DEG = 0.5  # between the points of an arc: 720 a full turn
_PLACES = 12  # of a bound, so that what is 0 or 1 but for rounding is it exactly


@dataclass(frozen=True, eq=False)
class Shape:
    """A figure symmetric about the vertical axis, in the square [-1, 1] x [-1, 1] (y down).

    Attributes:
        name: The noun that a question uses.
        inside: Whether the points of coordinates x and y, which broadcast, are in the shape.
        outline: The closed lines that bound it, float64 `[point, xy]`, the last point joined to the first;
            a hole runs the other way round than what holds it.
        symmetry_deg: The smallest rotation that maps the shape on itself: 360 if only a full turn does, 0 if
            every rotation does.
    """

    name: str
    inside: Inside
    outline: tuple[Points, ...]
    symmetry_deg: float

    def __post_init__(self) -> None:
        for loop in self.outline:
            loop.setflags(write=False)
        box = self.bounds(0)
        centered = box[0] == -box[2] and box[1] == -box[3]
        if not centered or max(box) != 1:
            raise ValueError(f"the shape `{self.name}` has a box of larger side 2 around the origin, got {box}")
        if self.area <= 0:
            raise ValueError(f"the outline of `{self.name}` runs clockwise as seen, its holes the other way")

    @cached_property
    def area(self) -> float:
        """The area; the square's is 4."""
        return float(sum(_cross(loop).sum() for loop in self.outline) / 2)

    @cached_property
    def centroid(self) -> tuple[float, float]:
        """The centre of gravity, `(x, y)`; x is 0 by the shape's symmetry."""
        moment = sum((_cross(loop) * (loop + np.roll(loop, -1, axis=0))[:, 1]).sum() for loop in self.outline)
        return 0.0, round(float(moment / (6 * self.area)), _PLACES) + 0.0  # the sum makes -0 a 0

    def bounds(self, rotation_deg: float) -> tuple[float, float, float, float]:
        """The bounding box of the shape turned about the origin, `(x0, y0, x1, y1)`."""
        points = np.concatenate(self.outline)
        x, y = rotated(points[:, 0], points[:, 1], rotation_deg)
        x0, y0, x1, y1 = (round(float(edge), _PLACES) for edge in (x.min(), y.min(), x.max(), y.max()))
        return x0, y0, x1, y1

    def reduced_deg(self, rotation_deg: float) -> float:
        """The rotation nearest 0 that gives the same picture; opposite rotations have opposite ones."""
        if self.symmetry_deg == 0:
            return 0.0
        return remainder(rotation_deg, self.symmetry_deg) + 0.0


def same_when_rotated(shape: Shape, a_deg: float, b_deg: float) -> bool:
    """Whether the shape looks the same under both rotations."""
    return abs(shape.reduced_deg(a_deg - b_deg)) < 1e-9


def rotated(x: Points, y: Points, rotation_deg: float) -> tuple[Points, Points]:
    """The points (x, y) turned about the origin, counter-clockwise as seen; the inputs broadcast.

    Multiples of 90° are exact, and `(-x, y)` turned by the opposite angle is the mirror image to the bit.
    """
    c, s = _cos_sin(rotation_deg)
    if s == 0:
        return c * x, c * y
    return c * x + s * y, c * y - s * x


def _cos_sin(angle_deg: float) -> tuple[float, float]:
    """Cosine and sine: exact at multiples of 90°, symmetric in the angle to the bit."""
    if not isfinite(angle_deg):
        raise ValueError(f"an angle is a finite number of degrees, got {angle_deg}")
    turned = remainder(angle_deg, 360)
    acute = min(abs(turned), 180 - abs(turned))
    c, s = cos(radians(acute)), sin(radians(acute))
    if acute == 90:
        c, s = 0.0, 1.0
    return (c if abs(turned) <= 90 else -c), (s if turned >= 0 else -s)


def _cross(loop: Points) -> Points:
    """Twice the signed area of the triangle of the origin and each edge; y down, so clockwise is positive."""
    after = np.roll(loop, -1, axis=0)
    return loop[:, 0] * after[:, 1] - after[:, 0] * loop[:, 1]


def _closed(*right: tuple[float, float] | Points) -> Points:
    """The outline whose right half, from top to bottom, is given as points and arcs."""
    half = np.concatenate([np.reshape(np.asarray(part, dtype=np.float64), (-1, 2)) for part in right])
    half[np.abs(half[:, 0]) < 1e-9, 0] = 0
    off_axis = half[half[:, 0] > 0]
    return np.concatenate([half, off_axis[::-1] * (-1.0, 1.0)])


def _arc(center: tuple[float, float], radius: float, from_deg: float, to_deg: float) -> Points:
    """Points of a circle, `[point, xy]`: the ends and the whole steps between, so all of its extremes.

    Angles are from straight up, clockwise.
    """
    low, high = sorted((from_deg, to_deg))
    steps = _STEP_DEG * np.arange(np.floor(low / _STEP_DEG) + 1, np.ceil(high / _STEP_DEG))
    at = np.radians([low, *steps, high] if from_deg < to_deg else [high, *steps[::-1], low])
    return np.stack([center[0] + radius * np.sin(at), center[1] - radius * np.cos(at)], axis=1)


def _square(x: Points, y: Points) -> NDArray[np.bool_]:
    return (np.abs(x) <= 1) & (np.abs(y) <= 1)


def _circle(x: Points, y: Points) -> NDArray[np.bool_]:
    return x**2 + y**2 <= 1


def _triangle(x: Points, y: Points) -> NDArray[np.bool_]:
    return (2 * np.abs(x) <= 1 + y) & (y <= 1)


def _plus(x: Points, y: Points) -> NDArray[np.bool_]:
    sideways, down = np.abs(x), np.abs(y)
    return ((sideways <= 1 / 3) & (down <= 1)) | ((down <= 1 / 3) & (sideways <= 1))


# Star and pentagon have their points on a circle of radius r; the widest lie 18° above the circle's centre.
_FIVE_RADIUS = 1 / cos(pi / 10)
_FIVE_Y = _FIVE_RADIUS * (1 - cos(pi / 5)) / 2  # puts the middle of the box at 0


def _five(radius: float, k: float) -> tuple[float, float]:
    """The point k fifths of a turn clockwise from the top."""
    return radius * sin(2 * pi * k / 5), _FIVE_Y - radius * cos(2 * pi * k / 5)


def _star(x: Points, y: Points) -> NDArray[np.bool_]:
    """A pentagram, a point up: inside at least four of the five lines that its edges lie on.

    Each line is r cos 72° from the centre, its normal towards a point: the pentagon in the middle is inside
    all five, a tip is outside one.
    """
    sideways, down = np.abs(x), y - _FIVE_Y
    n_inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.int8)
    for k in range(5):
        angle = -pi / 2 + 2 * pi * k / 5
        n_inside += np.cos(angle) * sideways + np.sin(angle) * down <= _FIVE_RADIUS * np.cos(2 * pi / 5)
    return n_inside >= 4


_STAR_INNER = _FIVE_RADIUS * cos(2 * pi / 5) / cos(pi / 5)


def _pentagon(x: Points, y: Points) -> NDArray[np.bool_]:
    """A regular pentagon, a point up: inside the lines of its edges, r cos 36° from the centre."""
    sideways, down, apothem = np.abs(x), y - _FIVE_Y, _FIVE_RADIUS * cos(pi / 5)
    upper = cos(0.3 * pi) * sideways - sin(0.3 * pi) * down <= apothem
    lower = cos(0.1 * pi) * sideways + sin(0.1 * pi) * down <= apothem
    return upper & lower & (down <= apothem)


def _hexagon(x: Points, y: Points) -> NDArray[np.bool_]:
    """A regular hexagon, two of its corners to the sides."""
    down = np.abs(y)
    return (down <= sqrt(3) / 2) & (sqrt(3) * np.abs(x) + down <= sqrt(3))


_DIAMOND_X = 0.64  # far enough from 1 to be no turned square


def _diamond(x: Points, y: Points) -> NDArray[np.bool_]:
    return np.abs(x) / _DIAMOND_X + np.abs(y) <= 1


# The heart: two discs, and below them what lies between the tangents to them from a point on the axis.
_HEART_RADIUS = 0.53
_HEART_X = 1 - _HEART_RADIUS
_HEART_TIP = radians(42)  # half of the angle at the tip
_HEART_LENGTH = (_HEART_RADIUS + _HEART_X * cos(_HEART_TIP)) / sin(_HEART_TIP)  # from discs' centres to the tip
_HEART_Y = (_HEART_RADIUS - _HEART_LENGTH) / 2


def _heart(x: Points, y: Points) -> NDArray[np.bool_]:
    right, down = np.abs(x) - _HEART_X, y - _HEART_Y
    disc = right**2 + down**2 <= _HEART_RADIUS**2
    left_of_tangent = cos(_HEART_TIP) * right + sin(_HEART_TIP) * down <= _HEART_RADIUS
    below_touching = cos(_HEART_TIP) * down - sin(_HEART_TIP) * right >= 0
    return disc | ((down >= 0) & left_of_tangent & below_touching)


def _heart_outline() -> Points:
    notch = -degrees(asin(_HEART_X / _HEART_RADIUS))
    lobe = _arc((_HEART_X, _HEART_Y), _HEART_RADIUS, notch, 90 + degrees(_HEART_TIP))
    return _closed(lobe, (0, _HEART_Y + _HEART_LENGTH))


# The crescent: a disc of radius 1 less a disc higher up; its horns end where the two circles meet.
_BITE_RADIUS, _BITE_UP = 0.78, 0.58
_HORN_Y = (_BITE_RADIUS**2 - 1 - _BITE_UP**2) / (2 * _BITE_UP)
_CRESCENT_Y = -(1 + _HORN_Y) / 2


def _crescent(x: Points, y: Points) -> NDArray[np.bool_]:
    down = y - _CRESCENT_Y
    return (x**2 + down**2 <= 1) & (x**2 + (down + _BITE_UP) ** 2 >= _BITE_RADIUS**2)


def _crescent_outline() -> Points:
    horn = degrees(acos(-_HORN_Y))
    bite_horn = degrees(atan2(sqrt(1 - _HORN_Y**2), -_HORN_Y - _BITE_UP))
    bite = _arc((0, _CRESCENT_Y - _BITE_UP), _BITE_RADIUS, 180, bite_horn)
    return _closed(bite, _arc((0, _CRESCENT_Y), 1, horn, 180))


_HOLE = 0.55


def _ring(x: Points, y: Points) -> NDArray[np.bool_]:
    squared = x**2 + y**2
    return (squared <= 1) & (squared >= _HOLE**2)


_HEAD_X, _HEAD_Y, _SHAFT_X = 0.85, 0.1, 0.3  # the arrow's head ends at y, its shaft goes on to 1


def _arrow(x: Points, y: Points) -> NDArray[np.bool_]:
    sideways = np.abs(x)
    head = (sideways * (1 + _HEAD_Y) <= _HEAD_X * (1 + y)) & (y <= _HEAD_Y)
    return head | ((sideways <= _SHAFT_X) & (y >= _HEAD_Y) & (y <= 1))


# The drop: a disc, and above it what lies between the tangents to it from the top.
_DROP_RADIUS = 0.64
_DROP_Y = 1 - _DROP_RADIUS
_DROP_TIP = asin(_DROP_RADIUS / (1 + _DROP_Y))  # half of the angle at the tip


def _drop(x: Points, y: Points) -> NDArray[np.bool_]:
    sideways, down = np.abs(x), y - _DROP_Y
    disc = sideways**2 + down**2 <= _DROP_RADIUS**2
    in_tangents = cos(_DROP_TIP) * sideways - sin(_DROP_TIP) * down <= _DROP_RADIUS
    return disc | (in_tangents & (down <= -_DROP_RADIUS * sin(_DROP_TIP)))


def _semicircle(x: Points, y: Points) -> NDArray[np.bool_]:
    return (x**2 + (y - 0.5) ** 2 <= 1) & (y <= 0.5)


def _shapes() -> tuple[Shape, ...]:
    disc = _closed(_arc((0, 0), 1, 0, 180))
    third, hexagon_y = 1 / 3, sqrt(3) / 2
    star = [_five(_STAR_INNER if k % 2 else _FIVE_RADIUS, k / 2) for k in range(6)]
    arrow = [(0, -1), (_HEAD_X, _HEAD_Y), (_SHAFT_X, _HEAD_Y), (_SHAFT_X, 1)]
    drop = _arc((0, _DROP_Y), _DROP_RADIUS, 90 - degrees(_DROP_TIP), 180)
    plus = [(third, -1), (third, -third), (1, -third), (1, third), (third, third), (third, 1)]
    return (
        Shape("square", _square, (_closed((1, -1), (1, 1)),), 90),
        Shape("circle", _circle, (disc,), 0),
        Shape("triangle", _triangle, (_closed((0, -1), (1, 1)),), 360),
        Shape("star", _star, (_closed(*star),), 72),
        Shape("plus", _plus, (_closed(*plus),), 90),
        Shape("pentagon", _pentagon, (_closed(*(_five(_FIVE_RADIUS, k) for k in range(3))),), 72),
        Shape("hexagon", _hexagon, (_closed((0.5, -hexagon_y), (1, 0), (0.5, hexagon_y)),), 60),
        Shape("diamond", _diamond, (_closed((0, -1), (_DIAMOND_X, 0), (0, 1)),), 180),
        Shape("heart", _heart, (_heart_outline(),), 360),
        Shape("crescent", _crescent, (_crescent_outline(),), 360),
        Shape("ring", _ring, (disc, (_HOLE * disc)[::-1]), 0),
        Shape("arrow", _arrow, (_closed(*arrow),), 360),
        Shape("drop", _drop, (_closed((0, -1), drop),), 360),
        Shape("semicircle", _semicircle, (_closed(_arc((0, 0.5), 1, 0, 90)),), 360),
    )


SHAPES: Mapping[str, Shape] = MappingProxyType({shape.name: shape for shape in _shapes()})
"""All shapes by name; the first five are the reference's."""
