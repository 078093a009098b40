"""Running a study: every condition is trained, every condition is asked every test, and the figures are written.

Each training and each evaluation is a run folder of its own; one that is whole and of just this configuration is
not done again, so a study that was stopped goes on where it was. The folder holds

    study.json                      what the study is
    conditions/CONDITION/           the fine-tuning run
    evaluations/CONDITION/TEST/     the evaluation
    summary.json                    condition -> test -> figures
    report.html                     the report
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.datasets.orders import Order
from evensight.datasets.photo_examples import PhotoExamples
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.summary import Summary, summarise
from evensight.photos.coco import has_split
from evensight.reports.html import build_report
from evensight.runs import RunFolder, read_json, write_json
from evensight.settings import checked
from evensight.studies.plan import Study
from evensight.training.finetune import config_for, finetune

STUDY_NAME = "study.json"
PHOTOS_VARIABLE = "EVENSIGHT_PHOTOS"
PHOTOS_FOLDER = Path("data/coco")


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study gave.

    Attributes:
        rows: `(condition, test, figures)` in order.
        skipped: What was not done, and how to have it done.
        report: The report's path.
    """

    rows: tuple[tuple[str, str, Summary], ...]
    skipped: tuple[str, ...]
    report: Path


def run_study(study: Study, out: Path, command: str) -> StudyResult:
    """Does what a study says and is not done yet.

    Args:
        study: The study.
        out: Its folder.
        command: How to run it again, for the report.

    Raises:
        InputError: The folder holds another study, or something that the study names can't be used.
    """
    with RunFolder(out).locked():
        tests, skipped = _tests(study)
        config = config_for(study.model, {"seed": study.seed, **study.finetune}, f"the study `{study.name}`")
        training = _training_sets(study)
        _claim(study, out)
        adapters = {name: _train(study, name, examples, out, config) for name, examples in training.items()}
        runs: list[tuple[str, str, Results]] = []
        for test, examples in tests.items():
            for condition, adapter in adapters.items():
                folder = out / "evaluations" / condition / test
                evaluate(study.model, adapter, examples, folder, study.batch_size, replace=True)
                runs.append((condition, test, read_results(folder)))
        rows = tuple((condition, test, summarise(results)) for condition, test, results in runs)
        write_json(out / "summary.json", _figures(rows))
        build_report(
            [results for _, _, results in runs],
            [condition for condition, _, _ in runs],
            out / "report.html",
            title=f"evensight · {study.name}",
            notes=skipped,
            command=command,
        )
    return StudyResult(rows, tuple(skipped), out / "report.html")


def study_evaluations(out: Path) -> list[Path]:
    """The evaluations in a study's folder that are there, by test, the conditions in the study's order.

    Raises:
        InputError: The folder's record is damaged.
    """
    record = read_json(out / STUDY_NAME, "study's record")
    study = checked(Study, record, f"`{out / STUDY_NAME}`")
    folders = (out / "evaluations" / condition / test for test in study.tests for condition in study.conditions)
    return [folder for folder in folders if folder.is_dir()]


def photos_root() -> Path:
    """The folder of photographs: what `EVENSIGHT_PHOTOS` names, else `data/coco`."""
    return Path(os.environ.get(PHOTOS_VARIABLE) or PHOTOS_FOLDER)


def _claim(study: Study, out: Path) -> None:
    """Makes the folder this study's, unless it is another's."""
    path, content = out / STUDY_NAME, study.model_dump(mode="json")
    folder = RunFolder(out)
    if path.exists():
        if read_json(path, "study's record") != content:
            raise InputError(
                f"`{out}` holds another study, or this one with other settings: choose a new folder, "
                "or remove this one"
            )
    elif folder.has_foreign_files():
        raise InputError(f"`{out}` holds files that are not of a study: choose an empty or a new folder")
    else:
        write_json(path, content)
    folder.sweep()


def _training_sets(study: Study) -> dict[str, ExampleSet | None]:
    """What each condition is trained on; None for the model as it is."""
    return {
        name: None if condition.train is None else Order(condition.train, study.size_px, study.seed).examples()
        for name, condition in study.conditions.items()
    }


def _tests(study: Study) -> tuple[dict[str, ExampleSet], list[str]]:
    """The tests' examples, and what is left out for want of photographs."""
    tests: dict[str, ExampleSet] = {}
    skipped = []
    for name, test in study.tests.items():
        if test.design is not None:
            tests[name] = Order(test.design, study.size_px, study.seed).examples()
        elif test.photos is not None:
            root = photos_root()
            if has_split(root, test.photos):
                tests[name] = PhotoExamples(root, test.photos, study.seed)
            elif PHOTOS_VARIABLE in os.environ:
                raise InputError(
                    f"`{PHOTOS_VARIABLE}` names `{root}`, which has no {test.photos}/ with "
                    f"annotations/instances_{test.photos}.json: expected a folder in COCO's layout"
                )
            else:
                skipped.append(
                    f"{name} was skipped: there are no photographs in {root}/{test.photos} with "
                    f"{root}/annotations/instances_{test.photos}.json. To have it, download COCO 2017's "
                    f"{test.photos} images and annotations (cocodataset.org), unpack them into one folder, and "
                    f"run again with {PHOTOS_VARIABLE}=FOLDER."
                )
    if not tests:
        raise InputError(f"the study `{study.name}` has nothing to ask: {' '.join(skipped)}")
    return tests, skipped


def _train(study: Study, condition: str, examples: ExampleSet | None, out: Path, config: Any) -> Path | None:
    """The run folder of a condition's adapter; None for the model as it is."""
    if examples is None:
        return None
    folder = out / "conditions" / condition
    finetune(study.model, examples, config, folder, replace=True)
    return folder


def _figures(rows: tuple[tuple[str, str, Summary], ...]) -> Mapping[str, Mapping[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for condition, test, summary in rows:
        figures.setdefault(condition, {})[test] = summary.headline()
    return figures
