"""`evensight report`: evaluations become one HTML file, and figures and tables for a paper."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Evaluations, or folders that hold some: a study's, too.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    title: Annotated[str, typer.Option(help="The report's title.")] = "evensight",
    probes: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="A probing run to show as well (repeatable); a study's own are shown."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write the heatmaps as SVG, and all numbers as CSV."),
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="With `--figures`: the pictures as PNG as well.")] = False,
    latex: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the table of figures in LaTeX, for booktabs.")
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(help="Also write the heatmaps of the first test as one SVG picture.")
    ] = None,
) -> None:
    """Compares evaluations in one offline HTML file; the first run is what the others are compared with.

    Example: `evensight report runs/base runs/balanced --out report.html --figures figures --latex table.tex`
    """
    import shlex

    from evensight.errors import InputError
    from evensight.evaluation.results import find_evaluations, read_results
    from evensight.probing.results import read_probes
    from evensight.reports.exported import latex_table, save_figures
    from evensight.reports.heatmap import save_heatmaps
    from evensight.reports.html import Extras, build_report
    from evensight.runs import write_text
    from evensight.studies.folder import STUDY_NAME, study_report

    if png and figures is None:
        raise InputError("`--png` belongs to `--figures FOLDER`")
    listed, extras = [], Extras()
    for run in runs:
        if (run / STUDY_NAME).exists():
            of_study, beside = study_report(run)
            listed += of_study
            extras = beside if len(runs) == 1 else extras  # figures over seeds are of one study's conditions
        else:
            listed += [(_title(found), read_results(found)) for found in find_evaluations(run)]
    results, titles = [of for _, of in listed], [title for title, _ in listed]
    extras = Extras(extras.over, [*extras.probes, *((_title(run), read_probes(run)) for run in probes or ())])
    options = [word for run in probes or () for word in ("--probes", str(run))]
    command = shlex.join(["evensight", "report", *map(str, runs), "--out", str(out), *options])
    build_report(results, titles, out, title=title, command=command, extras=extras)
    if heatmaps is not None:
        save_heatmaps(results, titles, heatmaps)
    if latex is not None:
        write_text(latex, latex_table(results, titles))
    written = [] if figures is None else save_figures(results, titles, figures, png=png)
    typer.echo(f"{out}: {len(listed)} evaluations")
    if written:
        typer.echo(f"{figures}: {', '.join(path.name for path in written)}")


def _title(folder: Path) -> str:
    """A short name for a run: its folder's, or in a study's folder its condition's."""
    whole = folder.resolve()
    return whole.parent.name if whole.parent.parent.name == "evaluations" else whole.name
