"""What a user writes (options, study files) becomes a checked settings object, or one line that says why not."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evensight.errors import InputError

Settings = TypeVar("Settings", bound=BaseModel)


def checked(kind: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """The settings object of these values.

    Args:
        kind: The pydantic model.
        values: What the user gave.
        where: Where they were given, for the error's message.

    Raises:
        InputError: A value is missing, unknown or out of range; the message names all of them.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"`{'.'.join(map(str, fault['loc'])) or where}` {_message(fault, kind)}" for fault in error.errors()
        )
        raise InputError(f"{where}: {faults}") from error


def _message(fault: Any, kind: type[BaseModel]) -> str:
    if fault["type"] == "extra_forbidden":
        return f"is not known: expected one of {', '.join(kind.model_fields)}"
    given = "" if fault["type"] == "missing" else f", got {str(fault['input'])[:60]!r}"
    return f"{fault['msg'][:1].lower()}{fault['msg'][1:]}{given}"
