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
        faults = "; ".join(_said(fault, kind) for fault in error.errors())
        raise InputError(f"{where}: {faults}") from error


def _said(fault: Any, kind: type[BaseModel]) -> str:
    name = ".".join(map(str, fault["loc"]))
    return f"`{name}` {_message(fault, kind)}" if name else _message(fault, kind)


def _message(fault: Any, kind: type[BaseModel]) -> str:
    if fault["type"] == "extra_forbidden":
        return f"is not known: expected one of {', '.join(kind.model_fields)}"
    if fault["type"] == "value_error":
        said = str(fault["ctx"]["error"])
    else:
        said = f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"
    is_shown = fault["type"] != "missing" and not isinstance(fault["input"], dict | BaseModel)
    return f"{said}, got {str(fault['input'])[:60]!r}" if is_shown else said
