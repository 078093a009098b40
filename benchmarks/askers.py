"""Those who ask in `benchmarks/evaluation.py`: each puts the same questions to one model, each in its own way.

The group's way is that of the reference: a few questions at a time, up to 15 new tokens, and after each batch all
answers so far are written as JSON. Plain `generate` has large batches and writes once. Ours is a whole run of
`evensight evaluate`, with its journal, table, figures and pictures.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch

from evensight.datasets.examples import Example, ExampleSet
from evensight.evaluation import ask, written
from evensight.evaluation.ask import evaluate_subject
from evensight.evaluation.journal import Journal
from evensight.models import asked_here, continued
from evensight.models.answering import BOTH, GENERATION, OPTIONS, Way
from evensight.models.asked_here import Here, ModelHere
from evensight.models.continued import on_device, read_prompts
from evensight.models.loading import LoadedModel
from evensight.models.predict import Predictor
from evensight.models.prompts import Prompter
from evensight.models.scoring import Scorer
from evensight.questions.parsing import outcome
from evensight.storage.stored import StoredExamples
from made_models import EMBEDDED, made

BATCH = 64
READ, GROUP_2, GROUP_4, PLAIN, NINE, WORDS, SCORES, PRIORS, BOTH_WAYS = (
    "the limit: each question read once",
    "the group's way, batches of 2",
    "the group's way, batches of 4",
    "plain generate",
    "nine forward passes",
    "evensight, words",
    "evensight, options",
    "evensight, options and priors",
    "evensight, words and options",
)
WITHOUT_TREES, WITHOUT_LAST, WITHOUT_STEPS = (
    "evensight, options, a row for each option",
    "evensight, options, with the whole last layer",
    "evensight, words by generate",
)
CPU_WAYS = (
    READ,
    GROUP_2,
    GROUP_4,
    PLAIN,
    NINE,
    WORDS,
    SCORES,
    PRIORS,
    BOTH_WAYS,
    WITHOUT_TREES,
    WITHOUT_LAST,
    WITHOUT_STEPS,
)
SHARE_OF = {NINE: 8}
"""Of the slowest way only every so many-th question is asked."""


@dataclass(frozen=True)
class Work:
    """What is asked of whom."""

    loaded: LoadedModel
    examples: ExampleSet


def job(way: str, folder: str, n: int) -> dict[str, Any]:
    """One way in this process, on one core: what a question took of it, and what of that went elsewhere."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    examples = StoredExamples(Path(folder))
    work = Work(made(EMBEDDED, []), examples)
    Scorer(work.loaded).best([examples.image(0)], [examples[0].question.text], [examples[0].question.options])
    n //= SHARE_OF.get(way, 1)
    elsewhere: dict[str, float] = {}
    with ExitStack() as stack:
        _count(stack, elsewhere, "pictures", StoredExamples, "image")
        _count(stack, elsewhere, "encoding", Prompter, "encode")
        begun, clock = time.process_time(), time.perf_counter()
        accuracy = _way(way, elsewhere)(work, n)
        taken, clock = time.process_time() - begun, time.perf_counter() - clock
    shares = {name: seconds / taken for name, seconds in elsewhere.items()}
    return {"way": way, "n": n, "ms": 1e3 * taken / n, "clock_ms": 1e3 * clock / n, "accuracy": accuracy, **shares}


def _way(way: str, elsewhere: dict[str, float]) -> Callable[[Work, int], float | None]:
    no_last = SimpleNamespace(on=lambda _: nullcontext(SimpleNamespace(keeping=nullcontext)))
    ours = partial(our_run, elsewhere=elsewhere)
    alone = Way(OPTIONS, priors=False)
    ways: dict[str, Callable[[Work, int], float | None]] = {
        READ: _read,
        GROUP_2: partial(group_run, size=2),
        GROUP_4: partial(group_run, size=4),
        PLAIN: partial(group_run, size=BATCH, writes_each=False),
        NINE: _nine,
        WORDS: partial(ours, way=Way(GENERATION)),
        SCORES: partial(ours, way=alone),
        PRIORS: partial(ours, way=Way(OPTIONS)),
        BOTH_WAYS: partial(ours, way=Way(BOTH, priors=False)),
        WITHOUT_TREES: partial(ours, way=alone, changed=[patch.object(Scorer, "trees_are_exact", new=False)]),
        WITHOUT_LAST: partial(ours, way=alone, changed=[patch.object(continued, "LastLayer", lambda: no_last)]),
        WITHOUT_STEPS: partial(
            ours, way=Way(GENERATION), changed=[patch.object(asked_here, "read_prompts", lambda *_: None)]
        ),
    }
    return ways[way]


