"""Sheets of questions to look at: each picture with the object's box, the borders of the areas, and the answer.

Nothing replaces looking: an annotation can be wrong, a category can be there twice with one unlabelled, and a box can
be an answer that nobody would give. A sheet shows questions drawn at random, so that what is seen of them can be said
of the set.
"""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from evensight.annotations import Grid
from evensight.datasets.examples import Example, ExampleSet
from evensight.randomness import Permutation, mix

COLUMNS = 5
SIDE_PX = 360
GAP_PX = 8
LABEL_PX = 40
FONT_PX = 15
PAPER, INK, LINES, BOX, CENTER = (255, 255, 255), (40, 40, 40), (255, 255, 255), (255, 64, 0), (0, 220, 255)


def some(n_examples: int, n: int, seed: int) -> list[int]:
    """The places of `n` examples drawn at random, or of all if there are fewer, in the order of the set."""
    order = Permutation(n_examples, mix(seed, "sheet")) if n_examples else ()
    return sorted(order[k] for k in range(min(n, n_examples)))


def question_sheet(examples: ExampleSet, indices: Sequence[int]) -> Image.Image:
    """Some questions of a set in one picture, in the order given."""
    rows = -(-len(indices) // COLUMNS)
    wide, high = SIDE_PX + GAP_PX, SIDE_PX + LABEL_PX + GAP_PX
    page = Image.new("RGB", (COLUMNS * wide + GAP_PX, rows * high + GAP_PX), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT_PX)
    for k, index in enumerate(indices):
        x, y = GAP_PX + k % COLUMNS * wide, GAP_PX + k // COLUMNS * high
        example = examples[index]
        tile = _tile(example, examples.info.grid, examples.image(index))
        page.paste(tile, (x + (SIDE_PX - tile.width) // 2, y + (SIDE_PX - tile.height) // 2))
        for line, text in enumerate(_label(k + 1, example)):
            pen.text((x, y + SIDE_PX + 2 + line * LABEL_PX // 2), text, INK, font)
    return page


def _label(number: int, example: Example) -> tuple[str, str]:
    asked = example.question.text.partition("Where is ")[2].partition("?")[0] or example.question.text[:40]
    sure = "" if example.certainty is None else f" ({example.certainty:.0%} of its box)"
    return f"{number}. {asked}: {example.question.answer}{sure}"[:60], example.id


def _tile(example: Example, grid: Grid, picture: Image.Image) -> Image.Image:
    scale = SIDE_PX / max(picture.size)
    tile = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    pen = ImageDraw.Draw(tile)
    for col, row in zip(grid.first_cols[1:], grid.first_rows[1:], strict=True):
        x, y = tile.width * col / grid.cols, tile.height * row / grid.rows
        pen.line((x, 0, x, tile.height), LINES)
        pen.line((0, y, tile.width, y), LINES)
    box = example.box
    pen.rectangle([edge * scale for edge in box.xyxy_px], outline=BOX, width=3)
    x, y = (at * scale for at in box.center_px)
    pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=CENTER, outline=INK)
    return tile
