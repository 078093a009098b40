"""`evensight photos`: real photographs in COCO's format: what they have, questions about them, downloads."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evensight.cli.photos_fetch import fetch
from evensight.cli.photos_sheet import sheet
from evensight.cli.rule_options import takes_rule

if TYPE_CHECKING:
    from evensight.coco.reading import CocoFiles

photos = typer.Typer(
    no_args_is_help=True,
    help="Real photographs in COCO's format: count what they have, ask about them, download COCO.",
    rich_markup_mode="markdown",
)

photos.command("fetch")(fetch)
photos.command("sheet")(sheet)

Root = Annotated[
    Path | None,
    typer.Argument(help="The folder that holds annotations/ and the images' folders.", show_default=False),
]
Split = Annotated[str | None, typer.Option(help="The split: the images' folder and instances_SPLIT.json.")]
Annotations = Annotated[
    Path | None, typer.Option(help="In place of ROOT and --split: a file in COCO's format (LVIS, Objects365, ...).")
]
Images = Annotated[Path | None, typer.Option(help="The images' folder that belongs to --annotations.")]
GridOption = Annotated[str, typer.Option(help="Rows x columns.")]


class Balance(StrEnum):
    """What a balanced set has equally many of."""

    AREA = "area"
    AREA_CATEGORY = "area-category"


class Orientation(StrEnum):
    """How an EXIF tag that turns a photograph is read."""

    BY_SIZE = "by-size"
    STORED = "stored"
    TURNED = "turned"


@photos.command("make")
@takes_rule
def make(
    root: Root = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make.", show_default=False)] = None,
    split: Split = None,
    annotations: Annotations = None,
    images: Images = None,
    name: Annotated[str | None, typer.Option(help="The set's name; else it is made of the options.")] = None,
    seed: Annotated[int, typer.Option(help="Draws photographs and the order of options.", min=0)] = 0,
    grid: GridOption = "9x9",
    task: Annotated[
        str, typer.Option(help="absolute-position, row-position or column-position.")
    ] = "absolute-position",
    n: Annotated[int | None, typer.Option(help="So many questions, placed as they are.", min=1)] = None,
    matched: Annotated[
        str | None, typer.Option(help="The matched setting: as many questions as this design has scenes.")
    ] = None,
    balance: Annotated[
        Balance | None, typer.Option(help="Equally many of each area, or of each area and category.")
    ] = None,
    per_area: Annotated[
        int | None, typer.Option(help="With `--balance area`: so many of each; else as many as there are.", min=1)
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="All scenes of a design, and photographs for this share.", metavar="DESIGN:SHARE"),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="mirrored, black, wrong-photo, covered or absent: see docs/photos.md.")
    ] = None,
    apart_from: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out photographs that are in this split too, by id or pixels; `none` for none. "
            "For train splits it is the val split, if it is there."
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="The split that tells the baselines where things usually are; `none` for none. For val splits it is "
            "the train split, if its annotations are there."
        ),
    ] = None,
    orientation: Annotated[
        Orientation, typer.Option(help="Whether annotations are on pixels as stored or as turned by EXIF.")
    ] = Orientation.BY_SIZE,
    *,
    rule: Any = None,
) -> None:
    """Asks where objects are in real photographs: those that are the only one of their category.

    The whole split is asked unless `--n`, `--matched` or `--balance` says how many.

    Example: `evensight photos make data/coco --split val2017 --out data/coco-val`
    """
    from evensight.audits.certificate import certified
    from evensight.datasets.photo_sets import photo_set
    from evensight.errors import InputError
    from evensight.photos.catalog import split_design
    from evensight.storage.stored import store

    if out is None:
        raise InputError("`--out` is missing: expected the folder to make")
    files = _files(root, split, annotations, images)
    written = {
        "grid": grid,
        "task": task,
        "rule": rule,
        "draw": {"n": n, "like": matched, "balance": balance and balance.value, "per_area": per_area},
        "scenes": None if mix is None else _mix(mix),
        "control": control,
        "orientation": orientation.value,
    }
    if apart_from:
        written["apart_from"] = [] if apart_from == ["none"] else apart_from
    if prior is not None:
        written["prior"] = None if prior == "none" else prior
    design = split_design(root, files.name, **{"name": name or _name_of(files.name, written), **written})
    known = _prior_named(prior, root)
    examples = photo_set(design, root, seed, files=files, prior=known)
    manifest = store(examples, out, notes=certified(examples))
    typer.echo(f"{out}: {manifest.facts['n']:,} questions of {manifest.facts['name']}")
    _print_selection(manifest.facts["notes"])


@photos.command("counts")
@takes_rule
def counts(
    root: Root = None,
    split: Split = None,
    annotations: Annotations = None,
    images: Images = None,
    grid: GridOption = "9x9",
    flags: Annotated[bool, typer.Option("--flags", help="Also what each option alone does to the placing.")] = False,
    categories: Annotated[
        bool, typer.Option("--categories", help="Also how many of each category there are in each area.")
    ] = False,
    cells: Annotated[bool, typer.Option("--cells", help="Also how many there are in each cell.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    *,
    rule: Any = None,
) -> None:
    """Counts where the objects are, and what there is to draw from, before anything is made.

    No photograph is opened: one that is broken is found by `photos make`.

    Example: `evensight photos counts data/coco --split val2017 --flags`
    """
    from evensight.cli.photo_counts import counted, print_counts
    from evensight.coco.reading import read_instances
    from evensight.photos.catalog import grid_named

    found = counted(
        read_instances(_files(root, split, annotations, images)),
        rule,
        grid_named(grid),
        with_flags=flags,
        with_categories=categories,
        with_cells=cells,
    )
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=2))
    else:
        print_counts(found)


def _files(root: Path | None, split: str | None, annotations: Path | None, images: Path | None) -> "CocoFiles":
    from evensight.coco.reading import CocoFiles
    from evensight.errors import InputError

    if annotations is not None:
        if images is None or split is not None:
            what = "`--images` is missing" if images is None else "`--split` is given"
            raise InputError(f"{what}: expected `--annotations FILE --images FOLDER`, or ROOT with `--split`")
        return CocoFiles(_file_stem(annotations), annotations, images)
    if root is None or split is None or images is not None:
        what = "ROOT" if root is None else "`--split`" if split is None else "`--annotations`"
        raise InputError(f"{what} is missing: expected ROOT with `--split NAME`, or `--annotations` with `--images`")
    return CocoFiles.in_layout(root, split)


def _prior_named(prior: str | None, root: Path | None) -> "CocoFiles | None":
    """The annotations of the split that was named for the prior: what is named must be there."""
    from evensight.coco.reading import CocoFiles, annotations_path
    from evensight.errors import InputError

    if prior in (None, "none"):
        return None
    if root is None:
        raise InputError(f"`--prior {prior}` is a split beside the one that is asked: expected ROOT with `--split`")
    path = annotations_path(root, str(prior))
    if not path.is_file():
        raise InputError(f"`{path}` is not there: expected the annotations that `--prior {prior}` names")
    return CocoFiles(str(prior), path, None)


def _file_stem(path: Path) -> str:
    return path.stem.removeprefix("instances_") or path.stem


def _mix(written: str) -> dict[str, Any]:
    from evensight.errors import InputError

    design, _, share = written.rpartition(":")
    try:
        return {"design": design, "photo_share": float(share)}
    except ValueError as error:
        raise InputError(
            f"the mix `{written}` can't be read: expected a design and photographs' share, as civet-train:0.5"
        ) from error


def _name_of(split: str, written: dict[str, Any]) -> str:
    """What a set is called after its options, the control apart, which adds its own name."""
    from evensight.photos.rules import CERTAIN_RULE, PAPER_RULE

    draw = written["draw"]
    parts = {
        "certain": written["rule"] == CERTAIN_RULE,
        "ruled": written["rule"] not in (PAPER_RULE, CERTAIN_RULE),
        "row": written["task"] == "row-position",
        "column": written["task"] == "column-position",
        str(draw["n"]): draw["n"] is not None,
        "matched": draw["like"] is not None,
        "balanced": draw["balance"] is not None,
        "by-category": draw["balance"] == "area-category",
        f"{draw['per_area']}-each": draw["per_area"] is not None,
        "mixed": written["scenes"] is not None,
    }
    return "-".join(["coco", split, *(part for part, there in parts.items() if there)])


def _print_selection(notes: dict[str, Any]) -> None:
    from evensight.cli.photo_counts import print_left_out, print_steps

    for each in _photographs_notes(notes):
        print_steps(each["selection"]["steps"], each["selection"]["asked"])
        print_left_out(each["left_out"])


def _photographs_notes(notes: dict[str, Any]) -> list[dict[str, Any]]:
    """The notes of the photographs in a set: its own, or those of its parts."""
    if "selection" in notes:
        return [notes]
    parts = notes.get("parts", {}).values()
    return [found for part in parts for found in _photographs_notes(part["notes"])]
