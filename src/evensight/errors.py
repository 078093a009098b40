"""The one error that is the user's to mend.

Everything that a user can get wrong (a name, a path, a file of another kind, a full disk) is raised as an
`InputError` whose message is one line: what was wrong in backticks, what was expected, what came, where, and
what to do. The command line prints that line and exits with code 2. Any other exception is a bug of ours and
keeps its traceback.
"""

from collections.abc import Iterable


class InputError(ValueError):
    """Something given by the user can't be used; the message is one line that says what to do.

    Names and values in it may be anybody's: what can't be printed is in it as Python would write it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def told_by_system(error: OSError) -> str:
    """What the system says of a file or a disk, with the file where it names one."""
    where = f" (`{error.filename}`)" if error.filename else ""
    return f"{error.strerror or error}{where}"


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether a computer's or a device's memory is too small; on a CPU torch has no class of its own for that."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "can't start new thread")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


def one_of(what: str, value: object, choices: Iterable[str], hint: str = "") -> InputError:
    """The error for a `value` that is none of the `choices`, naming all of them."""
    tail = f"; {hint}" if hint else ""
    return InputError(f"{what} `{value}` is not known: expected one of {', '.join(choices)}{tail}")


def printable(text: str) -> str:
    """A text with what can't be printed as Python would write it: nothing in it acts on a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
