"""The order of a question's options: the slot of the right answer is balanced, not left to chance.

Nine options have 362,880 orders, too many to cross with anything; what is crossed is the slot of the right
answer, and the others follow in an order drawn for each question.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from evensight.annotations import Cell, Grid


def order_options(options: Sequence[str], answer: str, slot: int, rng: np.random.Generator) -> tuple[str, ...]:
    """The options with the answer at `slot` (from 0) and the others in a drawn order around it."""
    if not 0 <= slot < len(options):
        raise ValueError(f"a slot is from 0 to {len(options) - 1}, got {slot}")
    if answer not in options:
        raise ValueError(f"the answer `{answer}` is one of the options, got {tuple(options)}")
    others = [option for option in options if option != answer]
    drawn = [others[k] for k in rng.permutation(len(others))]
    return (*drawn[:slot], answer, *drawn[slot:])


def crossed_slot(cell: Cell, grid: Grid, shown: int, n_options: int) -> int:
    """The right answer's slot when object `shown` (0, 1, ...) is in `cell`, for designs that cross the two.

    The offset of the cells is a Sudoku square, `3 (row mod 3) + row div 3 + col`: each row, each column and
    each area of the 9 x 9 grid has each offset once. So every object has every slot exactly once in every
    row, column and area, and whatever is a set of objects (a colour, a size) inherits that; within a cell,
    which has as many questions as there are objects, the slots' counts differ by one at most. On other grids
    the offsets run on in the same way and are as even as the sizes allow.
    """
    third = -(-grid.rows // 3)
    offset = 3 * (cell.row % third) + cell.row // third + cell.col
    return (offset + shown) % n_options


def dealt_slots(
    places: Sequence[Sequence[Hashable]], kinds: Sequence[Hashable], n_options: int, rng: np.random.Generator
) -> list[int]:
    """The slots of questions whose places nobody could choose: even, to one question, in every group at once.

    The groups are the places, the wider places that hold them, and the kinds. The slots are dealt one after the
    other: of the questions that are left, with k slots to go, each group gets its share of 1/k, rounded down or
    up. Such a choice always exists: 1/k of each question is one in fractions, and as the places are nested on one
    side and the kinds are apart on the other, it is a flow, so there is one in whole numbers (Hoffman's circulation
    theorem; de Werra 1971 for the colours of a bipartite graph). Of all such choices the one of least random cost
    is taken: it is unique, so it doesn't depend on the solver.

    Args:
        places: For each question the places that it is in, from the widest to the narrowest; a narrower place is
            in one wider place only.
        kinds: For each question what is asked for (an object, a category).
        n_options: How many slots there are.
        rng: Draws the costs.
    """
    if not kinds:
        return []
    pairs = sorted({(tuple(place), kind) for place, kind in zip(places, kinds, strict=True)}, key=repr)
    number = {pair: k for k, pair in enumerate(pairs)}
    pair_of = [number[tuple(place), kind] for place, kind in zip(places, kinds, strict=True)]
    left = np.bincount(pair_of, minlength=len(pairs)).astype(np.int64)
    groups = _membership(pairs)
    dealt = np.zeros((n_options, len(pairs)), dtype=np.int64)
    for slot in range(n_options):
        dealt[slot] = _fair_share(left, groups, n_options - slot, rng)
        left -= dealt[slot]
    stacks = [np.repeat(np.arange(n_options), dealt[:, k]).tolist() for k in range(len(pairs))]
    return [stacks[k].pop() for k in pair_of]


def _membership(pairs: Sequence[tuple[tuple[Hashable, ...], Hashable]]) -> sparse.csr_array:
    """Which pairs of (places, kind) each group holds, 0 or 1, `[group, pair]`: all, each place, each kind."""
    names = [
        {("all",), ("kind", kind), *(("place", *place[: depth + 1]) for depth in range(len(place)))}
        for place, kind in pairs
    ]
    number = {name: k for k, name in enumerate(sorted(set().union(*names), key=repr))}
    entries = [(number[name], pair) for pair, held in enumerate(names) for name in held]
    rows, cols = zip(*entries, strict=True)
    return sparse.csr_array((np.ones(len(entries)), (rows, cols)), shape=(len(number), len(pairs)))


def _fair_share(
    left: NDArray[np.int64], groups: sparse.csr_array, k: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many questions of each pair get one of `k` slots: 1/k of each group, rounded down or up."""
    totals = groups @ left
    bounds = optimize.Bounds(left // k, -(-left // k))
    shares = optimize.LinearConstraint(groups, totals // k, -(-totals // k))
    solved = optimize.milp(
        rng.random(left.size),
        integrality=np.ones(left.size, dtype=np.int64),
        bounds=bounds,
        constraints=shares,
        options={"mip_rel_gap": 0},
    )
    if not solved.success:
        raise RuntimeError(f"no fair share of the slots was found: {solved.message}")
    whole: NDArray[np.int64] = np.rint(solved.x).astype(np.int64)
    return whole
