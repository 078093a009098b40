"""Does the model use what a probe reads? States are changed along the place's directions, and answers scored anew.

The directions are those between the areas' mean states at a position of a layer. Where all classes have one mean,
no linear probe reads them (Belrose et al. 2023, theorem 3.1), so they are all that any such probe goes by. Two
changes. *Remove*: a state's part in their span is replaced by the mean state's. *Shift*: the difference between two
areas' means is added, once or twice. Both are also made along directions drawn at random, as far as the first goes:
what these do, any push of that size does. The means are of other combinations than those that are asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS
from evensight.datasets.examples import ExampleSet
from evensight.models.loading import LoadedModel
from evensight.models.scoring import Scorer
from evensight.probing.activations import Activations
from evensight.probing.edits import Directions, Edit, addition, directions, editing, random_like, removal
from evensight.probing.intervals import mean_interval, sign_test
from evensight.probing.layout import Site
from evensight.probing.places import Places
from evensight.probing.splits import splits
from evensight.randomness import mix, shuffled

CHANGED = ("last", "image")
"""The positions whose states are changed: the prompt's last token, or all of the image's."""
STRENGTHS = (1.0, 2.0)
N_RANDOM = 2


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
