"""Findings: what the evaluations of a set say, in sentences, each with its test.

A sentence claims no more than its test allows. "More even" is said only when the evenness test rejects *and* the
run that is said to be less even shows differences between its cells at all: otherwise a change of the spread is
the noise of few questions a cell, which shrinks when accuracy nears 100 %. A high p-value is reported as "not
detected", never as "none". Findings against a condition are worded as plainly as those for it.

Names of conditions stand in backticks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median

import numpy as np

from evensight.evaluation.results import Results
from evensight.evaluation.shares import difference, has_own_images
from evensight.evaluation.summary import Summary
from evensight.questions.parsing import Outcome
from evensight.reports.wording import backticked, count, interval, p_value, percent, points, shown, size_points
from evensight.statistics import Difference, Test, evenness_test

ALPHA = 0.05
"""Below this a p-value counts as a detection."""
_FEW = 10
_MOST_OTHERS = 4


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A condition on a set: its name, its results, and what they amount to."""

    title: str
    results: Results
    summary: Summary

    @property
    def name(self) -> str:
        """The condition's name as a sentence has it, in backticks."""
        return backticked(self.title)

    @cached_property
    def answers(self) -> dict[str, tuple[str, Outcome]]:
        """What it said to each question, by the question's id, and the outcome."""
        columns = (self.results.column(name) for name in ("id", "raw", "outcome"))
        return {name: (raw or "", Outcome(outcome)) for name, raw, outcome in zip(*columns, strict=True)}

    @property
    def n_by_cell(self) -> list[int]:
        """How many questions each cell has, of those that have some."""
        return [cell.accuracy.n for cell in self.summary.cells if cell.accuracy.n]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two conditions on the same questions, with the tests of what differs."""

    before: Evaluated
    after: Evaluated
    accuracy: Difference
    evenness: Test

    @property
    def is_fine_tuning(self) -> bool:
        """Whether `after` is the very model of `before` with an adapter."""
        before, after = self.before.results.manifest, self.after.results.manifest
        same_model = before.config.get("model") == after.config.get("model")
        return same_model and not before.inputs.get("adapter") and bool(after.inputs.get("adapter"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What is found, in sentences, and whom it is about."""

    about: str
    text: str


def compare(before: Evaluated, after: Evaluated) -> Comparison | None:
    """Tests two conditions against each other; None if they did not answer the same questions in one order."""
    if any(before.results.column(name) != after.results.column(name) for name in ("id", "question", "answer")):
        return None
    if not before.results.correct.size:
        return None
    a, b = before.results.correct, after.results.correct
    evenness = evenness_test(a, b, before.results.cells, np.random.default_rng(0))
    return Comparison(before, after, difference(a, b, before.results.images), evenness)


def set_findings(conditions: Sequence[Evaluated]) -> tuple[Finding, ...]:
    """All findings on a set: each condition against the first, then the others with each other.

    The last one compares every condition with always giving the most frequent answer.
    """
    if len(conditions) == 1:
        return (level_finding(conditions[0]), baseline_finding(conditions))
    first, *others = conditions
    pairs = [(first, other) for other in others] + list(combinations(others, 2))
    return (*(pair_finding(*pair) for pair in pairs), baseline_finding(conditions))


def in_short(conditions: Sequence[Evaluated]) -> str:
    """A set in a sentence or two: the second condition against the first with the tests, and what others reach."""
    if len(conditions) == 1:
        return level_finding(conditions[0]).text
    before, after, *others = conditions
    comparison = compare(before, after)
    if comparison is None:
        return pair_finding(before, after).text
    difference = comparison.accuracy
    a, b = (percent(of.summary.accuracy.estimate) for of in (before, after))
    on = f"On {shown(after.results.set_name, 60)},"
    test = f"{test_name(after.results)} {p_value(difference.p_value)}"
    if before.summary.accuracy.estimate == after.summary.accuracy.estimate == 1:
        names = " and ".join(of.name for of in (before, after))
        return f"{on} {names} are right in all {count(after.summary.accuracy.n)} questions.{_beside(others)}"
    if difference.p_value < ALPHA:
        said = (
            f"{on} {after.name} is right in {b}, {before.name} in {a} ({points(difference.estimate)} points, {test})"
        )
    else:
        said = f"{on} no difference in accuracy was detected between {before.name} with {a} and {after.name} with {b}"
        said += f" ({test})"
    return f"{said}; worst cell {_worst(comparison)}; {_cells_in_short(after)}.{_beside(others)}"


