"""The way in to a model at a server: what a command needs, with a line where the packages for HTTP are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evensight.errors import InputError
from evensight.models.answering import Way
from evensight.models.servers.settings import ServerSettings

if TYPE_CHECKING:
    from evensight.models.servers.answerer import ServerAnswerer

_PACKAGES = ("anyio", "httpx2", "httpcore2")


@dataclass(frozen=True)
class ModelAtServer:
    """A model that is asked at a server.

    Attributes:
        settings: Which server, and how.
    """

    settings: ServerSettings

    @cached_property
    def _met(self) -> "ServerAnswerer":
        return connect(self.settings)

    @property
    def config(self) -> Mapping[str, Any]:
        """What its answers depend on beside the questions: not how fast it is asked, nor where."""
        settings = self.settings
        way = Way(settings.by, settings.max_new_tokens, settings.priors)
        extra = {"extra": dict(settings.extra)} if settings.extra else {}
        return {"model": self._name, **way.config, "choice": settings.choice, **extra}

    @property
    def inputs(self) -> Mapping[str, str]:
        """The model's name: a server tells no hashes."""
        return {"model": f"server:{self._name}"}

    @property
    def trainings(self) -> tuple[()]:
        """Nothing is known of how it was trained."""
        return ()

    def answerer(self) -> "ServerAnswerer":
        """The server, met."""
        return self._met

    @property
    def _name(self) -> str:
        """What the server calls the model: where the user names none, the server has to be met to be known by it."""
        return self.settings.model or str(self._met.facts["model"])


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
