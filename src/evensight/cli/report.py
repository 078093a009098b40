"""`evensight report`: evaluations become one HTML file."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Evaluations, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    title: Annotated[str, typer.Option(help="The report's title.")] = "evensight",
    heatmaps: Annotated[
        Path | None, typer.Option(help="Also write the heatmaps of the first test as one SVG picture.")
    ] = None,
) -> None:
    """Compares evaluations in one offline HTML file; the first run is what the others are compared with.

    Example: `evensight report runs/base runs/balanced --out report.html`
    """
    import shlex

    from evensight.evaluation.results import find_evaluations, read_results
    from evensight.reports.heatmap import save_heatmaps
    from evensight.reports.html import build_report
    from evensight.studies.run import STUDY_NAME, study_evaluations

    listed = [
        pair
        for run in runs
        for pair in (
            study_evaluations(run)
            if (run / STUDY_NAME).exists()
            else [(_title(found), found) for found in find_evaluations(run)]
        )
    ]
    results, titles = [read_results(folder) for _, folder in listed], [title for title, _ in listed]
    command = shlex.join(["evensight", "report", *map(str, runs), "--out", str(out)])
    build_report(results, titles, out, title=title, command=command)
    if heatmaps is not None:
        save_heatmaps(results, titles, heatmaps)
    typer.echo(f"{out}: {len(listed)} evaluations")


def _title(folder: Path) -> str:
    """A short name for a run: its folder's, or in a study's folder its condition's."""
    whole = folder.resolve()
    return whole.parent.name if whole.parent.parent.name == "evaluations" else whole.name
