"""A section of the report: all that is said and shown of one set, its conditions side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evensight.annotations import AREAS, Cell, Grid
from evensight.evaluation.results import Results
from evensight.evaluation.summary import CellResult, Summary, summarise
from evensight.reports.balance_claims import counted_claims
from evensight.reports.bias_charts import arrows_svg, calibration_svg
from evensight.reports.browsing import browsed
from evensight.reports.charts import interval_svg, levels_svg
from evensight.reports.findings import Evaluated, Finding, in_short, set_findings
from evensight.reports.heatmap import heatmap_svg, thumbnail_svg, what, where
from evensight.reports.looking import Looking, caveat, explanations, lacks_prior, looking, looking_findings
from evensight.reports.pictures import PictureExample, picture_examples
from evensight.reports.tendencies import tendency_lines
from evensight.statistics import Proportion

MOST_LEVELS = 12
"""How many levels of an attribute are shown: the most frequent."""


@dataclass(frozen=True, slots=True)
class WrongAnswers:
    """Where the objects of the wrongly answered questions were, and what was answered.

    Attributes:
        n: How many answers are wrong (invalid ones are counted apart).
        asked: For each area how many of them asked about an object there.
        given: For each area how many of them named it.
    """

    n: int
    asked: tuple[int, ...]
    given: tuple[int, ...]

    @property
    def most_given(self) -> int:
        """The index of the area that wrong answers name most often (the first of equals)."""
        return self.given.index(max(self.given))


@dataclass(frozen=True, eq=False)
class Column:
    """A condition in a section: its figures and its pictures."""

    title: str
    summary: Summary
    heatmap: str
    thumbnail: str
    interval: str
    wrong: WrongAnswers
    arrows: str
    calibration: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """The accuracy by the levels of an attribute.

    Attributes:
        name: The attribute.
        chart: The chart, as SVG.
        rows: The levels that are shown, each with one share a condition (None where it has no such level).
        n_levels: How many levels there are.
    """

    name: str
    chart: str
    rows: tuple[tuple[str, tuple[Proportion | None, ...]], ...]
    n_levels: int


@dataclass(frozen=True, eq=False)
class Section:
    """One set of questions."""

    anchor: str
    name: str
    description: str
    columns: tuple[Column, ...]
    findings: tuple[Finding, ...]
    cells: tuple[tuple[str, tuple[str, ...]], ...]
    has_areas: bool
    levels: tuple[Levels, ...]
    examples: tuple[PictureExample, ...]
    looking: tuple[Looking, ...]
    explanations: tuple[tuple[str, str], ...]
    lacks_prior: bool
    caveat: str
    in_short: str
    grid: Grid
    browsed: dict[str, Any]

    @property
    def has_calibration(self) -> bool:
        """Whether some condition's options were scored."""
        return any(column.calibration for column in self.columns)

    @property
    def has_empty_cells(self) -> bool:
        """Whether some cell has no questions."""
        return any(cell.accuracy.n == 0 for column in self.columns for cell in column.summary.cells)


def sections(runs: Sequence[Results], titles: Sequence[str]) -> tuple[Section, ...]:
    """A section for each set, in the order in which the sets come first."""
    by_set: dict[str, list[Evaluated]] = {}
    for results, title in zip(runs, titles, strict=True):
        by_set.setdefault(results.set_name, []).append(Evaluated(title, results, summarise(results)))
    return tuple(_section(k, conditions, len(by_set)) for k, conditions in enumerate(by_set.values(), start=1))


def wrong_answers(confusion: Sequence[Sequence[int]]) -> WrongAnswers:
    """The wrong answers of a confusion matrix (see `Summary.confusion`)."""
    wrong = [[0 if j == i else row[j] for j in range(len(AREAS))] for i, row in enumerate(confusion)]
    asked = tuple(sum(row) for row in wrong)
    return WrongAnswers(sum(asked), asked, tuple(sum(row[j] for row in wrong) for j in range(len(AREAS))))


