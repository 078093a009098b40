"""What a server's JSON says, in the shape that the chat completions of OpenAI, vLLM and SGLang share.

Everything else is a fault: an HTML page, a body of another shape, no choice at all, an answer that is far too long.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from evensight.models.servers.faults import Passing, line

MOST_ANSWER_CHARS = 1 << 16
"""How long an answer's text may be."""


class _Part(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class TokenLikelihood(msgspec.Struct):
    """The log-likelihood of a token, in nats, and its text, as vLLM says them."""

    logprob: float
    decoded_token: str | None = None


Position = dict[str, TokenLikelihood] | None


class Reply(msgspec.Struct):
    """A chat completion.

    Attributes:
        choices: The answers; one was asked for.
        model: What the server says it is.
        system_fingerprint: What the server calls its present state.
        prompt_logprobs: For each token of the prompt the tokens whose likelihood is known, by their ids (vLLM).
    """

    choices: list[_Choice]
    model: str | None = None
    system_fingerprint: str | None = None
    prompt_logprobs: list[Position] | None = None

    @property
    def text(self) -> str:
        """The answer as it came; what was thought before is no part of it, and a refusal is an answer."""
        message = self.choices[0].message
        content = message.content
        given = "".join(part.text for part in content) if isinstance(content, list) else content
        return given or message.refusal or ""

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended because it had no more room."""
        return self.choices[0].finish_reason == "length"


class _Listed(msgspec.Struct):
    id: str
    root: str | None = None
    owned_by: str | None = None


class Listing(msgspec.Struct):
    """The models that a server has."""

    data: list[_Listed]


class Version(msgspec.Struct):
    """What vLLM says of itself."""

    version: str


Shape = TypeVar("Shape")


def read(body: bytes, shape: type[Shape]) -> Shape:
    """The body as an object of this shape.

    Raises:
        Passing: It is none; a proxy's page in a server's place goes away again.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Passing(f"the answer has another shape than expected: {line(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = "an HTML page" if body.lstrip()[:1] == b"<" else f"`{line(body[:60].decode('utf-8', 'replace'))}`"
        raise Passing(f"the answer is no JSON but {shown if body.strip() else 'empty'}") from None


def read_reply(body: bytes) -> Reply:
    """The chat completion in a body.

    Raises:
        Passing: There is none.
    """
    reply = read(body, Reply)
    if not reply.choices:
        raise Passing("the answer has no choices")
    if len(reply.text) > MOST_ANSWER_CHARS:
        raise Passing(f"the answer has {len(reply.text):,} characters: expected at most {MOST_ANSWER_CHARS:,}")
    return reply


def facts_of(reply: Reply) -> Mapping[str, str]:
    """What a server says of itself with an answer."""
    said = {"answered_as": reply.model, "system_fingerprint": reply.system_fingerprint}
    return {name: line(value) for name, value in said.items() if value}
