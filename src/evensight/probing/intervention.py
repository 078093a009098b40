"""Does the model use what a probe reads? States are changed along the place's directions, and answers scored anew.

The directions are those between the areas' mean states at a position of a layer. Where all classes have one mean,
no linear probe reads them (Belrose et al. 2023, theorem 3.1), so they are all that any such probe goes by. Two
changes. *Remove*: a state's part in their span is replaced by the mean state's. *Shift*: the difference between two
areas' means is added, once or twice. Both are also made along directions drawn at random, as far as the first goes:
what these do, any push of that size does. The means are of other combinations than those that are asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evensight.annotations import AREAS
from evensight.datasets.examples import ExampleSet
from evensight.models.image_embeddings import plain
from evensight.models.loading import LoadedModel
from evensight.models.scoring import Scorer
from evensight.probing.activations import Activations, Site
from evensight.probing.intervals import mean_interval, sign_test
from evensight.probing.places import Places
from evensight.probing.reading import image_tokens
from evensight.probing.splits import splits
from evensight.probing.taps import tap
from evensight.randomness import mix, shuffled

CHANGED = ("last", "image")
"""The positions whose states are changed: the prompt's last token, or all of the image's."""
STRENGTHS = (1.0, 2.0)
N_RANDOM = 2

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


@dataclass(frozen=True, slots=True)
class Trial:
    """How many questions are asked with changed states, and how.

    Attributes:
        n: How many at most, of combinations that the directions don't come from.
        n_folds: Into how many folds the combinations are dealt.
        batch_size: How many are asked at a time.
    """

    n: int
    n_folds: int
    batch_size: int


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


@dataclass(frozen=True)
class Asked:
    """The questions whose answers are scored while a state is changed.

    Attributes:
        examples: The set.
        indices: Which of its examples.
        targets: For each of them, the area that a shift goes to.
        batch_size: How many are asked at a time.
    """

    examples: ExampleSet
    indices: tuple[int, ...]
    targets: NDArray[np.int64]
    batch_size: int

    def scores(
        self, loaded: LoadedModel, site: Site | None, edit: Callable[[slice], Edit] | None
    ) -> NDArray[np.float64]:
        """The log-likelihood of each area `[example, area]`; changed at a site by an edit for each slice of them."""
        scorer, found = Scorer(loaded), []
        for start in range(0, len(self.indices), self.batch_size):
            part = slice(start, start + self.batch_size)
            chosen = self.indices[part]
            given = [self.examples.image(k) for k in chosen], [self.examples[k].question.text for k in chosen]
            options = [AREAS] * len(chosen)
            if site is None or edit is None:
                found += scorer.scores(*given, options)
                continue
            with editing(loaded, site, edit(part)):
                found += scorer.scores(*given, options)
        return np.array(found)


def asked(examples: ExampleSet, places: Places, among: NDArray[np.int64], trial: Trial) -> Asked:
    """At most n of some examples, spread over areas, each with another area drawn for it."""
    areas = places.classes("area")
    asks_areas = [int(k) for k in among if examples[int(k)].question.answer in AREAS]
    order = shuffled(asks_areas, 0, "probe intervention")
    by_area = [[k for k in order if areas[k] == area] for area in range(len(AREAS))]
    spread = [k for of_each in zip_longest(*by_area) for k in of_each if k is not None]
    chosen = sorted(spread[: trial.n])
    steps = np.array([1 + mix(0, "probe shift", k) % 8 for k in chosen], dtype=np.int64)
    return Asked(examples, tuple(chosen), (areas[list(chosen)] + steps) % 9, trial.batch_size)


def intervene(
    loaded: LoadedModel,
    examples: ExampleSet,
    activations: Activations,
    places: Places,
    sites: Sequence[Site],
    trial: Trial,
) -> list[dict[str, Any]]:
    """A row for each site, change and direction: what the model says then.

    Args:
        loaded: The model.
        examples: The set.
        activations: Its states.
        places: Where its objects are.
        sites: Where states are changed; their positions are of `CHANGED`.
        trial: How many questions are asked, and how.
    """
    split = next(splits(places, trial.n_folds, 0))
    questions = asked(examples, places, split.test, trial)
    if not questions.indices:
        return []
    plain_scores = questions.scores(loaded, None, None)
    areas = places.classes("area")
    rows: list[dict[str, Any]] = []
    for site in sites:
        states = activations.at(site)[split.train]
        found = directions(states, areas[split.train])
        for kind, strength, edit in _changes(found, areas[list(questions.indices)], questions.targets):
            rows += _rows(loaded, questions, places, site, (kind, strength), edit, plain_scores)
    return rows


def _changes(
    found: Directions, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> Iterator[tuple[str, float, Callable[[slice], Edit]]]:
    yield "remove", 1.0, lambda _part: removal(found)
    moves = np.stack([found.shift(int(a), int(b)) for a, b in zip(sources, targets, strict=True)])
    for strength in STRENGTHS:
        yield "shift", strength, lambda part, strength=strength: addition(strength * moves[part])  # type: ignore[misc]


def _rows(
    loaded: LoadedModel,
    questions: Asked,
    places: Places,
    site: Site,
    change: tuple[str, float],
    edit: Callable[[slice], Edit],
    before: NDArray[np.float64],
) -> Iterator[dict[str, Any]]:
    n_hidden = int(loaded.model.config.get_text_config().hidden_size)
    by_place = questions.scores(loaded, site, edit)[None]
    drawn = []
    for k in range(N_RANDOM):
        seed = mix(k, "probe random direction", site.state)
        drawn.append(
            questions.scores(
                loaded,
                site,
                lambda part, seed=seed: random_like(edit(part), n_hidden, np.random.default_rng(seed)),  # type: ignore[misc]
            )
        )
    at_random = np.stack(drawn)
    chosen = list(questions.indices)
    groups, areas = places.combinations[chosen], places.classes("area")[chosen]
    hits = {name: _moved(scores, questions, change[0], before) for name, scores in _both(by_place, at_random)}
    p_value = sign_test(hits["place"].mean(axis=0)[None] - hits["random"].mean(axis=0)[None], groups, _rng())
    for name, scores in _both(by_place, at_random):
        yield {
            "position": site.position,
            "layer": site.state,
            "change": change[0],
            "strength": change[1],
            "direction": name,
            "n": len(chosen),
            **_figures(scores, before, areas, questions.targets, groups),
            "p_value": p_value if name == "place" else None,
        }


def _both(place: NDArray[np.float64], random: NDArray[np.float64]) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    return ("place", place), ("random", random)


def _moved(
    scores: NDArray[np.float64], questions: Asked, kind: str, before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a change is for, `[draw, example]`: a shift has the target said, a removal has another answer said."""
    said = scores.argmax(axis=2)
    hit = said == questions.targets if kind == "shift" else said != before.argmax(axis=1)
    return np.asarray(hit, dtype=np.float64)


def _figures(
    scores: NDArray[np.float64],
    before: NDArray[np.float64],
    areas: NDArray[np.int64],
    targets: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> dict[str, float]:
    """How often the answer is right, is another than before, is the target; and nats towards the target."""
    said, rows = scores.argmax(axis=2), np.arange(len(areas))
    gained = scores - before
    shares = {
        "accuracy": said == areas,
        "changed": said != before.argmax(axis=1),
        "target": said == targets,
        "target_nats": gained[:, rows, targets] - gained[:, rows, areas],
    }
    found: dict[str, float] = {"accuracy_before": float((before.argmax(axis=1) == areas).mean())}
    for name, values in shares.items():
        estimate = mean_interval(values, groups, _rng())
        found |= {name: estimate.estimate, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return found


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
