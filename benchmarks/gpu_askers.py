"""Those who ask the architecture of a 7B model on a GPU in `benchmarks/evaluation.py --gpu`.

All ask one model with random weights, by turns, in this process: evensight as its `load` leaves the model, others as
transformers does. Where ways of asking are compared, pictures are encoded before; whole runs read them from a stored
set, encode them, and write what they write.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from askers import BATCH, GROUP_2, GROUP_4, NINE, PLAIN, SCORES, WITHOUT_TREES, WORDS, Work, group_run, our_run
from evensight.datasets.examples import ExampleSet
from evensight.datasets.subsets import Part
from evensight.models.answering import GENERATION, MAX_NEW_TOKENS, OPTIONS, Way
from evensight.models.continued import Prompts, on_device, read_prompts
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.packed_vision import pack_vision
from evensight.models.predict import Predictor
from evensight.models.prompts import Prompter
from evensight.models.scoring import Scorer
from evensight.storage.stored import StoredExamples, store
from made_models import made

WORDS_AND_OPTIONS = "evensight, words and options"
WITHOUT_PACKING = "evensight, options, image by image in the vision tower"
WHOLE_GROUP, WHOLE_WORDS, WHOLE_SCORES = (f"a whole run: {way}" for way in (GROUP_4, WORDS, SCORES))
_SLOW, _SLOW_ROUNDS = (GROUP_2, GROUP_4, NINE), 2
_ROWS_AT_ONCE = 63
"""Of nine forward passes: seven questions, about as many rows as others have."""


def gpu_job(model: str, examples: ExampleSet, n_rounds: int, n_whole: int) -> Iterator[dict[str, Any]]:
    """What each way of asking one model with random weights did.

    Args:
        model: Which, as `made_models.made` names it.
        examples: What is asked: the first ones, of which `BATCH` make a round.
        n_rounds: How many rounds are timed; of the slowest ways, two at most.
        n_whole: How many questions a whole run of evensight asks; of the group's way, an eighth.
    """
    asked = [examples[k].question for k in range(n_whole)]
    loaded = made(model, [one.text for one in asked])
    first = asked[:BATCH]
    images = [examples.image(k) for k in range(BATCH)]
    round_ = Round(loaded, images, [one.text for one in first], [one.options for one in first])
    yield {"exact": round_.trees.trees_are_exact, "encoding_ms": round_.encoding_ms}
    ways: Mapping[str, Callable[[], Any]] = {
        GROUP_2: partial(round_.generated, 2),
        GROUP_4: partial(round_.generated, 4),
        PLAIN: partial(round_.generated, BATCH),
        NINE: round_.nine,
        WORDS: partial(round_.read, says=True),
        SCORES: partial(round_.read, round_.trees),
        WITHOUT_TREES: partial(round_.read, round_.rows),
        WITHOUT_PACKING: partial(round_.read, round_.trees),
        WORDS_AND_OPTIONS: partial(round_.read, round_.trees, says=True),
    }
    for name, way in ways.items():
        with _vision_of(name, loaded.model):
            found = _timed(way, BATCH, min(n_rounds, _SLOW_ROUNDS) if name in _SLOW else n_rounds)
        yield {"way": name, **found}
    with tempfile.TemporaryDirectory() as folder:
        store(Part(examples, range(n_whole), {"n": n_whole}), Path(folder) / "stored")
        work = Work(loaded, StoredExamples(Path(folder) / "stored"))
        words, scores = Way(GENERATION), Way(OPTIONS, priors=False)
        runs: Mapping[str, tuple[int, Callable[[], Any]]] = {
            WHOLE_GROUP: (n_whole // 8, lambda: group_run(work, n_whole // 8, size=4)),
            WHOLE_WORDS: (n_whole, lambda: our_run(work, n_whole, words, {})),
            WHOLE_SCORES: (n_whole, lambda: our_run(work, n_whole, scores, {})),
        }
        for name, (n, run) in runs.items():
            with _vision_of(name, loaded.model):
                found = _timed(run, n, 1, warms=False)
            yield {"way": name, **found}


@contextmanager
def _vision_of(way: str, model: Any) -> Iterator[None]:
    """The model's vision tower as the way has it, while the block runs."""
    config = model.model.visual.config
    before = config._attn_implementation
    if "evensight" in way and way != WITHOUT_PACKING:
        pack_vision(model)
    try:
        yield
    finally:
        config._attn_implementation = before


