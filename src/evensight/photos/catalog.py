"""Designs of photographs by name, and of one's own: each is a YAML file, as designs of scenes are.

    name: coco-train-matched
    description: as many photographs as civet-train has scenes, placed as they are
    photos: train2017                 # the split, in the folder of photographs
    rule: {margin: 0.1}               # which objects; without it the paper's rule
    draw: {like: civet-train}         # how many; without it all
    apart_from: [val2017]             # no photograph that is in these splits too
    scenes: {design: civet-train, photo_share: 0.5}   # mixed with scenes
    control: wrong-photo              # the same questions under other pictures
    prior: train2017                  # where the baselines learn where things usually are

The files of `shipped/` are the designs that evensight knows by name.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evensight.annotations import PAPER_GRID, Grid
from evensight.coco.reading import annotations_path, has_split
from evensight.errors import InputError
from evensight.photos.draws import Draw
from evensight.photos.rules import Rule
from evensight.pictures.decoding import Orientation
from evensight.runs import one_line
from evensight.settings import checked
from evensight.yaml_files import read_yaml

SHIPPED = Path(__file__).parent / "shipped"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Mix(BaseModel):
    """The scenes that photographs are mixed with.

    Attributes:
        design: The design of the scenes; all of them are taken, so that they stay balanced.
        photo_share: The share of the whole set that photographs are, above 0 and below 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    design: str
    photo_share: float = Field(gt=0, lt=1)

    def n_photos(self, n_scenes: int) -> int:
        """How many photographs there have to be beside so many scenes, to a whole number."""
        return max(1, round(n_scenes * self.photo_share / (1 - self.photo_share)))


class PhotoDesign(BaseModel):
    """What the file of a design of photographs says.

    Attributes:
        name: What it is called.
        description: What it is for.
        photos: The split: the images' folder and `instances_SPLIT.json`.
        grid: Rows x columns.
        task: What is asked: `absolute-position`, `row-position` or `column-position`.
        rule: Which objects are asked for.
        draw: How many of them are taken.
        apart_from: Splits in the same folder whose photographs are left out, by id and by pixels.
        scenes: Scenes to mix them with.
        control: One of `datasets.controls.CONTROLS`: the same questions under other pictures or names.
        prior: The split whose annotations tell where things usually are, for the baselines beside every score.
        orientation: How an EXIF tag that turns a photograph is read: the annotations are on the `stored` or the
            `turned` pixels, or the declared size says which (`by-size`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    description: str = ""
    photos: str = Field(pattern=_NAME)
    grid: str = Field(str(PAPER_GRID), pattern=r"^[0-9]{1,3}x[0-9]{1,3}$")
    task: str = "absolute-position"
    rule: Rule = Rule()
    draw: Draw = Draw()
    apart_from: tuple[str, ...] = ()
    scenes: Mix | None = None
    control: str | None = None
    prior: str | None = None
    orientation: Orientation = "by-size"

    @property
    def cells(self) -> Grid:
        """The grid of the cells.

        Raises:
            InputError: It has fewer than 3 rows or columns.
        """
        return grid_named(self.grid)


def grid_named(written: str) -> Grid:
    """The grid of so many "rows x columns", such as `9x9`.

    Raises:
        InputError: It isn't written so, or has fewer than 3 rows or columns.
    """
    try:
        rows, cols = map(int, written.split("x"))
        return Grid(rows, cols)
    except ValueError as error:
        raise InputError(
            f"the grid `{written}` can't be: {one_line(error)}; expected rows x columns such as {PAPER_GRID}"
        ) from error


def split_design(root: Path | None, split: str, **settings: Any) -> PhotoDesign:
    """The design that asks all of a split as the paper asks, with what is right for most unless it is set.

    A set of a `val` split learns its prior from the `train` split beside it, where its annotations are there; a
    set of a `train` split is kept apart from the `val` split, where it is there.

    Args:
        root: The folder of photographs; None where the split is not in one of COCO's layout.
        split: The split's name.
        **settings: Settings of the design.

    Raises:
        InputError: A setting can't be.
    """
    trained, tested = split.replace("val", "train"), split.replace("train", "val")
    defaults: dict[str, Any] = {"name": f"coco-{split}", "photos": split}
    if root is not None and trained != split and annotations_path(root, trained).is_file():
        defaults["prior"] = trained
    if root is not None and tested != split and has_split(root, tested):
        defaults["apart_from"] = (tested,)
    return checked(PhotoDesign, defaults | settings, "the options")


_EITHER = ("name", "parts (of scenes) or photos", "and what else such a design has (docs/scenes.md, docs/photos.md)")
"""What a file has to be, as long as it isn't known of which kind of design it is."""


def photo_names() -> tuple[str, ...]:
    """The names of the designs of photographs that ship with evensight, in their order."""
    return tuple(file.stem.partition("_")[2] for file in sorted(SHIPPED.glob("*.yaml")))


def photo_design(name: str) -> PhotoDesign | None:
    """The design of photographs of that name or in that YAML file; None if it is a design of something else.

    Raises:
        InputError: It can't be read, or it is a design of photographs with something wrong in it.
    """
    shipped = name in photo_names()
    path = next(SHIPPED.glob(f"*_{name}.yaml")) if shipped else Path(name)
    if not shipped and (path.suffix not in (".yaml", ".yml") or not path.exists()):
        return None
    where = f"the design `{name if shipped else path}`"
    content = read_yaml(path, where, _EITHER, instead=f"one of {', '.join(photo_names())}")
    return checked(PhotoDesign, content, where) if "photos" in content else None
