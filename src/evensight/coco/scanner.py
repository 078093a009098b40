"""Python's own way through a JSON text: slower than msgspec's, and it takes what json.loads takes.

It finds where each entry of a list begins and ends, and keeps none of them.
"""

import re
from array import array
from collections.abc import Container, Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any, overload

from typing_extensions import override

_SPACE = re.compile(r"[ \t\n\r]*")
# No number is needed, and one of a million digits would be refused.
_SCANNER = JSONDecoder(parse_int=bool, parse_float=bool)


class Pieces(Sequence[memoryview]):
    """Entries as places in bytes that hold nothing else, so that the text need not stay."""

    def __init__(self) -> None:
        self._content, self._ends = bytearray(), array("q", [0])

    def add(self, text: str) -> None:
        """Puts an entry at the end."""
        self._content += text.encode(errors="surrogatepass")
        self._ends.append(len(self._content))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> list[memoryview]: ...
    @override
    def __getitem__(self, index: int | slice) -> memoryview | list[memoryview]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return memoryview(self._content)[self._ends[index] : self._ends[index + 1]]


def members(text: str, listed: Container[str]) -> dict[str, Pieces | None]:
    """A JSON object's keys, with the entries of those that are wanted as lists.

    Of a key that is there twice the last counts, as for json.loads. What is no object has no keys.

    Args:
        text: The JSON.
        listed: Of which keys the lists are wanted.

    Raises:
        JSONDecodeError: It isn't JSON.
    """
    at = _past_space(text, 0)
    if not text.startswith("{", at):
        _value(text, at)
        return {}
    found, at = _object(text, at, listed)
    if _past_space(text, at) != len(text):
        raise JSONDecodeError("Extra data", text, at)
    return found


def _object(text: str, at: int, listed: Container[str]) -> tuple[dict[str, Pieces | None], int]:
    found: dict[str, Pieces | None] = {}
    at = _past_space(text, at + 1)
    while not text.startswith("}", at):
        if not text.startswith('"', at):
            raise JSONDecodeError("Expecting a key", text, at)
        key, at = _value(text, at)
        at = _past_space(text, _past(text, at, ":"))
        found[key] = None
        if key in listed and text.startswith("[", at):
            found[key], at = _list(text, at)
        else:
            at = _value(text, at)[1]
        at = _next(text, at, "}")
    return found, at + 1


def _list(text: str, at: int) -> tuple[Pieces, int]:
    pieces = Pieces()
    at = _past_space(text, at + 1)
    while not text.startswith("]", at):
        end = _value(text, at)[1]
        pieces.add(text[at:end])
        at = _next(text, end, "]")
    return pieces, at + 1


def _next(text: str, at: int, closing: str) -> int:
    """Where the next item begins, or where the closing bracket stands; there is none after a last comma."""
    at = _past_space(text, at)
    if text.startswith(closing, at):
        return at
    after = _past_space(text, _past(text, at, ","))
    if text.startswith(closing, after):
        raise JSONDecodeError("Expecting a value after the comma", text, after)
    return after


def _past(text: str, at: int, mark: str) -> int:
    at = _past_space(text, at)
    if not text.startswith(mark, at):
        raise JSONDecodeError(f"Expecting `{mark}`", text, at)
    return at + 1


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _SCANNER.raw_decode(text, at)
    except RecursionError as error:
        raise JSONDecodeError("Brackets too deep", text, at) from error
