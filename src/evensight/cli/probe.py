"""`evensight probe`: was the place known and not said, or not known?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evensight.probing.results import ProbeResults

probe = typer.Typer(help="What a model's hidden states hold of a place, layer by layer, and whether it is used.")


@probe.callback(invoke_without_command=True)
def run_probe(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="`embedded`, a local folder, or a Hub id (OWNER/NAME[@REVISION]).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A stored set.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="An adapter to put on it: a fine-tuning run or a PEFT folder.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="The evaluation of just this model on this set: what it says itself.")
    ] = None,
    positions: Annotated[
        str | None,
        typer.Option(help="By commas: last, object, image, second, vision, vision-object; else all but second."),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="By commas: area, area-row, area-col, row, col, cell, x, y; else all.")
    ] = None,
    layers: Annotated[str | None, typer.Option(help="By commas, 0 for the embeddings; else all.")] = None,
    seeds: Annotated[int, typer.Option(help="How often the combinations are dealt into folds.", min=1)] = 3,
    folds: Annotated[int, typer.Option(help="Into how many folds.", min=2)] = 2,
    batch_size: Annotated[int, typer.Option(help="How many examples are read at a time.", min=1)] = 64,
    intervention: Annotated[
        int, typer.Option(help="How many questions are asked again with changed states; 0 for none.", min=0)
    ] = 162,
    figure: Annotated[Path | None, typer.Option(help="Also draw what is read by layer as an SVG picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of the checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
) -> None:
    """Probes a model's hidden states on a set; `evensight probe compare` sets several such runs side by side.

    Example: `evensight probe --model embedded --data data/civet-test --answers runs/base --out runs/base-probes`
    """
    if context.invoked_subcommand is not None:
        return
    from evensight.models.hub import code_allowed
    from evensight.probing.results import read_probes
    from evensight.probing.run import ProbeConfig
    from evensight.probing.run import probe as run
    from evensight.settings import checked
    from evensight.storage.stored import StoredExamples
    from evensight.studies.probed import answers_of

    name, data, out = _needed(model, data, out)
    given = {"positions": _names(positions), "targets": _names(targets), "layers": _names(layers)}
    chosen = {key: value for key, value in given.items() if value is not None}
    counts = {"seeds": seeds, "folds": folds, "batch_size": batch_size, "intervention": intervention}
    config = checked(ProbeConfig, chosen | counts, "the options")
    with code_allowed(allow_code):
        run(
            name, adapter, StoredExamples(data), out, config, answers=None if answers is None else answers_of(answers)
        )
    found = [(out.name, read_probes(out))]
    _draw(found, figure)
    _print(found, as_json)


@probe.command("compare")
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Runs of `evensight probe`, the first before.")
    ],
    figure: Annotated[Path | None, typer.Option(help="Also draw what is read by layer as an SVG picture.")] = None,
    heatmaps: Annotated[
        Path | None,
        typer.Option(help="Also draw in which cells the area is read, layer by layer, as an SVG picture."),
    ] = None,
    at: Annotated[str, typer.Option(help="The position of the heatmaps.")] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Sets probing runs side by side, such as before and after fine-tuning, question by question; one alone is shown.

    Example: `evensight probe compare runs/base-probes runs/balanced-probes`
    """
    from evensight.probing.results import read_probes
    from evensight.reports.probe_charts import save_cells

    found = [(folder.name, read_probes(folder)) for folder in (run.resolve() for run in runs)]
    _draw(found, figure)
    if heatmaps is not None:
        save_cells(found, at, heatmaps)
    _print(found, as_json)


def _print(found: "Sequence[tuple[str, ProbeResults]]", as_json: bool) -> None:
    from rich.console import Console

    from evensight.reports import probes as report

    changed = [(title, report.changes(found[0][1], run)) for title, run in found[1:]]
    if as_json:
        _print_json(found, changed)
        return
    for table in (report.probe_table(found), report.targets_table(found)):
        if table is not None:
            Console().print(table)
    for title, run in found:
        _print_run(title if len(found) > 1 else "", run)
    for title, changes in changed:
        for line in report.change_lines(found[0][0], title, changes):
            typer.echo(f"\n{line}")
    if not any(run.summary["verdicts"] for _, run in found):
        typer.echo("\nGive --answers RUN (of `evensight evaluate`) to see what is known beside what is said.")


def _print_run(title: str, run: "ProbeResults") -> None:
    """What one run says: what it left out, its verdicts, and what changed states did."""
    from rich.console import Console

    from evensight.reports import probes as report
    from evensight.reports.wording import shown

    name = f"{shown(title, 40)}, " if title else ""
    for line in report.left_out_lines(run):
        typer.echo(line, err=True)
    for line in report.verdict_lines(run):
        typer.echo(f"\n{name}{line}")
    table = report.intervention_table(run)
    if table is not None:
        typer.echo(f"\n{name}states changed:")
        Console().print(table)


def _print_json(found: "Sequence[tuple[str, ProbeResults]]", changed: "Sequence[tuple[str, object]]") -> None:
    import json
    from dataclasses import asdict

    runs = [{"run": str(run.path), **run.summary} for _, run in found]
    if len(runs) == 1:
        typer.echo(json.dumps(runs[0], indent=2))
        return
    told = {title: {where: asdict(of) for where, of in changes.items()} for title, changes in changed}  # type: ignore[attr-defined]
    typer.echo(json.dumps({"runs": runs, "changes": told}, indent=2))


def _draw(found: "Sequence[tuple[str, ProbeResults]]", figure: Path | None) -> None:
    from evensight.reports.probe_charts import save_layers

    if figure is not None:
        save_layers(found, figure)


def _needed(model: str | None, data: Path | None, out: Path | None) -> tuple[str, Path, Path]:
    from evensight.errors import InputError

    if model is None or data is None or out is None:
        given = {"--model": model, "--data": data, "--out": out}
        missing = [name for name, value in given.items() if value is None]
        raise InputError(
            f"{', '.join(missing)} missing: expected `evensight probe --model MODEL --data SET --out RUN`, or "
            "`evensight probe compare RUN RUN`"
        )
    return model, data, out


def _names(listed: str | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(name.strip() for name in listed.split(",") if name.strip())
