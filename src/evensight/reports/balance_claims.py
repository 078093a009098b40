"""What a set claims to balance, counted in a results table: the certificate of what was asked."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evensight.evaluation.results import Results


@dataclass(frozen=True, slots=True)
class CountedClaim:
    """A pair that is claimed to be balanced.

    Attributes:
        given: The column within whose values the other is counted.
        counted: The column that is counted.
        fewest: The least that a value of `counted` occurs with one of `given`.
        most: The most.
        holds: Whether within each value of `given` all values of `counted` are as frequent, to a whole number; None
            where the table lacks a column.
    """

    given: str
    counted: str
    fewest: int = 0
    most: int = 0
    holds: bool | None = None


def counted_claims(results: Results) -> Iterator[CountedClaim]:
    """Each claim of the set that was asked, counted in the table of its answers."""
    pairs = results.manifest.facts.get("balanced")
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            given, counted = map(str, pair)
            columns = _column(results, given), _column(results, counted)
            yield CountedClaim(given, counted) if None in columns else _count(given, counted, *columns)


def _count(given: str, counted: str, values: Any, of: Any) -> CountedClaim:
    pairs, levels = Counter(zip(values, of, strict=True)), set(of)
    by_value = [[pairs[value, level] for level in levels] for value in set(values)]
    if not by_value:
        return CountedClaim(given, counted)
    return CountedClaim(
        given,
        counted,
        min(map(min, by_value)),
        max(map(max, by_value)),
        all(max(counts) - min(counts) <= 1 for counts in by_value),
    )


def _column(results: Results, name: str) -> list[Any] | None:
    if name == "cell":
        return list(zip(results.column("row"), results.column("col"), strict=True))
    return results.column(name) if name in results.table.column_names else None
