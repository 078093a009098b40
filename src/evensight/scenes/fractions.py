"""Balanced fractions: so few of a product's rows that all pairs of factors are still exactly balanced.

The classical regular fraction (Box and Hunter 1961; for mixed levels by pseudo-factors, Addelman 1962). A factor
of 12 values is written as digits of 2, 2 and 3 values, so that all digits have a prime number of values. For each
prime p in q (q = 2 * 2 * 3, say, keeps one row in 12) one linear equation in the digits of p values must hold,

    sum of c_d * digit_d  =  constant   (modulo p).

Two factors stay exactly balanced against one another when no combination of the equations (a *word*) involves
digits of these two factors alone. So every word must involve three factors or more: resolution III. The
coefficients are drawn by the seed until that is so. In echelon form each equation gives one digit from the others,
so row i of the fraction is found from the other digits at once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import prod

from evensight.randomness import below, mix

_TRIES = 300
_MAX_WORDS = 20_000
_MIN_FACTORS = 3


@dataclass(frozen=True)
class Digit:
    """A digit of `prime` values, the factor that it is of, and what it is worth in the factor's level."""

    prime: int
    factor: int
    worth: int


@dataclass(frozen=True)
class Equation:
    """Digit `pivot` is `constant - sum of coefficient * digit` modulo its prime, over other digits."""

    pivot: int
    constant: int
    terms: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Equations:
    """A regular fraction of a product of factors with `sizes` values.

    Attributes:
        sizes: How many values each factor has.
        equations: What holds for each row; their pivots are different, and no pivot is in another's terms.
    """

    sizes: tuple[int, ...]
    equations: tuple[Equation, ...]

    @cached_property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all factors, in order, the most worth first."""
        return digits_of(self.sizes)

    @cached_property
    def _free(self) -> tuple[int, ...]:
        pivots = {equation.pivot for equation in self.equations}
        return tuple(k for k in range(len(self.digits)) if k not in pivots)

    @cached_property
    def n_shown(self) -> int:
        """How many rows there are."""
        return prod(self.digits[k].prime for k in self._free)

    def levels(self, index: int) -> list[int]:
        """The level of each factor in row `index`; the last free digit varies fastest."""
        levels = [0] * len(self.sizes)
        for digit, value in zip(self.digits, self._values(index), strict=True):
            levels[digit.factor] += digit.worth * value
        return levels

    def _values(self, index: int) -> list[int]:
        """The value of each digit in row `index`."""
        values = [0] * len(self.digits)
        for k in reversed(self._free):
            index, values[k] = divmod(index, self.digits[k].prime)
        for equation in self.equations:
            total = equation.constant - sum(c * values[k] for k, c in equation.terms)
            values[equation.pivot] = total % self.digits[equation.pivot].prime
        return values

    def number_among(self, index: int, factor: int) -> int:
        """The number of row `index` among the rows with the same level of a factor, from 0 without a gap."""
        values = self._values(index)
        number = 0
        for k in self._free_beside(factor):
            number = number * self.digits[k].prime + values[k]
        return number

    @cached_property
    def _numbering(self) -> dict[int, tuple[int, ...]]:
        return {}

    def _free_beside(self, factor: int) -> tuple[int, ...]:
        """The digits that can be chosen freely once a factor's level is given.

        Each equation whose pivot is a digit of the factor then decides one of the other digits: the system is
        brought into echelon form once more, on the digits of the other factors.
        """
        if factor not in self._numbering:
            others = [k for k in self._free if self.digits[k].factor != factor]
            rows = [e for e in self.equations if self.digits[e.pivot].factor == factor]
            decided = _pivots([(self.digits[e.pivot].prime, dict(e.terms)) for e in rows], others)
            self._numbering[factor] = tuple(k for k in others if k not in decided)
        return self._numbering[factor]


@lru_cache(maxsize=512)
def balanced_equations(sizes: tuple[int, ...], q: int, seed: int) -> Equations | None:
    """A fraction of one q-th with all pairs of factors balanced; None if none was found."""
    if prod(sizes) % q:
        return None
    digits = digits_of(sizes)
    found: list[Equation] = []
    for prime, n in _powers(q).items():
        equations = _of_prime(digits, prime, n, seed)
        if equations is None:
            return None
        found += equations
    return Equations(sizes, tuple(found))


def digits_of(sizes: Sequence[int]) -> tuple[Digit, ...]:
    """The digits, each of a prime number of values, that the levels of factors are written with."""
    digits = []
    for factor, size in enumerate(sizes):
        worth = size
        for prime, n in _powers(size).items():
            for _ in range(n):
                worth //= prime
                digits.append(Digit(prime, factor, worth))
    return tuple(digits)


def _of_prime(digits: tuple[Digit, ...], prime: int, n: int, seed: int) -> list[Equation] | None:
    """N equations modulo a prime whose combinations each involve three factors or more; None if none were found."""
    mine = [k for k, digit in enumerate(digits) if digit.prime == prime]
    if prime**n > _MAX_WORDS or not _has_room(Counter(digits[k].factor for k in mine), prime, n):
        return None
    for attempt in range(_TRIES):
        pivots = sorted(sorted(mine, key=lambda k: mix(seed, "pivot", prime, attempt, k))[:n])
        others = [k for k in mine if k not in pivots]
        coefficients = [
            [below(prime, seed, "coefficient", prime, attempt, row, k) for k in others] for row in range(n)
        ]
        words = (
            _factors_in(weights, pivots, others, coefficients, digits, prime)
            for weights in product(range(prime), repeat=n)
            if any(weights)
        )
        if all(len(factors) >= _MIN_FACTORS for factors in words):
            return [
                Equation(
                    pivot,
                    below(prime, seed, "constant", prime, attempt, row),
                    tuple((k, c) for k, c in zip(others, coefficients[row], strict=True) if c),
                )
                for row, pivot in enumerate(pivots)
            ]
    return None


def _has_room(n_digits_of: Mapping[int, int], prime: int, n: int) -> bool:
    """Whether Rao's bound (1947) allows it: there are as many rows as a mean and all single effects need."""
    n_free = sum(n_digits_of.values()) - n
    n_effects = sum(prime**n_digits - 1 for n_digits in n_digits_of.values())
    return len(n_digits_of) >= _MIN_FACTORS and n_free > 0 and prime**n_free > n_effects


