"""evensight in inspect_ai's registry: `inspect eval evensight/questions -T data=SET --model ...`.

inspect_ai finds this module by the package's entry point and imports it; nothing else in evensight does, so that
evensight doesn't need inspect_ai. Invalid answers count as not correct and have a scorer of their own beside it, so
their share is right over several epochs, too.
"""

from collections.abc import Callable
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    accuracy,
    grouped,
    mean,
    metric,
    scorer,
    stderr,
    value_to_float,
)
from inspect_ai.solver import TaskState, generate

from evensight.exchange import question_rows
from evensight.exchange.inspect_ai.samples import Asked, asked, judged
from evensight.exchange.question_rows import MAX_NEW_TOKENS, CellAnswers
from evensight.questions.parsing import Outcome

_FROM_LETTER = value_to_float()


@task
def questions(data: str) -> Task:
    """The questions of a stored set, asked with their pictures, greedily, with short answers.

    All pictures of the set are in memory, as text in base64: inspect_ai takes its samples whole.

    Args:
        data: The folder of a stored set (`evensight generate`, `evensight photos make`, `evensight import`).
    """
    name, found = asked(Path(data))
    return Task(
        dataset=MemoryDataset([_sample(each) for each in found], name=name),
        solver=generate(),
        scorer=[answer(), invalid()],
        config=GenerateConfig(temperature=0.0, max_tokens=MAX_NEW_TOKENS),
    )


def _over_cells(figure: Callable[[CellAnswers], float]) -> Metric:
    """A figure of all answers by their cells; NaN where epochs were reduced to something between right and not."""

    def over_cells(scores: list[SampleScore]) -> float:
        values = [_FROM_LETTER(each.score.value) for each in scores]
        if not values or not set(values) <= {0.0, 1.0}:
            return float("nan")
        cells = [(each.sample_metadata or {})["cell"] for each in scores]
        return figure((cell, value == 1.0) for cell, value in zip(cells, values, strict=True))

    return over_cells


@metric
def cell_std() -> Metric:
    """The standard deviation of the cells' accuracies."""
    return _over_cells(question_rows.cell_std)


@metric
def cell_std_true() -> Metric:
    """The same with the noise of few questions a cell taken out."""
    return _over_cells(question_rows.cell_std_true)


@metric
def worst_cell() -> Metric:
    """The accuracy in the cell where it is lowest, of the cells that were asked about."""
    return _over_cells(question_rows.worst_cell)


@scorer(
    metrics=[
        accuracy(),
        stderr(cluster="picture"),
        grouped(accuracy(), "area", all=False),
        cell_std(),
        cell_std_true(),
        worst_cell(),
    ]
)
def answer() -> Scorer:
    """Whether an answer is correct (C), wrong (I) or invalid (N), as `evensight evaluate` has it."""

    async def score(state: TaskState, _target: Target) -> Score:
        judgement = judged(state.metadata, state.output.completion)
        return Score(value=judgement.letter, answer=judgement.answer, explanation=state.output.completion)

    return score


@scorer(metrics=[mean(), stderr(cluster="picture")])
def invalid() -> Scorer:
    """Whether an answer is invalid (1) or can be read (0)."""

    async def score(state: TaskState, _target: Target) -> Score:
        is_invalid = judged(state.metadata, state.output.completion).outcome is Outcome.INVALID
        return Score(value=float(is_invalid))

    return score


def _sample(each: Asked) -> Sample:
    picture, text = ContentImage(image=each.picture_uri), ContentText(text=each.row["question"])
    return Sample(
        id=each.row["id"],
        input=[ChatMessageUser(content=[picture, text])],
        target=each.row["answer"],
        metadata=each.row,
    )
