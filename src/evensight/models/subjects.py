"""Who is asked, by what the user gave: the one place where that is chosen."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.models.answering import Answer, Answering, Asked, Subject, Way
from evensight.runs import RunManifest


def subject_of(model: str, adapter: Path | None, batch_size: int, way: Way) -> Subject:
    """Who is asked.

    Args:
        model: `embedded`, a local folder, or a Hub id.
        adapter: An adapter to put on it.
        batch_size: How many questions are asked at a time.
        way: How it is asked.
    """
    from evensight.models.asked_here import ModelHere

    return ModelHere(model, adapter, batch_size, way)


@dataclass(frozen=True)
class Elsewhere:
    """Somebody who is there already and answers each question by itself, such as a server.

    Attributes:
        name: What the model is called in the results.
        config: What the answers depend on beside the questions and the model.
        inputs: What identifies the model.
        connected: Whoever answers.
        of_priors: Whoever scores options on black images, the same one perhaps; None where that isn't wanted.
    """

    name: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    connected: Answering
    of_priors: Answering | None = None

    @property
    def training(self) -> RunManifest | None:
        """Nothing is known of it."""
        return None

    def answerer(self) -> "Elsewhere":
        """Itself."""
        return self

    @property
    def facts(self) -> Mapping[str, Any]:
        """What goes into the manifest."""
        return self.connected.facts

    @property
    def row(self) -> Mapping[str, Any]:
        """What each row of the results says of it."""
        return {"model": self.name, "adapter": None, "processor": None, "batch_size": self.group_size}

    @property
    def group_size(self) -> int:
        """One: no answer depends on what else is asked."""
        return 1

    @property
    def for_priors(self) -> "Elsewhere | None":
        """Whoever scores options on black images."""
        return None if self.of_priors is None else Elsewhere(self.name, self.config, self.inputs, self.of_priors)

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """The answers in any order."""
        return self.connected.answers(asked)
