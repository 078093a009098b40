"""What is put to a model and what comes back: the one shape that all who answer have, models here and servers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it is put to a model.

    Attributes:
        index: Its place in the set.
        image: The image, RGB.
        text: The prompt, as the question has it.
        options: What may be answered; empty for open questions.
    """

    index: int
    image: Image.Image
    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one question.

    Attributes:
        index: The question's place in the set.
        raw: The text as it came; the option that scores best where nothing else was asked for.
        option_scores: The log-likelihood of each option in nats, the sum over its tokens and the end, in the order
            of the options; None where it wasn't asked for or there are no options.
        option_tokens: How many tokens each sum has.
        option_priors: The same sums for the question on a black image.
        fault: Why there is no answer: such a question is asked again.
    """

    index: int
    raw: str
    option_scores: tuple[float, ...] | None = None
    option_tokens: tuple[int, ...] | None = None
    option_priors: tuple[float, ...] | None = None
    fault: str | None = None


class Answerer(Protocol):
    """Whoever answers questions."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What goes into the manifest: what the model is, and what is needed to repeat it."""

    @property
    def group_size(self) -> int:
        """How many questions are answered together: they are answered again together, or not at all.

        1 where no answer depends on what else is asked.
        """

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """The answers in any order, each question's once.

        Draws from `asked` lazily, holding a bounded number of images. Those who answer in groups answer the first
        `group_size` questions together, then the next, and give each group's answers without a break.
        """
