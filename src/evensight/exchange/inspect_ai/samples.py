"""What inspect_ai's registry (`registry`) is made of, without inspect_ai: samples, judgements, figures over cells.

A sample carries its question's row as metadata, so that a log can be scored again (`inspect score`) without the set.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.exchange.question_rows import parsed, question_row, scored
from evensight.questions.parsing import Outcome
from evensight.storage.stored import StoredExamples

LETTERS: Mapping[Outcome, str] = {Outcome.CORRECT: "C", Outcome.WRONG: "I", Outcome.INVALID: "N"}
"""How inspect_ai writes an outcome: correct, incorrect, no answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one sample is made of.

    Attributes:
        row: The question as a row.
        picture_uri: Its picture as a data URI, as the set has its bytes.
    """

    row: dict[str, Any]
    picture_uri: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an answer.

    Attributes:
        outcome: Correct, wrong or invalid.
        answer: What the text says, in the words of right answers; None if it is invalid.
    """

    outcome: Outcome
    answer: str | None

    @property
    def letter(self) -> str:
        """The outcome as inspect_ai writes it."""
        return LETTERS[self.outcome]


def asked(data: Path) -> tuple[str, Iterator[Asked]]:
    """The name of a stored set, and its questions in their order.

    Raises:
        InputError: The folder is not a whole stored set.
    """
    examples = StoredExamples(data)
    return examples.info.name, _asked(examples)


def judged(row: Mapping[str, Any], raw: str) -> Judgement:
    """What became of an answer to a row's question, as evaluation has it."""
    return Judgement(scored(row, raw), parsed(row, raw))


def _asked(examples: ExampleSet) -> Iterator[Asked]:
    for index in range(len(examples)):
        encoded = examples.encoded(index)
        yield Asked(question_row(examples[index], encoded), _data_uri(encoded))


def _data_uri(encoded: bytes) -> str:
    kind = "png" if encoded.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
