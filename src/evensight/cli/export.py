"""`evensight export`: a stored set in the format of another tool."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="A stored set.")],
    to: Annotated[str, typer.Option(help="The format: trl, llamafactory, swift, lmms-eval or coco.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
) -> None:
    """Writes a stored set as another tool's data: TRL, LLaMA-Factory, ms-swift, lmms-eval or COCO.

    Example: `evensight export data/civet-train --to trl --out data/civet-train-trl`
    """
    from evensight.errors import one_of
    from evensight.exchange.export import FORMATS
    from evensight.exchange.export import export as written
    from evensight.storage.stored import StoredExamples

    if to not in FORMATS:  # before a large set is read
        raise one_of("the format", to, FORMATS)
    manifest = written(StoredExamples(data), to, out)
    typer.echo(f"{out}: {manifest.facts['n']:,} examples for {FORMATS[to].description}")
