"""Answers that are JSON, alone or in a text: what stands under a key that says "answer" takes the object's place.

Single quotes are read as well. An object that has no such key, has it twice, or holds no text there is no answer.
"""

import json
import re
from typing import Any

_KEYS = frozenset(
    [
        "answer",
        "finalanswer",
        "answers",
        "response",
        "prediction",
        "result",
        "output",
        "choice",
        "option",
        "label",
        "value",
        "location",
        "position",
        "area",
        "place",
    ]
)
_OBJECT = re.compile(r"\{[^{}]*\}")
_FENCE = re.compile(r"```\w*")


def json_answer(text: str) -> str | None:
    """The text with each JSON object replaced by the answer that it holds; `None` if one holds none."""
    if "{" not in text and not text.lstrip().startswith("["):
        return text
    whole = _loaded(_FENCE.sub(" ", text).strip())
    if whole is not None:
        return _said(whole)
    parts: list[str] = []
    end = 0
    for match in _OBJECT.finditer(text):
        value = _loaded(match[0])
        if value is not None:
            said = _said(value)
            if said is None:
                return None
            parts += [text[end : match.start()], said]
            end = match.end()
    return "".join(parts) + text[end:]


def _loaded(text: str) -> Any:
    """The JSON object or list that the text is; `None` if it is none."""
    if not text.startswith(("{", "[")):
        return None
    for candidate in (text, text.replace("'", '"')):
        try:
            value = json.loads(candidate, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            continue
        return value
    return None


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values, doubled keys included."""


def _said(value: Any, depth: int = 0) -> str | None:
    """The texts under keys that say "answer", as sentences; `None` if there are none."""
    if depth > 5:
        return None
    match value:
        case _Pairs():
            found = [_said(item, depth + 1) for key, item in value if re.sub(r"[\s_-]", "", key).casefold() in _KEYS]
        case list():
            found = [_said(item, depth + 1) for item in value]
        case bool():
            return None
        case str() | int() | float():
            return str(value)
        case _:
            return None
    return "\n\n".join(said for said in found if said) if found and None not in found else None
