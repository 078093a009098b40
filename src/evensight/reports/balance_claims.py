"""What a set claims to balance, counted in a results table as an audit counts it in the set."""

from collections.abc import Iterator
from dataclasses import dataclass

from evensight.audits.audit import is_even
from evensight.audits.columns import AuditTable, Column, column, place_levels
from evensight.evaluation.results import Results


@dataclass(frozen=True, slots=True)
class CountedClaim:
    """A pair that is claimed to be balanced.

    Attributes:
        given: The column within whose values the other is counted.
        counted: The column that is counted.
        fewest: The least that a value of `counted` occurs with one of `given`; values that never occur count.
        most: The most.
        holds: Whether within each value of `given` all values of `counted` are as frequent, to a whole number; None
            where the table lacks a column or has no rows.
    """

    given: str
    counted: str
    fewest: int = 0
    most: int = 0
    holds: bool | None = None


def counted_claims(results: Results) -> Iterator[CountedClaim]:
    """Each claim of the set that was asked, counted in the questions that were answered."""
    pairs = results.manifest.facts.get("balanced")
    table = AuditTable(results.set_name, tuple(results.column("id")), _columns(results))
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            given, counted = map(str, pair)
            if not len(table) or not {given, counted} <= set(table.columns):
                yield CountedClaim(given, counted)
                continue
            counts = table.table(given, counted)
            yield CountedClaim(given, counted, int(counts.min()), int(counts.max()), is_even(counts))


def _columns(results: Results) -> dict[str, Column]:
    """The columns of a results table that a set can make a claim of."""
    rows, cols, options = (results.column(name) for name in ("row", "col", "options"))
    n_slots = max(map(len, options), default=1)
    levels = {**place_levels(results.grid), "slot": tuple(map(str, range(n_slots)))}
    values = {
        name: results.column(name) for name in ("row", "col", "area", "slot", "answer", "task", *results.factors)
    }
    values["cell"] = [f"{row},{col}" for row, col in zip(rows, cols, strict=True)]
    return {name: column([str(value) for value in of], levels.get(name)) for name, of in values.items()}
