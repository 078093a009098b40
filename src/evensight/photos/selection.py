"""Which objects of the photographs are asked for, how certain each answer is, and what each rule leaves out.

The rules (`photos.rules`) are applied one after the other to all objects at once, in columns; what is left after
each is counted by area, so that a user sees what a rule does to the placing before any photograph is opened. Every
object is either selected or left out by exactly one rule.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Grid, Object
from evensight.coco.instances import CocoImage
from evensight.coco.reading import CocoSplit
from evensight.errors import InputError
from evensight.photos.measures import EDGE_PX, Mask, Measures
from evensight.photos.rules import PAPER_RULE, Rule

_CLOSE = 1e-9  # so much a share may be off by rounding

Areas = NDArray[np.int64]
"""An index into `AREAS` for each object."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is left after a rule.

    Attributes:
        rule: The rule, in words.
        n_left_out: How many objects it left out.
        by_area: How many are left in each area, in the order of `AREAS`.
    """

    rule: str
    n_left_out: int
    by_area: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many are left."""
        return sum(self.by_area)

    def as_json(self) -> dict[str, Any]:
        """The step as JSON."""
        return {"rule": self.rule, "n_left_out": self.n_left_out, "n": self.n, "by_area": list(self.by_area)}


@dataclass(frozen=True, eq=False)
class Selected:
    """The objects that are asked for, by image, then by category.

    Attributes:
        split: Where they are from.
        rows: Their places in the split's objects, `[object]`.
        areas: The area of each, as an index into `AREAS`.
        certainty: The share of each one's box that lies in its area, 0 to 1.
        steps: What each rule left, the first being all objects.
    """

    split: CocoSplit
    rows: NDArray[np.int64]
    areas: Areas
    certainty: NDArray[np.float64]
    steps: tuple[Step, ...]

    def __len__(self) -> int:
        return int(self.rows.size)

    @property
    def categories(self) -> tuple[str, ...]:
        """Each one's category."""
        codes = self.split.columns.category_codes[self.rows]
        return tuple(self.split.categories[code] for code in codes.tolist())

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Each one's id."""
        return tuple(self.split.columns.ids[self.rows].tolist())

    @property
    def by_area(self) -> tuple[int, ...]:
        """How many there are in each area."""
        return _by_area(self.areas)

    def as_json(self, asked: "Selected | None" = None) -> dict[str, Any]:
        """What each rule left, as JSON, and what is asked in the end: all of it, unless it is said otherwise."""
        left = [step.as_json() for step in self.steps]
        return {"steps": left, "asked": list((self if asked is None else asked).by_area)}

    def kept(self, keep: Sequence[int]) -> "Selected":
        """Those of the given places, in that order."""
        k = np.asarray(keep, dtype=np.int64)
        return Selected(self.split, self.rows[k], self.areas[k], self.certainty[k], self.steps)

    def annotation(self, k: int) -> Annotation:
        """The `k`-th of them alone, in the frame of its photograph."""
        thing = self.split.objects[int(self.rows[k])]
        return Annotation(self.split.images[thing.image_id].frame, (Object(thing.category, thing.box),))

    def photo(self, k: int) -> "Photo":
        """The `k`-th of them with its photograph."""
        row = int(self.rows[k])
        thing = self.split.objects[row]
        image = self.split.images[thing.image_id]
        start, end = np.searchsorted(self._by_image[0], [thing.image_id, thing.image_id + 1])
        beside = (self.split.objects[int(other)] for other in self._by_image[1][start:end] if other != row)
        return Photo(
            f"{self.split.name}-{image.id:012d}-{thing.id}",
            image.id,
            image.file,
            self.annotation(k),
            (
                *(Object(o.category, o.box, {"crowd": "yes"} if o.is_crowd else {}) for o in beside),
                *self._unplaced(image),
            ),
            float(self.certainty[k]),
        )

    def _unplaced(self, image: CocoImage) -> Iterator[Object]:
        """What is in a photograph, or may be there more often than it is listed, nobody knows where."""
        whole = Box(0, 0, image.frame.width_px, image.frame.height_px)
        return (Object(name, whole, {"unplaced": "yes"}) for name in self._uncounted.get(image.id, ()))

    @cached_property
    def _uncounted(self) -> dict[int, tuple[str, ...]]:
        """The categories of each image whose instances can't be counted."""
        names: dict[int, list[str]] = {}
        for image_id, name in sorted(self.split.uncounted):
            names.setdefault(image_id, []).append(name)
        return {image_id: tuple(listed) for image_id, listed in names.items()}

    @cached_property
    def image_ids(self) -> tuple[int, ...]:
        """The image of each of them."""
        return tuple(self.split.columns.image_ids[self.rows].tolist())

    @cached_property
    def box_shares(self) -> NDArray[np.float64]:
        """The share of its photograph that each one's box covers, 0 to 1; what is off the photograph is left out."""
        return Measures(self.split, PAPER_GRID).box_share[self.rows]

    @cached_property
    def _by_image(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The image ids of the split's objects in order, and the places of the objects in that order."""
        image_ids = self.split.columns.image_ids
        order = np.argsort(image_ids, kind="stable")
        return image_ids[order], order


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph and the one object in it that is asked for.

    Attributes:
        id: Unique in the split: image and object.
        image_id: The image's id in the split.
        file: The image's file.
        annotation: The frame and the object.
        others: What else is annotated in the photograph; crowd regions have the attribute `crowd`. What is there
            without a box that can be used has the whole photograph for a box, and the attribute `unplaced`.
        certainty: The share of the object's box that lies in its area, 0 to 1.
    """

    id: str
    image_id: int
    file: Path
    annotation: Annotation
    others: tuple[Object, ...]
    certainty: float

    @property
    def category(self) -> str:
        """The object's category."""
        return self.annotation.objects[0].name


def select(split: CocoSplit, rule: Rule = PAPER_RULE, grid: Grid = PAPER_GRID) -> Selected:
    """The objects of a split that a rule asks for.

    Raises:
        InputError: The rule names a category or an id that the split doesn't have.
    """
    _check_named(split, rule)
    table = Measures(split, grid)
    left = np.ones(table.n, dtype=np.bool_)
    steps = [Step("all annotated objects", 0, _by_area(table.areas))]
    for words, keeps in _rules(table, rule):
        kept = left & keeps
        steps.append(Step(words, int(left.sum() - kept.sum()), _by_area(table.areas[kept])))
        left = kept
    rows = np.flatnonzero(left)
    names = np.array(split.categories or ("",))[split.columns.category_codes[rows]]
    rows = rows[np.lexsort((names, split.columns.image_ids[rows]))]
    return Selected(split, rows, table.areas[rows], table.certainty[rows], tuple(steps))


def main_object_counts(split: CocoSplit, grid: Grid) -> list[list[int]]:
    """How often each cell holds the centre of a photograph's largest object (by box area, crowds left out)."""
    table = Measures(split, grid)
    columns = split.columns
    area_px = (table.x1 - table.x0) * (table.y1 - table.y0)
    order = np.lexsort((columns.ids, -area_px, table.image))
    order = order[~columns.is_crowd[order]]
    largest = order[np.unique(table.image[order], return_index=True)[1]]
    return _cell_counts(table, largest, grid)


def cell_counts(selected: Selected, grid: Grid) -> list[list[int]]:
    """How many of the selected objects are in each cell, `[row][col]`."""
    return _cell_counts(Measures(selected.split, grid), selected.rows, grid)


def _rules(table: Measures, rule: Rule) -> Iterator[tuple[str, Mask]]:
    """Each rule in words, and which objects it keeps; those of the paper first."""
    if rule.crowds == "excluded":
        yield "in photographs without a crowd region", ~table.in_photos_with(table.columns.is_crowd)
    counted = rule.crowds != "ignored"
    words = "crowds counted" if counted else "crowds ignored"
    yield f"the only one of its category ({words})", table.is_single(count_crowds=counted)
    yield "no other of its category unlisted", table.is_countable()
    yield from ((words, keeps()) for is_set, words, keeps in _refinements(table, rule) if is_set)


def _refinements(table: Measures, rule: Rule) -> tuple[tuple[bool, str, Callable[[], Mask]], ...]:
    """What a user can ask beyond the paper's rule: whether it is asked, in words, and which objects it keeps."""
    return (
        (bool(rule.only), f"only {', '.join(rule.only)}", lambda: table.of(rule.only)),
        (bool(rule.without), f"without {', '.join(rule.without)}", lambda: ~table.of(rule.without)),
        (
            bool(rule.without_ids),
            f"without {len(rule.without_ids)} objects that are named by their ids",
            lambda: ~np.isin(table.columns.ids, rule.without_ids),
        ),
        (
            rule.max_category_share < 1,
            f"category median {rule.max_category_share:.0%} of the photograph at most",
            lambda: table.median_share() <= rule.max_category_share,
        ),
        (
            rule.min_box_share > 0,
            f"box {rule.min_box_share:.2%} of the photograph or more",
            lambda: table.box_share >= rule.min_box_share,
        ),
        (
            rule.max_box_share < 1,
            f"box {rule.max_box_share:.0%} of the photograph at most",
            lambda: table.box_share <= rule.max_box_share,
        ),
        (rule.inside_area, "box inside one area", lambda: table.certainty >= 1 - _CLOSE),
        (
            rule.min_certainty > 0,
            f"{rule.min_certainty:.0%} of the box or more in its area",
            lambda: table.certainty >= rule.min_certainty - _CLOSE,
        ),
        (
            rule.margin > 0,
            f"centre {rule.margin:g} sides of an area off its borders",
            lambda: table.margin >= rule.margin - _CLOSE,
        ),
        (rule.clear_of_edge, f"box {EDGE_PX:g} px off the photograph's edge", table.is_clear_of_edge),
        (rule.one_piece, "outline in one piece", lambda: table.columns.n_parts == 1),
        (
            rule.max_overlap < 1,
            f"{rule.max_overlap:.0%} of the box at most under another",
            lambda: table.overlap <= rule.max_overlap,
        ),
    )


def _by_area(areas: Areas) -> tuple[int, ...]:
    return tuple(np.bincount(areas, minlength=len(AREAS)).tolist())


def _cell_counts(table: Measures, rows: NDArray[np.int64], grid: Grid) -> list[list[int]]:
    index = table.rows[rows] * grid.cols + table.cols[rows]
    counts: list[list[int]] = np.bincount(index, minlength=len(grid)).reshape(grid.rows, grid.cols).tolist()
    return counts


def _check_named(split: CocoSplit, rule: Rule) -> None:
    unknown = sorted({*rule.only, *rule.without} - set(split.categories))
    if unknown:
        raise InputError(
            f"the category `{unknown[0]}` is not in `{split.name}`: expected one of {', '.join(split.categories)}"
        )
    missing = np.setdiff1d(np.array(rule.without_ids, dtype=np.int64), split.columns.ids)
    if missing.size:
        raise InputError(
            f"the id `{missing[0]}`, which is to be left out, is not in `{split.name}`"
            + (f", nor are {missing.size - 1} more" if missing.size > 1 else "")
            + ": expected ids of its annotations"
        )
