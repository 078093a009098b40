"""Where things usually are: what one can guess of an object's area without looking at the picture.

A prior is learned on the objects of training photographs: how often they are in each area, all together, by category
and by the size of their box. Its guesses are the baselines beside a score on photographs: what a model adds is what
it reaches above them. All is counted in whole numbers, so a guess never hangs on rounding.

A guess from the box's size knows something that the question doesn't say; it shows what size alone gives away.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.runs import one_line

ALWAYS_CENTER = "always center"
MOST_FREQUENT = "most frequent area"
CATEGORY = "category prior"
CATEGORY_LEVELLED = "category prior, areas levelled"
BOX_SIZE = "box-size prior"
BASELINES: Mapping[str, str] = MappingProxyType(
    {
        ALWAYS_CENTER: "says center, whatever is asked",
        MOST_FREQUENT: "says the area that most objects of the training photographs are in",
        CATEGORY: "says the area that most objects of the category are in, in the training photographs",
        CATEGORY_LEVELLED: (
            "says the area in which the category has the largest share of the objects: the best guess where areas "
            "count equally"
        ),
        BOX_SIZE: "says the area that most objects with a box of about this size are in; no question tells it",
    }
)
"""The baselines by name, and what each does."""
N_BOX_SHARES = 8
"""So many bins of sizes, with equally many training objects each."""
SMOOTHING = 10
"""An area's share of a category is drawn to the category's share of all objects as if it had so many objects more."""

Counts = tuple[int, ...]
"""How many objects are in each area, in the order of `AREAS`."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Where the objects of training photographs are.

    Attributes:
        source: What it was learned on ("train2017").
        overall: The objects in each area.
        categories: The same for each category.
        box_share_edges: Where one bin of sizes ends and the next begins: shares of the picture that a box takes up.
        box_shares: The objects in each area, for each of the bins.
    """

    source: str
    overall: Counts
    categories: Mapping[str, Counts]
    box_share_edges: tuple[float, ...]
    box_shares: tuple[Counts, ...]
    _guess_of: dict[str, tuple[str, str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        tables = (self.overall, *self.categories.values(), *self.box_shares)
        if any(len(counts) != len(AREAS) or any(n < 0 for n in counts) for counts in tables):
            raise ValueError(f"a count of objects, 0 or more, is expected for each of the {len(AREAS)} areas")
        if not sum(self.overall):
            raise ValueError("a prior is learned on one object at least, got none")
        if any(by_area != self.overall for by_area in map(_sums, (self.categories.values(), self.box_shares))):
            raise ValueError("the objects by category and by size are those of all areas, the counts differ")
        if len(self.box_shares) != len(self.box_share_edges) + 1 or any(
            not low < high for low, high in pairwise(self.box_share_edges)
        ):
            raise ValueError("the bins of sizes have rising edges, one less than there are bins")
        object.__setattr__(self, "categories", MappingProxyType(dict(self.categories)))

    def guesses(self, category: str, box_share: float) -> Mapping[str, str]:
        """What each baseline answers, by its name; all but the box-size prior know only the question.

        Args:
            category: What is asked for; one that was never seen gets the most frequent area.
            box_share: The share of the picture that its box takes up (`Box.share_of`).
        """
        if category not in self._guess_of:
            counts = self.categories.get(category, (0,) * len(AREAS))
            self._guess_of[category] = (self._most(counts), self._most_of_its_area(counts))
        usual, levelled = self._guess_of[category]
        return {
            ALWAYS_CENTER: "center",
            MOST_FREQUENT: self._most(self.overall),
            CATEGORY: usual,
            CATEGORY_LEVELLED: levelled,
            BOX_SIZE: self._most(self.box_shares[bisect_right(self.box_share_edges, box_share)]),
        }

    def _most(self, counts: Counts) -> str:
        """The area with most objects, drawn to where all objects are by the weight of one object.

        So of equals the one that is more frequent overall comes first, and then the one that is read first.
        """
        total = sum(self.overall)
        return _first_largest([n * total + of_all for n, of_all in zip(counts, self.overall, strict=True)])

    def _most_of_its_area(self, counts: Counts) -> str:
        """The area in which the category has the largest share of the objects.

        As P(area | category) / P(area) = P(category | area) / P(category), this is the best guess when areas count
        equally. The share is smoothed, for an area with three objects tells little; of equals as in `_most`.
        """
        total, n_category = sum(self.overall), sum(counts)
        shares = [
            Fraction(n * total + SMOOTHING * n_category, total * (of_area + SMOOTHING))
            for n, of_area in zip(counts, self.overall, strict=True)
        ]
        return _first_largest(list(zip(shares, self.overall, strict=True)))

    def as_json(self) -> dict[str, Any]:
        """The prior as JSON, for a set's manifest."""
        return {
            "source": self.source,
            "areas": list(AREAS),
            "overall": list(self.overall),
            "categories": {name: list(counts) for name, counts in self.categories.items()},
            "box_share_edges": list(self.box_share_edges),
            "box_shares": [list(counts) for counts in self.box_shares],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Prior":
        """The prior that `as_json` wrote.

        Raises:
            InputError: It is damaged.
        """
        try:
            _check_areas(value["areas"])
            return cls(
                str(value["source"]),
                _counts(value["overall"]),
                {str(name): _counts(counts) for name, counts in value["categories"].items()},
                tuple(float(edge) for edge in value["box_share_edges"]),
                tuple(_counts(counts) for counts in value["box_shares"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the `prior` in a set's manifest is damaged ({type(error).__name__}: {one_line(error)}): "
                "make the set again"
            ) from error


def learn(categories: Sequence[str], box_shares: Sequence[float], areas: Sequence[str], source: str) -> Prior:
    """The prior of training objects.

    Args:
        categories: Each object's category.
        box_shares: The share of its picture that its box takes up (`Box.share_of`).
        areas: The area that it is in.
        source: What they are the objects of.

    Raises:
        InputError: There are none.
        ValueError: The three aren't as many, an area isn't one, or a share is no number.
    """
    if not len(categories) == len(box_shares) == len(areas):
        raise ValueError(f"each object has all three, got {len(categories)}, {len(box_shares)} and {len(areas)}")
    if not categories:
        raise InputError(f"`{source}` has no objects to learn a prior on: expected one at least")
    number = [AREAS.index(area) for area in areas]
    if not np.isfinite(box_shares).all():
        raise ValueError("a box takes up a share of its picture that is a number")
    edges = _edges(box_shares)
    by_category: dict[str, list[int]] = {name: [0] * len(AREAS) for name in sorted(set(categories))}
    by_share = [[0] * len(AREAS) for _ in range(len(edges) + 1)]
    for category, share, area in zip(categories, box_shares, number, strict=True):
        by_category[category][area] += 1
        by_share[bisect_right(edges, share)][area] += 1
    return Prior(
        source,
        _sums(by_share),
        {name: tuple(counts) for name, counts in by_category.items()},
        edges,
        tuple(map(tuple, by_share)),
    )


def _edges(shares: Sequence[float]) -> tuple[float, ...]:
    """Where the bins begin, so that equally many objects are in each; where many are alike there are fewer bins."""
    ordered = sorted(float(share) for share in shares)
    starts = {ordered[len(ordered) * k // N_BOX_SHARES] for k in range(1, N_BOX_SHARES)}
    return tuple(sorted(starts - {ordered[0]}))


def _first_largest(values: Sequence[Any]) -> str:
    return AREAS[max(range(len(AREAS)), key=values.__getitem__)]


def _sums(tables: Any) -> Counts:
    return tuple(map(sum, zip(*tables, strict=True)))


def _check_areas(names: Sequence[Any]) -> None:
    if tuple(names) != AREAS:
        raise ValueError(f"the areas are {', '.join(AREAS)}, got {names}")


def _counts(values: Sequence[Any]) -> Counts:
    if any(type(n) is not int for n in values):
        raise ValueError(f"counts are whole numbers, got {values}")
    return tuple(values)
