"""`evensight evaluate`: a model's answers to a stored set, and what they amount to."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Option(help="`embedded`, a local folder, or a Hub id (OWNER/NAME[@REVISION]).")],
    data: Annotated[Path, typer.Option(help="A stored set.")],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    adapter: Annotated[
        Path | None, typer.Option(help="An adapter to put on it: a fine-tuning run or a PEFT folder.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="How many questions are asked at a time.", min=1)] = 64,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Ask this control as well, again for several: wrong-photo, black, mirrored, covered, absent. "
            "Photographs are always asked with the wrong photo, too.",
        ),
    ] = None,
    no_controls: Annotated[
        bool, typer.Option("--no-controls", help="Ask the set alone, also where it is of photographs.")
    ] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of the checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
) -> None:
    """Asks a model every question of a set, greedily, and tells where it is right.

    Example: `evensight evaluate --model embedded --data data/civet-test --out runs/base`
    """
    from rich.console import Console

    from evensight.errors import InputError
    from evensight.evaluation.ask import evaluate as run
    from evensight.evaluation.results import read_results
    from evensight.evaluation.summary import summarise
    from evensight.models.hub import code_allowed
    from evensight.reports.tables import headline_table
    from evensight.storage.stored import StoredExamples

    if control and no_controls:
        raise InputError("`--control` and `--no-controls` contradict each other: leave out one of them")
    examples = StoredExamples(data)
    controls = () if no_controls else control or None
    with code_allowed(allow_code):
        manifest = run(model, adapter, examples, out, batch_size, controls=controls)
    for name, reason in manifest.facts.get("controls_left_out", {}).items():
        typer.echo(f"{name} was left out: {reason}", err=True)
    Console().print(headline_table([(out.name, examples.info.name, summarise(read_results(out)))]))
