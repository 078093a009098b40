"""Answers that were made elsewhere, scored against a stored set.

Every id has to be one of the set's, and every question has to have one answer, unless missing ones are allowed: these
are left out of the results and counted apart, not as wrong.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.evaluation.answer_files import BroughtAnswers, some
from evensight.evaluation.results import Results, result_row, schema
from evensight.evaluation.written import set_facts
from evensight.runs import RunManifest, hash_file, hash_json


def score_answers(
    answers: BroughtAnswers, examples: ExampleSet, out: Path, *, allow_missing: bool = False
) -> Results:
    """The results of answers to a stored set, not yet written; its manifest names `n_missing` in its facts.

    Args:
        answers: The answers.
        examples: The set.
        out: Where the results will be.
        allow_missing: Whether questions may have no answer; they are left out.

    Raises:
        InputError: The answers are to another set, to questions that it doesn't have, or not to all of its questions.
    """
    asked = {example.id: example for example in examples}
    _check(answers, {name: example.question.text for name, example in asked.items()}, examples.info.name)
    missing = [name for name in asked if name not in answers.raw]
    if missing and not allow_missing:
        raise InputError(
            f"`{answers.path}` lacks answers to {len(missing):,} of the {len(asked):,} questions of "
            f"`{examples.info.name}`, such as `{missing[0]}`: bring them, or pass `--allow-missing`"
        )
    provenance = {"model": answers.path.name, "adapter": None, "processor": None, "batch_size": None}
    rows = [
        result_row(example, answers.raw[name], provenance) for name, example in asked.items() if name in answers.raw
    ]
    table = pa.Table.from_pylist(rows, schema=schema(examples.info.factors))
    return Results(out, _manifest(answers, examples, table, len(missing)), table)


def _manifest(answers: BroughtAnswers, examples: ExampleSet, table: pa.Table, n_missing: int) -> RunManifest:
    info = examples.info
    inputs = {"answers": hash_file(answers.path), "data": examples.hash}
    read = {"answers": hash_json(dict(answers.raw)), "outcomes": hash_json(table["outcome"].to_pylist())}
    config = {"model": answers.path.name, "data": dict(info.config), **read}
    facts = {**set_facts(examples), "n_missing": n_missing}
    return RunManifest("evaluation", config, inputs, {}, facts)


def _check(answers: BroughtAnswers, texts: Mapping[str, str], set_name: str) -> None:
    """Makes sure that the answers are to questions of this set."""
    unknown = [name for name in answers.ids if name not in texts]
    if len(unknown) == len(answers.ids):
        raise InputError(
            f"`{answers.path}` answers another set than `{set_name}`: none of its ids is there, "
            f"such as `{unknown[0]}`; expected ids such as `{next(iter(texts), '')}`"
        )
    if unknown:
        raise InputError(
            f"`{answers.path}` has {some(unknown, 'id')} that `{set_name}` doesn't have: "
            "expected its ids and no other"
        )
    others = [name for name, text in answers.questions.items() if text != texts[name]]
    if others:
        raise InputError(
            f"`{answers.path}` answers another set than `{set_name}`: the question `{others[0]}` has "
            "another text there"
        )
