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


@import_.command()
def answers(
    log: Annotated[
        Path, typer.Argument(help="A log of inspect_ai (.eval, .json) or lmms-eval's log of samples (.jsonl).")
    ],
    out: Annotated[Path, typer.Option(help="The JSON Lines file to write, with `id` and `answer`.")],
) -> None:
    """Takes the raw answers out of another harness's log of one of our sets, to be scored by evensight.

    Example: `evensight import answers logs/civet-test.eval --out answers.jsonl`
    """
    from evensight.exchange.answers import read_log, write_answers

    found = read_log(log)
    write_answers(found.answers, out)
    typer.echo(f"{out}: {len(found.answers):,} answers")
    if found.unanswered:
        named = ", ".join(found.unanswered[:5])
        typer.echo(f"  without an answer: {len(found.unanswered):,} (first: {named})", err=True)
