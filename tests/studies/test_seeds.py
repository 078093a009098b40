"""A study over seeds: what fails costs nothing else, what was stopped goes on, and all is in one matrix."""

import csv
import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from evensight.cli import app
from evensight.evaluation.results import read_results
from evensight.runs import RunFolder
from evensight.scenes import catalog
from evensight.statistics import holm, paired_difference, seeds_accuracy, seeds_difference
from evensight.studies import ray_engine
from evensight.studies import run as studies
from evensight.training import finetune as training

MINI = """
name: {name}
parts: [{{shape: {shape}, color: [red, green], size: large}}]
"""
STUDY = """
name: seeded
seeds: [0, 1]
size_px: 108
batch_size: 54
finetune: {epochs: 0.5}
conditions:
  base: {}
  balanced: {train: seeded-train}
  little: {train: {design: seeded-train, n: 81}, finetune: {epochs: 0.3, components: [projector], layers: []}}
tests:
  circles: {design: seeded-test}
"""


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("seeds")
    shutil.copytree(catalog.SHIPPED, home / "designs")
    for name, shape in (("seeded-train", "square"), ("seeded-test", "circle")):
        (home / "designs" / f"98_{name}.yaml").write_text(MINI.format(name=name, shape=shape))
    (home / "study.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "SHIPPED", home / "designs")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("COLUMNS", "200")
        patch.chdir(home)
        yield home


def called(*words: str) -> Any:
    return CliRunner().invoke(app, ["study", *words])


@pytest.fixture(scope="module")
def done(home: Path) -> Path:
    """The study, of which one condition was done alone, one failed at first, and the rest was resumed."""
    assert called("study.yaml", "--out", "out", "--only", "balanced").exit_code == 0
    only = json.loads((home / "out" / "summary.json").read_text())
    assert {name: list(tests) for name, tests in only.items()} == {"balanced": ["circles"]}
    assert "p" not in only["balanced"]["circles"]  # there is nothing to compare it with yet

    train = training.finetune

    def fails(*given: Any, **more: Any) -> Any:
        if "little" in str(given[3]) and "seed-1" in str(given[3]):
            raise RuntimeError("out of luck")
        return train(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "finetune", fails)
        failed = called("study.yaml", "--out", "out")
    assert failed.exit_code != 0
    said = str(failed.exception) + failed.output
    assert "training little (seed 1) failed: RuntimeError: out of luck" in said
    assert "`evensight study resume out` tries these again" in said
    assert json.loads((home / "out" / "summary.json").read_text())["little"]["circles"]["n_seeds"] == 1
    assert called("resume", "out").exit_code == 0
    return home / "out"


def correct(out: Path, condition: str) -> np.ndarray[Any, Any]:
    folders = sorted((out / "evaluations" / condition).glob("**/circles"))
    return np.stack([np.array(read_results(folder).column("outcome")) == "correct" for folder in folders])


def test_each_training_has_a_folder_a_seed_and_the_base_is_asked_once(done: Path) -> None:
    found = {str(path.parent.relative_to(done)) for path in done.rglob("manifest.json")}
    seeds = [f"{condition}/seed-{seed}" for condition in ("balanced", "little") for seed in (0, 1)]
    trained = {f"conditions/{of}" for of in seeds}
    assert found == trained | {f"evaluations/{of}/circles" for of in seeds} | {"evaluations/base/circles"}
    manifest = json.loads((done / "conditions" / "little" / "seed-1" / "manifest.json").read_text())
    assert manifest["config"]["components"] == ["projector"]
    assert manifest["config"]["seed"] == 1
    assert manifest["config"]["data"]["n"] == 81


def test_the_figures_over_seeds_are_those_of_the_tables(done: Path) -> None:
    summary = json.loads((done / "summary.json").read_text())
    base, balanced, little = (correct(done, name) for name in ("base", "balanced", "little"))
    assert [of.shape for of in (base, balanced, little)] == [(1, 162), (2, 162), (2, 162)]
    of, expected = summary["balanced"]["circles"], seeds_accuracy(balanced)
    assert (of["accuracy"], of["accuracy_low"], of["accuracy_high"]) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    differences = [
        seeds_difference(np.repeat(base, 2, axis=0), other, paired_seeds=True) for other in (balanced, little)
    ]
    assert of["difference"] == pytest.approx(differences[0].estimate)
    assert of["p"] == pytest.approx(differences[0].p_value)
    assert of["p_holm"] == pytest.approx(holm([one.p_value for one in differences])[0])
    assert of["worst_cell"] == pytest.approx(np.mean([head["worst_cell"] for head in of["by_seed"].values()]))
    assert summary["base"]["circles"]["n_seeds"] == 1
    assert paired_difference(base[0], balanced[0]).estimate == pytest.approx(
        of["by_seed"]["0"]["accuracy"] - summary["base"]["circles"]["accuracy"]
    )


def test_the_matrix_holds_the_same_figures(done: Path) -> None:
    summary = json.loads((done / "summary.json").read_text())
    rows = list(csv.DictReader((done / "matrix.csv").read_text().splitlines()))
    assert [row["condition"] for row in rows] == ["base", "balanced", "little"]
    for row in rows:
        figures = summary[row["condition"]][row["test"]]
        assert float(row["accuracy"]) == figures["accuracy"]
        assert row["p_holm"] == ("" if row["condition"] == "base" else repr(figures["p_holm"]))
    picture = (done / "matrix.svg").read_text()
    assert all(f"{100 * float(row['accuracy']):.1f}" in picture for row in rows)
    assert "All together" in (done / "report.html").read_text()


def test_a_plan_is_shown_with_counts_and_changes_nothing(done: Path, home: Path) -> None:
    before = sorted(map(str, home.rglob("*")))
    new = called("study.yaml", "--out", "new", "--dry-run")
    assert new.exit_code == 0, new.output
    assert "9 of 9 parts are left" in new.output
    assert "not known until one part of the kind" in new.output
    left = called("study.yaml", "--out", "out", "--dry-run")
    assert "0 of 9 parts are left" in left.output
    assert "0:00:0" in left.output  # by what was measured in this folder
    assert sorted(map(str, home.rglob("*"))) == before


def test_a_condition_that_another_process_does_is_left_to_it(done: Path) -> None:
    with RunFolder(done / ".locks" / "little").locked():
        busy = called("study.yaml", "--out", "out")
        assert "the condition `little` of `out` is being done by another" in str(busy.exception) + busy.output
        assert called("study.yaml", "--out", "out", "--only", "base", "--only", "balanced").exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["study.yaml"], "expected `evensight study FILE --out OUT`"),
        (["resume"], "expected `evensight study resume OUT`"),
        (["resume", "nowhere"], "`nowhere` has no study.json"),
        (["resume", "out", "--seed", "3"], "leave out `--seed`, `--seeds` and `--model`"),
        (["study.yaml", "--out", "out", "--only", "nope"], "the condition `nope` is not known: expected one of base"),
        (["study.yaml", "--out", "out", "--seeds", "3"], "holds another study, or this one with other settings"),
    ],
)
def test_what_cannot_be_done_is_one_line(done: Path, words: list[str], says: str) -> None:
    refused = called(*words)
    assert refused.exit_code != 0
    assert says in str(refused.exception) + refused.output


