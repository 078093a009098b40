"""A scene, its pixels and its annotation.

An object is drawn with the middle of its sprite's window on the middle of its cell, to the nearest pixel. The
window's side has the parity of the image's side, so rounding is the same on both sides: the scene of the mirrored
cells and rotations is the mirrored picture, to the bit (for an image with an even side). Where on the object the
middle of the window lies, the middle of its box or its centre of gravity, and whether the objects of a size have
equal boxes or equal areas, is the scene's choice (`anchor`, `fit`).

Pixels are `ground * (1 - a) + color * a` with the sprite's coverage `a`; nothing else is touched. Box, area and
centroid are measured on that coverage, so they are exact for whatever is drawn.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import Annotation, Box, Cell, Frame, Grid, Object
from evensight.scenes.factors import BLACK, RGB, Color, Value, size_share
from evensight.scenes.pools import NO_POOLS, Pools
from evensight.scenes.sprites import AREA_SHARE, Look, Reach, Sprite, cut_sprite, sprite

Image = NDArray[np.uint8]
"""RGB pixels, uint8 `[height, width, 3]`."""

Fit = Literal["box", "area"]
Anchor = Literal["box", "centroid"]


@dataclass(frozen=True, slots=True)
class SceneObject:
    """A drawn object: what it is and where it is.

    Attributes:
        name: Its shape, or its category.
        color: Its colour; None for a real object.
        sheen: How it shines.
        size: A word of `factors.SIZES`, or the share of the cell's side.
        cell: The cell that it is in.
        rotation_deg: How far it is turned, counter-clockwise.
        shift_px: How far it is moved out of the middle of its cell, `(x, y)`.
        member: Which of the category's real objects; None for a shape.
    """

    name: str
    color: Color | None
    sheen: str
    size: Value
    cell: Cell
    rotation_deg: float = 0
    shift_px: tuple[int, int] = (0, 0)
    member: int | None = None

    def attributes(self) -> dict[str, str]:
        """What is known of it, by the factors' names."""
        if self.color is None:
            return {"category": self.name, "size": str(self.size)}
        return {"color": str(self.color), "sheen": self.sheen, "size": str(self.size), "shape": self.name}


@dataclass(frozen=True, slots=True)
class Scene:
    """A square image of `size_px` pixels a side with objects on a grid.

    Attributes:
        size_px: The image's side.
        grid: The grid of the cells.
        objects: The objects, in different cells; questions are about the first.
        background: A value of the factor `background`.
        member: Which picture of the background's pool.
        fit: Whether objects of a size have equal boxes or equal areas.
        anchor: What is in the middle of the cell: the middle of the box, or the centre of gravity.
    """

    size_px: int
    grid: Grid
    objects: tuple[SceneObject, ...]
    background: Value = BLACK
    member: int = 0
    fit: Fit = "box"
    anchor: Anchor = "box"


def annotate(scene: Scene, pools: Pools = NO_POOLS) -> Annotation:
    """The scene's annotation: boxes, areas and centroids are exact, from the masks that `render` draws."""
    objects = tuple(_annotated(thing, *placed(scene, thing, pools)) for thing in scene.objects)
    return Annotation(_frame(scene.size_px), objects)


def render(scene: Scene, pools: Pools = NO_POOLS, out: Image | None = None) -> Image:
    """The scene's pixels; drawn into `out`, if that is given."""
    ground = pools.ground(scene.background).pixels(scene.member, scene.size_px)
    image = np.empty_like(ground) if out is None else out
    image[:] = ground
    for thing in scene.objects:
        drawn, x, y = placed(scene, thing, pools)
        height, width = drawn.alpha.shape
        blend(image[y : y + height, x : x + width], drawn)
    return image


def blend(window: Image, drawn: Sprite) -> None:
    """Puts a sprite over the pixels of a window of its size."""
    alpha = drawn.alpha[..., None].astype(np.uint16)
    window[:] = (window * (255 - alpha) + drawn.rgb * alpha + 127) // 255


def placed(scene: Scene, thing: SceneObject, pools: Pools) -> tuple[Sprite, int, int]:
    """An object's sprite, and the pixel `x`, `y` that the sprite's top left pixel goes to."""
    drawn = _sprite(scene, thing, pools)
    x, y = window_corner(scene.grid, scene.size_px, thing.cell, drawn.window_px)
    return drawn, x + drawn.offset_px[0] + thing.shift_px[0], y + drawn.offset_px[1] + thing.shift_px[1]


def room_px(grid: Grid, size_px: int, drawn: Sprite) -> tuple[int, int]:
    """How far the sprite's window can be moved to either side, `(x, y)`, before the object leaves its cell."""
    reach = reach_of(drawn)
    sideways, upright = max(reach.left_px, reach.right_px), max(reach.up_px, reach.down_px)
    return max(0, int(size_px / grid.cols / 2 - sideways)), max(0, int(size_px / grid.rows / 2 - upright))


def reach_of(drawn: Sprite) -> Reach:
    """How far a sprite reaches from the middle of its window."""
    height, width = drawn.alpha.shape
    x, y = (drawn.window_px / 2 - offset for offset in drawn.offset_px)
    return Reach(x, y, width - x, height - y)


def cell_side_px(grid: Grid, size_px: int) -> float:
    """The shorter side of a cell; sizes are shares of it."""
    return size_px / max(grid.rows, grid.cols)


def _sprite(scene: Scene, thing: SceneObject, pools: Pools) -> Sprite:
    side_px = size_share(thing.size) * cell_side_px(scene.grid, scene.size_px)
    style, parity = (scene.fit, scene.anchor), scene.size_px % 2
    if thing.color is not None:
        return _shape(thing.name, thing.color.rgb, thing.sheen, thing.rotation_deg, style, side_px, parity)
    return _cut_out(pools, thing.name, thing.member or 0, side_px, style, parity)


@lru_cache(maxsize=4096)
def _shape(
    name: str, rgb: RGB, sheen: str, rotation_deg: float, style: tuple[Fit, Anchor], side_px: float, parity: int
) -> Sprite:
    return sprite(Look(name, rgb, sheen, rotation_deg, *style), side_px, parity)


@lru_cache(maxsize=2048)
def _cut_out(
    pools: Pools, category: str, member: int, side_px: float, style: tuple[Fit, Anchor], parity: int
) -> Sprite:
    fit, anchor = style
    pool = pools.objects()
    if fit == "area":
        alpha, rgb = pool.cut_of_area(category, member, AREA_SHARE * side_px**2)
    else:
        alpha, rgb = pool.cut(category, member, round(side_px))
    return cut_sprite(alpha, rgb, parity, anchor)


@lru_cache(maxsize=65_536)
def window_corner(grid: Grid, size_px: int, cell: Cell, window_px: int) -> tuple[int, int]:
    """The pixel `x`, `y` of the top left of a window whose middle is in the middle of a cell."""
    center_x, center_y = grid.center_px(cell, _frame(size_px))
    return round(center_x - window_px / 2), round(center_y - window_px / 2)


@lru_cache(maxsize=64)
def _frame(size_px: int) -> Frame:
    return Frame(size_px, size_px)


def _annotated(thing: SceneObject, drawn: Sprite, x: int, y: int) -> Object:
    height, width = drawn.alpha.shape
    center_x, center_y = drawn.centroid_px
    return Object(
        thing.name,
        Box(x, y, x + width, y + height),
        thing.attributes(),
        drawn.area_px,
        (x + center_x, y + center_y),
    )
