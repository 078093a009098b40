"""`evensight import`: what another generator made, stored as a set of ours."""

from pathlib import Path
from typing import Annotated

import typer

import_ = typer.Typer(help="Store what another generator made.", no_args_is_help=True)


@import_.callback()
def _import() -> None:
    """Stores what another generator made."""


@import_.command()
def civet(
    folder: Annotated[Path, typer.Argument(help="The folder with repr.json, questions.json and images/.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Take only this kind of question, such as position_absolute; can be given again."),
    ] = None,
    instruction: Annotated[
        str | None, typer.Option(help="What is put in front of every question; empty for nothing.")
    ] = None,
) -> None:
    """Stores a CIVET folder with the answers that follow from its objects.

    Example: `evensight import civet data/rq1 --kind position_absolute --out data/rq1-set`
    """
    from evensight.exchange.civet import CivetExamples
    from evensight.exchange.civet_answers import KINDS
    from evensight.questions.tasks import INSTRUCTION
    from evensight.storage.stored import store

    asked = INSTRUCTION if instruction is None else instruction
    manifest = store(CivetExamples(folder, tuple(kind or KINDS), asked), out)
    notes = manifest.facts["notes"]
    typer.echo(
        f"{out}: {manifest.facts['n']:,} of {notes['n_listed']:,} questions about "
        f"{notes['n_images_asked_about']:,} pictures"
    )
    for reason, left_out in notes["left_out"].items():
        typer.echo(f"  left out: {left_out['n']} x {reason} (first: {', '.join(left_out['first'])})", err=True)
