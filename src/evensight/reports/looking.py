"""Does it look at the picture? What stands beside a score on photographs, as a table and in sentences.

A condition is said to look at the picture only when it is right more often than with the wrong photo under the same
questions, by McNemar's test or, where these share photographs, a bootstrap of photographs; otherwise it is "no better
than with the wrong photo". Baselines, which have no model, say what knowing where things usually are is worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evensight.datasets.controls import CONTROLS
from evensight.datasets.priors import BASELINES, CATEGORY
from evensight.datasets.swapped import WrongPhoto
from evensight.evaluation.beside import Beside
from evensight.evaluation.controlled import Consistency
from evensight.reports.findings import ALPHA, Evaluated, Finding, test_name
from evensight.reports.wording import count, interval, p_value, percent, points, shown
from evensight.statistics import Difference, Proportion

PRIOR_NEEDED = (
    "This set brings no prior of where things usually are: the priors by category and size need photographs of a "
    "training split"
)
_THE_MODEL = "the model, on the photographs"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the model itself (no difference), a control or a baseline."""

    name: str
    accuracy: Proportion
    area_mean: float
    areas: Mapping[str, Proportion]
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Looking:
    """What stands beside a condition's score.

    Attributes:
        title: The condition.
        rows: The condition's own score, then the controls, then the baselines.
        consistency: How often its answers are mirrored with the picture; None if that wasn't asked.
        left_out: The controls that couldn't be made, with the reasons.
    """

    title: str
    rows: tuple[Row, ...]
    consistency: Consistency | None
    left_out: tuple[tuple[str, str], ...]


def looking(conditions: Sequence[Evaluated]) -> tuple[Looking, ...]:
    """What stands beside the score of each condition; nothing where the questions are not about photographs."""
    return tuple(
        Looking(
            condition.title,
            _rows(condition),
            condition.summary.mirrored,
            tuple(condition.results.controls_left_out.items()),
        )
        for condition in conditions
        if condition.summary.of_photos
    )


def explanations(conditions: Sequence[Evaluated]) -> tuple[tuple[str, str], ...]:
    """What each control and baseline is that the conditions have beside them, and where a prior is from."""
    named = dict.fromkeys(row.name for beside in looking(conditions) for row in beside.rows[1:])
    sources = {of.results.prior.source for of in conditions if of.results.prior is not None}
    origin = [("The prior", f"was learned on {shown(source, 120)}") for source in sorted(sources)]
    about = {name: control.description for name, control in CONTROLS.items()} | dict(BASELINES)
    return (*((name, about[name]) for name in named), *origin)


def lacks_prior(conditions: Sequence[Evaluated]) -> bool:
    """Whether a baseline by category would stand beside a score, had the set brought a prior."""
    return any(of.summary.baselines and CATEGORY not in of.summary.baselines for of in conditions)


def looking_findings(conditions: Sequence[Evaluated]) -> tuple[Finding, ...]:
    """For each condition on photographs, whether it looks at them and what it has above not looking."""
    return tuple(
        Finding(
            f"Does {condition.name} look at the picture?",
            " ".join((*_picture_sentences(condition), *_baseline_sentences(condition))),
        )
        for condition in conditions
        if condition.summary.of_photos and condition.summary.accuracy.n
    )


def caveat(conditions: Sequence[Evaluated]) -> str:
    """What belongs beside the first sentence on photographs: which conditions are no better with the wrong photo."""
    blind = [
        condition.name
        for condition in conditions
        if condition.summary.of_photos
        and condition.summary.wrong_photo is not None
        and not _looks(condition.summary.wrong_photo)
    ]
    if not blind:
        return ""
    return f"But {' and '.join(blind)} {'is' if len(blind) == 1 else 'are'} no better than with the wrong photo."


def _looks(wrong: Beside) -> bool:
    """Whether the test says that a condition is right more often than with the wrong photo."""
    return wrong.difference.p_value < ALPHA and wrong.difference.estimate > 0


def _rows(condition: Evaluated) -> tuple[Row, ...]:
    summary = condition.summary
    model = Row(_THE_MODEL, summary.accuracy, summary.area_mean, summary.areas, None)
    others = (summary.controls | summary.baselines).items()
    return (model, *(Row(name, of.accuracy, of.area_mean, of.areas, of.difference) for name, of in others))


def _picture_sentences(condition: Evaluated) -> list[str]:
    wrong, mirrored = condition.summary.wrong_photo, condition.summary.mirrored
    if wrong is None:
        reason = condition.results.controls_left_out.get(WrongPhoto.name, "").replace("`", "")
        because = f" ({shown(reason)})" if reason else ""
        sentences = [f"{condition.name} was not asked with the wrong photo{because}: that it looks is not shown."]
    else:
        sentences = [picture_sentence(condition, wrong)]
    if mirrored is not None and mirrored.sides.n:
        sentences.append(
            f"Of its {count(mirrored.sides.n)} answers that name a side, {percent(mirrored.sides.estimate)} are "
            f"mirrored with the picture (95 % CI {interval(mirrored.sides)})."
        )
    return sentences


def picture_sentence(condition: Evaluated, wrong: Beside) -> str:
    """Whether a condition is right more often than with the wrong photo under the same questions."""
    name, difference = condition.name, wrong.difference
    score, blind = percent(condition.summary.accuracy.estimate), percent(wrong.accuracy.estimate)
    p = p_value(difference.p_value)
    gain = f"{points(difference.estimate)} points, 95 % CI {points(difference.low)} to {points(difference.high)}"
    test = f"{gain}, {test_name(condition.results)} {p}"
    if difference.p_value >= ALPHA:
        return f"{name} is no better than with the wrong photo ({p}): {score} and {blind} ({gain})."
    if difference.estimate < 0:
        return f"{name} is right less often than with the wrong photo: {score} against {blind} ({test})."
    return f"{name} looks at the picture: {score}, with the wrong photo {blind} ({test})."


def _baseline_sentences(condition: Evaluated) -> list[str]:
    """What the condition has above each baseline, below it, or can't be told apart from."""
    told: dict[str, list[str]] = {"above": [], "not told apart from": [], "below": []}
    for name, of in condition.summary.baselines.items():
        side = "above" if of.difference.estimate > 0 else "below"
        verdict = side if of.difference.p_value < ALPHA else "not told apart from"
        told[verdict].append(f"`{name}` ({percent(of.accuracy.estimate)}, {p_value(of.difference.p_value)})")
    verdicts = "; ".join(f"{verdict} {', '.join(names)}" for verdict, names in told.items() if names)
    return [f"Over all questions it is, of what needs no model, {verdicts}."] if verdicts else []
