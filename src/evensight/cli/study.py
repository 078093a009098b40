"""`evensight study`: conditions x tests from one file."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evensight.studies.figures import StudyResult
    from evensight.studies.plan import Study


class Engine(StrEnum):
    """What does the work."""

    LOCAL = "local"
    RAY = "ray"


RESUME = "resume"


def study(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The study's YAML file, a shipped one's name, or `resume` with a study's folder.",
        ),
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="After `resume`: the folder of the study.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the file's seed.", min=0)] = None,
    seeds: Annotated[
        int | None, typer.Option(help="So many seeds, from the first one, instead of the file's.", min=1)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Instead of the file's model.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="Do this condition alone; may be given several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, with counts, disk and time; do nothing.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="`ray` sends the conditions to the workers of a Ray cluster.")
    ] = Engine.LOCAL,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of a checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
) -> None:
    """Runs a study: trains every condition, asks it every test, and writes summary.json, matrix.csv and report.html.

    What is done already and unchanged is not done again; what fails is told at the end, and the rest is done.

    Example: `evensight study demo --out runs/demo`, and after a stop `evensight study resume runs/demo`
    """
    import shlex

    from evensight.errors import InputError
    from evensight.models.hub import code_allowed
    from evensight.studies.folder import read_study_folder
    from evensight.studies.plan import read_study
    from evensight.studies.run import run_study

    if file == RESUME:
        place = _one_folder(folder, out)
        if seed is not None or seeds is not None or model is not None:
            raise InputError("a study keeps its settings: leave out `--seed`, `--seeds` and `--model` with `resume`")
        whole, words = read_study_folder(place), ["evensight", "study", RESUME, str(place)]
    else:
        if folder is not None or out is None:
            raise InputError("expected `evensight study FILE --out OUT`, or `evensight study resume OUT`")
        given = {"seed": seed, "seeds": seeds and list(range(seed or 0, (seed or 0) + seeds)), "model": model}
        overrides = {name: value for name, value in given.items() if value is not None}
        place, whole = out, read_study(Path(file), overrides)
        options = {"--seed": seed, "--seeds": seeds, "--model": model}
        words = ["evensight", "study", file, "--out", str(out)]
        words += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    if dry_run:
        _show_plan(whole, place, only or [])
        return
    with code_allowed(allow_code):
        if engine is Engine.RAY:
            from evensight.studies.ray_engine import run_study_with_ray as run_study
        _show(whole, place, run_study(whole, place, shlex.join(words), only or []))


def _one_folder(folder: Path | None, out: Path | None) -> Path:
    """The folder that is to be resumed, named in one way or the other."""
    from evensight.errors import InputError

    if (folder is None) == (out is None):
        raise InputError("expected `evensight study resume OUT`, with the folder of a study")
    return folder or out or Path()


def _show(study: "Study", out: Path, result: "StudyResult") -> None:
    """Prints what came out; ends with an error where something failed."""
    from rich.console import Console

    from evensight.errors import InputError
    from evensight.reports.matrix import matrix_table
    from evensight.reports.tables import headline_table

    Console().print(matrix_table(result.figures) if study.seeds else headline_table(list(result.rows)))
    for note in result.notes:
        typer.echo(f"note: {note}")
    if result.report is not None:
        typer.echo(f"\nfigures: {out / 'summary.json'}, {out / 'matrix.csv'}\nreport:  {result.report}")
    if result.failures:
        traces = [failure.trace for failure in result.failures if failure.trace]
        typer.echo("\n".join(traces), err=True)
        raise InputError(
            f"{len(result.failures)} parts of the study failed: {'; '.join(map(str, result.failures))}. All others "
            f"are done: `evensight study resume {out}` tries these again"
        )


def _show_plan(study: "Study", out: Path, only: list[str]) -> None:
    """Prints what a study would do."""
    from rich.console import Console

    from evensight.studies.forecast import plan_lines, plan_table, planned_parts
    from evensight.studies.run import check

    sets = check(study, only)
    parts = planned_parts(study, out, sets)
    Console().print(plan_table(parts))
    for line in [*plan_lines(parts), *(f"note: {note}" for note in sets.skipped)]:
        typer.echo(line)
