"""What passes between a set of questions and whatever answers them: a model here, or a server that holds one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it is put to a model.

    Attributes:
        index: Its place in the set.
        image: In RGB.
        text: The prompt as the question has it.
        options: What may be answered; empty for open questions.
    """

    index: int
    image: Image.Image
    text: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        index: The question's place in the set.
        raw: The text as it came.
        option_scores: The log-likelihood of each option, in nats: the sum over its tokens and the end of the turn.
        option_tokens: How many tokens each of these sums has.
        option_priors: The same sums where the image is black.
        fault: Why there is no answer; such a question is asked again when the run goes on.
    """

    index: int
    raw: str
    option_scores: tuple[float, ...] | None = None
    option_tokens: tuple[int, ...] | None = None
    option_priors: tuple[float, ...] | None = None
    fault: str | None = None


class Answerer(Protocol):
    """Answers questions."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the manifest says of it: which model, and what is needed to repeat its answers."""
        ...

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """An answer to each question, once, in any order; draws lazily and holds a bounded number of images."""
        ...
