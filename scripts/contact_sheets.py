"""Contact sheets: the scenes of a small design in one picture, drawn by the renderer itself, with labels under them.

The scenes stand in the design's order, row by row. What a sheet draws over them (cell lines, boxes, crosses) is
taken from the annotation and is drawn on copies that are enlarged to whole multiples, so that a line between two
pixels lies between two pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from evensight.datasets.scene_examples import SceneExamples
from evensight.runs import atomic_file

GAP_PX = 8
LABEL_PX = 18
FONT_PX = 13
PAPER, INK, FRAME = (255, 255, 255), (60, 60, 60), (190, 190, 190)
LINES, BOX, CROSS = (110, 110, 110), (255, 140, 0), (255, 255, 255)

Label = Callable[[SceneExamples, int], str]
"""The words under scene i of a design."""


@dataclass(frozen=True)
class Style:
    """How a sheet is drawn.

    Attributes:
        columns: How many scenes stand in a row.
        enlarged: How many pixels of the sheet a scene's pixel takes, to a side.
        cells: Whether the lines between the cells are drawn.
        boxes: Whether the objects' boxes and centres of gravity are drawn.
        margin_px: Show the target's cell alone with so much around it; None for all of the scene.
        is_photo: Whether it is saved as a JPEG, which suits photographs and noise, and not as a palette PNG.
    """

    columns: int = 7
    enlarged: int = 1
    cells: bool = False
    boxes: bool = False
    margin_px: int | None = None
    is_photo: bool = False


def sheet(sets: Sequence[SceneExamples], limit: int | None, label: Label, style: Style) -> Image.Image:
    """The scenes of some sets in one picture, in order; of each set the first `limit`, or all."""
    shown = [(examples, i) for examples in sets for i in range(len(examples))[:limit]]
    tiles = [(tile(examples, i, style), label(examples, i)) for examples, i in shown]
    side, n_rows = tiles[0][0].width, -(-len(tiles) // style.columns)
    below = LABEL_PX if any(text for _, text in tiles) else 0
    wide, high = side + GAP_PX, side + below + GAP_PX
    page = Image.new("RGB", (style.columns * wide + GAP_PX, n_rows * high + GAP_PX), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT_PX)
    for k, (picture, text) in enumerate(tiles):
        x, y = GAP_PX + k % style.columns * wide, GAP_PX + k // style.columns * high
        pen.rectangle((x - 1, y - 1, x + side, y + side), outline=FRAME)
        page.paste(picture, (x, y))
        pen.text((x + side / 2, y + side + LABEL_PX / 2), text, INK, font, anchor="mm")
    return page


def tile(examples: SceneExamples, index: int, style: Style) -> Image.Image:
    """One scene, with what the style draws over it."""
    small = examples.image(index)
    picture = small.resize((small.width * style.enlarged,) * 2, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    if style.cells:
        _draw_cells(pen, examples, picture.width)
    if style.boxes:
        _draw_boxes(pen, examples, index, style.enlarged)
    return picture if style.margin_px is None else picture.crop(_around_cell(examples, index, style))


def _around_cell(examples: SceneExamples, index: int, style: Style) -> tuple[int, int, int, int]:
    """The target's cell with the style's margin, `(x0, y0, x1, y1)` on the enlarged scene."""
    cell, grid, margin = examples[index].cell, examples.info.grid, (style.margin_px or 0) * style.enlarged
    side = examples.composer.size_px * style.enlarged
    wide, high = side / grid.cols, side / grid.rows
    x, y = round(cell.col * wide), round(cell.row * high)
    return x - margin, y - margin, x + round(wide) + margin, y + round(high) + margin


def save(page: Image.Image, path: Path, *, is_photo: bool) -> None:
    """Writes a sheet: a JPEG, or a PNG of at most 256 colours."""
    with atomic_file(path) as unfinished:
        if is_photo:
            page.save(unfinished, "JPEG", quality=88, subsampling=0, optimize=True)
        else:
            page.quantize(256, dither=Image.Dither.NONE).save(unfinished, "PNG", optimize=True)


def _draw_cells(pen: ImageDraw.ImageDraw, examples: SceneExamples, side: int) -> None:
    grid = examples.info.grid
    for k in range(1, grid.rows):
        y = round(side * k / grid.rows)
        pen.line([(0, y), (side, y)], LINES)
    for k in range(1, grid.cols):
        x = round(side * k / grid.cols)
        pen.line([(x, 0), (x, side)], LINES)


def _draw_boxes(pen: ImageDraw.ImageDraw, examples: SceneExamples, index: int, times: int) -> None:
    """The box just outside of the object's pixels, and a cross through its centre of gravity."""
    for thing in examples.annotation(index).objects:
        x0, y0, x1, y1 = (round(times * edge) for edge in thing.box.xyxy_px)
        pen.rectangle((x0 - 1, y0 - 1, x1, y1), outline=BOX)
        if thing.centroid_px is not None:
            x, y = (round(times * along) for along in thing.centroid_px)
            for color, width, reach in (((0, 0, 0), 3, 7), (CROSS, 1, 6)):
                pen.line([(x - reach, y), (x + reach, y)], color, width)
                pen.line([(x, y - reach), (x, y + reach)], color, width)
