"""Which server is asked, and how: what a user writes, checked; and the key, from the environment alone."""

import html
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evensight.errors import InputError

KEY_NAMES = ("EVENSIGHT_API_KEY", "OPENAI_API_KEY")
OWN_FIELDS = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream", "n", "logprobs"}
)
"""The fields of a request that are not the user's to set."""
_LEAST_SECRET_CHARS = 8
_CUT_SECRET_CHARS = 12
"""So much of a key's beginning is the key."""
_VERSION = re.compile(r"v\d+[a-z0-9]*")


class ServerSettings(BaseModel):
    """Which server is asked, and how.

    Attributes:
        url: Where it is, with or without `/v1`: `http://localhost:8000`.
        model: What the server calls the model; None where it has just one.
        by: `generation` for free answers; `options` or `both` for the options' log-likelihoods as well.
        priors: Whether options are scored on a black image, too.
        choice: Whether the server holds the answer to the options: `off` for free answers, `auto` where it can,
            `require` to stop where it can't.
        in_flight: How many questions are under way at a time, at most.
        max_new_tokens: How long an answer may get.
        retries: How often a question is asked again after a fault that may pass.
        timeout_s: How long one answer may take, from the first byte sent to the last one read, in seconds.
        patience_s: How long a question may wait for a server that says it is asked too often, in seconds.
        first_wait_s: How long to wait after a question's first fault, about, in seconds; twice as long after each.
        longest_wait_s: The longest that is waited at a time, whatever the server says, in seconds.
        faults_in_a_row: After how many questions in a row without an answer the run stops.
        extra: Further fields of each request, for what a server has of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    model: str | None = Field(default=None, min_length=1)
    by: Literal["generation", "options", "both"] = "generation"
    priors: bool = True
    choice: Literal["off", "auto", "require"] = "off"
    in_flight: int = Field(default=32, ge=1, le=1024)
    max_new_tokens: int = Field(default=15, ge=1)
    retries: int = Field(default=5, ge=0, le=20)
    timeout_s: float = Field(default=120.0, gt=0)
    patience_s: float = Field(default=900.0, ge=0)
    first_wait_s: float = Field(default=0.5, ge=0)
    longest_wait_s: float = Field(default=120.0, ge=0)
    faults_in_a_row: int = Field(default=16, ge=1)
    extra: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("extra")
    @classmethod
    def _is_the_users(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        if taken := sorted(OWN_FIELDS & set(extra)):
            raise ValueError(f"can't have {', '.join(taken)}: these are set for every question")
        return extra


def base_url(url: str) -> str:
    """The URL that `/chat/completions` is put behind.

    A path without a version (`v1`) gets `/v1`. The message of an error never shows what stands in front of an `@` or
    behind a `?`, for it may be secret.

    Raises:
        InputError: It is no http or https URL, or it holds a user's name, a password or a query.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:  # half of an IPv6 address, or a port that is no number
        raise InputError("the server's URL can't be read: expected `http://HOST:PORT` or `https://HOST/v1`") from None
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            f"the server's URL (of host `{host}`) holds more than a place: leave out the name, password or query, "
            f"and put a key into the environment as {KEY_NAMES[0]}"
        )
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
        shown = f"`{parts.scheme}://{host}`" if host else f"`{url.strip()[:80]}`"
        raise InputError(f"{shown} is no server's URL: expected `http://HOST:PORT` or `https://HOST/v1`")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    if not any(_VERSION.fullmatch(part) for part in path.split("/")):
        path += "/v1"
    place = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{place}{'' if port is None else f':{port}'}{path}"


def is_loopback(url: str) -> bool:
    """Whether the host is this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Key:
    """A secret that shows in no representation.

    Attributes:
        secret: The key; empty for none.
        name: The variable of the environment that it came from.
    """

    secret: str = field(default="", repr=False)
    name: str = ""

    def headers(self) -> dict[str, str]:
        """What is sent with each request."""
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def blotted(self, text: str) -> str:
        """The text with `[key]` where the key stood, also one that was cut short or is written with escapes.

        A word as short as "EMPTY", which servers without keys are given, is no secret and may be an answer.
        """
        if len(self.secret) < _LEAST_SECRET_CHARS:
            return text
        head, tail = self._forms
        kept, end = [], 0
        for found in head.finditer(text):
            if found.start() < end:
                continue
            kept.append(text[end : found.start()])
            end = found.end()
            for form in tail:
                if (more := form.match(text, end)) is None:
                    break
                end = more.end()
        return "[key]".join([*kept, text[end:]])

    def blotted_bytes(self, body: bytes) -> bytes:
        """The bytes of an answer with `[key]` where the key stood."""
        return self.blotted(body.decode("latin-1")).encode("latin-1")  # a key is ASCII, so each byte is a character

    @cached_property
    def _forms(self) -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
        """What the key's beginning, and each character behind it, may be written as."""
        forms = [_written(character) for character in self.secret]
        head = "".join(forms[:_CUT_SECRET_CHARS])
        return re.compile(head), tuple(map(re.compile, forms[_CUT_SECRET_CHARS:]))


def _written(character: str) -> str:
    """A pattern of all that stands for a character in JSON (also inside a string of it), in a URL, and in HTML."""
    number = ord(character)
    at_most_some = r"\\{0,4}"  # bounded, for a server may send megabytes of them
    forms = (
        rf"{at_most_some}{re.escape(character)}",
        rf"\\{at_most_some}u00(?i:{number:02x})",
        rf"%(?i:{number:02x})",
        rf"&#(?:0{{0,4}}{number}|(?i:x0{{0,4}}{number:x}));",
        re.escape(html.escape(character)),
    )
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def key_for(url: str, environment: Mapping[str, str] | None = None) -> Key:
    """The key of the environment for this server.

    `OPENAI_API_KEY` may lie there for another purpose: it goes only where TLS protects it, or to this machine.

    Raises:
        InputError: The key can't be sent as it is; the message doesn't show it.
    """
    here = os.environ if environment is None else environment
    for name in KEY_NAMES:
        secret = here.get(name, "").strip()
        if not secret or (name == "OPENAI_API_KEY" and not (url.startswith("https:") or is_loopback(url))):
            continue
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise InputError(f"the environment's {name} is no key: expected letters, digits and signs without spaces")
        return Key(secret, name)
    return Key()