def _factors_in(
    weights: tuple[int, ...],
    pivots: list[int],
    others: list[int],
    coefficients: list[list[int]],
    digits: tuple[Digit, ...],
    prime: int,
) -> set[int]:
    """The factors that a combination of the equations involves."""
    involved = {digits[pivot].factor for pivot, weight in zip(pivots, weights, strict=True) if weight}
    for column, k in enumerate(others):
        if sum(w * row[column] for w, row in zip(weights, coefficients, strict=True)) % prime:
            involved.add(digits[k].factor)
    return involved


def _pivots(rows: list[tuple[int, dict[int, int]]], columns: list[int]) -> set[int]:
    """The columns that the rows decide, by Gaussian elimination modulo each row's prime."""
    decided: set[int] = set()
    left = list(rows)
    while left:
        prime, row = left.pop()
        pivot = next(k for k in reversed(columns) if row.get(k, 0) % prime)
        decided.add(pivot)
        inverse = pow(row[pivot], -1, prime)
        for k, (its_prime, other) in enumerate(left):
            if its_prime == prime and (times := other.get(pivot, 0) * inverse % prime):
                cleared = {c: (other.get(c, 0) - times * row.get(c, 0)) % prime for c in {*other, *row}}
                left[k] = (prime, cleared)
    return decided


def _powers(n: int) -> dict[int, int]:
    """The prime factors of n and how often each divides it."""
    powers: dict[int, int] = {}
    divisor = 2
    while n > 1:
        if divisor * divisor > n:
            divisor = n
        while n % divisor == 0:
            powers[divisor] = powers.get(divisor, 0) + 1
            n //= divisor
        divisor += 1
    return powers
