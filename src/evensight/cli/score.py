"""`evensight score`: outcomes again from raw answers, without a model."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    run: Annotated[Path | None, typer.Argument(help="An evaluation whose raw answers are read again.")] = None,
    data: Annotated[Path | None, typer.Option(help="The stored set that the answers are to.")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Answers from elsewhere in place of RUN: .jsonl, .csv or .parquet.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make of it.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column of ids: `id` or `question_id`.")] = None,
    answer_column: Annotated[
        str | None, typer.Option(help="The column of answers: `raw`, `response`, `prediction` or `answer`.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave questions without an answer out, and count them apart.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also a run that isn't finished: what it has so far.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else.")] = False,
) -> None:
    """Scores raw answers by today's rules of reading (docs/answers.md), without a model.

    Example: `evensight score runs/base`, or `evensight score --data SET --answers FILE --out NEW`
    """
    from evensight.errors import InputError
    from evensight.evaluation.scoring import score_file, score_run
    from evensight.reports.scores import print_scores

    if (run is None) == (answers is None):
        raise InputError(
            "`evensight score` takes an evaluation, or `--answers` with `--data` and `--out`: one of them"
        )
    if answers is not None and (data is None or out is None):
        raise InputError("`--answers` needs `--data`, the set that they are to, and `--out`, the folder to make")
    if partial and run is None:
        raise InputError("`--partial` belongs to an evaluation: `evensight score RUN --partial`")
    if run is not None:
        if id_column or answer_column or allow_missing:
            raise InputError("`--id-column`, `--answer-column` and `--allow-missing` belong to `--answers`")
        scored = score_run(run, data, out, partial=partial)
    elif answers is not None and data is not None and out is not None:
        scored = score_file(answers, data, out, (id_column, answer_column), allow_missing=allow_missing)
    print_scores(scored, as_json=as_json)
