"""The order of a question's options: the slot of the right answer is balanced, not left to chance.

Nine options have 362,880 orders, too many to cross with anything; what is crossed is the slot of the right
answer, and the others follow in an order drawn for each question.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from evensight.annotations import Cell, Grid
from evensight.randomness import shuffled, unit

_WHOLE = 1e-6


def order_options(options: Sequence[str], answer: str, slot: int, seed: int, index: int) -> tuple[str, ...]:
    """The options with the answer at `slot` (from 0) and the others in a drawn order around it.

    Args:
        options: All of them, in their canonical order.
        answer: The right one.
        slot: Where it goes.
        seed: The set's seed.
        index: The example's index: the order is a function of both.
    """
    if not 0 <= slot < len(options):
        raise ValueError(f"a slot is from 0 to {len(options) - 1}, got {slot}")
    if answer not in options:
        raise ValueError(f"the answer `{answer}` is one of the options, got {tuple(options)}")
    drawn = shuffled([option for option in options if option != answer], seed, "options", index)
    drawn.insert(slot, answer)
    return tuple(drawn)


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


def rank_slot(answer_index: int, rank: int, n_slots: int) -> int:
    """The right answer's slot for example number `rank` (0, 1, ...) among those with the same right answer.

    Counted round and round, the slots under each answer are even to one question, whatever the task and however
    uneven the answers are. Each answer begins one slot further on, so that the rests of the rounds don't all fall
    on the first slots: as many questions of each of `n_slots` answers have every slot equally often.

    Args:
        answer_index: The right answer's place among the options in their canonical order.
        rank: How many examples before this one have the same right answer.
        n_slots: How many options there are.
    """
    return (answer_index + rank) % n_slots


def dealt_slots(
    places: Sequence[Sequence[Hashable]], kinds: Sequence[Sequence[Hashable]], n_slots: int, seed: int
) -> list[int]:
    """The slots of questions whose places nobody could choose: even, to one question, in every group at once.

    The groups are all questions, the places with the wider places that hold them, and the kinds with the wider
    kinds that hold them. The slots are parted in two, and so on down to single ones: the first a of k slots get of
    each group a/k of its questions, rounded down or up. That leaves each slot 1/k of each group, rounded likewise.
    Such a choice always exists: a/k of each question is one in fractions, and as both the places and the kinds are
    nested, it is a flow from the one tree to the other, so there is one in whole numbers (Hoffman's circulation
    theorem; de Werra 1971 for the colours of a bipartite graph). For the same reason the linear programme has whole
    numbers at its corners and need not ask for them. Of all choices the one of least drawn cost is taken: it is
    unique, so it doesn't depend on the solver.

    Args:
        places: For each question the places that it is in, from the widest to the narrowest: `(area, cell)`.
        kinds: For each question the kinds that it is of, from the widest to the narrowest: `(answer, object)`.
        n_slots: How many slots there are.
        seed: The set's seed; draws the costs.
    """
    if not kinds:
        return []
    asked = [(tuple(place), tuple(kind)) for place, kind in zip(places, kinds, strict=True)]
    pairs = sorted(set(asked), key=repr)
    number = {pair: k for k, pair in enumerate(pairs)}
    pair_of = [number[pair] for pair in asked]
    dealt = np.zeros((n_slots, len(pairs)), dtype=np.int64)
    _deal(
        np.bincount(pair_of, minlength=len(pairs)).astype(np.int64), _membership(pairs), range(n_slots), seed, dealt
    )
    stacks = [np.repeat(np.arange(n_slots), dealt[:, k]).tolist() for k in range(len(pairs))]
    drawn = [shuffled(stack, seed, "slots", k) for k, stack in enumerate(stacks)]
    return [drawn[k].pop() for k in pair_of]


_Chain = tuple[Hashable, ...]


def _membership(pairs: Sequence[tuple[_Chain, _Chain]]) -> sparse.csc_array:
    """Which pairs of (places, kinds) each group holds, 0 or 1, `[group, pair]`: all, each place, each kind.

    A narrower group is told by the wider ones that hold it too, so each side is nested whatever the names are.
    """
    names = [
        {("all",)}
        | {("place", *place[:depth]) for depth in range(1, len(place) + 1)}
        | {("kind", *kind[:depth]) for depth in range(1, len(kind) + 1)}
        for place, kind in pairs
    ]
    number = {name: k for k, name in enumerate(sorted(set().union(*names), key=repr))}
    entries = [(number[name], pair) for pair, held in enumerate(names) for name in held]
    rows, cols = zip(*entries, strict=True)
    return sparse.csc_array((np.ones(len(entries)), (rows, cols)), shape=(len(number), len(pairs)))


def _deal(
    left: NDArray[np.int64], groups: sparse.csc_array, slots: range, seed: int, dealt: NDArray[np.int64]
) -> None:
    """Writes to `dealt[slot, pair]` how many of the questions that are `left` of each pair get each of the slots."""
    if len(slots) == 1:
        dealt[slots[0]] = left
        return
    here = np.flatnonzero(left)
    if not here.size:
        return
    half = len(slots) // 2
    first = np.zeros_like(left)
    costs = np.array([unit(seed, "slot costs", slots.start, slots.stop, k) for k in here.tolist()])
    first[here] = _fair_share(left[here], groups[:, here], half, len(slots), costs)
    _deal(first, groups, slots[:half], seed, dealt)
    _deal(left - first, groups, slots[half:], seed, dealt)


def _fair_share(
    left: NDArray[np.int64], groups: sparse.csc_array, a: int, k: int, costs: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many questions of each pair get one of the first `a` of `k` slots: a/k of each group, down or up."""
    totals = groups @ left
    solved = optimize.milp(
        costs,
        bounds=optimize.Bounds(left * a // k, -(-left * a // k)),
        constraints=optimize.LinearConstraint(groups, totals * a // k, -(-totals * a // k)),
    )
    if not solved.success:
        raise RuntimeError(f"no fair share of the slots was found: {solved.message}")
    whole: NDArray[np.int64] = np.rint(solved.x).astype(np.int64)
    if np.abs(solved.x - whole).max() > _WHOLE:
        raise RuntimeError("the fair share of the slots is not in whole numbers: the groups are not nested")
    return whole
