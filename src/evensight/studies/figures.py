"""What a study found, written down: figures, a matrix as table and picture, and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.evaluation.over_seeds import OverSeeds, over_seeds
from evensight.evaluation.results import Results
from evensight.evaluation.summary import Summary, summarise
from evensight.probing.results import ProbeResults, read_probes
from evensight.reports.html import Extras, build_report
from evensight.reports.matrix import matrix_csv, matrix_svg
from evensight.runs import MANIFEST_NAME, write_json, write_text
from evensight.studies.parts import Failure, Run, runs_of
from evensight.studies.plan import Study

Found = Mapping[str, Mapping[str, Sequence[tuple[Run, Results]]]]
"""Test -> condition -> its runs."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study gave.

    Attributes:
        rows: `(condition, test, figures)` in order, of the first seed of each condition.
        figures: The figures over all seeds.
        notes: What was left out, and how to have it done.
        failures: What failed.
        report: The report's path; None where nothing was asked.
    """

    rows: tuple[tuple[str, str, Summary], ...]
    figures: tuple[OverSeeds, ...]
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    report: Path | None


def write_figures(
    study: Study, out: Path, found: Found, command: str, notes: Sequence[str], failures: Sequence[Failure]
) -> StudyResult:
    """Writes the figures of what was found into the study's folder.

    Args:
        study: The study.
        out: Its folder.
        found: The evaluations that are there.
        command: How to run it again.
        notes: What was left out.
        failures: What failed.
    """
    shown = first_runs(found)
    if not shown:
        return StudyResult((), (), tuple(notes), tuple(failures), None)
    extras = extras_of(study, out, found)
    figures = extras.over
    write_json(out / "summary.json", _summary(study, found, figures))
    write_text(out / "matrix.csv", matrix_csv(figures))
    write_text(out / "matrix.svg", matrix_svg(figures))
    build_report(
        [results for _, results in shown],
        [condition for condition, _ in shown],
        out / "report.html",
        title=f"evensight · {study.name}",
        notes=[*notes, *map(str, failures)],
        command=command,
        extras=extras,
    )
    rows = tuple((condition, results.set_name, summarise(results)) for condition, results in shown)
    return StudyResult(rows, tuple(figures), tuple(notes), tuple(failures), out / "report.html")


def first_runs(found: Found) -> list[tuple[str, Results]]:
    """The evaluations that a report shows, with their conditions: by test, of several seeds the first."""
    return [(condition, of[0][1]) for by in found.values() for condition, of in by.items()]


def extras_of(study: Study, out: Path, found: Found) -> Extras:
    """What a report shows of a study beside its evaluations: the figures over seeds, and the probes."""
    runs = {test: {name: [results for _, results in of] for name, of in by.items()} for test, by in found.items()}
    return Extras(over_seeds(runs, next(iter(study.conditions))), _probes(study, out))


def _probes(study: Study, out: Path) -> list[tuple[str, ProbeResults]]:
    """The probing runs that are there, each with its condition, in the study's order; of several seeds the first."""
    found = []
    for condition in study.conditions:
        folders = (run.probes(out) for run in runs_of(study, condition))
        there = [folder for folder in folders if (folder / MANIFEST_NAME).exists()]
        found += [(condition, read_probes(folder)) for folder in there[:1]]
    return found


def _summary(study: Study, found: Found, figures: Sequence[OverSeeds]) -> dict[str, dict[str, Any]]:
    """Condition -> test -> figures: a run's headline, or where there are seeds those over them with each one's."""
    summary: dict[str, dict[str, Any]] = {}
    for of in figures:
        runs = found[of.test][of.condition]
        heads = [(run, summarise(results).headline()) for run, results in runs]
        by_seed = {str(run.seed): head for run, head in heads}
        summary.setdefault(of.condition, {})[of.test] = (
            {**of.as_json(), "by_seed": by_seed} if study.seeds else heads[0][1]
        )
    return {name: summary[name] for name in study.conditions if name in summary}
