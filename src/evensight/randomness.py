"""Draws that are functions of a seed, a purpose and an index: the same in any process, order, shard and batch.

A generator that hands out numbers one after the other would make what is drawn depend on what was drawn before
it. Here nothing is drawn "next": `mix(seed, "jitter", index)` is a 64-bit number that depends on its arguments
alone. Different purposes give independent numbers. The mixer is SplitMix64's finaliser (Steele, Lea and Flood
2014), applied once for each argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = 4

Item = TypeVar("Item")


def mix(seed: int, purpose: str, *indices: int) -> int:
    """A number from 0 to 2^64 - 1 that looks random and depends on the arguments alone.

    Args:
        seed: The set's seed.
        purpose: What is drawn ("jitter"); different purposes are independent.
        indices: Of what it is drawn (an example's index, an object's number), each 0 or more.
    """
    state = _finish((seed & _MASK) ^ _purpose_key(purpose))
    for index in indices:
        state = _finish((state + _GOLDEN) & _MASK ^ (index & _MASK))
        if index > _MASK:
            state = mix(state, purpose, index >> 64)
    return state


def below(n: int, seed: int, purpose: str, *indices: int) -> int:
    """A whole number from 0 to n - 1. Its bias is below n / 2^64."""
    return mix(seed, purpose, *indices) * n >> 64


def unit(seed: int, purpose: str, *indices: int) -> float:
    """A number in [0, 1), in steps of 2^-53."""
    return (mix(seed, purpose, *indices) >> 11) * 2.0**-53


def shuffled(items: Sequence[Item], seed: int, purpose: str, *indices: int) -> list[Item]:
    """The items in a drawn order, all orders being equally likely."""
    left = list(items)
    ticket = mix(seed, purpose, *indices)
    drawn = []
    for n in range(len(left), 0, -1):
        if n % 16 == 0:  # 16! is far below 2^64: a ticket is good for so many
            ticket = mix(ticket, purpose, *indices)
        ticket *= n
        drawn.append(left.pop(ticket >> 64))
        ticket &= _MASK
    return drawn


@dataclass(frozen=True)
class Permutation:
    """A keyed permutation of `range(n)` that needs no list: any n, and `permutation[i]` at once.

    A Feistel network permutes the next larger power of four; what falls outside goes through it again until
    it is inside (cycle walking; Black and Rogaway 2002).

    Attributes:
        n: How many there are to permute.
        key: Which permutation; `mix(seed, "shuffle", epoch)`, say.
    """

    n: int
    key: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        """Where `index` goes.

        Raises:
            IndexError: It is not in `range(n)`.
        """
        if not 0 <= index < self.n:
            raise IndexError(f"a permutation of {self.n} has places 0 to {self.n - 1}, got {index}")
        half_bits = max(1, ((self.n - 1).bit_length() + 1) // 2)
        half = (1 << half_bits) - 1
        while True:
            left, right = index >> half_bits, index & half
            for turn in range(_ROUNDS):
                left, right = right, left ^ (mix(self.key, "feistel", turn, right) & half)
            index = left << half_bits | right
            if index < self.n:
                return index


@lru_cache(maxsize=256)
def _purpose_key(purpose: str) -> int:
    return int.from_bytes(blake2b(purpose.encode(), digest_size=8).digest(), "little")


def _finish(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)
