"""The states of examples at the places where probes look: last token, image, object, second word, vision tower.

* `last`: the last token of the prompt, from which the model says its first word (the paper's).
* `object`: the mean over the image's tokens that the object's box covers. Which these are is told by the box: the
  probe asks what a patch knows of its own place there, not whether the model found the object.
* `image`: the mean over all of the image's tokens.
* `vision`, `vision-object`: the same means over what the vision tower gives to the projector.
* `second`: the token from which the second word of the answer is said, after the right first word. The row is known
  there to whoever reads the first word, so the column alone is probed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evensight.annotations import AREAS, Box
from evensight.datasets.examples import Example
from evensight.errors import one_of
from evensight.models.image_embeddings import plain
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.padding import LOGITS, POSITIONS, takes_logits_to_keep
from evensight.models.prompts import IGNORED, Prompter, image_id
from evensight.probing.image_grids import KNOWN, TILED, TokenGrid, seen_part, token_grid
from evensight.probing.taps import StateTaps, VisionTap

LANGUAGE = ("last", "object", "image", "second")
VISION = ("vision", "vision-object")
ALL = (*LANGUAGE, *VISION)
DEFAULT = ("last", "object", "image", "vision", "vision-object")


@dataclass(frozen=True, eq=False)
class BatchStates:
    """What was read of a batch, on the CPU.

    Attributes:
        by_part: `language` `[example, state, position, hidden]` and `vision` `[example, position, width]`, as far as
            such positions are read.
        there: Whether each example has each position, `[example, position]`, by part.
    """

    by_part: dict[str, Tensor]
    there: dict[str, Tensor]


@dataclass
class StateReader:
    """Reads states of one batch after the other.

    Attributes:
        loaded: The model.
        positions: Where it looks, of `ALL`.
        states: Which states of the language model.
        missing: For positions that the last batch had nowhere, the reasons.
    """

    loaded: LoadedModel
    positions: Sequence[str]
    states: Sequence[int]
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.positions:
            if name not in ALL:
                raise one_of("the position", name, ALL)

    @property
    def language(self) -> tuple[str, ...]:
        """The positions among the language model's tokens, in order."""
        return tuple(name for name in LANGUAGE if name in self.positions)

    @property
    def vision(self) -> tuple[str, ...]:
        """The positions among the vision tower's patches, in order."""
        return tuple(name for name in VISION if name in self.positions)

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @torch.inference_mode()
    def read(self, images: Sequence[Image.Image], examples: Sequence[Example]) -> BatchStates:
        """The states of a batch of examples with their images."""
        self.missing = {}
        batch = self._encoded(images, examples)
        labels = batch.pop("labels", None)
        weights = self._weights(batch, labels, examples)
        model = self.loaded.model
        given: dict[str, Any] = {key: self._moved(value) for key, value in batch.items()}
        if takes_logits_to_keep(model):
            given[LOGITS] = 1
        with (
            quiet_transformers(),
            StateTaps(model, self.states if self.language else ()).on() as taps,
            VisionTap(model, self.loaded.family).on() as vision,
        ):
            states, there = {}, {}
            if self.language:
                states["language"] = taps.read(given | {"use_cache": False}, weights.to(model.device))
                there["language"] = weights.sum(dim=2) > 0.5
            else:
                model(**given)
            if self.vision:
                states["vision"], there["vision"] = self._of_tower(vision.patches, batch, examples)
        self._note_missing(there)
        return BatchStates({part: value.to(model.dtype).cpu() for part, value in states.items()}, there)

    def _moved(self, value: Tensor) -> Tensor:
        model = self.loaded.model
        return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)

    def _encoded(self, images: Sequence[Image.Image], examples: Sequence[Example]) -> dict[str, Tensor]:
        texts = [example.question.text for example in examples]
        if "second" not in self.positions:
            return self._prompter.encode(images, texts)
        return self._prompter.encode_with_answers(images, texts, [_first_word(example) for example in examples])

    def _weights(self, batch: dict[str, Tensor], labels: Tensor | None, examples: Sequence[Example]) -> Tensor:
        """How much of each token goes into each position, `[example, position, token]`."""
        ids = batch["input_ids"]
        is_image = image_tokens(self.loaded, ids)
        n_answer = 0 if labels is None else int((labels != IGNORED).any(dim=0).sum())
        weights = torch.zeros(len(ids), len(self.language), ids.shape[1])
        for p, name in enumerate(self.language):
            if name == "last":
                weights[:, p, ids.shape[1] - n_answer - 1] = 1
            elif name == "image":
                weights[:, p] = is_image / is_image.sum(dim=1, keepdim=True).clamp(min=1)
            elif name == "object":
                self._weigh_objects(weights[:, p], is_image, batch, examples)
            else:
                for k, example in enumerate(examples):
                    weights[k, p, self._second(example, labels, ids.shape[1] - n_answer)] = 1
        return weights

    def _weigh_objects(
        self, weights: Tensor, is_image: Tensor, batch: dict[str, Tensor], examples: Sequence[Example]
    ) -> None:
        """Fills in how much of each token goes into the object's mean, `[example, token]`."""
        n_tokens = is_image.sum(dim=1).tolist()
        places = torch.split(is_image.nonzero()[:, 1], n_tokens)
        for k, example in enumerate(examples):
            under = self._under(batch, k, n_tokens[k], example)
            if under:
                weights[k, places[k][list(under)]] = 1 / len(under)

    def _second(self, example: Example, labels: Tensor | None, n_prompt: int) -> list[int]:
        """The token that the first word of the answer ends on, where that is the beginning of the answer's tokens."""
        first = self._prompter.answer_ids(_first_word(example))[:-1]
        whole = self._prompter.answer_ids(example.question.answer)[:-1]
        is_area = example.question.answer in AREAS
        return [n_prompt + len(first) - 1] if is_area and labels is not None and whole[: len(first)] == first else []

    def _under(self, batch: dict[str, Tensor], k: int, n_tokens: int, example: Example) -> tuple[int, ...]:
        thw = tuple(batch[POSITIONS][k].tolist()) if POSITIONS in batch else None
        model_type = self._prompter.model_type
        grid = token_grid(self.loaded.processor, model_type, example.frame, n_tokens, thw)
        return () if grid is None else grid.under(example.box)

    def _of_tower(
        self, patches: Tensor | None, batch: dict[str, Tensor], examples: Sequence[Example]
    ) -> tuple[Tensor, Tensor]:
        """The means over the tower's patches `[example, position, width]`, and where there are any."""
        thw = batch.get(POSITIONS)
        is_tiled = self._prompter.model_type in TILED
        views = None if patches is None or is_tiled else _views(patches, len(examples), thw)
        if views is None:
            shape = (len(examples), len(self.vision))
            return torch.zeros(*shape, 1), torch.zeros(shape, dtype=torch.bool)
        rows, there = [], []
        for k, (view, example) in enumerate(zip(views, examples, strict=True)):
            rows_cols = None if thw is None else (int(thw[k, 1]), int(thw[k, 2]))
            under = list(self._patches_under(len(view), rows_cols, example)) if "vision-object" in self.vision else []
            picked = [(view if name == "vision" else view[under]).float() for name in self.vision]
            rows.append(torch.stack([part.mean(dim=0) if len(part) else part.sum(dim=0) for part in picked]))
            there.append([len(part) > 0 for part in picked])
        return torch.stack(rows), torch.tensor(there)

    def _patches_under(self, n: int, shape: tuple[int, int] | None, example: Example) -> tuple[int, ...]:
        """Which of an image's patches the object's box covers; none where their order isn't known."""
        model_type, whole = self._prompter.model_type, Box(0, 0, example.frame.width_px, example.frame.height_px)
        if shape is not None:
            grid = TokenGrid(*shape, 0, whole)
            is_known = model_type in ("qwen2_vl", "qwen3_vl")  # Qwen2.5's are in the order of its windows
            return tuple(_merged(slot, shape[1]) for slot in grid.under(example.box)) if is_known else ()
        side = isqrt(n)
        if model_type not in KNOWN or side * side != n:
            return ()
        seen = seen_part(self.loaded.processor.image_processor, example.frame) if model_type == "llava" else whole
        return TokenGrid(side, side, 0, seen).under(example.box)

    def _note_missing(self, there: dict[str, Tensor]) -> None:
        for part, names in (("language", self.language), ("vision", self.vision)):
            for p, name in enumerate(names):
                if not there[part][:, p].any():
                    self.missing[name] = self._reason(name)

    def _reason(self, name: str) -> str:
        kind = type(plain(self.loaded.model)).__name__
        if name == "second":
            return "it is there for questions whose answer is an area, said in words of their own"
        if name == "object":
            return f"where the image's tokens of a {kind} lie is not known, or no object is seen"
        if name == "vision-object":
            return f"where the vision tower's patches of a {kind} lie is not known, or a picture goes in tiles"
        return f"what the vision tower of a {kind} gives can't be told apart by picture: a picture goes in tiles"


def image_tokens(loaded: LoadedModel, ids: Tensor) -> Tensor:
    """Where patches of an image stand among tokens, of the same shape."""
    image = image_id(loaded.processor, loaded.model.config)
    return torch.zeros_like(ids, dtype=torch.bool) if image is None else torch.eq(ids, image)


def _first_word(example: Example) -> str:
    return example.question.answer.split()[0]


def _views(patches: Tensor, n_examples: int, thw: Tensor | None) -> Sequence[Tensor] | None:
    """The patches `[patch, width]` of each example; None where they can't be told apart."""
    if thw is not None and patches.ndim == 2:
        sizes = thw.prod(dim=1).tolist()
        return torch.split(patches, sizes) if sum(sizes) == len(patches) else None
    return list(patches) if patches.ndim == 3 and len(patches) == n_examples else None


def _merged(slot: int, cols: int) -> int:
    """Where a patch stands among Qwen's, of which four neighbours follow one another."""
    row, col = divmod(slot, cols)
    return (row // 2 * (cols // 2) + col // 2) * 4 + row % 2 * 2 + col % 2
