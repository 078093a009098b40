"""Makes the gallery of the docs: every factor and every rung of the ladder, drawn by the renderer itself.

    python scripts/gallery.py                                     # docs/gallery.md and docs/gallery/
    python scripts/gallery.py --photos data/coco --split val2017  # and docs/gallery/photo-*: not for the repository

Every sheet shows the scenes of a small design, whose YAML stands under it. `docs/scenes.md` has an example of each
task between two marks; they are written anew too. The same bytes come out each time (for one version of Pillow).
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from contact_sheets import Label, Style, save, sheet
from standin_photos import SPLIT, write_standins

from evensight.datasets.pools import pools_for
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.questions.catalog import TASKS
from evensight.runs import write_text
from evensight.scenes.catalog import DesignFile, build

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- tasks: written by make gallery -->", "<!-- tasks: end -->"


@dataclass(frozen=True)
class Sheet:
    """A picture of the gallery.

    Attributes:
        name: Of its file.
        title: Its heading.
        caption: What to see.
        designs: The YAML of each design that it shows.
        size_px: The scenes' side.
        limit: How many scenes it shows of each design, from the first; None for all.
        labels: The factors that are named under a scene; a design's field (`fit`) is named too.
        style: How it is drawn.
        asked: Scenes to show the question of: `(index, task)`, the task being None for the design's own.
        is_real: Whether it is made of photographs.
    """

    name: str
    title: str
    caption: str
    designs: tuple[str, ...]
    size_px: int = 112
    limit: int | None = None
    labels: tuple[str, ...] = ()
    style: Style = field(default_factory=Style)
    asked: tuple[tuple[int, str | None], ...] = ()
    is_real: bool = False

    @property
    def file_name(self) -> str:
        """The picture's name."""
        return f"{self.name}.jpg" if self.style.is_photo else f"{self.name}.png"


MIDDLE = 'grid: 3x3\nparts:\n  - {{cell: ["1,1"], {}}}'
"""A design with one large cell in the middle."""


def _middle(name: str, factors: str, more: str = "") -> str:
    return f"name: {name}\n{more}{MIDDLE.format(factors)}"


_ALL_SHAPES = (
    "shape: [square, circle, triangle, star, plus, pentagon, hexagon, diamond, heart, crescent, ring, arrow, drop,\n"
    "             semicircle]"
)
_LADDER = "shape: [square, star], color: [red, cyan], size: [0.6]"
_MEMBERS = "shape: [star], color: [yellow], size: [0.4], background: [{}], replicate: [{}]"

CELL = Style(columns=7, margin_px=4)
LINED = replace(CELL, cells=True)