def _beside(others: Sequence[Evaluated]) -> str:
    """What other conditions reach."""
    if not others:
        return ""
    rest = ", ".join(f"{of.name} {percent(of.summary.accuracy.estimate)}" for of in others[:_MOST_OTHERS])
    n_more = len(others) - _MOST_OTHERS
    more = f" and {n_more} other{'s' if n_more > 1 else ''}" if n_more > 0 else ""
    return f" Beside them {'stand' if len(others) > 1 else 'stands'} {rest}{more}."


def _cells_in_short(condition: Evaluated) -> str:
    """What is shown of a condition's cells: equal within the margin, different, or neither."""
    uniformity, of = condition.summary.uniformity.p_value, condition.summary.evenness.equivalence
    within = f"within ±{100 * of.delta:g} points of the whole"
    if of.n_cells > 1 and of.holds:
        return f"all {of.n_cells} cells of {condition.name} lie {within} (equivalence {p_value(of.p_value)})"
    if uniformity < ALPHA:
        return f"the cells of {condition.name} differ by more than chance (uniformity {p_value(uniformity)})"
    return (
        f"the cells of {condition.name} were not seen to differ (uniformity {p_value(uniformity)}), nor are they "
        f"shown to lie {within}"
    )


def pair_finding(before: Evaluated, after: Evaluated) -> Finding:
    """What differs between two conditions; if they can't be compared, what each of them reaches."""
    about = f"{after.name} against {before.name}"
    comparison = compare(before, after)
    if comparison is None:
        levels = " ".join(_level(condition) for condition in (before, after))
        return Finding(about, f"{levels} They did not answer the same questions, so they are not compared.")
    sentences = (
        accuracy_sentence(comparison),
        evenness_sentence(comparison),
        uniformity_sentence(after, is_left=before.summary.uniformity.p_value < ALPHA),
    )
    return Finding(about, " ".join(sentences))


def level_finding(condition: Evaluated) -> Finding:
    """What a condition on its own reaches, and whether its cells differ."""
    if not condition.summary.accuracy.n:
        return Finding(condition.name, _level(condition))
    return Finding(condition.name, f"{_level(condition)} {uniformity_sentence(condition)}")


def accuracy_sentence(comparison: Comparison) -> str:
    """Whether, which way and by how much accuracy differs."""
    before, after, difference = comparison.before, comparison.after, comparison.accuracy
    a, b = percent(before.summary.accuracy.estimate), percent(after.summary.accuracy.estimate)
    test = (
        f"({points(difference.estimate)} points, 95 % CI {points(difference.low)} to "
        f"{points(difference.high)}, {test_name(after.results)} {p_value(difference.p_value)})"
    )
    on = f"On {shown(after.results.set_name)},"
    if difference.p_value >= ALPHA:
        return (
            f"{on} no difference in accuracy between {before.name} and {after.name} was detected: {a} and {b} {test}."
        )
    is_up = difference.estimate > 0
    if comparison.is_fine_tuning:
        return f"{on} fine-tuning ({after.name}) {'raised' if is_up else 'lowered'} accuracy from {a} to {b} {test}."
    than = "more" if is_up else "less"
    return f"{on} {after.name} is {than} accurate than {before.name}: {b} against {a} {test}."


def test_name(results: Results) -> str:
    """What tests a difference on these questions: McNemar's test, or where they share images a bootstrap of these."""
    return "McNemar" if has_own_images(results.images) else "by image,"


def evenness_sentence(comparison: Comparison) -> str:
    """Whether the accuracy is more or less even over the cells."""
    before, after = comparison.before.summary, comparison.after.summary
    figures = (
        f"SD over the {len(comparison.after.n_by_cell)} cells {size_points(before.cell_std)} → "
        f"{size_points(after.cell_std)} points, worst cell {_worst(comparison)}, "
        f"evenness {p_value(comparison.evenness.p_value)}"
    )
    if comparison.evenness.p_value >= ALPHA:
        return f"No difference in evenness was detected ({figures})."
    is_more = comparison.evenness.statistic > 0
    less_even, more_even = (before, after) if is_more else (after, before)
    differs = less_even.uniformity.p_value < ALPHA and less_even.cell_std_true > more_even.cell_std_true
    word = "more" if is_more else "less"
    if not differs:
        less_even_name = comparison.before.name if is_more else comparison.after.name
        return (
            f"The spread over the cells changed ({figures}), but {less_even_name} shows no differences between "
            f"cells beyond the noise that are larger than the other's: no evidence of {word} evenness."
        )
    start = "Accuracy became" if comparison.is_fine_tuning else "Its accuracy is"
    return f"{start} {word} even over the cells ({figures})."


