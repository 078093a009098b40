"""`evensight photos`: questions about real photographs in COCO's format, stored."""

from pathlib import Path
from typing import Annotated

import typer


def photos(
    root: Annotated[Path, typer.Argument(help="The folder that holds annotations/ and the images' folders.")],
    split: Annotated[str, typer.Option(help="The split: the images' folder and instances_SPLIT.json.")],
    out: Annotated[Path | None, typer.Option(help="The folder to make.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the order of options.", min=0)] = 0,
    placement: Annotated[
        bool,
        typer.Option("--placement", help="Make nothing; count in which cell photographs have their objects."),
    ] = False,
) -> None:
    """Asks where objects are in real photographs: those that are the only one of their category.

    Example: `evensight photos data/coco --split val2017 --out data/coco-val`
    """
    from evensight.errors import InputError

    if placement:
        _print_placement(root, split)
        return
    if out is None:
        raise InputError("`--out` is missing: expected the folder to make")

    from evensight.datasets.photo_examples import PhotoExamples
    from evensight.storage.stored import store

    manifest = store(PhotoExamples(root, split, seed), out)
    notes = manifest.facts["notes"]
    typer.echo(f"{out}: {manifest.facts['n']:,} questions about {notes['n_images_asked_about']:,} photographs")
    for reason, left_out in notes["left_out"].items():
        typer.echo(f"  left out: {left_out['n']} x {reason} (first: {', '.join(left_out['first'])})", err=True)


def _print_placement(root: Path, split: str) -> None:
    from evensight.annotations import PAPER_GRID
    from evensight.photos.coco import read_split
    from evensight.photos.selection import main_object_counts, single_instance_counts

    coco = read_split(root, split)
    for what, counts in (
        ("the largest object of each photograph", main_object_counts(coco, PAPER_GRID)),
        ("the objects that are the only one of their category", single_instance_counts(coco, PAPER_GRID)),
    ):
        typer.echo(f"{what}: {sum(map(sum, counts))} in {split}, by cell")
        for row in counts:
            typer.echo("  " + " ".join(f"{n:4d}" for n in row))