FACTOR_SHEETS = (
    Sheet(
        "shape", "`shape`", "The fourteen shapes; the first five are the paper's.",
        (_middle("shapes-shown", _ALL_SHAPES + ", color: [yellow]"),), labels=("shape",), asked=((3, None),),
        size_px=336, style=CELL,
    ),
    Sheet(
        "color", "`color`", "Seven colours by name; any other as `#rrggbb`, or with the word that questions use.",
        (_middle("colours-shown", 'shape: [circle], color: [red, green, blue, magenta, yellow, cyan, white,\n'
                 '     "#ff7f0e", teal=#008080, olive=#808000, pink=#ffc0cb, "#5a5a5a"]'),),
        size_px=336, labels=("color",), style=replace(CELL, columns=6), asked=((8, "property-color"),),
    ),
    Sheet(
        "sheen", "`sheen`", "Light from straight above, so that shading says nothing of left and right. `none` is "
        "the colour alone.",
        (_middle("sheens-shown", "shape: [circle, heart, ring], color: [red, cyan], sheen: [none, matte, glossy], "
                 "size: [0.95]"),),
        size_px=336, labels=("sheen",), style=replace(CELL, columns=6),
    ),
    Sheet(
        "size", "`size`", "`large` is 0.86 of the cell's side, `small` half of it; any share from 0.05 to 1.",
        (_middle("sizes-shown", "shape: [square, star], size: [large, small, 1, 0.7, 0.3, 0.15]"),),
        size_px=336, labels=("size",), style=replace(LINED, columns=6),
    ),
    Sheet(
        "cell", "`cell`", "Without `cell` a design goes through all cells of its grid, here the paper's 9 x 9.",
        ("name: nine-by-nine\nparts:\n  - {shape: [square], color: [yellow]}",),
        size_px=72, style=Style(columns=9), asked=((0, None), (40, None)),
    ),
    Sheet(
        "grid", "`grid`", "Any grid from 3 x 3 on; here 3 rows and 6 columns. Sizes are shares of a cell's shorter "
        "side. The lines are not in the scenes.",
        ("name: three-by-six\ngrid: 3x6\nparts:\n  - {shape: [heart], color: [red]}",),
        size_px=96, style=Style(columns=6, cells=True), labels=("area",),
    ),
    Sheet(
        "rotation", "`rotation`", "Degrees, counter-clockwise. With `fit: box` (the upper rows) the box of the turned "
        "shape is as large as the size says, so its area differs from one rotation to the other; with `fit: area` "
        "(the lower rows) it does not. Rotations under which a shape looks the same are refused.",
        tuple(_middle("turned", "shape: [arrow, heart], rotation: [0, 15, 45, 90, 180, 270, 300], size: [0.95]",
                      f"fit: {fit}\n") for fit in ("box", "area")),
        size_px=336, labels=("rotation",), style=LINED,
    ),
    Sheet(
        "jitter", "`jitter`", "How much of the room that the cell leaves an object may move in, drawn anew for each "
        "`replicate`: never out of its cell.",
        (_middle("moved", "shape: [circle], color: [cyan], size: [0.5], jitter: [0, 0.5, 1],\n"
                 "     replicate: [1, 2, 3, 4, 5, 6]"),),
        size_px=336, labels=("jitter",), style=replace(LINED, columns=6),
    ),
    Sheet(
        "background", "`background`: a plain colour", "Any colour but the object's own, which is refused.",
        (_middle("on-colours", 'shape: [star], color: [yellow],\n     background: [black, white, red, green, blue, '
                 '"#444444", "#c8b99a"]'),),
        labels=("background",),
    ),
    Sheet(
        "distractors", "`distractors`", "0 to 8 other objects, none with the target's description. While the target "
        "goes through all cells, the pattern of the others goes along, around the edges, so that they are in all "
        "cells as often.",
        ("name: others\nparts:\n  - {shape: [star, circle, square, heart], color: [red, green, blue, yellow],\n"
         '     distractors: [0, 1, 2, 3, 4, 5, 6, 7, 8], cell: ["4,4"]}',),
        limit=9, size_px=162, labels=("distractors",), style=Style(columns=5), asked=((8, None), (8, "counting")),
    ),
    Sheet(
        "distractor-kind", "`distractor_kind`", "What the others share with the target (a red star in the middle): "
        "anything, its shape, its colour, or by turns both (`hard`).",
        ("name: hard-others\nparts:\n  - {shape: [star, circle, square, heart, plus], color: [red, green, blue, "
         "yellow, cyan],\n     distractors: [4], distractor_kind: [any, same-shape, same-color, hard], "
         'cell: ["4,4"]}',),
        limit=4, size_px=198, labels=("distractor_kind",), style=Style(columns=4), asked=((3, None),),
    ),
    Sheet(
        "distractor-size", "`distractor_size`", "The others' size; without it, it is drawn from the design's sizes.",
        ("name: others-sizes\ntask: relative-size\nparts:\n  - {shape: [star, circle], color: [red, blue], "
         "size: [0.55], distractors: [1],\n     distractor_size: [0.3, 0.55, 0.86], "
         'cell: ["1,1"]}\ngrid: 3x3',),
        limit=3, size_px=162, labels=("distractor_size",), style=Style(columns=3), asked=((0, None), (1, None)),
    ),
)

CHOICE_SHEETS = (
    Sheet(
        "fit", "`fit: box` or `area`", "No choice makes all things equal: with `box` the larger sides of the boxes "
        "are, with `area` the areas (here 14 shapes with the area of the leanest).",
        tuple(_middle("fits", _ALL_SHAPES + ", color: [cyan], size: [1]", f"fit: {fit}\n") for fit in ("box", "area")),
        size_px=336, labels=("measured",), style=LINED,
    ),
    Sheet(
        "anchor", "`anchor: box` or `centroid`", "What lies in the middle of the cell: the middle of the box, or the "
        "centre of gravity (the cross). Enlarged three times; boxes and crosses are the annotation's.",
        tuple(_middle("anchors", "shape: [triangle, heart, arrow, drop, semicircle], color: [red], size: [0.6]",
                      f"anchor: {anchor}\n") for anchor in ("box", "centroid")),
        size_px=144, labels=("shape", "anchor"), style=Style(5, enlarged=3, cells=True, boxes=True, margin_px=1),
    ),
    Sheet(
        "annotation", "What is annotated", "Box, area and centre of gravity of every object, exact to the pixel: they "
        "are measured on the mask that is drawn. Enlarged four times; the orange boxes are the annotation's, the "
        "crosses the centres of gravity, the grey lines the cells.",
        ("name: annotated\ngrid: 4x4\nanchor: centroid\nparts:\n  - {shape: [star, heart, crescent, drop], "
         "color: [red, green, blue, yellow], sheen: [glossy],\n     size: [0.9, 0.55], rotation: [0, 20], "
         "distractors: [3], cell: [\"1,2\"]}",),
        limit=2, size_px=96, style=Style(columns=2, enlarged=4, cells=True, boxes=True),
        asked=((0, "point"), (0, "exact-cell"), (0, "nearest-object")),
    ),
    Sheet(
        "wording", "`wording`", "The picture is the same; the question is put in three ways, each as often.",
        (_middle("worded", "shape: [star], color: [red], wording: [1, 2, 3]"),),
        labels=("wording",), style=Style(columns=3), asked=((0, None), (1, None), (2, None)),
    ),
)

