"""`evensight study`: conditions x tests from one file."""

from pathlib import Path
from typing import Annotated

import typer


def study(
    file: Annotated[Path, typer.Argument(help="The study's YAML file, or the name of a shipped one: demo.")],
    out: Annotated[Path, typer.Option(help="The study's folder.")],
    seed: Annotated[int | None, typer.Option(help="Instead of the file's seed.", min=0)] = None,
    model: Annotated[str | None, typer.Option(help="Instead of the file's model.")] = None,
) -> None:
    """Runs a study: trains every condition, asks it every test, and writes summary.json and report.html.

    What is done already and unchanged is not done again.

    Example: `evensight study demo --out runs/demo`
    """
    import shlex

    from rich.console import Console

    from evensight.reports.tables import headline_table
    from evensight.studies.plan import read_study
    from evensight.studies.run import run_study

    given = {"seed": seed, "model": model}
    overrides = {name: value for name, value in given.items() if value is not None}
    words = ["evensight", "study", str(file), "--out", str(out)]
    words += [word for name, value in overrides.items() for word in (f"--{name}", str(value))]
    result = run_study(read_study(file, overrides), out, shlex.join(words))
    Console().print(headline_table(list(result.rows)))
    for note in result.skipped:
        typer.echo(f"note: {note}")
    typer.echo(f"\nfigures: {out / 'summary.json'}\nreport:  {result.report}")
