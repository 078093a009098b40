"""Any set of examples as a torch `Dataset`, drawn in the loader: nothing is stored, in any worker the same.

An item is a function of its index alone, so an index has the same pixels in every worker, epoch and process. A
shuffle is a keyed permutation and a shard every n-th of it: neither keeps a list, so a set of 10^12 scenes is
shuffled and shared out at once.

    dataset = SceneDataset(examples)
    for epoch in range(3):
        view = dataset.shuffled(epoch, seed=0).shard(rank, world_size)
        for batch in DataLoader(view, batch_size=64, num_workers=4, collate_fn=collate): ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset
from typing_extensions import override

from evensight.datasets.examples import ExampleSet
from evensight.randomness import Permutation, mix


class Item(TypedDict):
    """An example as a model is trained on it."""

    index: int
    id: str
    image: torch.Tensor
    task: str
    question: str
    options: list[str]
    answer: str


class Batch(TypedDict):
    """Some examples; `image` is one tensor where they are of one size, else a list."""

    index: torch.Tensor
    id: list[str]
    image: torch.Tensor | list[torch.Tensor]
    task: list[str]
    question: list[str]
    options: list[list[str]]
    answer: list[str]


class Order(Protocol):
    """Which example stands at which place."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class _Through:
    """An order's places, reordered."""

    order: Order
    places: Order

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> int:
        return self.order[self.places[place]]


class SceneDataset(Dataset[Item]):
    """The items of a set of examples, in some order."""

    def __init__(self, examples: ExampleSet, order: Order | None = None) -> None:
        """Wraps a set.

        Args:
            examples: The set.
            order: Which of its examples, in which order; all of them in theirs by default.
        """
        self._examples = examples
        self._order = range(len(examples)) if order is None else order

    def __len__(self) -> int:
        return len(self._order)

    @override
    def __getitem__(self, place: int) -> Item:
        """The item at a place; `image` is uint8 `[3, height, width]`.

        Raises:
            IndexError: There is no such place.
        """
        if not 0 <= place < len(self):  # so that iteration ends, and no index wraps around
            raise IndexError(f"the dataset has places 0 to {len(self) - 1}, got {place}")
        index = self._order[place]
        example = self._examples[index]
        pixels = np.array(self._examples.pixels(index), dtype=np.uint8)  # a copy: torch wants to write
        question = example.question
        return {
            "index": index,
            "id": example.id,
            "image": torch.from_numpy(pixels).permute(2, 0, 1).contiguous(),
            "task": question.task,
            "question": question.text,
            "options": list(question.options),
            "answer": question.answer,
        }

    def shuffled(self, epoch: int, seed: int) -> "SceneDataset":
        """The same items in an order that is a function of the seed and the epoch."""
        permutation = Permutation(len(self), mix(seed, "shuffle", epoch))
        return SceneDataset(self._examples, _Through(self._order, permutation))

    def shard(self, rank: int, world_size: int) -> "SceneDataset":
        """Every `world_size`-th item from the `rank`-th on, counted from 0: together the shards are the dataset.

        Raises:
            ValueError: There is no such shard.
        """
        if not 0 <= rank < world_size:
            raise ValueError(f"a shard of {world_size} is from 0 to {world_size - 1}, got {rank}")
        return SceneDataset(self._examples, _Through(self._order, range(rank, len(self), world_size)))


def collate(items: Sequence[Item]) -> Batch:
    """Some items as a batch: images stacked where they are of one size, texts in lists."""
    images = [item["image"] for item in items]
    one_size = len({image.shape for image in images}) == 1
    return {
        "index": torch.tensor([item["index"] for item in items]),
        "id": [item["id"] for item in items],
        "image": torch.stack(images) if one_size else images,
        "task": [item["task"] for item in items],
        "question": [item["question"] for item in items],
        "options": [item["options"] for item in items],
        "answer": [item["answer"] for item in items],
    }
