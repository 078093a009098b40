"""Questions put to a server, many at a time, and each answer as it comes.

The requests run in a thread of their own, so they go on while the caller draws the next image or writes an answer
down. At most `in_flight` questions are under way: as many images are held, and no more are drawn. A question that got
no answer after all tries has a fault instead, and the others go on; where a number of them in a row got none, or the
server says that it will answer nothing, the run stops with one line, after all that was answered was handed out.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from evensight.models.answering import BOTH, GENERATION, OPTIONS, Answer, Asked
from evensight.models.servers.connection import Connection, connected
from evensight.models.servers.faults import Passing, Refused, ServerError, line
from evensight.models.servers.greeting import CHAT, GREY, TEXT, Greeting, decoding
from evensight.models.servers.option_scores import Ending, OptionScorer, ending
from evensight.models.servers.pace import Pace, patiently
from evensight.models.servers.replies import Reply, read_reply
from evensight.models.servers.requests import Dialect, data_url
from evensight.models.servers.settings import Key, ServerSettings, base_url, key_for


@dataclass(frozen=True)
class ServerAnswerer:
    """Asks a model at a server.

    Attributes:
        settings: What the user wants.
        base: Where the server is.
        key: What opens it.
        dialect: How it is spoken to.
        told: What it said of itself.
        ending: How it ends an answer; None where options aren't scored.
    """

    settings: ServerSettings
    base: str
    key: Key
    dialect: Dialect
    told: Mapping[str, str]
    ending: Ending | None = None

    @property
    def row(self) -> Mapping[str, Any]:
        """What each row of the results says of who answered; questions go to a server one by one."""
        return {"model": self.identity, "adapter": None, "processor": None, "batch_size": 1}

    @property
    def for_priors(self) -> "ServerAnswerer | None":
        """Itself, asked for options alone; None where no priors are wanted."""
        if self.ending is None or not self.settings.priors:
            return None
        return replace(self, settings=self.settings.model_copy(update={"by": OPTIONS, "priors": False}))

    @property
    def group_size(self) -> int:
        """1: no answer depends on what else is asked."""
        return 1

    @property
    def identity(self) -> str:
        """Which model it is, as far as the server says: its name, and where that stands for another, that one."""
        name, other = self.key.blotted(self.dialect.model), self.told.get("answered_as")
        return name if other in (None, name) else f"{name} ({other})"

    @property
    def config(self) -> Mapping[str, Any]:
        """What the answers depend on besides the model: not where the server is, nor how fast it is asked."""
        way = self.dialect.choice
        return {
            **decoding(self.dialect),
            "max_new_tokens": self.settings.max_new_tokens,
            "by": self.settings.by,
            "choice": "free" if way is None else way.name,
            "extra": dict(self.settings.extra),
        }

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is needed to ask the same again."""
        return {"model": self.key.blotted(self.dialect.model), "server": self.base, **self.told, **self.config}

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """Each question's answer, once, as it comes.

        Raises:
            ServerError: The server answers nothing, or too many questions in a row got no answer.
        """
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(self._desk()) as desk:
            yield from _as_they_come(portal, desk, iter(asked), self.settings)

    @asynccontextmanager
    async def _desk(self) -> AsyncIterator["_Desk"]:
        settings = self.settings
        async with connected(self.base, self.key, settings.timeout_s, settings.in_flight) as connection:
            yield _Desk(self, connection, Pace(settings.in_flight, settings.longest_wait_s, settings.first_wait_s))


@dataclass
class _Desk:
    """Where questions are answered, one call each."""

    answerer: ServerAnswerer
    connection: Connection
    pace: Pace
    scorer: OptionScorer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        given = self.answerer
        if given.ending is not None:
            self.scorer = OptionScorer(given.dialect, self.ask, given.ending)

    async def answer(self, question: "_Question") -> Answer:
        blotted = self.connection.key.blotted
        try:
            return await self._answer(question)
        except (Passing, Refused) as fault:
            refused = isinstance(fault, Refused)
            return Answer(question.index, "", fault=line(blotted(str(fault))), is_refused=refused)

    async def _answer(self, question: "_Question") -> Answer:
        given, scorer = self.answerer, self.scorer
        n_new, dialect = given.settings.max_new_tokens, given.dialect
        if scorer is None or not question.options:
            reply = await self.ask(dialect.body(question.picture, question.text, n_new, question.options))
            raw = dialect.unwrapped(reply.text, question.options)
            return Answer(question.index, self.connection.key.blotted(raw))
        words = given.settings.by == BOTH
        body = dialect.scored_prompt(question.picture, question.text, *((n_new, question.options) if words else ()))
        prompt = await self.ask(body)
        scores = await scorer.scores(question.picture, question.text, question.options, prompt)
        best = question.options[max(range(len(scores.nats)), key=scores.nats.__getitem__)]
        raw = self.connection.key.blotted(dialect.unwrapped(prompt.text, question.options)) if words else best
        return Answer(question.index, raw, scores.nats, scores.n_tokens)

    async def ask(self, body: bytes) -> Reply:
        """What the server replies to a request, asked again after faults that may pass."""

        async def ask() -> Reply:
            return read_reply(await self.connection.ask(CHAT, body))

        settings = self.answerer.settings
        return await patiently(self.pace, settings.retries, settings.patience_s, ask)


