"""The first words with a server: which model it has, which names it uses, and how it holds an answer to options.

A server may pass over a field that it doesn't know and say nothing. So every way is tried on a picture of nothing,
with options that no model says by itself, and holds only if the answer is one of them. What was found goes into the
manifest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from PIL import Image

from evensight.models.servers.connection import Connection
from evensight.models.servers.faults import Passing, Refused, ServerError, line
from evensight.models.servers.pace import Pace, patiently
from evensight.models.servers.replies import Listing, Reply, Version, facts_of, read, read_reply
from evensight.models.servers.requests import CHOICE_WAYS, GREEDY, ChoiceWay, Dialect, data_url
from evensight.models.servers.settings import ServerSettings

CHAT = "/chat/completions"
_MOST_RETRIES = 2
_PATIENCE_S = 60.0
_MOST_SHOWN = 8
_UNLIKELY = ("quince 71", "quince 83")
_ROOM_FOR_UNLIKELY = 32
TEXT = "What is in this picture? Answer with one word."
Got = TypeVar("Got")
GREY = data_url(Image.new("RGB", (224, 224), (128, 128, 128)))


@dataclass(frozen=True)
class Greeting:
    """Speaks to a server for the first time.

    Attributes:
        connection: To the server.
        settings: What the user wants of it.
        pace: How fast it is asked.
    """

    connection: Connection
    settings: ServerSettings
    pace: Pace

    async def dialect(self) -> tuple[Dialect, dict[str, str]]:
        """How the server is spoken to, and what it says of itself.

        Raises:
            ServerError: It can't be reached, has no such model, can't be asked about a picture, or can't hold an
                answer to options where that is required.
        """
        model, listed = await self._model()
        facts = listed | await self._version()
        dialect, reply = await self._plain(Dialect(model, fixed={**GREEDY, **self.settings.extra}))
        self._check_answer(reply)
        if self.settings.choice != "off":
            dialect = replace(dialect, choice=await self._choice(dialect))
        return dialect, {**facts, **facts_of(reply)}

    async def _model(self) -> tuple[str, dict[str, str]]:
        """The model's name, and what the server's list has of it, where that had to be read."""
        if self.settings.model is not None:
            return self.settings.model, {}
        try:
            listing = await self._ask(
                "/models", None, partial(read, shape=Listing), "that it runs, or name the model"
            )
        except Refused as fault:
            raise ServerError(f"`{self.connection.base}` has no list of models ({fault}): name the model") from fault
        if len(listing.data) != 1:
            names = ", ".join(f"`{one.id[:80]}`" for one in listing.data[:_MOST_SHOWN])
            more = ", …" if len(listing.data) > _MOST_SHOWN else ""
            has = f"{len(listing.data)} models" if listing.data else "no model"
            raise ServerError(f"`{self.connection.base}` has {has}: name one of {names or 'its own'}{more}")
        (one,) = listing.data
        return one.id, {"served_from": line(one.root)} if one.root else {}

    async def _version(self) -> dict[str, str]:
        """The server's version, where it tells (vLLM does)."""
        root = replace(self.connection, base=self.connection.base.removesuffix("/v1"))
        try:
            return {"server_version": line(read(await root.ask("/version"), Version).version)}
        except (Passing, Refused, ServerError):
            return {}

    async def _plain(self, dialect: Dialect) -> tuple[Dialect, Reply]:
        """An answer to a question about a grey picture, and the dialect in which it was given."""
        try:
            return dialect, await self._try(dialect)
        except Refused as fault:
            other = _without(dialect, fault.said)
            if other is None:
                raise ServerError(
                    f"`{self.connection.base}` doesn't answer a question about a picture: {fault}"
                ) from fault
            return await self._plain(other)

    def _check_answer(self, reply: Reply) -> None:
        if reply.is_cut and not reply.text.strip():
            raise ServerError(
                f"`{self.connection.base}` used all {self.settings.max_new_tokens} tokens and answered nothing, so "
                "it thinks first: turn that off at the server or by its extra fields, or allow more new tokens"
            )

    async def _choice(self, dialect: Dialect) -> ChoiceWay | None:
        """The first way to hold an answer to options that this server does; None for none."""
        for way in CHOICE_WAYS:
            held = replace(dialect, choice=way)
            try:
                reply = await self._try(held, _UNLIKELY)
            except Refused:  # whoever can't be reached, or fails, says nothing of what he can do
                continue
            if held.unwrapped(reply.text, _UNLIKELY).strip() in _UNLIKELY:
                return way
        if self.settings.choice == "require":
            names = ", ".join(way.name for way in CHOICE_WAYS)
            raise ServerError(f"`{self.connection.base}` can't hold an answer to the options: none of {names} did it")
        return None

    async def _try(self, dialect: Dialect, options: tuple[str, ...] = ()) -> Reply:
        room = max(self.settings.max_new_tokens, _ROOM_FOR_UNLIKELY if options else 0)
        body = dialect.body(GREY, TEXT, room, options)
        return await self._ask(CHAT, body, read_reply, "that it runs")

    async def _ask(self, path: str, content: bytes | None, reading: Callable[[bytes], Got], see: str) -> Got:
        async def ask() -> Got:
            return reading(await self.connection.ask(path, content))

        try:
            return await patiently(self.pace, min(_MOST_RETRIES, self.settings.retries), _PATIENCE_S, ask)
        except Passing as fault:
            raise ServerError(f"`{self.connection.base}` can't be asked: {fault}; see {see}") from fault


def _without(dialect: Dialect, said: str) -> Dialect | None:
    """The dialect without what the server complains of; None if that is nothing that can be left out."""
    if "max_completion_tokens" in said and dialect.max_tokens == "max_tokens":
        return replace(dialect, max_tokens="max_completion_tokens")
    for name in ("temperature", "seed"):
        if name in said and name in dialect.fixed:
            return replace(dialect, fixed={key: value for key, value in dialect.fixed.items() if key != name})
    return None


def decoding(dialect: Dialect) -> Mapping[str, Any]:
    """How answers are chosen, as far as the server lets one say."""
    greedy = dialect.fixed.get("temperature") == 0
    return {"decoding": "greedy" if greedy else "the server's own", "seed": dialect.fixed.get("seed")}
