"""The order of a question's options: the slot of the right answer is balanced, not left to chance.

Nine options have 362,880 orders, too many to cross with anything; what is crossed is the slot of the right
answer, and the others follow in an order drawn for each question.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from evensight.annotations import Cell, Grid


def order_options(options: Sequence[str], answer: str, slot: int, rng: np.random.Generator) -> tuple[str, ...]:
    """The options with the answer at `slot` (from 0) and the others in a drawn order around it."""
    if not 0 <= slot < len(options):
        raise ValueError(f"a slot is from 0 to {len(options) - 1}, got {slot}")
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


def counted_slots(groups: Sequence[Sequence[Hashable]], n_options: int) -> list[int]:
    """The slots of questions that nobody could cross: even within every group, to one question.

    The questions are sorted by their groups, from the widest to the narrowest (area, cell, ...), and dealt
    the slots in turn; a group is then a stretch of the deal, and no two slots differ by more than one in it.

    Args:
        groups: For each question the groups that it is in, from the widest to the narrowest; sortable.
        n_options: How many slots there are.
    """
    order = sorted(range(len(groups)), key=lambda k: (tuple(groups[k]), k))
    slots = [0] * len(groups)
    for turn, k in enumerate(order):
        slots[k] = turn % n_options
    return slots
