"""`evensight evaluate`: a model's answers to a stored set, and what they amount to."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class By(StrEnum):
    """How a model is asked."""

    GENERATION = "generation"
    OPTIONS = "options"
    BOTH = "both"


class Choice(StrEnum):
    """Whether a server holds answers to the options."""

    OFF = "off"
    AUTO = "auto"
    REQUIRE = "require"


def evaluate(
    data: Annotated[Path, typer.Option(help="A stored set.")],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="`embedded`, a local folder, or a Hub id (OWNER/NAME[@REVISION]); with --server its name there."
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="An adapter to put on it: a fine-tuning run or a PEFT folder.")
    ] = None,
    by: Annotated[
        By, typer.Option(help="Ask for words (greedy), for the likelihood of each option, or for both.")
    ] = By.GENERATION,
    max_new_tokens: Annotated[int, typer.Option(help="How many tokens an answer in words may have.", min=1)] = 15,
    priors: Annotated[
        bool, typer.Option("--priors/--no-priors", help="Score options on a black image, too: twice the work.")
    ] = True,
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
    allow_trained_on: Annotated[
        bool, typer.Option("--allow-trained-on", help="Ask a model also what it was trained on.")
    ] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of the checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ask the model at this OpenAI-compatible server; its key comes from EVENSIGHT_API_KEY.",
        ),
    ] = None,
    in_flight: Annotated[
        int, typer.Option(help="How many questions are under way at a server at a time.", min=1, max=1024)
    ] = 32,
    choice: Annotated[
        Choice, typer.Option(help="Have the server hold answers to the options: never, where it can, or must.")
    ] = Choice.OFF,
    retries: Annotated[int, typer.Option(help="How often a server is asked again after a fault.", min=0, max=20)] = 5,
    timeout: Annotated[float, typer.Option(help="How many seconds a server's answer may take.", min=0.1)] = 120.0,
    extra: Annotated[
        str | None, typer.Option(metavar="JSON", help="Further fields of each request to a server.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else.")] = False,
) -> None:
    """Asks a model every question of a set and tells where it is right.

    When it was killed, the same command asks what is missing, and no question twice. Several devices:
    `accelerate launch -m evensight evaluate ...`. A server: docs/servers.md.

    Example: `evensight evaluate --model embedded --data data/civet-test --out runs/base`
    """
    from rich.console import Console

    from evensight.errors import InputError
    from evensight.evaluation.ask import evaluate_subject as run
    from evensight.evaluation.planned import planned
    from evensight.evaluation.results import read_results
    from evensight.evaluation.summary import summarise
    from evensight.models.answering import Way
    from evensight.models.hub import code_allowed
    from evensight.models.processes import processes
    from evensight.models.subjects import model_at_server, model_here
    from evensight.progress import say
    from evensight.reports.scores import figure_lines
    from evensight.reports.tables import headline_table
    from evensight.storage.stored import StoredExamples

    if control and no_controls:
        raise InputError("`--control` and `--no-controls` contradict each other: leave out one of them")
    examples = StoredExamples(data)
    controls = () if no_controls else control or None
    way = Way(by.value, max_new_tokens, priors)
    with code_allowed(allow_code):
        if server is None:
            subject = model_here(model, adapter, batch_size, way)
        else:
            speed = {"in_flight": in_flight, "retries": retries, "timeout_s": timeout}
            more = {"choice": choice.value, "extra": _fields(extra), **speed}
            subject = model_at_server(server, model, adapter, way, more)
        manifest = run(
            subject,
            examples,
            out,
            controls=controls,
            allow_trained_on=allow_trained_on,
            begins=lambda: say(planned(examples.n_by_cell())),
        )
    if not processes().is_main:
        return
    for name, reason in manifest.facts.get("controls_left_out", {}).items():
        typer.echo(f"{name} was left out: {reason}", err=True)
    summary = summarise(read_results(out))
    if as_json:
        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        console = Console()
        console.print(headline_table([(out.name, examples.info.name, summary)]))
        for line in figure_lines(summary):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _fields(extra: str | None) -> Any:
    """The fields that `--extra` gives.

    Raises:
        InputError: It is no JSON.
    """
    from evensight.errors import InputError

    try:
        return json.loads(extra or "{}")
    except ValueError as error:
        raise InputError(f'`--extra` is no JSON: expected an object such as {{"top_k": 1}}, got {extra!r}') from error