LADDER_SHEETS = (
    Sheet("ladder-black", "1. Black", "`ladder-black`: shapes on black.",
          (_middle("rung-black", f"{_LADDER}, background: [black]"),), labels=(), style=Style(columns=4)),
    Sheet("ladder-plain", "2. Plain colours", "`ladder-plain`: a shape on every colour but its own.",
          (_middle("rung-plain", "shape: [star], color: [red, cyan], size: [0.6], background: [white, green, blue, "
                   "magenta, yellow]"),), labels=(), style=Style(columns=5)),
    *(
        Sheet(f"ladder-{name}", f"{k}. {title}", caption,
              (_middle(f"rung-{name}", _MEMBERS.format(name, ", ".join(map(str, range(1, n + 1))))),),
              size_px=96, labels=(), style=Style(columns=8, is_photo=True))
        for k, name, n, title, caption in (
            (3, "gradient", 16, "Gradients", "`ladder-gradient`: linear and radial ones. Each drawn ground has its "
             "negative in the pool, so that the mean over the pool is one flat grey and no ground favours a place."),
            (4, "noise", 16, "Noise", "`ladder-noise`: white and blurred, grey and coloured."),
            (5, "texture", 32, "Textures", "`ladder-texture`: checks, stripes, dots, bricks, clouds, wood, weave and "
             "plaid, coarse to fine."),
        )
    ),
    Sheet("ladder-photo", "6. Photographs", "`ladder-photo`: a shape on photographs, of a folder or a COCO set.",
          (_middle("rung-photo", _MEMBERS.format("photo", "1, 2, 3, 4, 5, 6")),), size_px=132,
          style=Style(columns=6, is_photo=True), is_real=True),
    Sheet("ladder-cutout", "7. Real objects on black", "`ladder-cutout`: cut out by their segmentations, no pixel of "
          "their old ground with them.",
          (_middle("rung-cutout", "category: all, replicate: [1, 2], size: [0.95], background: [black]"),),
          size_px=132, style=Style(columns=6, is_photo=True), labels=("category",), asked=((0, None),), is_real=True),
    Sheet("ladder-cutout-photo", "8. Real objects on photographs", "`ladder-cutout-photo`: the same objects on other "
          "photographs, in balanced cells.",
          (_middle("rung-cutout-photo", "category: all, replicate: [1, 2], size: [0.95], background: [photo]"),),
          size_px=132, style=Style(columns=6, is_photo=True), labels=("category",), is_real=True),
)

CHAPTERS = (
    ("Factors", "What a part of a design can vary.", FACTOR_SHEETS),
    ("Choices", "What is said once for a whole design, and what is annotated.", CHOICE_SHEETS),
    ("The ladder from synthetic to real", "The same questions, one step nearer to photographs with each rung: so one "
     "can ask which step breaks a model. The designs `ladder-*` have these grounds in the paper's grid and objects.",
     LADDER_SHEETS),
)  # fmt: skip

REAL_SHAPES = 30
"""Of the user's own photographs, so many categories at most are shown."""


def main() -> None:
    """Writes the gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder with gallery.md, gallery/ and scenes.md")
    parser.add_argument("--photos", type=Path, help="a folder in COCO's format, for docs/gallery/photo-*")
    parser.add_argument("--split", default="val2017", help="the split in that folder")
    arguments = parser.parse_args()
    folder = arguments.out / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        standins = write_standins(Path(made) / "coco")
        draw_all(folder, standins)
        write_text(arguments.out / "gallery.md", page(standins))
    guide = (DOCS / "scenes.md").read_text(encoding="utf-8")
    write_text(arguments.out / "scenes.md", with_tasks(guide))
    if arguments.photos is not None:
        draw_photos(folder, arguments.photos, arguments.split)


def draw_all(folder: Path, standins: Path) -> None:
    """Draws all sheets."""
    for each in sheets():
        draw(each, folder / each.file_name, standins, SPLIT)


def draw_photos(folder: Path, photos: Path, split: str) -> None:
    """Draws the sheets that are made of photographs with the user's."""
    for each in sheets():
        if each.is_real:
            draw(each, folder / f"photo-{each.file_name}", photos, split)


