"""What a patch shows, learned before anything is said: the embedded model's first stage.

Of each object the patch that its middle is in is drawn to the embeddings of the words for its colour, its shape and
its area, away from the other words of the kind: cosine cross-entropy, through the tower and the projector. Language
that is trained after that finds the objects under the words that it is asked with; without it the same model stays at
naming any object that fits half of a description.

Places are taught where they are usual (`lessons.USUAL`), at the edge hardly: the words for the areas, and the row and
the column, which two linear layers read that are thrown away after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from evensight.annotations import AREAS, PAPER_GRID
from evensight.scenes.factors import COLORS, PAPER_SHAPES, SIZES
from evensight.scenes.render import SceneObject
from evensight.training.lessons import USUAL, Lesson

_SHARPNESS = 16.0
"""By what cosines are multiplied before the softmax."""
WORDS: dict[str, tuple[str, ...]] = {
    "color": tuple(COLORS),
    "shape": PAPER_SHAPES,
    "size": tuple(SIZES),
    "area": AREAS,
}
"""What is seen of an object, and the words for it."""
_LEADS = {"color": (" ", ""), "shape": (" ", ""), "size": (" ", ""), "area": ("",)}
"""What stands before a word: a space in a question, nothing where an answer begins with it. Both are tokens."""


@dataclass(frozen=True)
class SeenPatches:
    """Makes batches of pictures, with the patch and the words of each object.

    Attributes:
        processor: The model's, which scales the whole picture to a square.
        n_patches: How many patches a row has.
    """

    processor: Any
    n_patches: int

    def __call__(self, lessons: Sequence[Lesson]) -> dict[str, Tensor]:
        """The batch.

        Returns:
            `pixel_values`, and for all objects of all pictures, each `[object]`: `picture`, `patch`, `row` and
            `col` of the cell, `placed`, how often photographs have their main object there, and `color`, `shape`,
            `size` and `area`, as places among `WORDS`.
        """
        images = [Image.fromarray(lesson.pixels()) for lesson in lessons]
        pixels = self.processor.image_processor(images, return_tensors="pt")["pixel_values"]
        seen = [(k, *self._seen(thing)) for k, lesson in enumerate(lessons) for thing in lesson.scene.objects]
        names = ("picture", "patch", "row", "col", "placed", *WORDS)
        return {"pixel_values": pixels, **dict(zip(names, torch.tensor(seen).unbind(dim=1), strict=True))}

    def _seen(self, thing: SceneObject) -> tuple[int, ...]:
        row, col = thing.cell.row, thing.cell.col
        down, across = (int((place + 0.5) / 9 * self.n_patches) for place in (row, col))
        values = {
            "color": str(thing.color),
            "shape": thing.name,
            "size": str(thing.size),
            "area": PAPER_GRID.area_of(thing.cell),
        }
        words = (WORDS[kind].index(values[kind]) for kind in WORDS)
        return down * self.n_patches + across, row, col, USUAL.counts[row][col], *words


class Seeing(nn.Module):
    """The first stage as a model of its own, whose loss is how far patches are from their words."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """Wraps a LLaVA, whose tower, projector and embeddings are trained."""
        super().__init__()
        self.model = model
        self.places = nn.Linear(model.config.text_config.hidden_size, PAPER_GRID.rows + PAPER_GRID.cols)
        self._ids = {(kind, lead): _ids(tokenizer, kind, lead) for kind in WORDS for lead in _LEADS[kind]}

    @override
    def forward(self, pixel_values: Tensor, picture: Tensor, patch: Tensor, **seen: Tensor) -> dict[str, Tensor]:
        """The loss: for each form of each kind of word a mean over objects, by `placed` for what tells a place."""
        features = torch.stack(list(self.model.model.get_image_features(pixel_values=pixel_values).pooler_output))
        shown = features[picture, patch]
        weights = seen["placed"] / seen["placed"].sum().clamp(min=1)
        loss = (self._place_losses(shown, seen["row"], seen["col"]) * weights).sum()
        shown = _SHARPNESS * functional.normalize(shown, dim=-1)
        for kind, lead in self._ids:
            losses = functional.cross_entropy(shown @ self._directions(kind, lead).T, seen[kind], reduction="none")
            loss = loss + ((losses * weights).sum() if kind == "area" else losses.mean())
        return {"loss": loss}

    def _place_losses(self, shown: Tensor, row: Tensor, col: Tensor) -> Tensor:
        rows, cols = self.places(shown).split((PAPER_GRID.rows, PAPER_GRID.cols), dim=-1)
        of_row, of_col = (functional.cross_entropy(*each, reduction="none") for each in ((rows, row), (cols, col)))
        return of_row + of_col

    def _directions(self, kind: str, lead: str) -> Tensor:
        """The words' directions `[word, hidden]`; several tokens are added up."""
        embeddings = self.model.get_input_embeddings().weight
        added = torch.stack([embeddings[ids].sum(dim=0) for ids in self._ids[kind, lead]])
        return functional.normalize(added, dim=-1)


def _ids(tokenizer: Any, kind: str, lead: str) -> list[list[int]]:
    """The tokens of a kind's words behind a lead."""
    return [tokenizer(f"{lead}{word}", add_special_tokens=False)["input_ids"] for word in WORDS[kind]]
