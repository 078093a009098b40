"""The balance certificate: what a set's questions give away before anybody looks at the pictures.

For every pair of columns `(given, counted)` a set may claim balance: among the questions with one value of
`given`, all values of `counted` are equally frequent, as evenly as whole numbers allow. The audit counts. Every
other pair of columns it counts too, and says by a permutation test, corrected for the number of pairs, whether one
tells about the other more than chance would. It also checks that the set is true to itself: that the answer is the
object's area, the cell is where the box's centre is, and, where the pictures were looked at, that none comes twice
with one question and none shows less than its label says.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.annotations import AREAS
from evensight.audits.columns import AuditTable, tabulate
from evensight.audits.pixels import CERTAIN, Pictures
from evensight.datasets.examples import ExampleSet
from evensight.progress import track
from evensight.randomness import mix
from evensight.statistics import (
    false_discovery,
    independence_test,
    mutual_information_bits,
    normalised_mutual_information,
)

ALPHA = 0.05
"""The share of false ones that is accepted among the pairs said to tell about one another."""

N_RESAMPLES = 999
MOST_LEVELS = 200
"""A column with more values than this is left out of the pairs that nobody claimed: with so few rows a value, it
says next to nothing, and is often an id."""

EVEN, UNEVEN, TELLS, CHANCE, CONSTRUCTED = "even", "not even", "tells", "chance", "by construction"


@dataclass(frozen=True, slots=True)
class Balance:
    """How evenly `counted` is spread given `given`, and what the two say of one another.

    Attributes:
        given: The column whose values are held fixed.
        counted: The column whose values are counted.
        min: The smallest count of a pair of their values.
        max: The largest.
        max_minus_min: The largest difference between two values of `counted` under one value of `given`.
        bits: Their mutual information; 0 when neither tells anything of the other.
        nmi: The same as a share, 0 to 1, of the smaller of their entropies.
        p_value: By permutation, of so much mutual information when the two have nothing to do with one another; none
            where they belong together by construction.
        q_value: The p-value adjusted for the number of pairs (Benjamini and Hochberg).
        even: Whether no difference is larger than whole numbers force it to be.
        claimed: Whether the set claims this.
    """

    given: str
    counted: str
    min: int
    max: int
    max_minus_min: int
    bits: float
    nmi: float
    p_value: float | None
    q_value: float | None
    even: bool
    claimed: bool

    @property
    def verdict(self) -> str:
        """In a word: `even`, `not even` (as claimed), `by construction`, `tells`, or `chance`."""
        if self.even:
            return EVEN
        if self.claimed:
            return UNEVEN
        if self.q_value is None:
            return CONSTRUCTED
        return TELLS if self.q_value <= ALPHA else CHANCE


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What was found in the pictures.

    Attributes:
        n_read: How many rows have a picture that can be read.
        n_different: How many different pictures they have.
        n_shared: How many rows have a picture that another row has too, under another question.
        unreadable: How many can't be read, by reason.
        doubts: What somebody should look at, as thresholds found it: ids by what it is.
    """

    n_read: int
    n_different: int
    n_shared: int
    unreadable: Mapping[str, int]
    doubts: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        name: The set's name.
        n: How many questions it has.
        counts: How often each value of each column occurs.
        balances: The pairs of columns: those that are claimed first, then those that tell most.
        faults: What is certainly wrong, each in a sentence with the row's id.
        left_out: Columns that are in no pair, with the reason.
        rejected: Rows that can't be used, by reason: how many, and the first of them.
        pictures: What was found in the pictures; none where they were not looked at.
        seed: Draws the permutations.
        selection: What each rule left of the objects of photographs, by area; none of other sets.
    """

    name: str
    n: int
    counts: dict[str, dict[str, int]]
    balances: tuple[Balance, ...]
    faults: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: PictureFacts | None = None
    seed: int = 0
    selection: Mapping[str, Any] | None = None

    @property
    def broken(self) -> tuple[Balance, ...]:
        """The balances that are claimed and don't hold."""
        return tuple(balance for balance in self.balances if balance.verdict == UNEVEN)

    @property
    def ok(self) -> bool:
        """Whether all that the set says of itself is so."""
        return not self.broken and not self.faults

    @property
    def n_rejected(self) -> int:
        """How many rows can't be used."""
        return sum(each["n"] for each in self.rejected.values())

    def as_json(self) -> dict[str, Any]:
        """The audit as JSON."""
        verdicts = [{**asdict(balance), "verdict": balance.verdict} for balance in self.balances]
        return {**asdict(self), "balances": verdicts, "n_listed": self.n + self.n_rejected, "ok": self.ok}