class PlayedRay:
    """What of Ray is used: tasks, done when they are waited for. `make ray` runs a study on a real cluster."""

    def __init__(self) -> None:
        self.needs: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0, "GPU": 1.0}

    def remote(self, work: Any) -> Any:
        played = self

        class Task:
            def options(self, **needs: Any) -> "Task":
                played.needs = needs
                return self

            def remote(self, *given: Any, **more: Any) -> Any:
                return partial(work, *given, **more)

        return Task()

    def wait(self, tasks: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: Any) -> Any:
        return task()


def test_a_study_on_ray_gives_the_same_files(done: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = PlayedRay()
    monkeypatch.setitem(sys.modules, "ray", played)
    shutil.copytree(done, home / "on-ray")
    shutil.rmtree(home / "on-ray" / "evaluations" / "little")
    ran = called("resume", "on-ray", "--engine", "ray")
    assert ran.exit_code == 0, ran.output
    assert played.needs == {"max_retries": -1, "num_gpus": 1}
    for name in ("summary.json", "matrix.csv"):
        assert (home / "on-ray" / name).read_bytes() == (done / name).read_bytes()
    lost = studies.check

    def dies(study: Any, only: Any = ()) -> Any:
        if only == ["little"]:
            raise RuntimeError("the worker's disk is full")
        return lost(study, only)

    monkeypatch.setattr(ray_engine, "check", dies)
    failed = called("resume", "on-ray", "--engine", "ray")
    assert failed.exit_code != 0
    assert "the condition little failed: the worker's disk is full" in str(failed.exception) + failed.output


def test_without_ray_it_is_said(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    refused = called("resume", "out", "--engine", "ray")
    assert "pip install 'evensight[ray]'" in str(refused.exception) + refused.output
