"""What each rule alone does to the placing of the objects that are asked for, beside the paper's rule.

A photographer puts what matters in the middle; some rules (a small box, a box inside one area) make that less so,
others (no object cut off by the edge) more. Nothing here opens a photograph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from evensight.annotations import AREAS, PAPER_GRID, Grid
from evensight.coco.reading import CocoSplit
from evensight.photos.rules import CERTAIN_RULE, PAPER_RULE, Rule
from evensight.photos.selection import Selected, select

EXAMPLES: Mapping[str, Rule] = {
    "the paper's rule": PAPER_RULE,
    "--crowds ignored": Rule(crowds="ignored"),
    "--crowds excluded": Rule(crowds="excluded"),
    "--min-box-share 0.01": Rule(min_box_share=0.01),
    "--max-box-share 0.3": Rule(max_box_share=0.3),
    "--inside-area": Rule(inside_area=True),
    "--min-certainty 0.75": Rule(min_certainty=0.75),
    "--margin 0.1": Rule(margin=0.1),
    "--clear-of-edge": Rule(clear_of_edge=True),
    "--one-piece": Rule(one_piece=True),
    "--max-overlap 0.5": Rule(max_overlap=0.5),
    "--max-category-share 0.3": Rule(max_category_share=0.3),
    "--certain": CERTAIN_RULE,
}
"""Each rule with a value that changes something, as it is written at the command line."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How many objects there are in each area.

    Attributes:
        by_area: The counts, in the order of `AREAS`.
    """

    by_area: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many there are in all."""
        return sum(self.by_area)

    @property
    def center_share(self) -> float | None:
        """The share that is in the center; None of nothing."""
        return self.by_area[AREAS.index("center")] / self.n if self.n else None

    @property
    def evenness(self) -> float | None:
        """The entropy of the areas over its maximum: 1 where all are equally frequent, 0 where one is alone."""
        shares = [n / self.n for n in self.by_area if n] if self.n else []
        return abs(sum(share * log(share) for share in shares)) / log(len(AREAS)) if shares else None

    @property
    def rarest(self) -> int:
        """How many there are in the rarest area: as many of each a balanced set can have."""
        return min(self.by_area)


def effects(split: CocoSplit, grid: Grid = PAPER_GRID) -> dict[str, Selected]:
    """What each of the `EXAMPLES` selects of a split."""
    return {written: select(split, rule, grid) for written, rule in EXAMPLES.items()}
