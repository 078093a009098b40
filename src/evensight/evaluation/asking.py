"""Asking one set, group by group, until every question has its answer in the journal.

Groups are those of the questions in their order, whoever asks them and however often a run was stopped: those that
are left are dealt to the processes, and each is asked again as a whole or not at all. So each answer is the same, to
the bit, on however many processes and after any kill, where the answerer is.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from PIL import Image

from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.evaluation.journal import Journal, read_journal
from evensight.models.answering import Answer, Answerer, Asked
from evensight.models.processes import Processes
from evensight.progress import progress

Item = TypeVar("Item")


@dataclass(frozen=True)
class Questions:
    """What is put to an answerer.

    Attributes:
        label: What they are called while they are asked.
        n: How many there are.
        asked: Each by its number.
    """

    label: str
    n: int
    asked: Callable[[int], Asked]


def questions_of(examples: ExampleSet) -> Questions:
    """A set's questions."""

    def asked(k: int) -> Asked:
        question = examples[k].question
        return Asked(k, examples.image(k), question.text, question.options)

    return Questions(examples.info.name, len(examples), asked)


def priors_of(examples: ExampleSet) -> tuple[Questions, list[int | None]]:
    """A set's questions on black images, each once, and which of them is each example's; None of open ones."""
    numbers: dict[tuple[str, tuple[str, ...], tuple[int, int]], int] = {}
    of_example = [
        numbers.setdefault(_blind(example), len(numbers)) if example.question.options else None
        for example in examples
    ]
    keys = list(numbers)

    def asked(k: int) -> Asked:
        text, options, size_wh = keys[k]
        return Asked(k, Image.new("RGB", size_wh), text, options)

    return Questions(f"{examples.info.name} on black", len(keys), asked), of_example


def ask(
    answerer: Answerer, questions: Questions, folder: Path, team: Processes, *, allow_missing: bool = False
) -> dict[int, Answer]:
    """Each question's answer, by its number; what the journal in the folder has isn't asked again.

    Args:
        answerer: Who is asked.
        questions: What.
        folder: The journal's.
        team: The processes that ask.
        allow_missing: Whether questions that were refused for good may stay without an answer: they have a fault.

    Raises:
        InputError: Some have no answer; the others are kept.
    """
    groups = _groups(questions.n, answerer.group_size)
    left = team.led(lambda: _left(groups, read_journal(folder), allow_missing=allow_missing))
    mine = [groups[k] for k in left[team.rank :: team.n]]
    team.together(lambda: _ask_groups(answerer, questions, mine, folder, team))
    found = read_journal(folder)
    _check_all_answered(questions, found, allow_missing=allow_missing)
    return found


def _ask_groups(
    answerer: Answerer, questions: Questions, mine: Sequence[range], folder: Path, team: Processes
) -> None:
    """Asks this process's groups, and writes each answer down as it comes."""
    with (
        progress(f"asking {questions.label}", questions.n // team.n, "questions") as advance,
        Journal(folder, team.rank) as journal,
    ):
        advance(max(0, questions.n // team.n - sum(map(len, mine))))
        coming = iter(answerer.answers(questions.asked(k) for group in mine for k in group))
        try:
            for answers in _together(coming, answerer.group_size):
                journal.append(answers)
                advance(len(answers))
        except KeyboardInterrupt as stop:
            for answers in _together(_left_behind(coming, stop), answerer.group_size):
                journal.append(answers)
            raise


def _left_behind(coming: Iterator[Answer], stop: KeyboardInterrupt) -> Iterator[Answer]:
    """The answers that lie ready with an answerer that is told to stop."""
    try:
        if isinstance(coming, Generator):
            yield coming.throw(stop)
            yield from coming
    except (KeyboardInterrupt, StopIteration):
        return


def _groups(n: int, size: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def _left(groups: Sequence[range], found: Mapping[int, Answer], *, allow_missing: bool) -> list[int]:
    """The numbers of the groups in which an answer is missing that may still come."""
    answered = {k for k, answer in found.items() if answer.fault is None or (allow_missing and answer.is_refused)}
    return [number for number, group in enumerate(groups) if not answered.issuperset(group)]


def _together(answers: Iterable[Answer], size: int) -> Iterator[list[Answer]]:
    each = iter(answers)
    while group := list(islice(each, size)):
        yield group


def _check_all_answered(questions: Questions, found: Mapping[int, Answer], *, allow_missing: bool) -> None:
    never = Answer(0, "", fault="it was never answered")
    left = {k: answer for k in range(questions.n) if (answer := found.get(k, never)).fault is not None}
    if allow_missing:
        left = {k: answer for k, answer in left.items() if not answer.is_refused}
    if left:
        first, answer = next(iter(left.items()))
        n_refused = sum(each.is_refused for each in left.values())
        refused = f"; {n_refused:,} were refused for good: `--allow-missing` leaves these out" if n_refused else ""
        raise InputError(
            f"{len(left):,} of {questions.n:,} questions of `{questions.label}` have no answer (question {first}: "
            f"{answer.fault}); the others are kept: run the same command again to ask these alone{refused}"
        )


def _blind(example: Example) -> tuple[str, tuple[str, ...], tuple[int, int]]:
    question, frame = example.question, example.frame
    return question.text, question.options, (frame.width_px, frame.height_px)
