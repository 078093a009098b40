"""What a model said, for the probes of its hidden states: evaluations and probes meet only here."""

from pathlib import Path

from evensight.evaluation.results import read_results
from evensight.probing.results import Answers


def answers_of(path: Path) -> Answers:
    """What an evaluation's model said, by question.

    Raises:
        InputError: It can't be read.
    """
    results = read_results(path)
    said = zip(results.column("parsed"), results.correct.tolist(), strict=True)
    return Answers(path, results.manifest.inputs, dict(zip(results.column("id"), said, strict=True)))
