"""Distractors: the other objects of a scene, which tell nothing of where the target is.

*Where they are.* A pattern is a few different steps on the grid, taken around its edges as on a torus. While the
target goes through all cells the pattern stays, so each distractor goes through all cells too: every pair (target's
cell, distractor's cell) that a pattern makes is made once, and the distractors of a design are, together with the
target, in all cells equally often. The steps of the patterns are dealt: each distractor takes every step equally
often, to one.

*What they are.* None has the target's description, nor another's. They are combinations that the design itself
shows, so that what a test holds out isn't met in training as a bystander. They change with the cell: the words of a
question, which name them, don't tell what is asked.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

from evensight.annotations import Cell, Grid
from evensight.errors import InputError
from evensight.randomness import shuffled

Look = tuple[str, str]
"""What a description says: shape (or category) and colour."""

MAX_TRIES = 2000
NEARER_BY = 1.06
"""How many times as far the second nearest object is at least, where a question asks for the nearest."""
NEARER_BY_SHARE = 0.021
"""How much farther it is besides, in image sides: two pixels of 96 or more, for what rounding takes away."""


def pattern(grid: Grid, n: int, number: int, seed: int) -> tuple[tuple[int, int], ...]:
    """Steps `(rows, columns)` from the target to each of n distractors, for what is shown as number `number`.

    Over as many numbers as there are steps (the cells but one), each distractor takes each step once.
    """
    n_steps = len(grid) - 1
    turn, place = divmod(number, n_steps)
    steps = _steps(grid, turn, seed)
    return tuple(steps[(place + k * (n_steps // n)) % n_steps] for k in range(n))


def distinct_pattern(grid: Grid, n: int, number: int, seed: int) -> tuple[tuple[int, int], ...]:
    """A pattern in which, from every cell, one distractor is clearly nearer than the others.

    Raises:
        InputError: None was found.
    """
    for attempt in range(MAX_TRIES):
        found = pattern(grid, n, number + attempt * (len(grid) - 1) + attempt, seed)
        if _is_distinct(grid, found):
            return found
    raise InputError(
        f"no placing of {n} distractors on a {grid} grid has one nearest object from every cell: choose fewer "
        "distractors or a finer grid"
    )


def cells(grid: Grid, target: Cell, steps: Sequence[tuple[int, int]]) -> tuple[Cell, ...]:
    """The distractors' cells."""
    return tuple(Cell((target.row + down) % grid.rows, (target.col + right) % grid.cols) for down, right in steps)


def candidates(target: Look, looks: Sequence[Look], kind: str) -> list[tuple[Look, ...]]:
    """The looks that a distractor of a kind may have, in groups to take from by turns."""
    others = [look for look in looks if look != target]
    shape = tuple(look for look in others if look[0] == target[0])
    color = tuple(look for look in others if look[1] == target[1])
    match kind:
        case "any":
            return [tuple(others)]
        case "same-shape":
            return [shape]
        case "same-color":
            return [color]
        case _:
            return [shape, color]


def drawn(groups: Sequence[Sequence[Look]], number: int, seed: int) -> list[list[Look]]:
    """The groups, each in an order that is drawn for what is shown as number `number`."""
    return [shuffled(group, seed, "distractor-looks", number, k) for k, group in enumerate(groups)]


def chosen(groups: Sequence[Sequence[Look]], n: int, turn: int) -> list[Look]:
    """N different looks, taken from the groups by turns: turn `turn` of all the ways to choose and to order them.

    Each cell has its turn, so that over the cells every look that fits stands beside what is shown, the same looks
    in another order: were it always the same, the words of a question that names them would give the answer away.

    Raises:
        InputError: There are fewer.
    """
    if not n:
        return []
    left = [_from(group, turn) for group in groups]
    found: list[Look] = []
    while len(found) < n and any(left):
        for group in left:
            if group and len(found) < n:
                found.append(group.pop())
    if len(found) < n:
        raise InputError(
            f"{n} distractors need as many descriptions that are not the target's; the design has {len(found)}: give "
            "it more shapes or colours, or choose fewer distractors or another kind"
        )
    return _from(found, turn // max(map(len, groups)))  # who is where changes once all looks have had their turn


def _from(looks: Sequence[Look], turn: int) -> list[Look]:
    """The looks from number `turn` on, around their end."""
    start = turn % len(looks) if looks else 0
    return [*looks[start:], *looks[:start]]


@lru_cache(maxsize=64)
def _steps(grid: Grid, turn: int, seed: int) -> list[tuple[int, int]]:
    return shuffled([(cell.row, cell.col) for cell in grid.cells()[1:]], seed, "distractor-steps", turn)


@lru_cache(maxsize=4096)
def _is_distinct(grid: Grid, steps: tuple[tuple[int, int], ...]) -> bool:
    if len(steps) < 2:
        return True
    for target in grid.cells():
        squares = sorted(
            (cell.row - target.row) ** 2 / grid.rows**2 + (cell.col - target.col) ** 2 / grid.cols**2
            for cell in cells(grid, target, steps)
        )
        if sqrt(squares[1]) < sqrt(squares[0]) * NEARER_BY + NEARER_BY_SHARE:
            return False
    return True
