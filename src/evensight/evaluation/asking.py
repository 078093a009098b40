"""Asking one set, group by group, until every question has its answer in the journal.

Groups are those of the questions in their order, whoever asks them and however often a run was stopped: group k is
asked by process k mod n, and is asked again as a whole or not at all. So each answer is the same, to the bit, on
however many processes and after any kill, where the answerer is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


def ask(answerer: Answerer, questions: Questions, folder: Path, team: Processes) -> dict[int, Answer]:
    """Each question's answer, by its number; what the journal in the folder has isn't asked again.

    Raises:
        InputError: Some have no answer; the others are kept.
    """
    groups = _groups(questions.n, answerer.group_size)
    left = team.led(lambda: _left(groups, read_journal(folder)))
    mine = [groups[k] for k in left if k % team.n == team.rank]
    with (
        progress(f"asking {questions.label}", questions.n // team.n, "questions") as advance,
        Journal(folder, team.rank) as journal,
    ):
        advance(max(0, questions.n // team.n - sum(map(len, mine))))
        asked = (questions.asked(k) for group in mine for k in group)
        for answers in _together(answerer.answers(asked), answerer.group_size):
            journal.append(answers)
            advance(len(answers))
    team.wait()
    found = read_journal(folder)
    _check_all_answered(questions, found)
    return found


def _groups(n: int, size: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def _left(groups: Sequence[range], found: Mapping[int, Answer]) -> list[int]:
    """The numbers of the groups in which an answer is missing."""
    answered = {k for k, answer in found.items() if answer.fault is None}
    return [number for number, group in enumerate(groups) if not answered.issuperset(group)]


def _together(answers: Iterable[Answer], size: int) -> Iterator[list[Answer]]:
    each = iter(answers)
    while group := list(islice(each, size)):
        yield group


def _check_all_answered(questions: Questions, found: Mapping[int, Answer]) -> None:
    faults = {k: found[k].fault if k in found else "it was never answered" for k in range(questions.n)}
    left = {k: fault for k, fault in faults.items() if fault is not None}
    if left:
        first, fault = next(iter(left.items()))
        raise InputError(
            f"{len(left):,} of {questions.n:,} questions of `{questions.label}` have no answer (question {first}: "
            f"{fault}); the others are kept: run the same command again to ask these alone"
        )


def _blind(example: Example) -> tuple[str, tuple[str, ...], tuple[int, int]]:
    question, frame = example.question, example.frame
    return question.text, question.options, (frame.width_px, frame.height_px)
