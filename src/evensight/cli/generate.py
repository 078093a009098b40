"""`evensight generate`: a design's scenes and questions, stored."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Part(StrEnum):
    """The parts of a design that holds something out."""

    TRAIN = "train"
    TEST = "test"


class Format(StrEnum):
    """How a set is stored."""

    PARQUET = "parquet"
    FOLDER = "folder"
    WEBDATASET = "webdataset"


class Engine(StrEnum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


def generate(
    design: Annotated[str, typer.Argument(help="The design's name (`evensight designs` lists them) or YAML file.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    size: Annotated[int, typer.Option(help="The images' side in pixels.", min=8, max=4096)] = 336,
    seed: Annotated[int, typer.Option(help="Draws the order of options, and what else is drawn.", min=0)] = 0,
    limit: Annotated[int | None, typer.Option(help="Only the first so many scenes.", min=1)] = None,
    task: Annotated[
        str | None, typer.Option(help="What to ask (`evensight designs --tasks`).", show_default="the design's")
    ] = None,
    part: Annotated[Part | None, typer.Option(help="The part of a design that holds something out.")] = None,
    instruction: Annotated[
        bool, typer.Option(help="Put `Answer using as few words as possible.` in front of each question.")
    ] = True,
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder in COCO's format, for photographs, real objects and backgrounds."),
    ] = None,
    split: Annotated[str, typer.Option(help="The split in that folder, for scenes.")] = "val2017",
    backgrounds: Annotated[Path | None, typer.Option(help="A folder of pictures for backgrounds.")] = None,
    stored_as: Annotated[Format, typer.Option("--format", help="How to store it.")] = Format.PARQUET,
    shard: Annotated[
        str | None, typer.Option(help="Only this share of the work, I/N: 1/4 to 4/4 in any order.", metavar="I/N")
    ] = None,
    shard_rows: Annotated[
        int | None, typer.Option(help="How many scenes a file has.", min=1, show_default="the format's own number")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="What does the work; `ray` needs evensight[ray].")] = Engine.LOCAL,
) -> None:
    """Stores a design's pictures, drawn scenes or photographs, with their questions and answers.

    Example: `evensight generate civet-train --out data/civet-train`
    """
    from evensight.audits.certificate import card_notes
    from evensight.datasets.orders import Order
    from evensight.errors import InputError
    from evensight.runs import RunManifest
    from evensight.storage.formats import part_of, storing

    order = Order(design, size, seed, task, part, instruction, photos, split, backgrounds)
    share = part_of(shard) if shard else (1, 1)
    examples = order.examples()
    notes = card_notes(order, examples, limit)
    if engine is Engine.RAY:
        from evensight.storage.ray_engine import RayJob, store_with_ray

        if shard:
            raise InputError("`--shard` and `--engine ray` don't go together: Ray shares the work out by itself")
        manifest: RunManifest | None = store_with_ray(
            RayJob(order.resolved().examples, out, stored_as, limit, shard_rows, notes)
        )
    else:
        manifest = storing(examples, out, stored_as, limit, shard_rows=shard_rows, notes=notes).run(share)
    if manifest is None:
        typer.echo(f"{out}: share {shard} is done; the set is whole once all shares are")
    else:
        what = "questions" if manifest.facts["of_photos"] else "scenes"
        typer.echo(f"{out}: {manifest.facts['n']:,} {what} of {manifest.facts['name']}")
