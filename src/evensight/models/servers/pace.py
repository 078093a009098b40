"""How fast a server is asked: what one request learns, that it is too fast, slows all of them.

At most `limit` requests are under way. Where the server says that it is asked too often, the limit falls by a quarter
(once for all requests that were under way then) and nobody asks before the time that it named; each answer
gives a little back, four places after as many answers as there are places, so the limit follows what the server can
take.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from evensight.models.servers.faults import Passing

_LONGEST_BACKOFF_S = 30.0
_KEPT, _GAIN = 0.75, 4.0
_jitter = random.SystemRandom()

Got = TypeVar("Got")


@dataclass
class Pace:
    """Lets requests through.

    Attributes:
        most: How many at a time, at most.
        longest_wait_s: The longest that is waited at a time, in seconds.
        first_wait_s: How long to wait after a first fault, about, in seconds.
        limit: How many at a time now.
        slowed: How often the limit fell.
    """

    most: int
    longest_wait_s: float
    first_wait_s: float
    limit: float = field(init=False)
    slowed: int = field(default=0, init=False)
    _places: anyio.CapacityLimiter = field(init=False)
    _closed_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.limit = float(self.most)
        self._places = anyio.CapacityLimiter(self.most)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for one request, when it may be asked; what it raises or doesn't sets the pace of all."""
        async with self._places:
            while (wait_s := self._closed_until - anyio.current_time()) > 0:
                await anyio.sleep(wait_s)
            begun = self.slowed
            try:
                yield
            except Passing as fault:
                self._heed(fault, begun)
                raise
            self._set(min(self.most, self.limit + _GAIN / self.limit))

    def wait_s(self, fault: Passing, n_before: int) -> float:
        """How long to wait after a fault that came after `n_before` others, in seconds.

        What the server asks for, or twice as long each time, with jitter, so that requests that failed together don't
        come back together.
        """
        backoff_s: float = min(_LONGEST_BACKOFF_S, self.first_wait_s * 2 ** min(n_before, 16)) * _jitter.uniform(
            0.5, 1.0
        )
        return min(self.longest_wait_s, backoff_s if fault.wait_s is None else fault.wait_s + 0.1 * backoff_s)

    def _heed(self, fault: Passing, begun: int) -> None:
        if fault.is_limit and begun == self.slowed:
            self.slowed += 1
            self._set(max(1.0, self.limit * _KEPT))
        if fault.wait_s is not None:
            until = anyio.current_time() + min(self.longest_wait_s, fault.wait_s)
            self._closed_until = max(self._closed_until, until)

    def _set(self, limit: float) -> None:
        self.limit = limit
        self._places.total_tokens = int(limit)


async def patiently(pace: Pace, retries: int, patience_s: float, ask: Callable[[], Awaitable[Got]]) -> Got:
    """What `ask` gives, asked again after faults that may pass.

    Faults count against `retries`; being told to slow down doesn't, but takes from `patience_s`.

    Raises:
        Passing: The last fault, when there were too many.
    """
    started = anyio.current_time()
    n_faults = n_limits = 0
    while True:
        try:
            async with pace.place():
                return await ask()
        except Passing as fault:
            n_faults, n_limits = n_faults + (not fault.is_limit), n_limits + fault.is_limit
            wait_s = pace.wait_s(fault, n_faults + n_limits - 1)
            late = fault.is_limit and anyio.current_time() + wait_s - started > patience_s
            if n_faults > retries or late:
                raise
            await anyio.sleep(wait_s)
