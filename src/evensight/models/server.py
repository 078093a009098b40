"""The way in to a model at a server: what a command needs, with a line where the packages for HTTP are missing."""

from typing import TYPE_CHECKING

from evensight.errors import InputError
from evensight.models.servers.settings import ServerSettings

if TYPE_CHECKING:
    from evensight.models.servers.answerer import ServerAnswerer

_PACKAGES = ("anyio", "httpx2", "httpcore2")


def connect(settings: ServerSettings) -> "ServerAnswerer":
    """An answerer that knows its server: how it is spoken to, and that it answers.

    Raises:
        InputError: The URL or the key can't be used, the server can't be asked so, or a package is missing.
    """
    try:
        from evensight.models.servers.answerer import connect_here
    except ModuleNotFoundError as error:
        if error.name not in _PACKAGES:
            raise
        raise InputError(
            f"`{error.name}` is not installed: install it with `pip install 'evensight[servers]'`"
        ) from error
    return connect_here(settings)
