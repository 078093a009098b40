"""Reading a model's answer: which option does it name, if any?

The longest option that stands in the text on word boundaries counts, so that "top left" is not read as "left".
An answer that names no option, or two different ones, is `None`: invalid, which is not the same as wrong.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache


class Outcome(StrEnum):
    """What became of a question."""

    CORRECT = "correct"
    WRONG = "wrong"
    INVALID = "invalid"


def parse_answer(raw: str, options: Sequence[str]) -> str | None:
    """The option that the text names; `None` if it names none, or more than one."""
    named = set(_pattern(tuple(options)).findall(_normal(raw)))
    if len(named) != 1:
        return None
    name = named.pop()
    return next(option for option in options if _normal(option) == name)


def outcome(raw: str, options: Sequence[str], answer: str) -> Outcome:
    """Whether the text names the right option, a wrong one, or none that can be told."""
    parsed = parse_answer(raw, options)
    if parsed is None:
        return Outcome.INVALID
    return Outcome.CORRECT if parsed == answer else Outcome.WRONG


def _normal(text: str) -> str:
    """Lower case, with hyphens, underscores and runs of white space as single spaces."""
    return re.sub(r"[\s_\-]+", " ", text.casefold()).strip()


@lru_cache(maxsize=1024)
def _pattern(options: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(map(_normal, options), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
