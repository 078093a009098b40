"""Reading a model's answer: which option, cell or point does it name, if any?

The rules are in `docs/answers.md`, each with an example. A text is made plain (`answer_text`), the options that it
names are found (`mentions`), and what it says of them is weighed (`statements`). Answers to open questions are read
by `open_answers`. An answer that names none, or two different ones, or leaves doubt which one it means, is `None`:
invalid, which is not the same as wrong.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from evensight.annotations import Box, Frame
from evensight.questions.answer_text import open_answer, plain_answer
from evensight.questions.open_answers import (
    CELL_TASK,
    POINT_SCALES,
    format_cell,
    format_point,
    is_inside,
    read_cell,
    read_point,
)
from evensight.questions.option_names import joined, option_names, tokens
from evensight.questions.statements import asserted_option
from evensight.questions.tasks import Question

_SHORT = 300
"""Texts up to this many characters are remembered: many questions have the same short answer."""


class Outcome(StrEnum):
    """What became of a question."""

    CORRECT = "correct"
    WRONG = "wrong"
    INVALID = "invalid"


def parse_answer(raw: str, question: Question | Sequence[str]) -> str | None:
    """What the text answers, in the words that right answers have; `None` if it can't be told.

    Args:
        raw: What the model said.
        question: The question, or its options alone.
    """
    if not isinstance(question, Question):
        return named_option(raw, question)
    if question.options:
        return named_option(raw, question.options, question.text)
    text = open_answer(raw)
    if text is None:
        return None
    if question.task == CELL_TASK:
        cell = read_cell(text)
        return None if cell is None else format_cell(cell)
    point = read_point(text)
    return None if point is None else format_point(point)


def outcome(raw: str, question: Question, box: Box, frame: Frame) -> Outcome:
    """Whether the text gives the right answer, a wrong one, or none that can be told.

    Args:
        raw: What the model said.
        question: What it was asked.
        box: The object's box: a point is right anywhere in it.
        frame: The picture's size.
    """
    if not question.options and question.task in POINT_SCALES:
        text = open_answer(raw)
        point = None if text is None else read_point(text)
        is_right = point is not None and is_inside(point, box, frame, POINT_SCALES[question.task])
        is_read = point is not None
    else:
        parsed = parse_answer(raw, question)
        is_right, is_read = parsed == question.answer, parsed is not None
    if not is_read:
        return Outcome.INVALID
    return Outcome.CORRECT if is_right else Outcome.WRONG


def named_option(raw: str, options: Sequence[str], question: str = "") -> str | None:
    """The option that the text names; `None` if it names none, or leaves doubt which.

    Args:
        raw: What the model said.
        options: What it could choose from.
        question: What it was told, options included: labels that stand before them there ("A.", "(2)") are read.
    """
    if not options:
        return None
    bare = raw.strip(" .\n").casefold()
    for option in options:
        if bare == option.casefold() and not option.isdigit():
            return option
    read = _remembered if len(raw) <= _SHORT else _read
    return read(raw, tuple(options), question)


def _read(raw: str, options: tuple[str, ...], question: str) -> str | None:
    text = plain_answer(raw)
    if text is None:
        return None
    cased = joined(tokens(text))
    return asserted_option([token.casefold() for token in cased], cased, option_names(options, question))


_remembered = lru_cache(maxsize=2048)(_read)