@dataclass(frozen=True, slots=True)
class _Question:
    """A question whose image is ready to be sent."""

    index: int
    picture: str
    text: str
    options: tuple[str, ...]


def _ready(asked: Asked) -> _Question:
    return _Question(asked.index, data_url(asked.image), asked.text, asked.options)


def _as_they_come(
    portal: BlockingPortal, desk: _Desk, coming: Iterator[Asked], settings: ServerSettings
) -> Iterator[Answer]:
    """The answers; a question is drawn for each that was answered, and more until there are enough or one came.

    However it stops, what was answered by then is handed out.
    """
    done: SimpleQueue[Future[Answer]] = SimpleQueue()
    try:
        yield from _until_faults(_each(portal, desk, coming, settings.in_flight, done), desk, settings)
    except (Exception, KeyboardInterrupt):
        yield from _whole(done)
        raise


def _until_faults(answers: Iterator[Answer], desk: _Desk, settings: ServerSettings) -> Iterator[Answer]:
    """The answers, until too many questions in a row got none; those that were refused say nothing of the server."""
    n_in_a_row = 0
    for answer in answers:
        n_in_a_row = 0 if answer.fault is None else n_in_a_row + (not answer.is_refused)
        yield answer
        if n_in_a_row >= settings.faults_in_a_row:
            raise ServerError(
                f"`{desk.connection.base}` gave no answer to {n_in_a_row} questions in a row, at last: "
                f"{answer.fault}; see that it runs, then run the same command again to go on"
            )


def _each(
    portal: BlockingPortal,
    desk: _Desk,
    coming: Iterator[Asked],
    in_flight: int,
    done: "SimpleQueue[Future[Answer]]",
) -> Iterator[Answer]:
    n_under_way = 0
    while True:
        for asked in islice(coming, in_flight - n_under_way):
            future = portal.start_task_soon(desk.answer, _ready(asked))
            n_under_way += 1
            future.add_done_callback(done.put)
            if not done.empty():
                break
        if not n_under_way:
            return
        first = done.get()
        n_under_way -= 1
        yield first.result()


def _whole(done: SimpleQueue[Future[Answer]]) -> Iterator[Answer]:
    """The answers that lie ready, where the run is about to stop."""
    while not done.empty():
        future = done.get()
        try:
            answer = future.result()
        except (ServerError, CancelledError):
            continue
        if answer.fault is None:
            yield answer


def connect_here(settings: ServerSettings) -> ServerAnswerer:
    """What `models.server.connect` gives."""
    base = base_url(settings.url)
    key = key_for(base)
    with start_blocking_portal() as portal:
        try:
            return portal.call(_connect, settings, base, key)
        except (Passing, Refused) as fault:
            raise ServerError(key.blotted(f"`{base}` can't be asked: {fault}")) from fault
        except ServerError as error:
            raise ServerError(key.blotted(str(error))) from error


async def _connect(settings: ServerSettings, base: str, key: Key) -> ServerAnswerer:
    async with connected(base, key, settings.timeout_s, settings.in_flight) as connection:
        pace = Pace(settings.in_flight, settings.longest_wait_s, settings.first_wait_s)
        dialect, told = await Greeting(connection, settings, pace).dialect()
        told = {name: key.blotted(value) for name, value in told.items()}
        answerer = ServerAnswerer(settings, base, key, dialect, told)
        if settings.by == GENERATION:
            return answerer
        desk = _Desk(answerer, connection, pace)
        return replace(answerer, ending=await ending(base, dialect, desk.ask, GREY, TEXT))
