"""`evensight evaluate`: a model's answers to a stored set, and what they amount to."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class By(StrEnum):
    """How a model is asked."""

    GENERATION = "generation"
    OPTIONS = "options"
    BOTH = "both"


class Engine(StrEnum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


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
    batch_size: Annotated[
        int | None, typer.Option(help="How many questions are asked at a time; 64 if not given.", min=1)
    ] = None,
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
        int | None,
        typer.Option(help="How many questions are under way at a server at a time; 32.", min=1, max=1024),
    ] = None,
    choice: Annotated[
        Choice | None, typer.Option(help="Have the server hold answers to the options: never, where it can, or must.")
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often a server is asked again after a fault; 5.", min=0, max=20)
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="How many seconds a server's answer may take; 120.", min=0.1)
    ] = None,
    extra: Annotated[
        str | None, typer.Option(metavar="JSON", help="Further fields of each request to a server.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="What does the work: this process, or the workers of a Ray cluster.")
    ] = Engine.LOCAL,
    workers: Annotated[
        int | None, typer.Option(help="How many workers of Ray hold the model; else one a GPU, or a core.", min=1)
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out questions that a server refuses for good; count them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else.")] = False,
) -> None:
    """Asks a model every question of a set and tells where it is right.

    When it was killed, the same command asks what is missing, and no question twice. Several devices:
    `accelerate launch -m evensight evaluate ...`. A server: docs/servers.md.

    Example: `evensight evaluate --model embedded --data data/civet-test --out runs/base`
    """
    from rich.console import Console

    from evensight.errors import InputError
    from evensight.evaluation.ask import Allowed
    from evensight.evaluation.ask import evaluate_subject as run
    from evensight.evaluation.planned import planned
    from evensight.evaluation.results import read_results
    from evensight.evaluation.summary import summarise
    from evensight.models.answering import Way
    from evensight.models.hub import code_allowed
    from evensight.models.processes import processes
    from evensight.models.subjects import model_at_server, model_here, on_ray
    from evensight.progress import say
    from evensight.reports.scores import figure_lines
    from evensight.reports.tables import headline_table
    from evensight.storage.stored import StoredExamples

    if control and no_controls:
        raise InputError("`--control` and `--no-controls` contradict each other: leave out one of them")
    examples = StoredExamples(data)
    controls = () if no_controls else control or None
    way = Way(by.value, max_new_tokens, priors)
    of_servers = {"--in-flight": in_flight, "--retries": retries, "--timeout": timeout, "--choice": choice}
    with code_allowed(allow_code):
        if server is None:
            _refuse("belongs to `--server URL`", of_servers | {"--extra": extra, "--allow-missing": allow_missing})
            subject = model_here(model, adapter, batch_size or _BATCH_SIZE, way)
            if engine is Engine.RAY:
                subject = on_ray(subject, workers)
            else:
                _refuse("belongs to `--engine ray`", {"--workers": workers})
        else:
            of_models = {"--batch-size": batch_size, "--allow-code": allow_code, "--workers": workers}
            of_models["--engine"] = engine is Engine.RAY
            _refuse("is for a model that is loaded here", of_models)
            given = {_FIELD[name]: value for name, value in of_servers.items() if value is not None}
            subject = model_at_server(server, model, adapter, way, given | {"extra": _fields(extra)})
        manifest = run(
            subject,
            examples,
            out,
            controls=controls,
            allowed=Allowed(trained_on=allow_trained_on, missing=allow_missing),
            begins=lambda: say(planned(examples.n_by_cell())),
        )
    if not processes().is_main:
        return
    for name, reason in manifest.facts.get("controls_left_out", {}).items():
        typer.echo(f"{name} was left out: {reason}", err=True)
    if n_missing := manifest.facts.get("n_missing"):
        typer.echo(f"{n_missing:,} questions were refused for good; they are left out of all figures", err=True)
    summary = summarise(read_results(out))
    if as_json:
        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        console = Console()
        console.print(headline_table([(out.name, examples.info.name, summary)]))
        for line in figure_lines(summary):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


_BATCH_SIZE = 64
_FIELD = {"--in-flight": "in_flight", "--retries": "retries", "--timeout": "timeout_s", "--choice": "choice"}
"""What the options are called among the settings of a server."""


def _refuse(why: str, given: Mapping[str, Any]) -> None:
    """Says of an option that was given where it does nothing.

    Raises:
        InputError: One was.
    """
    from evensight.errors import InputError

    for name, value in given.items():
        if value not in (None, False):
            raise InputError(f"`{name}` {why}: leave it out")


def _fields(extra: str | None) -> Any:
    """The fields that `--extra` gives.

    Raises:
        InputError: It is no JSON.
    """
    from evensight.errors import InputError

    try:
        return json.loads(extra or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f'`--extra` is no JSON: expected an object such as {{"top_k": 1}}, got {extra!r}') from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
