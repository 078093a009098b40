"""A study's folder, read back: what the study is and the evaluations that are there. It takes no model to read it."""

from pathlib import Path

from evensight.errors import InputError
from evensight.evaluation.results import Results, read_results
from evensight.reports.html import Extras
from evensight.runs import MANIFEST_NAME, read_json
from evensight.settings import checked
from evensight.studies.figures import extras_of, first_runs
from evensight.studies.parts import Run, runs_of
from evensight.studies.plan import Study

STUDY_NAME = "study.json"


def evaluations(study: Study, out: Path) -> dict[str, dict[str, list[tuple[Run, Results]]]]:
    """Test -> condition -> the runs that are there, each with its seed, in the study's order."""
    found: dict[str, dict[str, list[tuple[Run, Results]]]] = {}
    for test in study.tests:
        for condition in study.conditions:
            for run in runs_of(study, condition):
                folder = run.evaluation(out, test)
                if (folder / MANIFEST_NAME).exists():
                    results = read_results(folder).of_test(test)
                    found.setdefault(test, {}).setdefault(condition, []).append((run, results))
    return found


def read_study_folder(out: Path) -> Study:
    """The study that a folder holds.

    Raises:
        InputError: It holds none, or its record is damaged.
    """
    if not (out / STUDY_NAME).is_file():
        raise InputError(f"`{out}` has no {STUDY_NAME}: expected the folder of a study")
    return checked(Study, read_json(out / STUDY_NAME, "study's record"), f"`{out / STUDY_NAME}`")


def study_report(out: Path) -> tuple[list[tuple[str, Results]], Extras]:
    """What a report on a study's folder shows: evaluations with their conditions' names, and what stands beside them.

    Raises:
        InputError: The folder's record, or an evaluation in it, is damaged.
    """
    study = read_study_folder(out)
    found = evaluations(study, out)
    return first_runs(found), extras_of(study, out, found)
