"""Validation while training: loss, perplexity, and accuracy by area, on examples that are not trained on.

The perplexity decides which weights are the best and when to stop; the accuracy is that of free, greedy answers,
read as an evaluation reads them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite

import torch
from torch import Tensor, nn

from evensight.annotations import AREAS
from evensight.datasets.examples import Example, ExampleSet
from evensight.datasets.subsets import Part, drawn_evenly
from evensight.errors import InputError
from evensight.models.loading import LoadedModel
from evensight.models.padding import for_answers, takes_logits_to_keep
from evensight.models.predict import Predictor
from evensight.models.processes import Processes
from evensight.models.prompts import IGNORED, Prompter
from evensight.questions.parsing import Outcome, outcome

LOSS, PERPLEXITY, ACCURACY = "validation_loss", "validation_perplexity", "validation_accuracy"
"""The names of the figures; an area's accuracy is `validation_accuracy/AREA`."""


@dataclass(frozen=True)
class Validation:
    """Asks the model, as it is, the examples that it isn't trained on.

    Attributes:
        examples: What it is asked.
        prompter: Puts questions into the model's words.
        batch_size: How many at a time.
        team: The processes that share the work.
    """

    examples: ExampleSet
    prompter: Prompter
    batch_size: int
    team: Processes

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> dict[str, float]:
        """The figures, by their names."""
        was_training = model.training
        model.eval()
        starts = range(0, len(self.examples), self.batch_size)
        mine = [self._batch(model, start) for start in starts[self.team.rank :: self.team.n]]
        model.train(was_training)
        parts = sorted(part for rank in self.team.gathered(mine) for part in rank)
        n_tokens = sum(part.n_tokens for part in parts)
        loss = sum(part.loss_sum for part in parts) / n_tokens
        return {LOSS: loss, PERPLEXITY: exp(loss) if loss < 700 else inf, **_accuracies(parts)}

    def _batch(self, model: nn.Module, start: int) -> "_Part":
        indices = range(start, min(start + self.batch_size, len(self.examples)))
        examples = [self.examples[index] for index in indices]
        images = [self.examples.image(index) for index in indices]
        texts = [example.question.text for example in examples]
        batch = self.prompter.encode_with_answers(images, texts, [example.question.answer for example in examples])
        n_tokens = int((batch["labels"][:, 1:] != IGNORED).sum())
        asked = for_answers(batch) if takes_logits_to_keep(model) else batch
        loss = float(model(**_like(next(model.parameters()), asked)).loss)
        said = Predictor(LoadedModel("in training", model, self.prompter.processor, {})).answer(images, texts)
        right = tuple((e.area, _is_right(raw, e)) for e, raw in zip(examples, said, strict=True))
        return _Part(start, loss * n_tokens, n_tokens, right)


def _like(weight: Tensor, batch: Mapping[str, Tensor | int]) -> dict[str, Tensor | int]:
    """A batch where the model's weights are; its pixels of their type."""
    return {
        key: value.to(weight.device, weight.dtype if value.is_floating_point() else value.dtype)
        if isinstance(value, Tensor)
        else value
        for key, value in batch.items()
    }


@dataclass(frozen=True, order=True, slots=True)
class _Part:
    """What one batch gave; parts are added in the order of their starts, whoever made them."""

    start: int
    loss_sum: float
    n_tokens: int
    right: tuple[tuple[str, bool], ...]


def _is_right(raw: str, example: Example) -> bool:
    return outcome(raw, example.question, example.box, example.frame) is Outcome.CORRECT


def _accuracies(parts: Sequence[_Part]) -> dict[str, float]:
    answers = [answer for part in parts for answer in part.right]
    by_area = {
        f"{ACCURACY}/{area}": [is_right for where, is_right in answers if where == area]
        for area in AREAS
        if any(where == area for where, _ in answers)
    }
    figures = {ACCURACY: [is_right for _, is_right in answers]} | by_area
    return {name: sum(right) / len(right) for name, right in figures.items()}


def validations(log: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The validations among what a trainer has logged, each with its `step`."""
    return [
        {"step": entry["step"], **{name: value for name, value in entry.items() if name.startswith("validation_")}}
        for entry in log
        if PERPLEXITY in entry
    ]


def best_step(done: Sequence[Mapping[str, float]]) -> int | None:
    """After which step the perplexity was lowest, the first of equals; none if it was never finite."""
    finite = [entry for entry in done if isfinite(entry[PERPLEXITY])]
    return int(min(finite, key=lambda entry: entry[PERPLEXITY])["step"]) if finite else None


def is_enough(done: Sequence[Mapping[str, float]], patience: int | None) -> bool:
    """Whether the last `patience` validations were all no better than one before them."""
    if patience is None or not done:
        return False
    best = best_step(done)
    since = [entry for entry in done if best is None or entry["step"] > best]
    return len(since) >= patience


def note(figures: Mapping[str, float]) -> str:
    """A validation in a line: the share that is right, and by area as they lie in the picture."""
    shares = [figures.get(f"{ACCURACY}/{area}") for area in AREAS]
    shown = ["–" if share is None else f"{100 * share:.0f}" for share in shares]
    areas = " / ".join(" ".join(shown[k : k + 3]) for k in (0, 3, 6))
    return f"right {100 * figures[ACCURACY]:.0f} %, by area {areas}, perplexity {figures[PERPLEXITY]:.3f}"


def table(done: Sequence[Mapping[str, float]]) -> str:
    """The validations as CSV: a row each, a column for each area."""
    known = ["step", LOSS, PERPLEXITY, ACCURACY, *(f"{ACCURACY}/{area}" for area in AREAS)]
    names = [name for name in known if any(name in entry for entry in done)]
    header = ",".join(name.removeprefix("validation_") for name in names)
    rows = (",".join(repr(entry[name]) if name in entry else "" for name in names) for entry in done)
    return "\n".join([header, *rows]) + "\n"


def split_off(examples: ExampleSet, share: float, seed: int) -> tuple[ExampleSet, ExampleSet]:
    """What is left to train on, and a share to validate on: as large a share of every cell, to one example.

    Raises:
        InputError: A part would be empty.
    """
    held = drawn_evenly(examples, share, seed, "validation")
    if not 0 < len(held) < len(examples):
        raise InputError(
            f"the share `{share}` of the {len(examples):,} examples of {examples.info.name} is {len(held):,}: "
            "expected at least one to validate on and one to train on"
        )
    kinds = ([k for k in range(len(examples)) if (k in held) is is_held] for is_held in (False, True))
    training, validating = (
        Part(examples, chosen, {"validation_share": share, "seed": seed, "part": name})
        for chosen, name in zip(kinds, ("training", "validation"), strict=True)
    )
    return training, validating
