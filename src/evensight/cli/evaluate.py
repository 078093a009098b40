"""`evensight evaluate`: a model's answers to a stored set, and what they amount to."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Option(help="`embedded`, a local folder, or a Hub id.")],
    data: Annotated[Path, typer.Option(help="A stored set.")],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    adapter: Annotated[
        Path | None, typer.Option(help="An adapter to put on it: a fine-tuning run or a PEFT folder.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="How many questions are asked at a time.", min=1)] = 64,
) -> None:
    """Asks a model every question of a set, greedily, and tells where it is right.

    Example: `evensight evaluate --model embedded --data data/civet-test --out runs/base`
    """
    from rich.console import Console

    from evensight.evaluation.ask import evaluate as run
    from evensight.evaluation.results import read_results
    from evensight.evaluation.summary import summarise
    from evensight.reports.tables import headline_table
    from evensight.storage.stored import StoredExamples

    examples = StoredExamples(data)
    run(model, adapter, examples, out, batch_size)
    Console().print(headline_table([(out.name, examples.info.name, summarise(read_results(out)))]))