def _section(number: int, conditions: Sequence[Evaluated], n_sets: int) -> Section:
    results = conditions[0].results
    pictures = picture_examples(conditions, n_sets)
    notes = results.manifest.facts.get("notes")
    return Section(
        anchor=f"set-{number}",
        name=results.set_name,
        description=str(notes.get("description", "")) if isinstance(notes, dict) else "",
        columns=tuple(_column(k, condition) for k, condition in enumerate(conditions)),
        findings=(*set_findings(conditions), *looking_findings(conditions)),
        cells=_cell_rows(conditions),
        has_areas=all(set(condition.results.column("answer")) <= set(AREAS) for condition in conditions),
        levels=_all_levels(conditions),
        examples=pictures,
        looking=looking(conditions),
        caveat=caveat(conditions),
        explanations=explanations(conditions),
        lacks_prior=lacks_prior(conditions),
        in_short=in_short(conditions),
        grid=results.grid,
        browsed=browsed(conditions, [example.id for example in pictures], n_sets),
    )


def _column(k: int, condition: Evaluated) -> Column:
    summary, grid = condition.summary, condition.results.grid
    return Column(
        title=condition.title,
        summary=summary,
        heatmap=heatmap_svg(condition.title, summary.cells, grid),
        thumbnail=thumbnail_svg(condition.title, summary.cells, grid),
        interval=interval_svg(summary.accuracy, summary.most_frequent_answer, k),
        wrong=wrong_answers(summary.confusion),
        arrows=arrows_svg(condition.title, summary.places) if summary.places is not None else "",
        calibration=""
        if summary.by_options is None
        else calibration_svg(condition.title, summary.by_options.calibration, k),
        lines=tuple(tendency_lines(summary)),
    )


def _cell_rows(conditions: Sequence[Evaluated]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each cell in words, and what each condition has there, for the table of the heatmaps' numbers."""
    by_place: dict[str, list[str]] = {}
    for k, condition in enumerate(conditions):
        for result in condition.summary.cells:
            values = by_place.setdefault(_place(result, condition.results.grid), [""] * len(conditions))
            values[k] = what(result)
    return tuple((place, tuple(values)) for place, values in by_place.items())


def _place(result: CellResult, grid: Grid) -> str:
    return where(Cell(result.row, result.col), grid)


def _all_levels(conditions: Sequence[Evaluated]) -> tuple[Levels, ...]:
    factors = dict.fromkeys(factor for condition in conditions for factor in condition.results.factors)
    by_factor = [
        _levels(factor, [condition.summary.attributes.get(factor, {}) for condition in conditions], conditions)
        for factor in factors
    ]
    told = dict.fromkeys(name for condition in conditions for name in condition.summary.breakdowns)
    by_factor += [
        _levels(
            _BREAKDOWNS.get(name, name),
            [_named(condition.summary.breakdowns.get(name, {}), name) for condition in conditions],
            conditions,
        )
        for name in told
    ]
    slots = [
        {f"option {int(slot) + 1}": share for slot, share in condition.summary.slots.items()}
        for condition in conditions
    ]
    return (*by_factor, _levels("slot of the right answer", slots, conditions))


_BREAKDOWNS = {"col": "column", "n others": "number of other objects"}


def _named(shares: Mapping[str, Proportion], name: str) -> dict[str, Proportion]:
    """The levels of a breakdown as they are called: rows and columns by their numbers from 0."""
    word = {"row": "row ", "col": "column "}.get(name, "")
    return {f"{word}{level}": share for level, share in shares.items()}


def _levels(name: str, shares: Sequence[dict[str, Proportion]], conditions: Sequence[Evaluated]) -> Levels:
    names = list(dict.fromkeys(level for by_level in shares for level in by_level))

    def frequency(level: str) -> int:
        return max(by_level[level].n for by_level in shares if level in by_level)

    kept = sorted(names, key=frequency, reverse=True)[:MOST_LEVELS] if len(names) > MOST_LEVELS else names
    rows = tuple((level, tuple(by_level.get(level) for by_level in shares)) for level in kept)
    titles = [condition.title for condition in conditions]
    return Levels(name, levels_svg(f"Accuracy by {name}", rows, titles), rows, len(names))


def provenance(results: Results, title: str) -> dict[str, Any]:
    """What made a run, for the last section: from its manifest, and the folder's name."""
    manifest = results.manifest
    return {
        "title": title,
        "set": results.set_name,
        "folder": "/".join(results.path.parts[-2:]),
        "claims": list(counted_claims(results)),
        "notes": manifest.facts.get("notes"),
        "config": dict(manifest.config),
        "inputs": dict(manifest.inputs),
        "versions": dict(manifest.versions),
        "fingerprint": manifest.fingerprint,
    }
