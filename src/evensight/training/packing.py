"""Several questions about one picture in one sequence, so that the picture is computed once for all of them.

A sequence opens with what stands before every question, the image's tokens among it. Then come the branches, each a
prompt and its answer. A branch sees the opening and itself, and its positions go on from the opening's: so it is, to
the rounding, what it would be in a sequence of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from evensight.models.prompts import IGNORED, Prompter
from evensight.training.lessons import Lesson

_MARK = "evensight"
_OPENING, _PADDING = 0, -1


@dataclass(frozen=True, slots=True)
class Branch:
    """One prompt, without the opening, and its answer with the end of the turn, as tokens."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True)
class Packer:
    """Makes batches of lessons for a model whose prompt is the opening, the question and the end of the turn.

    Attributes:
        prompter: The model's, whose chat template has the image before the question.
    """

    prompter: Prompter

    def __call__(self, lessons: Sequence[Lesson]) -> dict[str, Tensor]:
        """The lessons' sequences.

        Returns:
            `input_ids`, `position_ids` and `labels` `[lesson, token]`, `attention_mask` `[lesson, 1, token, token]`
            in the form that is added to the attention's scores, and `pixel_values`.
        """
        rows = [self._row(lesson) for lesson in lessons]
        longest = max(len(row) for row in rows)
        filled = [row + [(self.prompter.pad_id, IGNORED, 0, _PADDING)] * (longest - len(row)) for row in rows]
        ids, labels, positions, branches = torch.tensor(filled).unbind(dim=2)
        images = [Image.fromarray(lesson.pixels()) for lesson in lessons]
        pixels = self.prompter.processor.image_processor(images, return_tensors="pt")["pixel_values"]
        return {
            "input_ids": ids,
            "position_ids": positions,
            "labels": labels,
            "attention_mask": _mask(branches),
            "pixel_values": pixels,
        }

    def _row(self, lesson: Lesson) -> list[tuple[int, int, int, int]]:
        """A lesson's tokens, each with its label, its position and the number of its branch."""
        opening = self.opening
        row = [(id_, IGNORED, k, _OPENING) for k, id_ in enumerate(opening)]
        for number, branch in enumerate(self.branches(lesson), start=1):
            labels = (IGNORED,) * len(branch.prompt) + branch.answer
            for k, (id_, label) in enumerate(zip(branch.prompt + branch.answer, labels, strict=True)):
                row.append((id_, label, len(opening) + k, number))
        return row

    def branches(self, lesson: Lesson) -> list[Branch]:
        """What is said in a lesson: its questions as in a chat, and each object's place right behind its name."""
        closing = self._frame[1]
        asked = [Branch((*self._ids(text), *closing), self._answer(answer)) for text, answer in lesson.asked]
        return asked + [Branch(self._ids(f" {name}"), self._answer(area)) for name, area in lesson.told]

    @property
    def opening(self) -> tuple[int, ...]:
        """The tokens before every question, the image's among them."""
        return self._frame[0]

    @cached_property
    def _frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tokens before a question and those behind it."""
        black = Image.new("RGB", (64, 64))
        whole = self.prompter.encode([black], [_MARK])["input_ids"][0].tolist()
        mark = list(self._ids(_MARK))
        start = next(k for k in range(len(whole)) if whole[k : k + len(mark)] == mark)
        return tuple(whole[:start]), tuple(whole[start + len(mark) :])

    def _answer(self, answer: str) -> tuple[int, ...]:
        return tuple(self.prompter.answer_ids(answer))

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.prompter.processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def _mask(branches: Tensor) -> Tensor:
    """What each token sees, 0 there and the lowest number elsewhere: `[row, 1, token, token]` of `[row, token]`."""
    n = branches.shape[1]
    is_seen = (branches[:, :, None] == branches[:, None, :]) | (branches[:, None, :] == _OPENING)
    is_seen &= torch.ones(n, n, dtype=torch.bool).tril()
    mask = torch.zeros(is_seen.shape).masked_fill(~is_seen, torch.finfo(torch.float32).min)
    return mask[:, None]
