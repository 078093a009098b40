"""Changing a model's states while it runs: taking directions out of them, adding to them, pushing them anywhere."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evensight.annotations import AREAS
from evensight.models.image_embeddings import plain
from evensight.models.loading import LoadedModel
from evensight.probing.layout import Site
from evensight.probing.reading import image_tokens
from evensight.probing.taps import tap

Edit = Callable[[Tensor, Tensor], Tensor]
"""Gets states `[token, hidden]` in float32 and which example each is of; gives what stands in their place."""


@contextmanager
def editing(loaded: LoadedModel, site: Site, edit: Edit) -> Iterator[None]:
    """Changes a model's states at a site while the block runs, where prompts with their images go through it.

    Args:
        loaded: The model.
        site: The position, of `CHANGED`, and the state.
        edit: What becomes of the states.
    """
    places: list[Tensor | None] = [None]

    def find(_module: nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found = image_tokens(loaded, kwargs["input_ids"])
        if site.position == "last" and found.any():
            found = torch.zeros_like(found)
            found[:, -1] = True
        places[0] = found if found.any() else None  # an answer's tokens behind a cached prompt

    def change(hidden: Tensor) -> Tensor | None:
        if places[0] is None:
            return None
        changed = hidden.clone()
        rows = places[0].nonzero()[:, 0]
        changed[places[0]] = edit(hidden[places[0]].float(), rows).to(hidden.dtype)
        return changed

    with ExitStack() as stack:
        stack.callback(plain(loaded.model).register_forward_pre_hook(find, with_kwargs=True).remove)
        stack.callback(tap(loaded.model, site.state, change))
        yield


@dataclass(frozen=True, eq=False)
class Directions:
    """Where areas differ in a state.

    Attributes:
        basis: An orthonormal basis of the differences between the areas' means, `[hidden, direction]`.
        mean: The mean of the means, `[hidden]`.
        means: The areas' mean states, `[area, hidden]`.
    """

    basis: NDArray[np.float64]
    mean: NDArray[np.float64]
    means: NDArray[np.float64]

    def shift(self, source: int, target: int) -> NDArray[np.float64]:
        """What takes the mean state of one area to another's."""
        moved: NDArray[np.float64] = self.means[target] - self.means[source]
        return moved


def directions(features: NDArray[np.float32], areas: NDArray[np.int64]) -> Directions:
    """The directions in which areas differ in states `[example, hidden]`; an area without any has the mean."""
    overall = features.mean(axis=0, dtype=np.float64)
    known = np.isin(range(len(AREAS)), areas)
    means = np.stack(
        [features[areas == k].mean(axis=0, dtype=np.float64) if known[k] else overall for k in range(len(AREAS))]
    )
    mean = means[known].mean(axis=0)
    _, sizes, rows = np.linalg.svd(means[known] - mean, full_matrices=False)
    return Directions(rows[sizes > 1e-6 * sizes[0]].T, mean, means)


def removal(found: Directions) -> Edit:
    """Replaces a state's part in the span of the directions by the mean state's."""
    basis, mean = _tensor(found.basis), _tensor(found.mean)

    def edit(states: Tensor, _rows: Tensor) -> Tensor:
        on = basis.to(states.device)
        return states - (states - mean.to(states.device)) @ on @ on.T

    return edit


def addition(vectors: NDArray[np.float64]) -> Edit:
    """Adds a vector to the states of each example, `[example, hidden]`."""
    added = _tensor(vectors)
    return lambda states, rows: states + added.to(states.device)[rows]


def random_like(edit: Edit, n_hidden: int, rng: np.random.Generator) -> Edit:
    """An edit that moves each state as far as another does, along one direction drawn at random."""
    drawn = rng.normal(size=n_hidden)
    unit = _tensor(drawn / np.linalg.norm(drawn))

    def moved(states: Tensor, rows: Tensor) -> Tensor:
        sizes = torch.linalg.vector_norm(edit(states, rows) - states, dim=1, keepdim=True)
        pushed: Tensor = states + sizes * unit.to(states.device)
        return pushed

    return moved


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
