"""Makes the gallery of the docs: every factor and every rung of the ladder, drawn by the renderer itself.

    python scripts/gallery.py                                     # docs/gallery.md and docs/gallery/
    python scripts/gallery.py --photos data/coco --split val2017  # and docs/gallery/photo-*: not for the repository

`gallery.yaml` lists the pictures. Every picture shows the scenes of a small design, whose YAML stands under it.
`docs/scenes.md` has an example of each task between two marks; they are written anew too. The same bytes come out
each time, for one version of Pillow.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml
from contact_sheets import Label, Style, save, sheet
from pydantic import BaseModel, ConfigDict
from standin_photos import SPLIT, write_standins

from evensight.datasets.pools import pools_for
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.questions.catalog import TASKS
from evensight.runs import write_text
from evensight.scenes.catalog import DesignFile, build

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- tasks: written by make gallery -->", "<!-- tasks: end -->"
MOST_CATEGORIES = 30
"""Of photographs, so many categories at most are shown."""


class Sheet(BaseModel):
    """A picture of the gallery.

    Attributes:
        name: Of its file.
        title: Its heading.
        caption: What to see.
        designs: The YAML of each design that it shows.
        size_px: The scenes' side.
        limit: How many scenes it shows of each design, from the first; None for all.
        labels: What stands under a scene: factors, or `area`, `anchor`, `measured` (box or area).
        style: How it is drawn.
        asked: Scenes to show the question of: `(index, task)`, the task being None for the design's own.
        is_real: Whether it is made of photographs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    caption: str
    designs: tuple[str, ...]
    size_px: int
    limit: int | None = None
    labels: tuple[str, ...] = ()
    style: Style = Style()
    asked: tuple[tuple[int, str | None], ...] = ()
    is_real: bool = False

    @property
    def file_name(self) -> str:
        """The picture's name."""
        return f"{self.name}.jpg" if self.style.is_photo else f"{self.name}.png"


class Chapter(BaseModel):
    """Some pictures under a heading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    about: str
    sheets: tuple[Sheet, ...]


CHAPTERS = tuple(
    Chapter(**chapter) for chapter in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
)


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
    for chapter in CHAPTERS:
        yield from chapter.sheets


def examples(each: Sheet, text: str, photos: Path, split: str, task: str | None = None) -> SceneExamples:
    """The scenes of one of a sheet's designs, without the instruction in front of their questions."""
    file = DesignFile(**yaml.safe_load(text))
    pools = pools_for(file, None, photos if each.is_real else None, split)
    design = build(file, 0, pools)
    if each.is_real and "category" in design.factors:
        design = replace(design, rows=design.rows.where({"category": design.values("category")[:MOST_CATEGORIES]}))
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
        "Made by `make gallery` (`scripts/gallery.py`) with the renderer itself. Every picture shows the scenes of "
        "the design under it, in order: save the YAML as `mine.yaml`, and "
        "`evensight generate mine.yaml --out data/mine` with the options named makes the same scenes. What a design "
        "leaves out, such as the cell lines of some pictures, is drawn over it here. Questions are shown without the "
        "instruction in front.",
    ]
    for chapter in CHAPTERS:
        lines += ["", f"## {chapter.title}", "", chapter.about]
        for each in chapter.sheets:
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
        question = SceneExamples(design, 336, 0, name, instruction="")[0].question
        lines.append(f"| `{name}` | {question.text} | {question.answer} |")
    return "\n".join(lines)


ALONE = """
name: alone
parts:
  - {shape: [star, circle, square], color: [red, green, blue], sheen: [matte, glossy], size: [large, small],
     cell: ["2,6"]}
"""
AMONG_OTHERS = """
name: among-others
parts:
  - {shape: [star, circle, square], color: [red, green, blue], size: [large, small], distractors: [3],
     cell: ["2,6"]}
"""


if __name__ == "__main__":
    main()