def audit(examples: ExampleSet | AuditTable, *, seed: int = 0, pictures: Pictures | None = None) -> Audit:
    """Counts what there is in a set and compares it with what the set claims.

    Args:
        examples: The set, ours or (as `audits.foreign` reads it) another's.
        seed: Draws the permutations.
        pictures: What `audits.pixels.look_at` saw; without it no picture is looked at.
    """
    table = examples if isinstance(examples, AuditTable) else tabulate(examples)
    left_out = _left_out(table)
    known = set(table.columns)
    missing = sorted({name for pair in table.claims for name in pair} - known)
    faults = [
        *(f"`{name}` occurs {n} times: an id is unique" for name, n in Counter(table.ids).items() if n > 1),
        *table.faults,
        *(f"the set claims balance of `{name}`, which it has no column for" for name in missing),
        *(_picture_faults(table, pictures) if pictures else ()),
    ]
    return Audit(
        table.name,
        len(table),
        {name: each.counts for name, each in table.columns.items() if len(each.levels) <= MOST_LEVELS},
        _balances(table, left_out, seed),
        tuple(faults),
        left_out,
        {reason: {"n": len(names), "first": list(names[:5])} for reason, names in table.rejected.items()},
        _picture_facts(table, pictures) if pictures else None,
        seed,
        table.selection,
    )


def certificate(audit: Audit, command: str = "") -> str:
    """An audit in a few lines of Markdown, for a set's card.

    Args:
        audit: The audit.
        command: What to type to make it again.
    """
    claims = any(balance.claimed for balance in audit.balances)
    held = "Every balance that the set claims holds" if claims else "The set claims no balance"
    holds = f"{held}, and nothing contradicts itself."
    fails = f"**Not as claimed:** {len(audit.broken)} balances broken, {len(audit.faults)} faults."
    lines = [f"{audit.n:,} questions. {holds if audit.ok else fails}", ""]
    claimed = [balance for balance in audit.balances if balance.claimed]
    if claimed:
        lines += ["| within each | all are equally frequent | max - min | NMI | p |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.given} | {each.counted} | {each.max_minus_min}{'' if each.even else ' (**not even**)'} "
            f"| {each.nmi:.4f} | {_p(each.p_value)} |"
            for each in claimed
        ]
        lines += ["", "A difference of 1 is what whole numbers force. NMI: mutual information / smaller entropy.", ""]
    lines += _told_lines(audit) + _picture_lines(audit.pictures) + _selection_lines(audit.selection)
    return "\n".join(lines + ([f"Made by `{command}`.", ""] if command else []))


def _told_lines(audit: Audit) -> list[str]:
    telling = [balance for balance in audit.balances if balance.verdict == TELLS]
    named = ", ".join(f"{each.given} and {each.counted} ({each.nmi:.2f})" for each in telling[:8])
    more = f", and {len(telling) - 8} more pairs" if len(telling) > 8 else ""
    said = f"Not claimed to be balanced, and telling about one another (NMI): {named}{more}."
    return [said if telling else "No other pair of columns tells about one another more than chance would.", ""]


def _picture_lines(facts: PictureFacts | None) -> list[str]:
    if facts is None:
        return ["The pictures were not looked at.", ""]
    said = f"{facts.n_read:,} pictures read, {facts.n_different:,} of them different by their pixels"
    shared = f"; {facts.n_shared:,} questions share a picture with another question" if facts.n_shared else ""
    doubts = [f"- {len(names):,} x {what}" for what, names in facts.doubts.items()]
    return [f"{said}{shared}.", "", *doubts, *([""] if doubts else [])]


def _selection_lines(selection: Mapping[str, Any] | None) -> list[str]:
    if selection is None:
        return []
    head = f"| what each rule leaves | {' | '.join(AREAS)} |"
    rows = [(step["rule"], step["by_area"]) for step in selection["steps"]] + [("asked", selection["asked"])]
    lines = [f"| {rule} | {' | '.join(f'{n:,}' for n in by_area)} |" for rule, by_area in rows]
    return [head, "|---|" + "---:|" * len(AREAS), *lines, ""]


