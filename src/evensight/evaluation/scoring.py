"""What `evensight score` does: an evaluation's answers, or answers from elsewhere, with their outcomes of today."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.evaluation.answer_files import read_answers
from evensight.evaluation.brought_answers import score_answers
from evensight.evaluation.rescoring import Change, rescore, write_evaluation, write_rescored
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.summary import Summary, summarise
from evensight.runs import RunFolder
from evensight.storage.stored import StoredExamples

N_SHOWN = 5
"""How many changed answers are shown."""


@dataclass(frozen=True)
class Scored:
    """Scores and where they come from.

    Attributes:
        name: What the answers are called.
        results: The results.
        summary: Their figures.
        changes: The questions whose outcomes changed; None where there were none before.
        control_changes: How many changed on each control, by its name.
        n_missing: How many questions of the set have no answer.
    """

    name: str
    results: Results
    summary: Summary
    changes: tuple[Change, ...] | None
    control_changes: dict[str, int]
    n_missing: int = 0

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How many outcomes changed, by `(before, after)`, the most frequent first."""
        pairs = [(change.before, change.after) for change in self.changes or ()]
        return {pair: pairs.count(pair) for pair in sorted(set(pairs), key=lambda pair: (-pairs.count(pair), pair))}

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON."""
        figures = {"name": self.name, "set": self.results.set_name, "n_missing": self.n_missing}
        figures |= {"headline": self.summary.headline(), "summary": self.summary.as_json()}
        if self.changes is None:
            return figures
        counts = [{"before": before, "after": after, "n": n} for (before, after), n in self.counts.items()]
        shown = [{name: getattr(each, name) for name in Change.__slots__} for each in self.changes[:N_SHOWN]]
        return figures | {
            "n_changed": len(self.changes),
            "changes": counts,
            "examples": shown,
            "n_changed_on_controls": self.control_changes,
        }


def score_run(run: Path, data: Path | None = None, out: Path | None = None, *, partial: bool = False) -> Scored:
    """Scores an evaluation's raw answers again.

    Args:
        run: The evaluation.
        data: The set that it has to be of; None for whichever it is.
        out: The run folder to make of the new outcomes; None for none.
        partial: Whether a run that isn't finished is scored too: what it has so far, the rest counted as missing.

    Raises:
        InputError: It is no evaluation, or one of another set, or the folder isn't free.
    """
    results = read_results(run, partial=partial)
    is_whole = RunFolder(run).manifest_path.exists()
    if out is not None and not is_whole:
        raise InputError(f"`{run}` isn't finished: expected a whole evaluation to make another of; leave out `--out`")
    if data is not None:
        examples = StoredExamples(data)
        if results.manifest.inputs.get("data") != examples.hash:
            raise InputError(
                f"`{run}` is an evaluation of another set than `{data}`: it was asked `{results.set_name}`, and that "
                f"is `{examples.info.name}`, or another version of it"
            )
    rescored = rescore(results)
    if out is not None:
        write_rescored(rescored, out)
    summary = summarise(rescored.results)
    n_missing = int(results.manifest.facts.get("n_missing", 0))
    if not is_whole:
        n_missing = int(results.manifest.facts["n"]) - len(results.table)
    return Scored(run.name, rescored.results, summary, rescored.changes, rescored.control_changes, n_missing)


def score_file(
    answers: Path,
    data: Path,
    out: Path,
    columns: tuple[str | None, str | None] = (None, None),
    *,
    allow_missing: bool = False,
) -> Scored:
    """Scores answers that were made elsewhere, and leaves them as an evaluation.

    Args:
        answers: The file.
        data: The stored set.
        out: The run folder to make.
        columns: The names of the columns of ids and answers; None for the usual ones.
        allow_missing: Whether questions without an answer are left out.

    Raises:
        InputError: The file or the set can't be read, they don't go together, or the folder isn't free.
    """
    brought = read_answers(answers, *columns)
    results = score_answers(brought, StoredExamples(data), out, allow_missing=allow_missing)
    write_evaluation(results)
    return Scored(answers.name, results, summarise(results), None, {}, int(results.manifest.facts["n_missing"]))
