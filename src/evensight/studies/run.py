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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.coco.reading import PHOTOS_VARIABLE, has_split, photos_root
from evensight.datasets.examples import ExampleSet
from evensight.datasets.orders import Order
from evensight.datasets.photo_sets import photo_set
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.summary import Summary, summarise
from evensight.photos.catalog import photo_design, split_design
from evensight.reports.html import build_report
from evensight.runs import RunFolder, read_json, write_json
from evensight.settings import checked
from evensight.studies.plan import Study, StudyTest
from evensight.training.finetune import config_for, finetune

STUDY_NAME = "study.json"


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
        training, untrained = _training_sets(study)
        skipped += untrained
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


def _training_sets(study: Study) -> tuple[dict[str, ExampleSet | None], list[str]]:
    """What each condition is trained on (None: nothing), and what is left out for want of photographs."""
    sets: dict[str, ExampleSet | None] = {}
    skipped = []
    for name, condition in study.conditions.items():
        missing = None if condition.train is None else _missing_split(condition.train)
        if missing is not None:
            skipped.append(_skipped(name, missing))
        else:
            with _named("condition", name):
                sets[name] = None if condition.train is None else _set(condition.train, study)
    return sets, skipped


@contextmanager
def _named(part: str, name: str) -> Iterator[None]:
    """Has an error say which part of the study it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"the {part} `{name}`: {error}") from error


def _test_set(test: StudyTest, study: Study) -> ExampleSet:
    """What a test asks."""
    if test.design is not None:
        return _set(test.design, study)
    root = photos_root()
    return photo_set(split_design(root, str(test.photos)), root, study.seed)


def _set(design: str, study: Study) -> ExampleSet:
    """The set of a design, of scenes or of photographs."""
    photos = None if photo_design(design) is None else photos_root()
    return Order(design, study.size_px, study.seed, photos=photos).examples()


def _missing_split(design: str) -> str | None:
    """The split of photographs that a design needs and that is not there."""
    found = photo_design(design)
    return None if found is None else _missing(found.photos)


def _missing(split: str) -> str | None:
    """The split, if it is not there.

    Raises:
        InputError: The user has named a folder, and it isn't in there.
    """
    root = photos_root()
    if has_split(root, split):
        return None
    if PHOTOS_VARIABLE in os.environ:
        raise InputError(
            f"`{PHOTOS_VARIABLE}` names `{root}`, which has no {split}/ with "
            f"annotations/instances_{split}.json: expected a folder in COCO's layout"
        )
    return split


def _skipped(name: str, split: str) -> str:
    root = photos_root()
    fetched = {"val2017": "coco-val", "train2017": "coco-train --images"}.get(split)
    how = f"`evensight photos fetch {fetched} --to {root}` brings them" if fetched else "Put them there"
    return (
        f"{name} was skipped: there are no photographs in {root}/{split} with "
        f"{root}/annotations/instances_{split}.json. {how}; photographs elsewhere are named by "
        f"{PHOTOS_VARIABLE}=FOLDER."
    )


def _tests(study: Study) -> tuple[dict[str, ExampleSet], list[str]]:
    """The tests' examples, and what is left out for want of photographs."""
    tests: dict[str, ExampleSet] = {}
    skipped = []
    for name, test in study.tests.items():
        missing = _missing_split(test.design) if test.design is not None else _missing(str(test.photos))
        if missing is not None:
            skipped.append(_skipped(name, missing))
            continue
        with _named("test", name):
            tests[name] = _test_set(test, study)
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