@dataclass(frozen=True)
class Round:
    """Some questions, put to a model in every way.

    Attributes:
        loaded: The model.
        images: The questions' images.
        texts: The questions.
        options: What may be answered.
    """

    loaded: LoadedModel
    images: Sequence[Any]
    texts: Sequence[str]
    options: Sequence[Sequence[str]]

    @cached_property
    def trees(self) -> Scorer:
        """What scores options as trees."""
        return Scorer(self.loaded)

    @cached_property
    def rows(self) -> Scorer:
        """What scores options in rows."""
        return Scorer(self.loaded, shares_beginnings=False)

    @cached_property
    def encoding_ms(self) -> float:
        """How long encoding takes a question, on the processor."""
        begun = time.perf_counter()
        self._prompter.encode(self.images, self.texts)
        return 1e3 * (time.perf_counter() - begun) / len(self.texts)

    def generated(self, size: int) -> None:
        """Has `generate` answer, so many questions at a time, each in 15 tokens: no end may come before.

        That is why it isn't a `Predictor`, which follows no such setting.
        """
        for batch in self._encoded(size):
            self.loaded.model.generate(
                **self._here(batch),
                do_sample=False,
                max_new_tokens=MAX_NEW_TOKENS,
                min_new_tokens=MAX_NEW_TOKENS,
                pad_token_id=self._prompter.pad_id,
            )

    def read(self, scorer: Scorer | None = None, *, says: bool = False) -> list[list[float]] | None:
        """Has the questions read once, and asks for options' scores, for words, or for both."""
        (encoded,) = self._encoded(len(self.texts))
        inputs = self._here(encoded)
        prompts = self._prompts(inputs)
        scores = None if scorer is None else scorer.behind(prompts, self.options)
        if says:
            Predictor(self.loaded).behind(inputs, prompts)
        return scores

    def nine(self) -> list[list[float]]:
        """Each option behind its prompt."""
        flat = [value for batch in self._with_answers for value in self.trees.answered(self._here(batch)).tolist()]
        n = len(self.options[0])
        return [flat[k : k + n] for k in range(0, len(flat), n)]

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @cached_property
    def _batches(self) -> dict[int, list[dict[str, Tensor]]]:
        return {}

    def _encoded(self, size: int) -> list[dict[str, Tensor]]:
        if size not in self._batches:
            starts = range(0, len(self.texts), size)
            encode = self._prompter.encode
            self._batches[size] = [encode(self.images[k : k + size], self.texts[k : k + size]) for k in starts]
        return self._batches[size]

    @cached_property
    def _with_answers(self) -> list[dict[str, Tensor]]:
        each = [
            (image, text, option)
            for image, text, options in zip(self.images, self.texts, self.options, strict=True)
            for option in options
        ]
        parts = (each[k : k + _ROWS_AT_ONCE] for k in range(0, len(each), _ROWS_AT_ONCE))
        return [self._prompter.encode_with_answers(*zip(*part, strict=True)) for part in parts]

    def _here(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return on_device(self.loaded.model, batch)

    def _prompts(self, inputs: Mapping[str, Tensor]) -> Prompts:
        prompts = read_prompts(self.loaded.model, inputs)
        if prompts is None:
            raise RuntimeError("the model keeps no cache that can be continued")
        return prompts


def _timed(way: Callable[[], Any], n: int, n_rounds: int, *, warms: bool = True) -> dict[str, Any]:
    """The questions a second of the median round, what the GPU held at most, and each question's best option."""
    has_gpu = torch.cuda.is_available()
    gc.collect()
    with quiet_transformers(), torch.inference_mode():
        try:
            scores = way() if warms else None
            if has_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            marks = [_now()]
            for _ in range(n_rounds):
                way()
                marks.append(_now())
        except torch.OutOfMemoryError:
            return {"fault": "out of memory"}
    found: dict[str, Any] = {"peak_gb": torch.cuda.max_memory_allocated() / 1e9} if has_gpu else {}
    if scores is not None:
        found["scores"] = scores
    seconds = sorted(after - before for before, after in pairwise(marks))
    return {"questions_a_second": n / seconds[len(seconds) // 2], "seconds": seconds, **found}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
