"""`evensight photos sheet`: questions drawn at random, in one picture to look at."""

from pathlib import Path
from typing import Annotated

import typer


def sheet(
    data: Annotated[Path, typer.Argument(help="A stored set, of photographs or of scenes.")],
    out: Annotated[Path, typer.Argument(help="The picture to make, .jpg or .png.")],
    n: Annotated[int, typer.Option("--n", help="How many questions.", min=1, max=200)] = 40,
    seed: Annotated[int, typer.Option(help="Draws them.", min=0)] = 0,
) -> None:
    """Draws some questions to look at: the photograph, the areas' borders, the object's box, the answer.

    What is wrong by eye can be left out by its id: `evensight photos make ... --exclude FILE`.

    Example: `evensight photos sheet data/coco-val sheet.jpg --n 40`
    """
    from evensight.errors import InputError
    from evensight.reports.sheets import question_sheet, some
    from evensight.runs import atomic_file
    from evensight.storage.stored import StoredExamples

    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    if out.suffix.lower() not in kinds:
        raise InputError(f"`{out}` is no name of a picture that can be made: expected one that ends in .jpg or .png")
    if out.is_dir():
        raise InputError(f"`{out}` is a folder: expected the name of a picture")
    examples = StoredExamples(data)
    shown = some(len(examples), n, seed)
    page = question_sheet(examples, shown)
    with atomic_file(out) as path:
        page.save(path, kinds[out.suffix.lower()], quality=85)
    typer.echo(f"{out}: {len(shown)} of {len(examples):,} questions of {examples.info.name}")
