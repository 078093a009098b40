"""`evensight generate`: a design's scenes and questions, stored."""

from pathlib import Path
from typing import Annotated

import typer


def generate(
    design: Annotated[str, typer.Argument(help="The design's name; `evensight designs` lists them.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    size: Annotated[int, typer.Option(help="The images' side in pixels.", min=8, max=4096)] = 336,
    seed: Annotated[int, typer.Option(help="Draws the order of options, and what else is drawn.", min=0)] = 0,
    limit: Annotated[int | None, typer.Option(help="Only the first so many scenes.", min=1)] = None,
) -> None:
    """Draws a design's scenes with their questions and answers and stores them as Parquet.

    Example: `evensight generate civet-train --out data/civet-train`
    """
    from evensight.datasets.examples import SceneExamples
    from evensight.datasets.stored import store
    from evensight.scenes.designs import design as named

    manifest = store(SceneExamples(named(design, seed), size, seed), out, limit)
    typer.echo(f"{out}: {manifest.facts['n']:,} scenes of {design}, {size} px")
