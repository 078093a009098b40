"""A row of the results table: a question, what was answered, and what became of it."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from evensight.annotations import Box, Frame
from evensight.datasets.examples import Example
from evensight.evaluation.option_scores import best
from evensight.models.answering import Answer
from evensight.questions.parsing import Outcome, outcome, parse_answer
from evensight.questions.tasks import Question
from evensight.storage.rows import example_row
from evensight.storage.rows import schema as stored_schema

_ANSWERED = (
    pa.field("raw", pa.string()),
    pa.field("parsed", pa.string()),
    pa.field("outcome", pa.string()),
    pa.field("option_scores", pa.list_(pa.float64())),
    pa.field("option_tokens", pa.list_(pa.int32())),
    pa.field("option_priors", pa.list_(pa.float64())),
    pa.field("parsed_by_options", pa.string()),
    pa.field("outcome_by_options", pa.string()),
    pa.field("model", pa.string()),
    pa.field("adapter", pa.string()),
    pa.field("processor", pa.string()),
    pa.field("batch_size", pa.int32()),
)


def schema(factors: tuple[str, ...]) -> pa.Schema:
    """The columns of a results table over examples with these factors."""
    return pa.schema([*question_schema(factors), *_ANSWERED])


def question_schema(factors: tuple[str, ...]) -> pa.Schema:
    """Those of them that are the question's."""
    return pa.schema([field for field in stored_schema(factors) if field.name != "image"])


def result_row(example: Example, raw: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a question that was answered in words.

    Args:
        example: The question.
        raw: The model's answer as it came.
        provenance: `model`, `adapter`, `processor` and `batch_size`.
    """
    return answered_row(example_row(example), Answer(0, raw), provenance)


def answered_row(row: Mapping[str, Any], answer: Answer, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a question that was answered.

    Args:
        row: The question's, as `storage.rows.example_row` has it.
        answer: What came back.
        provenance: `model`, `adapter`, `processor` and `batch_size`.
    """
    question = Question(row["task"], row["question"], tuple(row["options"]), row["answer"])
    box, frame = Box(*row["box_xyxy_px"]), Frame(*row["frame_wh_px"])
    chosen = None if answer.option_scores is None else question.options[best(answer.option_scores)]
    by_options = None if chosen is None else Outcome.CORRECT if chosen == question.answer else Outcome.WRONG
    return {
        **row,
        "raw": answer.raw,
        "parsed": parse_answer(answer.raw, question),
        "outcome": outcome(answer.raw, question, box, frame).value,
        "option_scores": answer.option_scores,
        "option_tokens": answer.option_tokens,
        "option_priors": answer.option_priors,
        "parsed_by_options": chosen,
        "outcome_by_options": by_options and by_options.value,
        **provenance,
    }