def _p(p_value: float | None) -> str:
    return "–" if p_value is None else f"{p_value:.4f}"


def duplicates(keys: Sequence[bytes | None]) -> list[list[int]]:
    """The rows that share a key, group by group, in the order of their first; None is nobody's."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key is not None:
            groups[key].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _left_out(table: AuditTable) -> dict[str, str]:
    claimed = {name for pair in table.claims for name in pair}
    reasons = {}
    for name, each in table.columns.items():
        if each.n_seen < 2:
            reasons[name] = "has one value"
        elif len(each.levels) > MOST_LEVELS and name not in claimed:
            reasons[name] = f"has {len(each.levels):,} values, more than {MOST_LEVELS}"
    return reasons


def _balances(table: AuditTable, left_out: Mapping[str, str], seed: int) -> tuple[Balance, ...]:
    if not len(table):
        return ()
    claimed = [pair for pair in table.claims if set(pair) <= set(table.columns)]
    said = {frozenset(pair) for pair in claimed}
    paired = [
        name for name in table.columns if name not in left_out and len(table.columns[name].levels) <= MOST_LEVELS
    ]
    others = [pair for pair in combinations(paired, 2) if frozenset(pair) not in said]
    pairs = track([*claimed, *others], f"counting {table.name}", len(claimed) + len(others), "pairs")
    found = [_balance(table, given, counted, seed, claimed=(given, counted) in claimed) for given, counted in pairs]
    return tuple(sorted(_adjusted(found), key=_rank))


def _balance(table: AuditTable, given: str, counted: str, seed: int, *, claimed: bool) -> Balance:
    counts = table.table(given, counted)
    p_value = None
    if claimed or frozenset((given, counted)) not in table.by_construction:
        rng = np.random.default_rng(mix(seed, f"permutations of {given} and {counted}"))
        p_value = independence_test(counts, rng, N_RESAMPLES).p_value
    difference = np.ptp(counts, axis=1)
    return Balance(
        given,
        counted,
        int(counts.min()),
        int(counts.max()),
        int(difference.max()),
        mutual_information_bits(counts),
        normalised_mutual_information(counts),
        p_value,
        None,
        is_even(counts),
        claimed,
    )


def is_even(counts: NDArray[np.int64]) -> bool:
    """Whether no row of a table `[given, counted]` differs by more than whole numbers force: 0 or 1."""
    unavoidable = counts.sum(axis=1) % counts.shape[1] > 0
    return bool((np.ptp(counts, axis=1) <= unavoidable).all())


def _adjusted(balances: Sequence[Balance]) -> Iterator[Balance]:
    tested = [balance.p_value for balance in balances if balance.p_value is not None]
    q_values = iter(false_discovery(tested).tolist())
    for balance in balances:
        yield balance if balance.p_value is None else replace(balance, q_value=next(q_values))


def _rank(balance: Balance) -> tuple[bool, bool, float]:
    """Claims first, in their order; then what tells most; then what belongs together by construction."""
    strength = 0.0 if balance.claimed else -balance.nmi
    return not balance.claimed, balance.q_value is None, strength


def _picture_faults(table: AuditTable, pictures: Pictures) -> list[str]:
    found = [f"`{name}` is {what}" for what in CERTAIN for name in pictures.seen.get(what, ())]
    for group in duplicates(pictures.hashes):
        by_question: dict[str, list[str]] = defaultdict(list)
        for index in group:
            by_question[table.questions[index] if table.questions else ""].append(table.ids[index])
        found += [
            f"`{names[0]}` and `{other}` have the same picture and the same question"
            for names in by_question.values()
            for other in names[1:]
            if table.questions
        ]
    unreadable = pictures.unreadable if table.picture is not None else {}
    return found + [f"`{name}` has no picture: {reason}" for reason, names in unreadable.items() for name in names]


def _picture_facts(table: AuditTable, pictures: Pictures) -> PictureFacts:
    asked = table.questions or tuple(map(str, range(len(table))))
    n_shared = sum(
        sum(n for n in Counter(asked[index] for index in group).values() if n < len(group))
        for group in duplicates(pictures.hashes)
    )
    return PictureFacts(
        pictures.n_read,
        pictures.n_different,
        n_shared,
        {reason: len(names) for reason, names in pictures.unreadable.items()},
        {what: tuple(names) for what, names in pictures.seen.items() if what not in CERTAIN},
    )
