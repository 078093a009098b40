"""Opening a URL to read it from some byte on: `https`, `http` or `file`.

Certificates are always checked, against the system's authorities (or those that `SSL_CERT_FILE` names) and against
the host's name; there is no way around it. Redirects are followed by hand, at most five, never from https to http.
What a server answers is sorted once, here: a body that fits the question (`Answer`), a fault that may pass
(`Interrupted`), and one that will not (`DownloadError`).
"""

import email.utils
import re
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions as faults
from urllib3.response import BaseHTTPResponse

from evensight import __version__
from evensight.errors import InputError
from evensight.runs import one_line

MOST_REDIRECTS = 5
BLOCK_BYTES = 1 << 18
_WEB = ("http", "https")
_REDIRECTS = (301, 302, 303, 307, 308)
_MAY_PASS = (408, 425, 429)
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


class DownloadError(InputError):
    """A file can't be had from its URL; to ask again would not help."""


class Interrupted(Exception):  # noqa: N818 - no error yet: the file may still come
    """A fault that may pass.

    Attributes:
        wait_s: How long the server asks to wait, in seconds.
    """

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a file from `start` on, ready to be read.

    Attributes:
        start: The place in the file of the first byte that will be read.
        n_bytes: How long the whole file is, as the server says; None where it doesn't.
        validator: What the server calls this version of the file, for `If-Range`; None without a strong one.
        content_type: What the server says it is.
        read: Gives what has come, at most `BLOCK_BYTES`; nothing at the end. Raises `Interrupted`.
        close: Ends the connection, or leaves it for the next file once all was read.
    """

    start: int
    n_bytes: int | None
    validator: str | None
    content_type: str
    read: Callable[[], bytes]
    close: Callable[[], None]


class Connections:
    """Opens URLs, through the proxy that the environment names (`https_proxy`, `no_proxy`) where there is one."""

    def __init__(self, stall_s: float = 30.0, n_at_once: int = 1) -> None:
        """Opens nothing yet.

        Args:
            stall_s: How long to wait for a connection, and for the next byte, in seconds.
            n_at_once: How many threads will use it.

        Raises:
            InputError: The environment names a proxy of a kind that isn't known.
        """
        self._stall_s = stall_s
        settings: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=stall_s, read=stall_s),
            "maxsize": n_at_once,
            "cert_reqs": "CERT_REQUIRED",
            "ssl_context": ssl.create_default_context(),
        }
        self._direct = urllib3.PoolManager(**settings)
        self._proxied = {
            scheme: _proxy(scheme, proxy, settings)
            for scheme, proxy in urllib.request.getproxies().items()
            if scheme in _WEB
        }

    def open(self, url: str, start: int = 0, validator: str | None = None) -> Answer:
        """The file's bytes from `start` on, or from its beginning where the server can't or won't go on.

        Args:
            url: Where the file is.
            start: How many bytes are here already.
            validator: What the server called the version of which they are.

        Raises:
            Interrupted: A fault that may pass.
            DownloadError: One that will not.
        """
        if urlsplit(url).scheme == "file":
            return _open_file(url, start)
        response = self._ask(url, start, validator)
        if start and not _goes_on(response, start, validator):
            start = 0
            if response.status != HTTPStatus.OK:  # which would be the whole file
                response.close()
                response = self._ask(url, 0, None)
        if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            response.close()
            _refuse(url, response)
        return self._answer(url, response, start)

    def _ask(self, url: str, start: int, validator: str | None) -> BaseHTTPResponse:
        headers = {"Accept-Encoding": "identity", "User-Agent": f"evensight/{__version__}"}
        if start:
            headers["Range"] = f"bytes={start}-"
            headers |= {"If-Range": validator} if validator else {}
        here = url
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(here, headers)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            here = _redirected(here, response.headers.get("Location"))
        raise DownloadError(f"`{url}` is redirected more than {MOST_REDIRECTS} times, at last to `{here}`")

    def _send(self, url: str, headers: dict[str, str]) -> BaseHTTPResponse:
        parts = urlsplit(url)
        by_proxy = not urllib.request.proxy_bypass(parts.hostname or "")
        manager = self._proxied.get(parts.scheme, self._direct) if by_proxy else self._direct
        try:
            return manager.request("GET", url, headers=headers, retries=False, redirect=False, preload_content=False)
        except faults.LocationValueError as error:
            raise DownloadError(f"`{url}` is not a URL: {one_line(error)}") from error
        except faults.HTTPError as error:
            if (untrusted := _certificate_fault(error)) is not None:
                raise DownloadError(
                    f"`{url}` can't be trusted: {untrusted}; nothing was downloaded. Ask for the right host name, "
                    "or name your own authority's certificates in SSL_CERT_FILE"
                ) from error
            raise Interrupted(self._reason(error)) from error

    def _answer(self, url: str, response: BaseHTTPResponse, start: int) -> Answer:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            response.close()
            raise DownloadError(f"`{url}` came as `{encoding}`: expected the file's own bytes")

        def read() -> bytes:
            try:
                return response.read1(BLOCK_BYTES, decode_content=False)
            except faults.HTTPError as error:
                raise Interrupted(self._reason(error)) from error

        def close() -> None:
            if response.length_remaining == 0:
                response.release_conn()
            else:
                response.close()

        kind = response.headers.get("Content-Type", "of no type")
        return Answer(start, _n_bytes(response), _validator(response), kind, read, close)

    def _reason(self, error: faults.HTTPError) -> str:
        if isinstance(error, faults.NameResolutionError):
            return "the host's name can't be resolved"
        if isinstance(error, faults.NewConnectionError | faults.ProxyError):
            return one_line(error).rpartition(": ")[2]
        if isinstance(error, faults.ConnectTimeoutError):
            return f"no connection within {self._stall_s:g} s"
        if isinstance(error, faults.ReadTimeoutError):
            return f"no byte came for {self._stall_s:g} s"
        if isinstance(error, faults.ProtocolError):
            return "the connection broke off"
        return one_line(error)


def checked_base(url: str) -> str:
    """A mirror's URL without a slash at its end.

    Raises:
        InputError: It isn't an `http`, `https` or `file` URL that a path can be put behind.
    """
    if not _is_base(url):
        raise InputError(
            f"`{url}` can't be a mirror: expected `https://HOST/PATH`, `http://HOST/PATH` or `file:///PATH`, "
            "without a user's name or a query"
        )
    return url.rstrip("/")


def _proxy(scheme: str, url: str, settings: dict[str, Any]) -> urllib3.ProxyManager:
    try:
        return urllib3.ProxyManager(url if "://" in url else f"http://{url}", **settings)
    except faults.LocationValueError as error:
        raise InputError(
            f"the environment's {scheme}_proxy is `{url}`: expected `http://HOST:PORT` or `https://HOST:PORT`"
        ) from error


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.query or parts.fragment or parts.username is not None:
            return False
        return (parts.scheme == "file" and bool(parts.path)) or (parts.scheme in _WEB and bool(parts.hostname))
    except ValueError:  # half of an IPv6 address
        return False


def _redirected(url: str, location: str | None) -> str:
    try:
        target = urljoin(url, location or "")
        old, new = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError:
        target, old, new = "", "", ""
    if not location or new not in _WEB:
        raise DownloadError(f"`{url}` is redirected to `{location}`: expected an http or https URL")
    if old == "https" and new == "http":
        raise DownloadError(f"`{url}` is redirected from https to `{target}`: refused, for nothing would protect it")
    return target


def _goes_on(response: BaseHTTPResponse, start: int, validator: str | None) -> bool:
    """Whether this is the rest of the file that was begun; a fault (404, 503) is left to be told as such."""
    if response.status in (HTTPStatus.OK, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        return False
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return True
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == start and _validator(response) in (None, validator)


def _n_bytes(response: BaseHTTPResponse) -> int | None:
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(match[2]) if match and match[2] != "*" else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < 19 else None


def _validator(response: BaseHTTPResponse) -> str | None:
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _refuse(url: str, response: BaseHTTPResponse) -> None:
    status = response.status
    known = status in HTTPStatus._value2member_map_
    said = f"{status} {HTTPStatus(status).phrase}" if known else str(status)
    if status in _MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Interrupted(f"the server answered {said}", _retry_after_s(response.headers.get("Retry-After", "")))
    raise DownloadError(f"`{url}` can't be had: the server answered {said}")


def _retry_after_s(value: str) -> float:
    """What a `Retry-After` asks for, in seconds; 0 where it says nothing of use."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _certificate_fault(error: BaseException) -> str | None:
    """What is wrong with the server's certificate, where that is what the error is about."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not valid for it ({seen.verify_message or one_line(seen)})"
        inner = seen.args[-1] if seen.args else None
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return None


def _open_file(url: str, start: int) -> Answer:
    path = Path(urllib.request.url2pathname(urlsplit(url).path))
    try:
        file = path.open("rb")
        n_bytes = path.stat().st_size
        file.seek(start := min(start, n_bytes))
    except OSError as error:
        raise DownloadError(f"`{url}` can't be read: {error.strerror}") from error
    return Answer(start, n_bytes, None, "a file", lambda: file.read(BLOCK_BYTES), file.close)
