"""Drawing some of the selected objects: as many as wanted, or equally many of each area.

What is drawn is a function of the seed and the objects' ids: each object has a number drawn for it alone, and of
every group those with the smallest numbers are taken. So an object that can't be used after all (its photograph is
broken) is replaced by the next one, and all others stay.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.randomness import mix

Balance = Literal["area", "area-category"]


class Draw(BaseModel):
    """How many of the selected objects are taken.

    Attributes:
        n: So many in all; all of them, if nothing is said.
        like: As many as the design of scenes of this name has (the matched setting).
        balance: `area`: equally many of each area; `area-category`: equally many of each area for each category that
            is in all areas, the other categories being left out.
        per_area: So many of each area; as many as there are of the rarest, if nothing is said.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int | None = Field(None, ge=1)
    like: str | None = None
    balance: Balance | None = None
    per_area: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _is_one(self) -> "Draw":
        if sum(value is not None for value in (self.n, self.like, self.balance)) > 1:
            raise ValueError(
                "`n`, `like` (the matched setting) and `balance` exclude one another: a set has one size"
            )
        if self.per_area is not None and self.balance != "area":
            raise ValueError("`per_area` goes with `balance: area`")
        return self


def drawn(draw: Draw, areas: Sequence[int], categories: Sequence[str], ids: Sequence[int], seed: int) -> list[int]:
    """The places of the objects that are taken, in order.

    Args:
        draw: How many; `like` has become an `n` before.
        areas: Each object's area, as an index into `AREAS`.
        categories: Each object's category.
        ids: Each object's id.
        seed: Draws them.

    Raises:
        InputError: There are fewer objects than that.
    """
    if draw.like is not None:
        raise ValueError("`like` names a design: its number of scenes is put in `n` by who knows designs")
    tickets = {k: (mix(seed, "photographs", object_id), object_id) for k, object_id in enumerate(ids)}
    if draw.balance == "area-category":
        return _by_area_and_category(areas, categories, tickets)
    if draw.balance == "area":
        return _by_area(draw.per_area, areas, tickets)
    n = len(tickets) if draw.n is None else draw.n
    if n > len(tickets):
        raise InputError(
            f"`{n:,}` photographs' objects are asked for, and there are {len(tickets):,}: take at most as many, "
            "or loosen the rules"
        )
    return sorted(_first(n, range(len(areas)), tickets))


def available(areas: Sequence[int], kinds: Sequence[Hashable]) -> dict[Hashable, tuple[int, ...]]:
    """How many objects of each kind there are in each area, kinds in order: what a balanced set can be drawn from."""
    counts: dict[Hashable, list[int]] = defaultdict(lambda: [0] * len(AREAS))
    for area, kind in zip(areas, kinds, strict=True):
        counts[kind][area] += 1
    return {kind: tuple(counts[kind]) for kind in sorted(counts, key=repr)}


_Tickets = dict[int, tuple[int, int]]


def _first(n: int, members: Sequence[int], tickets: _Tickets) -> list[int]:
    return sorted(members, key=tickets.__getitem__)[:n]


def _by_area(per_area: int | None, areas: Sequence[int], tickets: _Tickets) -> list[int]:
    members = _grouped(areas)
    rarest = min(range(len(AREAS)), key=lambda area: len(members.get(area, ())))
    most = len(members.get(rarest, ()))
    n = most if per_area is None else per_area
    if n > most or n == 0:
        raise InputError(
            f"`{n:,}` objects of each area are asked for, and `{AREAS[rarest]}` has {most:,}: take at most as many, "
            "or loosen the rules"
            if per_area is not None
            else f"no balanced set can be drawn: `{AREAS[rarest]}` has no object; loosen the rules"
        )
    return sorted(k for area in members for k in _first(n, members[area], tickets))


def _by_area_and_category(areas: Sequence[int], categories: Sequence[str], tickets: _Tickets) -> list[int]:
    members = _grouped(list(zip(categories, areas, strict=True)))
    taken: list[int] = []
    for category in dict.fromkeys(categories):
        n = min(len(members.get((category, area), ())) for area in range(len(AREAS)))
        for area in range(len(AREAS)):
            taken += _first(n, members.get((category, area), ()), tickets)
    if not taken:
        raise InputError(
            "no category has an object in each of the nine areas: balance the areas alone (`balance: area`), "
            "or loosen the rules"
        )
    return sorted(taken)


def _grouped(kinds: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for k, kind in enumerate(kinds):
        groups[kind].append(k)
    return groups
