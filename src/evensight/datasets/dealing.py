"""Dealing: each place gets an item that fits it, and as far as that allows every item goes to one place.

It begins with a drawn circle, in which each place has the item of the next one, and mends it by swaps. What no swap
mends gets an item that another place has too. The result is a function of its arguments: no order of access matters.
"""

from collections.abc import Callable, Hashable, Sequence

from evensight.randomness import mix

Fits = Callable[[int, int], bool]
"""Whether a place can have an item."""

_MAX_SWAPS_TRIED = 500
"""So many partners are tried for a swap; where so few would do, an item is used twice instead."""


def deal(n: int, fits: Fits, kind: Callable[[int], Hashable], seed: int, purpose: str) -> list[int | None]:
    """The item of each place; None where no item fits.

    Args:
        n: How many places there are, and items.
        fits: Whether a place can have an item; every place's own item must not fit it.
        kind: Places of one kind are fitted by the same items, so that one search tells for all of them.
        seed: Draws the circle.
        purpose: Keeps this draw apart from others.
    """
    circle = sorted(range(n), key=lambda k: (mix(seed, purpose, k), k))
    items: list[int | None] = [None] * n
    for place, item in zip(circle, circle[1:] + circle[:1], strict=True):
        items[place] = item
    possible: dict[Hashable, bool] = {}
    left = []
    for at, place in enumerate(circle):
        if _fits(fits, place, items[place]):
            continue
        if kind(place) not in possible:
            possible[kind(place)] = any(fits(place, item) for item in circle)
        if not possible[kind(place)]:
            items[place] = None
        elif not _swap(items, circle, at, fits):
            items[place] = None
            left.append(place)
    _repeat(items, circle, left, fits)
    return items


def n_repeated(items: Sequence[int | None]) -> int:
    """How many places have an item that another place has too, and that was not the first to have it."""
    given = [item for item in items if item is not None]
    return len(given) - len(set(given))


def _fits(fits: Fits, place: int, item: int | None) -> bool:
    return item is not None and fits(place, item)


def _swap(items: list[int | None], circle: Sequence[int], at: int, fits: Fits) -> bool:
    """Swaps the item of a place with that of another, so that both fit; whether there was one."""
    place, n = circle[at], len(circle)
    for step in range(1, min(n, _MAX_SWAPS_TRIED + 1)):
        other = circle[(at + step) % n]
        if _fits(fits, place, items[other]) and _fits(fits, other, items[place]):
            items[place], items[other] = items[other], items[place]
            return True
    return False


def _repeat(items: list[int | None], circle: Sequence[int], places: Sequence[int], fits: Fits) -> None:
    """Gives these places items that fit, one after the other round the circle."""
    begin, n = 0, len(circle)
    for place in places:
        begin = next(at for at in range(begin, begin + n) if fits(place, circle[at % n])) + 1
        items[place] = circle[(begin - 1) % n]
