"""A model of transformers as an answerer: batches, read once, for words, for the options' scores, or for both.

While the model answers a batch, the next one is drawn and encoded beside it. Batches are those of the questions in
their order: what a question is answered together with can change the last bits of its scores, so it never changes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from evensight.errors import InputError
from evensight.models.answering import OPTIONS, Answer, Asked, Way
from evensight.models.continued import Prompts, on_device, read_prompts
from evensight.models.cores import cores_left_for
from evensight.models.identity import identify, trainings_of
from evensight.models.loading import LoadedModel, load, merged, quiet_transformers
from evensight.models.predict import Predictor, memory_explained
from evensight.models.prompts import Prompter
from evensight.models.scoring import Scorer
from evensight.runs import RunManifest

Item = TypeVar("Item")
Made = TypeVar("Made")
Encoded = tuple[list[Asked], dict[str, Tensor]]


@dataclass(frozen=True)
class ModelHere:
    """A model, and perhaps an adapter, that is loaded here when it is asked.

    Attributes:
        name: What `loading.load` loads.
        adapter: The adapter's folder, or the fine-tuning run that made it.
        batch_size: How many questions are asked at a time.
        way: How it is asked.
    """

    name: str
    adapter: Path | None
    batch_size: int
    way: Way = field(default_factory=Way)

    @property
    def config(self) -> Mapping[str, Any]:
        """What its answers depend on beside the questions."""
        return {"model": self.name, "batch_size": self.batch_size, **self.way.config}

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hashes of the model's and the adapter's files, or the model's commit."""
        return identify(self.name, self.adapter)

    @property
    def trainings(self) -> tuple[RunManifest, ...]:
        """The manifests of the fine-tuning runs that made the adapter and the model beneath it."""
        return trainings_of(self.name, self.adapter)

    def answerer(self) -> "Here":
        """The model, loaded, its adapter merged into it where that loses nothing."""
        return Here(merged(load(self.name, self.adapter)), self.batch_size, self.way)


@dataclass(frozen=True)
class Here:
    """Answers with a model that is loaded.

    Attributes:
        loaded: The model.
        batch_size: How many questions are asked at a time.
        way: How it is asked.
    """

    loaded: LoadedModel
    batch_size: int
    way: Way

    @property
    def group_size(self) -> int:
        """How many questions are answered together."""
        return self.batch_size

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the model and its processor are, and what belongs in each row of the results."""
        hashes = self.loaded.hashes
        model = self.loaded.model
        facts: dict[str, Any] = {"model": hashes["model"], "processor": hashes["processor"]}
        facts |= {"device": model.device.type, "dtype": str(model.dtype).removeprefix("torch.")}
        if self.way.by != OPTIONS and self._predictor.overridden:
            facts["generation_settings_overridden"] = {k: str(v) for k, v in self._predictor.overridden.items()}
        if self.way.scores:
            facts["options_share"] = "beginnings" if self._scorer.trees_are_exact else "prompts"
        return facts

    @property
    def row(self) -> Mapping[str, Any]:
        """What each row of the results says of who answered."""
        return {
            "model": self.loaded.name,
            "adapter": self.loaded.hashes.get("adapter"),
            "processor": self.loaded.hashes["processor"],
            "batch_size": self.batch_size,
        }

    @property
    def for_priors(self) -> "Here | None":
        """Itself, asked for options alone; None where no priors are wanted."""
        return replace(self, way=Way(OPTIONS, priors=False)) if self.way.scores and self.way.priors else None

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """The answers in the order of the questions, batch by batch."""
        with cores_left_for(1):
            for batch, encoded in _ahead(self._encoded, _batches(asked, self.batch_size)):
                yield from self.answered(batch, encoded)

    @torch.inference_mode()
    def answered(self, batch: Sequence[Asked], encoded: Mapping[str, Tensor]) -> list[Answer]:
        """The answers to one batch.

        Raises:
            InputError: The memory of the GPU is too small for so many, or what the model says is no number.
        """
        with quiet_transformers(), memory_explained(len(batch)):
            inputs = on_device(self.loaded.model, encoded)
            prompts = read_prompts(self.loaded.model, inputs)
            scores = self._scores(batch, prompts) if self.way.scores else [()] * len(batch)
            said = self._predictor.behind(inputs, prompts) if self._generates(batch) else [""] * len(batch)
        return [self._answer(*each) for each in zip(batch, said, scores, strict=True)]

    def _generates(self, batch: Sequence[Asked]) -> bool:
        return self.way.by != OPTIONS or not all(one.options for one in batch)

    def _scores(self, batch: Sequence[Asked], prompts: Prompts | None) -> Sequence[Sequence[float]]:
        options = [one.options for one in batch]
        if prompts is not None:
            return self._scorer.behind(prompts, options)
        return self._scorer.separate([one.image for one in batch], [one.text for one in batch], options)

    def _answer(self, asked: Asked, raw: str, scores: Sequence[float]) -> Answer:
        if not scores:
            return Answer(asked.index, raw)
        if not all(map(isfinite, scores)):
            raise InputError(
                f"the model `{self.loaded.name}` gives scores that are no numbers for question {asked.index}: its "
                "weights are damaged, or its precision is too low"
            )
        if self.way.by == OPTIONS:
            raw = asked.options[max(range(len(scores)), key=scores.__getitem__)]
        return Answer(asked.index, raw, tuple(scores), tuple(map(self._scorer.n_tokens, asked.options)))

    def _encoded(self, batch: list[Asked]) -> Encoded:
        return batch, self._prompter.encode([one.image for one in batch], [one.text for one in batch])

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.loaded, self.way.max_new_tokens)

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.loaded)


def _batches(asked: Iterable[Asked], size: int) -> Iterator[list[Asked]]:
    each = iter(asked)
    while batch := list(islice(each, size)):
        yield batch


def _ahead(make: Callable[[Item], Made], items: Iterator[Item]) -> Iterator[Made]:
    """What is made of each item; the next one is drawn and made while this one is used."""

    def following() -> tuple[Made] | None:
        item = next(items, None)
        return None if item is None else (make(item),)

    with ThreadPoolExecutor(1) as pool:
        coming = deque([pool.submit(following)])
        while (made := coming.popleft().result()) is not None:
            coming.append(pool.submit(following))
            yield made[0]
