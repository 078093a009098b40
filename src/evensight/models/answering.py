"""What is put to a model and what comes back: the one shape that all who answer have, models here and servers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from evensight.errors import one_of
from evensight.runs import RunManifest

GENERATION, OPTIONS, BOTH = "generation", "options", "both"
WAYS = (GENERATION, OPTIONS, BOTH)
"""How a model is asked: for words, for the likelihood of each option, or for both."""
MAX_NEW_TOKENS = 15
"""How long an answer may get, as in the reference."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is asked.

    Attributes:
        by: One of `WAYS`. Questions without options are asked for words, whatever it is.
        max_new_tokens: How many tokens an answer in words may have.
        priors: Whether options are scored on a black image, too.

    Raises:
        InputError: `by` is no way.
    """

    by: str = GENERATION
    max_new_tokens: int = MAX_NEW_TOKENS
    priors: bool = True

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise one_of("the way of asking", self.by, WAYS)

    @property
    def scores(self) -> bool:
        """Whether options are scored."""
        return self.by != GENERATION

    @property
    def config(self) -> dict[str, Any]:
        """What of it answers depend on, as JSON."""
        words = {"max_new_tokens": self.max_new_tokens, "decoding": "greedy"}
        return {"by": self.by, **words, **({"priors": self.priors} if self.scores else {})}


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
    options: tuple[str, ...] = ()


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
        is_refused: Whether it is a fault of the question: asked again it would be refused again.
    """

    index: int
    raw: str
    option_scores: tuple[float, ...] | None = None
    option_tokens: tuple[int, ...] | None = None
    option_priors: tuple[float, ...] | None = None
    fault: str | None = None
    is_refused: bool = False


class Answerer(Protocol):
    """Whoever answers questions, with what a run has to know of them."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What goes into the manifest: what the model is, and what is needed to repeat it."""

    @property
    def row(self) -> Mapping[str, Any]:
        """What each row of the results says of it: `model`, `adapter`, `processor`, `batch_size`."""

    @property
    def for_priors(self) -> "Answerer | None":
        """Who scores options on black images; None where that isn't wanted, or comes with the answers."""

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


class Subject(Protocol):
    """Who is to be asked, known before anything is loaded or connected."""

    @property
    def config(self) -> Mapping[str, Any]:
        """What its answers depend on beside the questions, as JSON: it goes into the run's configuration."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hashes of what it is made of, by name."""

    @property
    def trainings(self) -> Sequence[RunManifest]:
        """The manifests of the runs that trained it, as far as they are known."""

    def answerer(self) -> Answerer:
        """Whoever answers for it, ready to be asked."""
