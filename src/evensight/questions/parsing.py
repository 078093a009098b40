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
    if not options:
        return None
    text = _normal(raw)
    found = [match.span(1) for match in _pattern(tuple(options)).finditer(text)]
    # Left out are the names inside a longer one; of two that share a word neither is.
    named = {text[a:b] for a, b in found if not any(c <= a and b <= d and (c, d) != (a, b) for c, d in found)}
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
    """Lower case, with hyphens, dashes, underscores and runs of white space as single spaces."""
    return re.sub(r"[\s_\-\u2010-\u2015]+", " ", text.casefold()).strip()


@lru_cache(maxsize=1024)
def _pattern(options: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(map(_normal, options), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?=({'|'.join(map(re.escape, longest_first))})(?!\w))")