@torch.inference_mode()
def _read(work: Work, n: int) -> None:
    """Has the model read each question, and asks nothing: what no way can do without."""
    prompter = Prompter(work.loaded.processor, work.loaded.model.config.model_type)
    for start in range(0, n, BATCH):
        some = range(start, min(start + BATCH, n))
        images, texts = [work.examples.image(k) for k in some], [work.examples[k].question.text for k in some]
        read_prompts(work.loaded.model, on_device(work.loaded.model, prompter.encode(images, texts)))


def group_run(work: Work, n: int, *, size: int, writes_each: bool = True) -> float:
    """Generates, and writes all answers so far as JSON after each batch, or once; gives the share of right ones."""
    asked = Predictor(work.loaded, steps_itself=False)
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, n, size):
            some = range(start, min(start + size, n))
            examples = [work.examples[k] for k in some]
            said = asked.answer([work.examples.image(k) for k in some], [one.question.text for one in examples])
            answers += map(_record, examples, said)
            if writes_each or some.stop == n:
                with (Path(folder) / "answers.json").open("w") as file:
                    json.dump(answers, file, indent=4)
    return sum(bool(one["is_correct"]) for one in answers) / n


def _record(example: Example, said: str) -> dict[str, Any]:
    is_correct = outcome(said, example.question, example.box, example.frame) == "correct"
    asked = {"id": example.id, "question": example.question.text, "answer": example.question.answer}
    return {**asked, "prediction": said, "is_correct": is_correct}


def _nine(work: Work, n: int) -> float:
    """Each option with its prompt, as many rows at a time as others have; gives the share of right ones."""
    scorer, n_correct = Scorer(work.loaded, shares_prompts=False), 0
    step = SHARE_OF[NINE]
    for k in range(0, n * step, 7 * step):
        some = range(k, min(k + 7 * step, n * step), step)
        questions = [work.examples[k].question for k in some]
        images, texts = [work.examples.image(k) for k in some], [one.text for one in questions]
        best = scorer.best(images, texts, [one.options for one in questions])
        n_correct += sum(said == one.answer for said, one in zip(best, questions, strict=True))
    return n_correct / n


def our_run(work: Work, n: int, way: Way, elsewhere: dict[str, float], changed: Sequence[Any] = ()) -> float:
    """A whole run with a model that has been loaded; gives the share of right ones."""
    assert n == len(work.examples)  # noqa: S101
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(patch.object(ModelHere, "answerer", lambda _: Here(work.loaded, BATCH, way)))
        for each in changed:
            stack.enter_context(each)
        _count(stack, elsewhere, "journal", Journal, "append")
        _count(stack, elsewhere, "parsing", ask, "answered_table")
        _count(stack, elsewhere, "statistics", written, "summarise")
        evaluate_subject(ModelHere(EMBEDDED, None, BATCH, way), work.examples, folder / "run")
        summary = json.loads((folder / "run" / "summary.json").read_text())
    return float(summary["accuracy"]["estimate"])


def _count(stack: ExitStack, elsewhere: dict[str, float], name: str, owner: Any, function: str) -> None:
    """Has the seconds of the core that go into a function be summed up."""
    before = getattr(owner, function)

    def counted(*arguments: Any, **options: Any) -> Any:
        begun = time.thread_time()
        try:
            return before(*arguments, **options)
        finally:
            elsewhere[name] = elsewhere.get(name, 0.0) + time.thread_time() - begun

    stack.enter_context(patch.object(owner, function, counted))
