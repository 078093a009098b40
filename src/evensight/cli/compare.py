"""`evensight compare`: runs against one another, question by question."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Evaluations; several seeds of one condition are joined by commas: `a-0,a-1,a-2`.",
        ),
    ],
    by: Annotated[
        str | None, typer.Option(help="Also by `cell`, `area`, `row`, `col`, `slot`, or a factor of the set.")
    ] = None,
    paired_seeds: Annotated[
        bool, typer.Option("--paired-seeds", help="Run k of each condition stands for the same seed.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also read runs that aren't finished: what they have so far.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else.")] = False,
) -> None:
    """Compares evaluations with the first one, on the questions that both have answered.

    Example: `evensight compare runs/base runs/balanced --by area`
    """
    from evensight.errors import InputError
    from evensight.evaluation.comparing import compare as compare_two
    from evensight.evaluation.comparing import compare_seeds
    from evensight.evaluation.results import read_results
    from evensight.reports.comparisons import print_comparisons

    conditions = [[Path(path) for path in run.split(",") if path] for run in runs]
    if len(conditions) < 2 or not all(conditions):
        raise InputError("`evensight compare` takes two conditions or more: evaluations with a space between them")
    if by is not None and any(len(paths) > 1 for paths in conditions):
        raise InputError("`--by` is for conditions of one run: compare them one by one")
    names = _names(conditions)
    read = [[read_results(path, partial=partial) for path in paths] for paths in conditions]
    found = [
        compare_two(read[0][0], other[0], (names[0], name), by)
        if len(read[0]) == len(other) == 1
        else compare_seeds(read[0], other, (names[0], name), paired=paired_seeds)
        for other, name in zip(read[1:], names[1:], strict=True)
    ]
    print_comparisons(found, as_json=as_json)


def _names(conditions: list[list[Path]]) -> list[str]:
    """What each condition is called: its folder's name, or where that is not its own, its path."""
    short = [paths[0].resolve().name for paths in conditions]
    return [name if short.count(name) == 1 else str(paths[0]) for name, paths in zip(short, conditions, strict=True)]
