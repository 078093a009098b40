"""Any set as a table to audit: one of ours, a COCO split, a CIVET folder, or a file of questions.

What a path is, is seen from what is there: a manifest, `annotations/`, `repr.json` and `questions.json`, or a file's
suffix.
"""

from functools import lru_cache
from pathlib import Path

from PIL import Image

from evensight.annotations import AREAS, PAPER_GRID
from evensight.audits.columns import AuditTable, NoPictureError, Target, column, constructed, tabulate
from evensight.audits.records import read_records
from evensight.coco.entries import holds_entries
from evensight.coco.reading import CocoObject, CocoSplit, read_split
from evensight.errors import InputError
from evensight.exchange.civet import CivetExamples
from evensight.photos.selection import select
from evensight.pictures.decoding import load_rgb
from evensight.pictures.files import AMBIGUOUS, OTHER_SIZE, PictureError
from evensight.runs import MANIFEST_NAME, RunFolder, read_json
from evensight.storage.stored import StoredExamples

COCO_SMALL_PX2, COCO_LARGE_PX2 = 32**2, 96**2
"""COCO's own bounds of small, medium and large objects, in square pixels; here of their boxes."""


def open_table(path: Path, split: str | None = None) -> AuditTable:
    """The table of the set at a path, whatever its format.

    Args:
        path: A stored set's folder, or one that it was exported to, a folder in COCO's layout (or its instances
            file), a CIVET folder, or a file of questions (`records.read_records`).
        split: The split of a folder in COCO's layout.

    Raises:
        InputError: It is none of these, or has nothing to audit.
    """
    if path.is_dir() and not (path / MANIFEST_NAME).exists():
        if split is not None or (path / "annotations").is_dir():
            return coco_table(read_split(path, _split_of(path, split)))
        if (path / "repr.json").is_file() and (path / "questions.json").is_file():
            return tabulate(CivetExamples(path))
    if path.is_file():
        return _file_table(path)
    if (path / MANIFEST_NAME).is_file() and read_json(path / MANIFEST_NAME, "run manifest").get("kind") == "export":
        return _file_table(path / str(RunFolder(path).manifest("export").facts.get("data")))
    return tabulate(StoredExamples(path))


def coco_table(coco: CocoSplit) -> AuditTable:
    """The table of a COCO split: a row for each object that is no crowd, with its category, size class and place."""
    things = sorted(
        (thing for thing in coco.objects if not thing.is_crowd), key=lambda thing: (thing.image_id, thing.id)
    )
    frames = [coco.images[thing.image_id].frame for thing in things]
    cells = [PAPER_GRID.cell_at(thing.box.center_px, frame) for thing, frame in zip(things, frames, strict=True)]
    sides = [str(k) for k in range(PAPER_GRID.rows)]
    columns = {
        "category": column([thing.category for thing in things]),
        "size": column([_size_class(thing) for thing in things], ("small", "medium", "large")),
        "row": column([str(cell.row) for cell in cells], sides),
        "col": column([str(cell.col) for cell in cells], sides),
        "cell": column(
            [f"{cell.row},{cell.col}" for cell in cells], [f"{c.row},{c.col}" for c in PAPER_GRID.cells()]
        ),
        "area": column([PAPER_GRID.area_of(cell) for cell in cells], AREAS),
    }

    @lru_cache(maxsize=1)  # an image's objects stand side by side
    def decoded(image_id: int) -> Image.Image:
        image = coco.images[image_id]
        try:
            return load_rgb(image.file, image.frame)
        except PictureError as error:
            if error.fault == OTHER_SIZE:  # to be seen, and said of each of its objects
                return load_rgb(image.file, orientation="stored")
            reason = error.fault if error.fault == AMBIGUOUS else "picture that can't be decoded"
            raise NoPictureError(reason) from error

    return AuditTable(
        f"coco-{coco.name}",
        tuple(str(thing.id) for thing in things),
        columns,
        ("category", "size"),
        by_construction=constructed(columns),
        targets=tuple(Target(thing.box, frame, thing.category) for thing, frame in zip(things, frames, strict=True)),
        picture=lambda index: decoded(things[index].image_id),
        rejected=coco.rejected.by_reason | _crowds(coco),
        selection=select(coco).as_json(),
    )


def _crowds(coco: CocoSplit) -> dict[str, list[str]]:
    crowds = [str(thing.id) for thing in coco.objects if thing.is_crowd]
    return {"crowd, not one object": crowds} if crowds else {}


def _size_class(thing: CocoObject) -> str:
    area = thing.box.area_px
    return "small" if area < COCO_SMALL_PX2 else "medium" if area < COCO_LARGE_PX2 else "large"


def _split_of(root: Path, split: str | None) -> str:
    """The split that is meant: the one that is named, or the only one there is."""
    known = sorted(path.stem.removeprefix("instances_") for path in (root / "annotations").glob("instances_*.json"))
    if split is None and len(known) != 1:
        splits = ", ".join(known) or "its splits (none found)"
        raise InputError(f"`{root}` is in COCO's layout: expected `--split` with one of {splits}")
    return split or known[0]


def _file_table(path: Path) -> AuditTable:
    if path.suffix == ".json":
        if path.parent.name == "annotations" and path.stem.startswith("instances_"):
            return coco_table(read_split(path.parent.parent, path.stem.removeprefix("instances_")))
        if holds_entries(path):
            raise InputError(
                f"`{path}` is COCO's: expected it in COCO's layout, ROOT/annotations/instances_SPLIT.json with the "
                "images in ROOT/SPLIT/"
            )
    return read_records(path)
