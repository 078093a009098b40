"""From a row of a design to a picture and its annotation.

An object is drawn in the middle of its cell, to the nearest pixel: its extent has the parity of the image's
side, so that rounding is the same on both sides and the scene of the mirrored cell is the mirrored scene, to
the bit (for an image with an even side). Pixels are `background * (1 - a) + color * a` with the sprite's
coverage `a`; nothing else is touched, so the box is the bounds of all pixels that differ from the background.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import Annotation, Box, Cell, Frame, Grid, Object
from evensight.errors import InputError
from evensight.scenes.designs import SceneDesign, cell_in
from evensight.scenes.factors import SIZES
from evensight.scenes.sprites import Sprite, sprite

Image = NDArray[np.uint8]
"""RGB pixels, uint8 `[height, width, 3]`."""

MIN_EXTENT_PX = 4
"""Below this, shapes can't be told apart."""


@dataclass(frozen=True, slots=True)
class SceneObject:
    """A drawn object: what it is and the cell it is in."""

    shape: str
    color: str
    sheen: str
    size: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Scene:
    """A square image of `size_px` pixels a side, black, with one object on a grid."""

    size_px: int
    grid: Grid
    target: SceneObject


def scene(design: SceneDesign, index: int, size_px: int) -> Scene:
    """Scene `index` of a design.

    Raises:
        InputError: The grid is too fine for an image of this size.
    """
    row = design.rows[index]
    target = SceneObject(
        str(row["shape"]), str(row["color"]), str(row.get("sheen", "none")), str(row["size"]), cell_in(row)
    )
    drawn = Scene(size_px, design.grid, target)
    check_size(design.grid, size_px)
    return drawn


def check_size(grid: Grid, size_px: int) -> None:
    """Checks that the smallest object can be told in a cell.

    Raises:
        InputError: It can't; the message says from which size on it can.
    """
    if not _fits(grid, size_px):  # extents grow with the size among the even sizes, and among the odd ones
        fits = next(n for n in range(size_px, 10**6) if _fits(grid, n) and _fits(grid, n + 1))
        raise InputError(
            f"an image of `{size_px}` px is too small for a {grid} grid: a small object would have less than "
            f"{MIN_EXTENT_PX} px; choose a size of {fits} px or more"
        )


def _fits(grid: Grid, size_px: int) -> bool:
    return _extent_px(grid, size_px, min(SIZES.values())) >= MIN_EXTENT_PX


def annotate(scene: Scene) -> Annotation:
    """The scene's annotation; the box is exact, from the mask that `render` draws."""
    drawn, (x, y) = _placed(scene)
    height, width = drawn.alpha.shape
    target = scene.target
    attributes = {"color": target.color, "sheen": target.sheen, "size": target.size, "shape": target.shape}
    box = Box(x, y, x + width, y + height)
    return Annotation(Frame(scene.size_px, scene.size_px), (Object(target.shape, box, attributes),))


def render(scene: Scene) -> Image:
    """The scene's pixels."""
    image = np.zeros((scene.size_px, scene.size_px, 3), dtype=np.uint8)
    drawn, (x, y) = _placed(scene)
    height, width = drawn.alpha.shape
    window = image[y : y + height, x : x + width]
    alpha = drawn.alpha[..., None].astype(np.uint16)
    window[:] = (window * (255 - alpha) + drawn.rgb * alpha + 127) // 255
    return image


def _placed(scene: Scene) -> tuple[Sprite, tuple[int, int]]:
    """The sprite and where its top left pixel goes, `(x, y)`."""
    target = scene.target
    extent = _extent_px(scene.grid, scene.size_px, SIZES[target.size])
    drawn = sprite(target.shape, target.color, target.sheen, extent)
    center_x, center_y = scene.grid.center_px(target.cell, Frame(scene.size_px, scene.size_px))
    left, top = round(center_x - extent / 2), round(center_y - extent / 2)
    return drawn, (left + drawn.offset_px[0], top + drawn.offset_px[1])


def _extent_px(grid: Grid, size_px: int, share: float) -> int:
    """The whole number of pixels, of the parity of the image's side, that is nearest the share of a cell."""
    ideal = share * size_px / max(grid.rows, grid.cols)
    parity = size_px % 2
    return 2 * round((ideal - parity) / 2) + parity
