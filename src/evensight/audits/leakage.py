"""What two sets share: a test says nothing new of what training has already shown.

Compared are the pictures (by their pixels), the combinations of all factors with the cell, and the values of each
factor and pair of factors, so that a split by held-out combinations shows as one: every value in both sets, and
pairs that never are. A picture in both sets is a fault; a shared combination is counted, for a split by something
else may mean to share it.
"""

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from evensight.annotations import Box, Frame
from evensight.audits.columns import AuditTable
from evensight.audits.pixels import Pictures
from evensight.datasets.examples import Example, ExampleSet
from evensight.pictures.decoding import pixel_hash
from evensight.progress import track

MOST_LISTED = 60
"""Values that are listed by name; of more than that only the numbers are said."""

_Layout = tuple[Frame, frozenset[Box]]


@dataclass(frozen=True, slots=True)
class Shared:
    """Which values of a factor, or of a pair of factors, two sets share.

    Attributes:
        factors: The factor, or the two.
        n_both: How many values occur in both sets.
        n_first: How many occur in the first alone.
        n_second: How many occur in the second alone.
        both: The values in both, each with one value a factor, unless there are too many to list.
        first: The values in the first alone.
        second: The values in the second alone.
    """

    factors: tuple[str, ...]
    n_both: int
    n_first: int
    n_second: int
    both: tuple[tuple[str, ...], ...]
    first: tuple[tuple[str, ...], ...]
    second: tuple[tuple[str, ...], ...]

    @property
    def is_held_out(self) -> bool:
        """Whether no value of the second set is in the first."""
        return self.n_both == 0


@dataclass(frozen=True, slots=True)
class Leakage:
    """What the second set has that the first has too.

    Attributes:
        first: The first set's name (what was trained on).
        second: The second's (what is tested on).
        n_second: How many rows the second has.
        n_same_picture: How many of them have a picture of the first; none where pictures were not looked at.
        same_picture: The first few of these: the id in the first set, and in the second.
        combined: The factors of which combinations are compared, the cell among them.
        n_same_combination: How many rows of the second have a combination that is in the first too.
        shared: The values of each factor and of each pair of factors.
    """

    first: str
    second: str
    n_second: int
    n_same_picture: int | None
    same_picture: tuple[tuple[str, str], ...]
    combined: tuple[str, ...]
    n_same_combination: int
    shared: tuple[Shared, ...]

    @property
    def ok(self) -> bool:
        """Whether no picture is in both."""
        return not self.n_same_picture

    @property
    def held_out(self) -> tuple[Shared, ...]:
        """What of the second set never occurs in the first: factors and pairs of factors, pairs of these left out."""
        alone = [shared for shared in self.shared if len(shared.factors) == 1 and shared.is_held_out]
        names = {shared.factors[0] for shared in alone}
        pairs = [shared for shared in self.shared if len(shared.factors) == 2 and shared.is_held_out]
        return (*alone, *(shared for shared in pairs if not names & set(shared.factors)))

    def as_json(self) -> dict[str, Any]:
        """The leakage as JSON."""
        return {**asdict(self), "held_out": [list(shared.factors) for shared in self.held_out], "ok": self.ok}


def leakage(
    first: AuditTable,
    second: AuditTable,
    pictures: tuple[Pictures, Pictures] | None = None,
) -> Leakage:
    """Compares two sets.

    Args:
        first: The set that is trained on, or that comes first.
        second: The set that is tested on.
        pictures: What `audits.pixels.look_at` saw of each; without it pictures are not compared.
    """
    same = _same_pictures(first, second, pictures) if pictures else None
    common = tuple(name for name in first.factors if name in second.factors)
    placed = "cell" in first.columns and "cell" in second.columns and "cell" not in common
    combined = (*common, "cell") if placed else common
    known = set(_rows(first, combined))
    return Leakage(
        first.name,
        second.name,
        len(second),
        None if same is None else len(same),
        tuple(same or ())[:20],
        combined,
        sum(row in known for row in _rows(second, combined)) if combined else 0,
        tuple(_shared(first, second, names) for n in (1, 2) for names in combinations(combined, n)),
    )


def shared_pictures(first: ExampleSet, second: ExampleSet) -> list[str]:
    """The ids of the second set's examples whose picture is in the first as well, pixel by pixel.

    Only pictures of one size with their objects in the same places can be the same; no other is read.
    """
    layouts, others = [_layout(example) for example in first], [_layout(example) for example in second]
    known = set(_hashes(first, layouts, set(others)).values())
    return [second[k].id for k, key in _hashes(second, others, set(layouts)).items() if key in known]


def _hashes(examples: ExampleSet, layouts: Sequence[_Layout], wanted: Set[_Layout]) -> dict[int, bytes]:
    """The `pixel_hash` of those pictures whose layout is wanted, by their index."""
    chosen = [k for k, layout in enumerate(layouts) if layout in wanted]
    label = f"comparing the pictures of {examples.info.name}"
    return {k: pixel_hash(examples.image(k)) for k in track(chosen, label, len(chosen), "pictures")}


def _layout(example: Example) -> _Layout:
    return example.frame, frozenset((example.box, *(other.box for other in example.others)))


def leakages(tables: Sequence[AuditTable], pictures: Sequence[Pictures | None]) -> list[Leakage]:
    """Compares each set with those before it; pictures only where both sets' were looked at."""
    looked = list(zip(tables, pictures, strict=True))
    return [
        leakage(first, second, (seen, also) if seen is not None and also is not None else None)
        for (first, seen), (second, also) in combinations(looked, 2)
    ]


def _same_pictures(
    first: AuditTable, second: AuditTable, pictures: tuple[Pictures, Pictures]
) -> list[tuple[str, str]]:
    known = {key: name for key, name in zip(pictures[0].hashes, first.ids, strict=True) if key is not None}
    pairs = zip(pictures[1].hashes, second.ids, strict=True)
    return [(known[key], name) for key, name in pairs if key is not None and key in known]


def _rows(table: AuditTable, names: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(table.columns[name].values for name in names), strict=True))


def _shared(first: AuditTable, second: AuditTable, names: tuple[str, ...]) -> Shared:
    mine, theirs = set(_rows(first, names)), set(_rows(second, names))
    parts = [sorted(part) for part in (mine & theirs, mine - theirs, theirs - mine)]
    n_both, n_first, n_second = map(len, parts)
    both, alone_first, alone_second = (tuple(part) if len(part) <= MOST_LISTED else () for part in parts)
    return Shared(names, n_both, n_first, n_second, both, alone_first, alone_second)
