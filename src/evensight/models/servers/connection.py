"""One request to a server and its answer, with a bound on everything that a server could send.

The `openai` package is not used: it reads an answer of any length, follows redirects, and lets each request wait by
itself. Here an answer has a deadline from the first byte sent to the last one read and a greatest length; a redirect
is told and never followed, so the key goes to the named host alone; what the server says is one short line, and the
key is blotted out wherever it comes back.
"""

import email.utils
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from evensight import __version__
from evensight.models.servers.faults import Passing, Refused, ServerError, code, line, said
from evensight.models.servers.settings import KEY_NAMES, Key, is_loopback

for _library in ("httpcore2", "httpx2"):
    logging.getLogger(_library).setLevel(logging.WARNING)  # they would log headers, in which a key may come back

MOST_BYTES = 4 << 20
"""How long a server's answer may be."""
_MAY_PASS = (408, 409, 425)
_NEVER_PASS = (501, 505)
_TRIES = {401: "the key", 402: "the account", 403: "the key and what it may do", 404: "the URL and the model's name"}
"""What to look at where the server answers so; each of these ends the run."""


@dataclass(frozen=True)
class Connection:
    """Requests to one server.

    Attributes:
        base: What the path is put behind.
        key: What is sent along.
        timeout_s: How long an answer may take altogether.
        client: Holds the connections.
    """

    base: str
    key: Key
    timeout_s: float
    client: httpx2.AsyncClient

    async def ask(self, path: str, content: bytes | None = None) -> bytes:
        """The body of the answer to a POST of `content`, or to a GET where there is none.

        Raises:
            Passing: A fault that may pass.
            Refused: The server won't answer this.
            ServerError: It won't answer anything.
        """
        url = f"{self.base}{path}"
        try:
            with anyio.fail_after(self.timeout_s):
                return await self._ask(url, content)
        except TimeoutError:
            raise Passing(f"no whole answer within {self.timeout_s:g} s") from None
        except httpx2.HTTPError as error:
            raise self._fault(error) from error

    async def _ask(self, url: str, content: bytes | None) -> bytes:
        method = "GET" if content is None else "POST"
        async with self.client.stream(method, url, content=content, headers=self.key.headers()) as response:
            body = self.key.blotted_bytes(await _bounded(response, self.key))  # before anything is read, cut or shown
        if response.status_code == HTTPStatus.OK:
            return body
        raise self._refusal(response, body)

    def _refusal(self, response: httpx2.Response, body: bytes) -> Exception:
        status = response.status_code
        if response.has_redirect_location:
            place = _place(response, self.key)
            return ServerError(
                f"`{self.base}` is redirected to {place}: refused; if you trust that, name it yourself"
            )
        words = said(body, self.key.blotted)
        if status in _TRIES or code(body) == "insufficient_quota":
            return ServerError(f"`{self.base}` answered {status}: {words}; see {self._advice(status)}")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Passing(f"the server answered {status}: {words}", _retry_after_s(response), is_limit=True)
        if status in _MAY_PASS or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER_PASS):
            return Passing(f"the server answered {status}: {words}", _retry_after_s(response))
        return Refused(status, words)

    def _advice(self, status: int) -> str:
        if status == HTTPStatus.UNAUTHORIZED and not self.key.secret:
            return f"that {KEY_NAMES[0]} in the environment is the key"
        return _TRIES.get(status, "the account").replace("the key", self.key.name or "the key")

    def _fault(self, error: httpx2.HTTPError) -> Exception:
        if (untrusted := _certificate_fault(error, self.key)) is not None:
            return ServerError(f"`{self.base}` can't be trusted: {untrusted}; nothing was sent")
        if isinstance(error, httpx2.ConnectError):
            return Passing(f"no connection ({line(self.key.blotted(str(error)))})")
        return Passing(f"the connection broke off ({line(self.key.blotted(str(error))) or type(error).__name__})")


@asynccontextmanager
async def connected(base: str, key: Key, timeout_s: float, n_at_once: int) -> AsyncIterator[Connection]:
    """A connection to a server, for as long as the block runs.

    A proxy that the environment names is used, but not to reach this very machine.

    Raises:
        ServerError: The environment names a proxy that can't be used.
    """
    async with _client(base, n_at_once) as client:
        yield Connection(base, key, timeout_s, client)


def _client(base: str, n_at_once: int) -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient(
            headers={"User-Agent": f"evensight/{__version__}", "Accept-Encoding": "identity", **_JSON},
            timeout=None,  # the whole has a deadline
            follow_redirects=False,
            verify=_authorities(),
            limits=httpx2.Limits(max_connections=n_at_once, max_keepalive_connections=n_at_once),
            trust_env=not is_loopback(base),
        )
    except (ValueError, httpx2.InvalidURL, ImportError) as error:
        raise ServerError(
            "the environment names a proxy that can't be used (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY): expected "
            f"`http://HOST:PORT`, got one of which the client says {type(error).__name__}"
        ) from error


@cache
def _authorities() -> ssl.SSLContext:
    """The system's authorities (or those that `SSL_CERT_FILE` names), which take a while to read."""
    return ssl.create_default_context()


_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


async def _bounded(response: httpx2.Response, key: Key) -> bytes:
    """The body, which is never read further than `MOST_BYTES`."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise Passing(f"the answer came as `{line(key.blotted(encoding))}`: expected plain bytes")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Passing(f"the answer is longer than {MOST_BYTES >> 20} MiB")
    return bytes(body)


def _place(response: httpx2.Response, key: Key) -> str:
    """Where a redirect goes, without a name, a password or a query."""
    try:
        there = urlsplit(urljoin(str(response.url), response.headers["Location"]))
        return f"`{line(key.blotted(f'{there.scheme}://{there.hostname}{there.path}'))}`"
    except ValueError:
        return "what is no URL"


def _retry_after_s(response: httpx2.Response) -> float | None:
    """What a `Retry-After` asks for, in seconds; None where it says nothing of use."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal() and len(value) < 19:
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _certificate_fault(error: BaseException, key: Key) -> str | None:
    """What is wrong with the server's certificate, where that is what the error is about."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not valid for it ({line(key.blotted(seen.verify_message))})"
        seen = seen.__cause__ or seen.__context__
    return None
