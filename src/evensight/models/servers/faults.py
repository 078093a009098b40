"""How asking a server goes wrong: a fault that may pass, one of a single question, one that ends the run."""

from collections.abc import Callable

import msgspec

from evensight.errors import InputError, printable

_MOST_SAID_CHARS = 200


class Passing(Exception):  # noqa: N818 - no error yet: the answer may still come
    """A fault that may pass.

    Attributes:
        wait_s: How long the server asks to wait, in seconds; None where it doesn't say.
        is_limit: Whether the server says that it is asked too often.
    """

    def __init__(self, reason: str, wait_s: float | None = None, *, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.is_limit = is_limit


class Refused(Exception):  # noqa: N818 - the question's fault, not the program's
    """The server won't answer this question, however often it is asked.

    Attributes:
        status: The HTTP status.
        said: What the server said, in one line.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"the server answered {status}: {said}")
        self.status = status
        self.said = said


class ServerError(InputError):
    """The server will answer no question at all; the message is one line."""


def line(text: str) -> str:
    """A server's words as one line of bounded length, in which nothing acts on a terminal."""
    words = printable(" ".join(text[: 10 * _MOST_SAID_CHARS].split()))
    return words if len(words) <= _MOST_SAID_CHARS else f"{words[: _MOST_SAID_CHARS - 1]}…"


def said(body: bytes, blotted: Callable[[str], str] = str) -> str:
    """What a server says of an error, out of the several shapes that servers use; never empty.

    Args:
        body: The answer's body.
        blotted: Takes out of the words what may not be shown, before they are cut.
    """
    try:
        found = _message(msgspec.json.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode("utf-8", "replace").strip()
        found = "an HTML page" if text[:1] == "<" else text
    return line(blotted(found)) or "nothing more"


def code(body: bytes) -> str:
    """The code of an error, or nothing: `insufficient_quota`."""
    try:
        match msgspec.json.decode(body):
            case {"error": {"code": str(found)}} | {"code": str(found)}:
                return found
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return ""


def _message(value: object) -> str:
    match value:
        case str():
            return value
        case {"error": inner} | {"message": inner} | {"detail": inner} | {"msg": inner}:
            return _message(inner)
        case [first, *_]:
            return _message(first)
        case _:
            return ""
