"""How likely each option is as the answer, over HTTP and exactly, where a server tells the likelihood of a prompt.

vLLM does (`prompt_logprobs`). The question is sent with an option as the assistant's answer, so the server's own
chat template puts it behind the prompt and ends the turn; the likelihoods of the option's tokens and of the token
that ends it are summed. Where the prompt ends is seen from the prompt alone, which must be how the whole begins. What
stands behind the answer, the end and perhaps a line break, is what two unlike answers have in common; that is found
once.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evensight.models.servers.faults import Refused, ServerError
from evensight.models.servers.replies import Reply
from evensight.models.servers.requests import Dialect

_UNLIKE = ("quince 71", "walnut")
_END = re.compile(r"<.+>|\[.+\]")
_NO_WAY = (
    "can't score options: expected vLLM, which gives the likelihood of a prompt (`prompt_logprobs`); "
    "ask it by generation"
)
Ask = Callable[[bytes], Awaitable[Reply]]


class Scores(NamedTuple):
    """The log-likelihood of each option, in nats, and how many tokens each sum has."""

    nats: tuple[float, ...]
    n_tokens: tuple[int, ...]


class Ending(NamedTuple):
    """How a server's chat template ends an answer: with which token, and how many more behind it."""

    id: str
    n_behind: int


class _Token(NamedTuple):
    id: str
    nats: float
    text: str


@dataclass(frozen=True)
class OptionScorer:
    """Scores options at one server.

    Attributes:
        dialect: How it is spoken to.
        ask: Sends a body and gives the answer.
        ending: What stands behind an answer.
    """

    dialect: Dialect
    ask: Ask
    ending: Ending

    async def scores(self, picture: str, text: str, options: Sequence[str], prompt: Reply) -> Scores:
        """The options' scores; `prompt` is the answer to the question alone, with its tokens.

        Raises:
            Passing: A fault that may pass.
            Refused: The prompt with an answer doesn't begin like the prompt.
        """
        before = _tokens(prompt)
        wholes = [_tokens(await self.ask(self.dialect.scored_answer(picture, text, option))) for option in options]
        rows = [self._said(before, whole) for whole in wholes]
        return Scores(tuple(sum(token.nats for token in row) for row in rows), tuple(map(len, rows)))

    def _said(self, before: Sequence[_Token], whole: Sequence[_Token]) -> Sequence[_Token]:
        """The tokens of the answer and the one that ends it."""
        if [token.id for token in whole[: len(before)]] != [token.id for token in before]:
            raise Refused(200, "the question with an answer doesn't begin with the tokens of the question")
        found = whole[len(before) : len(whole) - self.ending.n_behind]
        if not found or found[-1].id != self.ending.id:
            raise Refused(200, "the answer doesn't end on the token that ended others")
        return found


async def ending(base: str, dialect: Dialect, ask: Ask, picture: str, text: str) -> Ending:
    """How the server's chat template ends an answer.

    Raises:
        ServerError: The server doesn't tell a prompt's likelihood, or its template doesn't show where an answer ends.
    """
    try:
        before = len(_tokens(await ask(dialect.scored_prompt(picture, text))))
        one, other = [_tokens(await ask(dialect.scored_answer(picture, text, answer))) for answer in _UNLIKE]
    except Refused as fault:
        raise ServerError(f"`{base}` {_NO_WAY} ({fault})") from fault
    shorter = min(len(one), len(other)) - before
    n_shared = next((k for k in range(max(0, shorter)) if one[-1 - k].id != other[-1 - k].id), 0)
    if n_shared == 0 or not _END.fullmatch(one[-n_shared].text):
        raise ServerError(
            f"`{base}` can't score options: no token ends an answer in its chat template; ask it by generation"
        )
    return Ending(one[-n_shared].id, n_shared - 1)


def _tokens(reply: Reply) -> list[_Token]:
    """The prompt's tokens; the first has no likelihood.

    Raises:
        Refused: The server didn't say, or names several tokens in one place.
    """
    if not reply.prompt_logprobs:
        raise Refused(200, "no prompt_logprobs in the answer")
    found = []
    for place in reply.prompt_logprobs:
        if place is not None and len(place) != 1:
            raise Refused(200, f"{len(place)} tokens in one place of the prompt")
        found += (
            [_Token("", 0.0, "")]
            if place is None
            else [_Token(id_, token.logprob, token.decoded_token or "") for id_, token in place.items()]
        )
    return found
