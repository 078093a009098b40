"""Reading a model's answer: which option, cell or point does it name, if any?

Of options, the longest that stands in the text on word boundaries counts, so that "top left" is not read as "left";
where they are numbers, their words count too. Answers to open questions are read by `open_answers`. An answer that
names none, or two different ones, is `None`: invalid, which is not the same as wrong.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

from evensight.annotations import Box, Frame
from evensight.questions.open_answers import (
    CELL_TASK,
    NUMBER_WORDS,
    POINT_SCALES,
    format_cell,
    format_point,
    is_inside,
    read_cell,
    read_point,
)
from evensight.questions.tasks import Question

_WORD_OF = {str(number): word for word, number in NUMBER_WORDS.items()}


class Outcome(StrEnum):
    """What became of a question."""

    CORRECT = "correct"
    WRONG = "wrong"
    INVALID = "invalid"


def parse_answer(raw: str, question: Question) -> str | None:
    """What the text answers, in the words that right answers have; `None` if it can't be told."""
    if question.options:
        return named_option(raw, question.options)
    if question.task == CELL_TASK:
        cell = read_cell(raw)
        return None if cell is None else format_cell(cell)
    point = read_point(raw)
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
        point = read_point(raw)
        is_right = point is not None and is_inside(point, box, frame, POINT_SCALES[question.task])
        is_read = point is not None
    else:
        parsed = parse_answer(raw, question)
        is_right, is_read = parsed == question.answer, parsed is not None
    if not is_read:
        return Outcome.INVALID
    return Outcome.CORRECT if is_right else Outcome.WRONG


def named_option(raw: str, options: Sequence[str]) -> str | None:
    """The option that the text names; `None` if it names none, or more than one."""
    if not options:
        return None
    text = _normal(raw)
    pattern, option_of = _reading(tuple(sorted(options)))
    found = [match.span(1) for match in pattern.finditer(text)]
    # Left out are the names inside a longer one; of two that share a word neither is.
    named = {
        option_of[text[a:b]] for a, b in found if not any(c <= a and b <= d and (c, d) != (a, b) for c, d in found)
    }
    return named.pop() if len(named) == 1 else None


def _normal(text: str) -> str:
    """Lower case, with hyphens, dashes, underscores and runs of white space as single spaces."""
    return re.sub(r"[\s_\-\u2010-\u2015]+", " ", text.casefold()).strip()


@lru_cache(maxsize=1024)
def _reading(options: tuple[str, ...]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """The pattern that finds all names of the options, and which option each name stands for."""
    option_of = {_WORD_OF[option]: option for option in options if option in _WORD_OF}
    option_of |= {_normal(option): option for option in options}
    longest_first = sorted(option_of, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?=({'|'.join(map(_literally, longest_first))})(?!\w))"), option_of


def _literally(name: str) -> str:
    """The name as a pattern; a whole number is not part of one with a point or comma in it ("0.5", "1,000")."""
    return rf"(?<![0-9][.,]){name}(?![.,][0-9])" if name.isdigit() else re.escape(name)
