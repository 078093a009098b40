"""What is sent to a server: one question with its picture, in the words that this server takes.

Servers differ in names. A `Dialect` holds which of them one server takes; `greeting` finds out.
"""

import base64
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from PIL import Image

_ROOM_FOR_JSON = 32
"""How many tokens more an answer may have that is wrapped in JSON."""
_SIGNS = re.compile(r"([\\.^$*+?{}\[\]()|])")
_ESCAPED = r"\\\1"


@dataclass(frozen=True)
class ChoiceWay:
    """One way to hold an answer to some options.

    Attributes:
        name: The field that does it.
        fields: The fields of a request, for these options.
        is_json: Whether the option comes as `{"answer": OPTION}`.
    """

    name: str
    fields: Callable[[Sequence[str]], dict[str, Any]]
    is_json: bool = False


def _schema(options: Sequence[str]) -> dict[str, Any]:
    answer = {"type": "string", "enum": list(options)}
    schema = {
        "type": "object",
        "properties": {"answer": answer},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _pattern(options: Sequence[str]) -> str:
    return f"({'|'.join(_SIGNS.sub(_ESCAPED, option) for option in options)})"


CHOICE_WAYS = (
    ChoiceWay("structured_outputs", lambda options: {"structured_outputs": {"choice": list(options)}}),
    ChoiceWay("guided_choice", lambda options: {"guided_choice": list(options)}),
    ChoiceWay("regex", lambda options: {"regex": _pattern(options)}),
    ChoiceWay("response_format", lambda options: {"response_format": _schema(options)}, is_json=True),
)
"""In the order in which they are tried: vLLM since 0.11; vLLM before 0.12; SGLang; OpenAI, SGLang and vLLM."""


GREEDY = {"temperature": 0, "seed": 0}
"""The most likely token each time; what is left to chance (equals) is so in the same way each time."""


@dataclass(frozen=True)
class Dialect:
    """How one server is spoken to.

    Attributes:
        model: What it calls the model.
        max_tokens: What it calls the bound on an answer's length.
        fixed: Fields that each request has.
        choice: How it holds an answer to the options; None for free answers.
    """

    model: str
    max_tokens: str = "max_tokens"
    fixed: Mapping[str, Any] = field(default_factory=lambda: dict(GREEDY))
    choice: ChoiceWay | None = None

    def body(self, picture: str, text: str, max_new_tokens: int, options: Sequence[str] = ()) -> bytes:
        """The body of a request.

        Args:
            picture: The image as a data URL.
            text: The question.
            max_new_tokens: How long the answer may get.
            options: What the answer is held to, where there is a way.
        """
        return msgspec.json.encode(self._fields([asking(picture, text)], max_new_tokens, options))

    def scored_prompt(self, picture: str, text: str, max_new_tokens: int = 1, options: Sequence[str] = ()) -> bytes:
        """The body of the same request, asking for the likelihood of each token of the prompt too (vLLM)."""
        fields = self._fields([asking(picture, text)], max_new_tokens, options)
        return msgspec.json.encode(fields | {"prompt_logprobs": 0, "add_generation_prompt": True})

    def scored_answer(self, picture: str, text: str, answer: str) -> bytes:
        """The body of a request for the likelihood of each token of a question with its answer (vLLM)."""
        fields = self._fields([asking(picture, text), {"role": "assistant", "content": answer}], 1, ())
        return msgspec.json.encode(fields | {"prompt_logprobs": 0, "add_generation_prompt": False})

    def _fields(self, turns: list[dict[str, Any]], max_new_tokens: int, options: Sequence[str]) -> dict[str, Any]:
        way = self.choice if options else None
        room = max_new_tokens + (_ROOM_FOR_JSON if way is not None and way.is_json else 0)
        held = way.fields(options) if way is not None else {}
        return {"model": self.model, "messages": turns, self.max_tokens: room, **self.fixed, **held}

    def unwrapped(self, raw: str, options: Sequence[str]) -> str:
        """The option out of the JSON that was asked for; any other text as it came."""
        if self.choice is None or not self.choice.is_json or not options:
            return raw
        try:
            match json.loads(raw):
                case {"answer": str(answer)} if answer in options:
                    return answer
        except (ValueError, RecursionError):
            pass
        return raw


def asking(picture: str, text: str) -> dict[str, Any]:
    """The user's turn: the picture, then the question."""
    return {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": text}],
    }


def data_url(image: Image.Image) -> str:
    """The image as a data URL, to the pixel (PNG)."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