def draw(each: Sheet, path: Path, photos: Path, split: str) -> None:
    """Draws one sheet."""
    sets = [examples(each, text, photos, split) for text in each.designs]
    save(sheet(sets, each.limit, label_of(each), each.style), path, is_photo=each.style.is_photo)


def sheets() -> Iterator[Sheet]:
    """All sheets, in order."""
    for _, _, members in CHAPTERS:
        yield from members


def examples(each: Sheet, text: str, photos: Path, split: str, task: str | None = None) -> SceneExamples:
    """The scenes of one of a sheet's designs, without the instruction in front of their questions."""
    file = DesignFile(**yaml.safe_load(text))
    pools = pools_for(file, None, photos if each.is_real else None, split)
    design = build(file, 0, pools)
    if each.is_real and "category" in design.factors:
        design = replace(design, rows=design.rows.where({"category": design.values("category")[:REAL_SHAPES]}))
    return SceneExamples(design, each.size_px, 0, task or file.task, pools=pools, instruction="")


def label_of(each: Sheet) -> Label:
    """What stands under a scene: the values of the sheet's labels."""

    def label(scenes: SceneExamples, index: int) -> str:
        example, design = scenes[index], scenes.composer.design
        known = {**example.attributes, "area": example.area, "anchor": design.anchor}
        x0, y0, x1, y1 = example.box.xyxy_px
        known["measured"] = f"{x1 - x0:g} x {y1 - y0:g}" if design.fit == "box" else f"{example.mask_area_px:,.0f} px"
        return ", ".join(known[name] for name in each.labels)

    return label


def page(standins: Path) -> str:
    """The gallery's Markdown."""
    lines = [
        "# Gallery",
        "",
        "Made by `make gallery` (`scripts/gallery.py`) with the renderer itself. Every picture shows the scenes of the "
        "design under it, in order: save the YAML as `mine.yaml`, and `evensight generate mine.yaml --out data/mine` "
        "with the options named makes the same scenes. What a design leaves out, such as the cell lines of some pictures, "
        "is drawn over it here. Questions are shown without the instruction in front.",
    ]
    for title, about, members in CHAPTERS:
        lines += ["", f"## {title}", "", about]
        for each in members:
            lines += ["", *section(each, standins)]
    return "\n".join(lines) + "\n"


def section(each: Sheet, standins: Path) -> list[str]:
    """A sheet's part of the page."""
    lines = [f"### {each.title}", "", each.caption]
    if each.is_real:
        lines[-1] += (
            " **The pictures shown here are stand-ins, drawn by a program and not photographs** (`scripts/"
            "standin_photos.py`), because COCO's photographs may not be passed on with evensight. With your own: "
            "`python scripts/gallery.py --photos data/coco` writes "
            f"`docs/gallery/photo-{each.file_name}`."
        )
    lines += ["", f"![{each.title.replace('`', '')}](gallery/{each.file_name})", ""]
    for text in each.designs:
        lines += ["```yaml", text, "```", ""]
    limit = "" if each.limit is None else f" --limit {each.limit}"
    shown = "" if each.style.margin_px is None else "; of each scene its middle cell is shown"
    lines.append(f"`--size {each.size_px}{limit}`{shown}")
    for index, task in each.asked:
        question = examples(each, each.designs[0], standins, SPLIT, task)[index].question
        lines += ["", f"> {question.text} **{question.answer}**"]
    return lines


def with_tasks(guide: str) -> str:
    """The guide with the table of the tasks between its two marks.

    Raises:
        InputError: It lacks a mark.
    """
    before, begin, rest = guide.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"`docs/scenes.md` lacks the line `{BEGIN}` or `{END}`: put both back")
    return f"{before}{BEGIN}\n{tasks_table()}\n{END}{after}"


def tasks_table() -> str:
    """A question and its answer for each task: what something is, of an object alone; the others among three."""
    lines = ["| task | for example | answer |", "|---|---|---|"]
    for name in TASKS:
        file = DesignFile(**yaml.safe_load(ALONE if name.startswith("property") else AMONG_OTHERS))
        design = replace(build(file), fit="area" if name.endswith("area") else "box")
        question = SceneExamples(design, 336, 0, name, instruction="")[ASKED_INDEX].question
        lines.append(f"| `{name}` | {question.text} | {question.answer} |")
    return "\n".join(lines)


ALONE = """
name: alone
parts:
  - {shape: [star, circle, square], color: [red, green, blue], sheen: [matte, glossy], size: [large, small]}
"""
AMONG_OTHERS = """
name: among-others
parts:
  - {shape: [star, circle, square], color: [red, green, blue], size: [large, small], distractors: [3]}
"""
ASKED_INDEX = 24


if __name__ == "__main__":
    main()