def uniformity_sentence(condition: Evaluated, *, is_left: bool = False) -> str:
    """Whether a condition's cells differ from each other by more than chance.

    Args:
        condition: The condition.
        is_left: Whether the cells of the condition that it is compared with differed: then they "still" do.
    """
    summary = condition.summary
    n, share = summary.accuracy.n, summary.accuracy.estimate
    if share in (0.0, 1.0):
        if share:
            return f"All {count(n)} answers of {condition.name} are correct, in every cell."
        return f"None of the {count(n)} answers of {condition.name} is correct, in any cell."
    if summary.uniformity.p_value < ALPHA:
        shares = [cell.accuracy.estimate for cell in summary.cells if cell.accuracy.n]
        return (
            f"The cells of {condition.name} {'still ' if is_left else ''}differ by more than chance (uniformity "
            f"{p_value(summary.uniformity.p_value)}): SD {size_points(summary.cell_std_true)} points with the noise "
            f"taken out, cells from {percent(min(shares))} to {percent(max(shares))}."
        )
    per_cell = median(condition.n_by_cell)
    return (
        f"Between the cells of {condition.name} no differences larger than chance were detected (uniformity "
        f"{p_value(summary.uniformity.p_value)}; with a median of {per_cell:g} questions a cell, small ones can "
        f"go unseen). {_margin_sentence(summary)}"
    ).strip()


def _margin_sentence(summary: Summary) -> str:
    """Whether all cells are shown to be equal within the margin: a test that sees no difference doesn't show it."""
    of, needed = summary.evenness.equivalence, summary.evenness.needed_per_cell
    if of.n_cells < 2:
        return ""
    claim = f"all {of.n_cells} cells lie within ±{100 * of.delta:g} points of the overall accuracy"
    if of.holds:
        return f"That {claim} is shown (equivalence {p_value(of.p_value)})."
    takes = "" if needed is None else f", and would take {needed:,} questions a cell if they were equal"
    return f"That {claim} is not shown (equivalence {p_value(of.p_value)}){takes}."


def baseline_finding(conditions: Sequence[Evaluated]) -> Finding:
    """How each condition stands to always giving the most frequent right answer."""
    sentences = []
    for condition in conditions:
        share, baseline = condition.summary.accuracy, condition.summary.most_frequent_answer
        if not share.n:
            continue
        if share.low <= baseline <= share.high:
            verdict = f"can't be told apart from it ({percent(share.estimate)}, 95 % CI {interval(share)})"
        else:
            side = "above" if share.low > baseline else "below"
            verdict = f"is {side} it with {percent(share.estimate)} (95 % CI {interval(share)})"
        sentences.append((percent(baseline), f"{condition.name} {verdict}"))
    about = "Against always giving the most frequent answer"
    if not sentences:
        return Finding(about, "No questions were asked.")
    baselines = " / ".join(dict.fromkeys(baseline for baseline, _ in sentences))
    verdicts = "; ".join(verdict for _, verdict in sentences)
    return Finding(about, f"Always naming the area that is right most often would reach {baselines}: {verdicts}.")


def _level(condition: Evaluated) -> str:
    share, on = condition.summary.accuracy, f"On {shown(condition.results.set_name)},"
    if not share.n:
        return f"{on} {condition.name} was asked no questions."
    return (
        f"{on} {condition.name} answers {percent(share.estimate)} of {count(share.n)} questions correctly "
        f"(95 % CI {interval(share)}; SD over the {len(condition.n_by_cell)} cells "
        f"{size_points(condition.summary.cell_std)} points, worst cell "
        f"{percent(condition.summary.worst_cell.accuracy.estimate)})."
    )


def _worst(comparison: Comparison) -> str:
    before, after = (side.summary.worst_cell.accuracy for side in (comparison.before, comparison.after))
    text = f"{percent(before.estimate)} → {percent(after.estimate)}"
    fewest = min(before.n, after.n)
    return f"{text} (of as few as {fewest} question{'s' if fewest > 1 else ''})" if fewest < _FEW else text
