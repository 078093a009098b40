"""A study from end to end on a small design: what it writes, what it does again, what it refuses."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evensight.cli import app
from evensight.errors import InputError
from evensight.evaluation.results import read_results
from evensight.scenes import catalog
from evensight.studies.figures import StudyResult
from evensight.studies.folder import study_report
from evensight.studies.plan import Condition, Source, Study
from evensight.studies.run import check, claim, do, run_study

MINI_TRAIN = """
name: mini-train
description: two squares in every cell
parts: [{shape: square, color: [red, green], size: large}]
"""
MINI_TEST = MINI_TRAIN.replace("mini-train", "mini-test").replace("square", "circle")
MakeCoco = Callable[..., Path]
FIGURES = {"accuracy", "n", "low", "high", "n_invalid", "cell_std", "worst_cell"}


def mini_study(seed: int = 0) -> Study:
    return Study.model_validate(
        {
            "name": "mini",
            "seed": seed,
            "size_px": 108,
            "batch_size": 54,
            "finetune": {"epochs": 0.5},
            "conditions": {"base": {}, "balanced": {"train": "mini-train"}},
            "tests": {"mini": {"design": "mini-test"}, "coco-val": {"photos": "val2017"}},
        }
    )


@pytest.fixture(scope="module", autouse=True)
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> object:
    shipped = tmp_path_factory.mktemp("designs")
    shutil.copytree(catalog.SHIPPED, shipped, dirs_exist_ok=True)
    (shipped / "98_mini-train.yaml").write_text(MINI_TRAIN)
    (shipped / "99_mini-test.yaml").write_text(MINI_TEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "SHIPPED", shipped)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.delenv("EVENSIGHT_PHOTOS", raising=False)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    home = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return home / "out", run_study(mini_study(), home / "out", "the command")


def files(folder: Path) -> dict[str, bytes]:
    """All but how long things took."""
    there = (path for path in folder.rglob("*") if path.is_file() and path.name != ".durations.jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in there}


def test_the_summary_has_every_condition_and_test(done: tuple[Path, StudyResult]) -> None:
    summary = json.loads((done[0] / "summary.json").read_text())
    assert {condition: list(tests) for condition, tests in summary.items()} == {
        "base": ["mini"],
        "balanced": ["mini"],
    }
    assert set(summary["base"]["mini"]) >= FIGURES


def test_the_summary_agrees_with_the_results_tables(done: tuple[Path, StudyResult]) -> None:
    summary = json.loads((done[0] / "summary.json").read_text())
    for condition in ("base", "balanced"):
        outcomes = read_results(done[0] / "evaluations" / condition / "mini").column("outcome")
        assert summary[condition]["mini"]["accuracy"] == outcomes.count("correct") / 162


def test_the_report_is_written(done: tuple[Path, StudyResult]) -> None:
    text = (done[0] / "report.html").read_text()
    assert "the command" in text
    assert "balanced" in text


def test_missing_photographs_are_said_with_how_to_get_them(done: tuple[Path, StudyResult]) -> None:
    (note,) = done[1].notes
    assert "coco-val was skipped" in note
    assert "EVENSIGHT_PHOTOS=FOLDER" in note
    assert "coco-val was skipped" in (done[0] / "report.html").read_text()


def test_a_second_run_does_nothing_again_and_changes_no_byte(
    done: tuple[Path, StudyResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(done[0].parent)
    monkeypatch.setattr("evensight.models.asked_here.load", lambda *_: pytest.fail("asked again"))
    monkeypatch.setattr("evensight.training.finetune.load_for", lambda *_: pytest.fail("trained again"))
    before = files(done[0])
    run_study(mini_study(), done[0], "the command")
    assert files(done[0]) == before


def test_a_study_from_nothing_gives_the_same_bytes(
    done: tuple[Path, StudyResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_study(mini_study(), tmp_path / "again", "the command")
    assert files(tmp_path / "again") == files(done[0])


def test_the_folder_of_another_study_is_refused(done: tuple[Path, StudyResult]) -> None:
    before = files(done[0])
    with pytest.raises(InputError, match="holds another study"):
        run_study(mini_study(seed=1), done[0], "the command")
    assert files(done[0]) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(InputError, match="holds files that are not of a study"):
        run_study(mini_study(), tmp_path, "the command")


def test_photographs_that_are_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENSIGHT_PHOTOS", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"`EVENSIGHT_PHOTOS` names .*nowhere"):
        run_study(mini_study(), tmp_path / "out", "the command")


def test_a_study_s_folder_is_reported_in_its_own_order(done: tuple[Path, StudyResult], tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        app, ["report", str(done[0]), "--out", str(tmp_path / "r.html"), "--heatmaps", str(tmp_path / "h.svg")]
    )
    assert shown.exit_code == 0, shown.output
    picture = (tmp_path / "h.svg").read_text()
    assert picture.index(">base<") < picture.index(">balanced<")
    listed, extras = study_report(done[0])
    assert [(title, results.set_name) for title, results in listed] == [("base", "mini"), ("balanced", "mini")]
    assert [of.condition for of in extras.over] == ["base", "balanced"]
    assert 'id="together"' in (tmp_path / "r.html").read_text()


def test_two_tests_of_one_set_are_told_apart(tmp_path: Path) -> None:
    few = {"design": "mini-test", "n": 27}
    tests = {"places": few, "colours": {**few, "task": "property-color"}}
    twice = Study.model_validate({"name": "twice", "size_px": 108, "conditions": {"base": {}}, "tests": tests})
    result = run_study(twice, tmp_path / "out", "the command")
    assert not result.failures
    page = (tmp_path / "out" / "report.html").read_text()
    assert [name for name in tests if f'-name">{name}</h2>' in page] == list(tests)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["base"]) == list(tests)


def test_a_design_that_is_not_there_is_told_before_anything_is_done(tmp_path: Path) -> None:
    wrong = mini_study().model_copy(
        update={"conditions": {"base": Condition(), "bad": Condition(train=(Source(design="nothing"),))}}
    )
    with pytest.raises(InputError, match="`nothing` is not known"):
        run_study(wrong, tmp_path / "out", "the command")
    assert not (tmp_path / "out" / "study.json").exists()


def test_a_study_with_nothing_to_ask_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    empty = mini_study().model_copy(update={"tests": {"coco-val": Source(photos="val2017")}})
    with pytest.raises(InputError, match=r"has nothing to ask: coco-val was skipped"):
        run_study(empty, tmp_path / "out", "the command")
    assert not (tmp_path / "out" / "conditions").exists()


def test_what_a_kill_left_half_written_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".partial-1-study.json").write_text("{")
    claim(mini_study(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"study.json", ".lock"}


def test_a_design_is_asked_its_own_question() -> None:
    asked = Study(name="s", conditions={"base": Condition()}, tests={"near": Source(design="nearest")})
    assert check(asked).tests["near"].info.config["task"] == "nearest-object"


@pytest.fixture
def photographs(make_coco: MakeCoco) -> Path:
    """18 photographs of a cat, two in each area, as val2017 and, others, as train2017."""
    for split, shift in (("val2017", 0), ("train2017", 20)):
        files = {f"{split}-{k}.jpg": (90 + shift, 90 + k) for k in range(18)}
        images = [
            {"id": shift + k, "file_name": name, "width": width, "height": height}
            for k, (name, (width, height)) in enumerate(files.items())
        ]
        boxes = [[30 * (k % 3) + 10, 30 * (k // 3 % 3) + 10, 10, 10] for k in range(18)]
        annotations = [
            {"id": k, "image_id": shift + k, "category_id": 1 + k % 2, "bbox": box} for k, box in enumerate(boxes)
        ]
        root = make_coco(files, images, annotations, split=split)
    return root


def photo_study() -> Study:
    return Study.model_validate(
        {
            "name": "photographs",
            "size_px": 108,
            "batch_size": 18,
            "finetune": {"epochs": 0.5},
            "conditions": {"base": {}, "real": {"train": "coco-train-balanced"}},
            "tests": {"coco-val": {"photos": "val2017"}, "mirrored": {"design": "coco-val-mirrored"}},
        }
    )


def test_a_study_trains_and_tests_on_photographs_with_controls_and_baselines_beside(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENSIGHT_PHOTOS", str(photographs))
    done = run_study(photo_study(), tmp_path / "out", "the command")
    assert done.notes == ()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {(condition, test) for condition, tests in summary.items() for test in tests} == {
        (condition, test) for condition in ("base", "real") for test in ("coco-val", "mirrored")
    }
    figures = summary["real"]["coco-val"]
    assert figures["n"] == 18
    assert figures["wrong_photo"]["accuracy"] is not None
    assert {"always center", "category prior"} <= set(figures["baselines"])
    manifest = json.loads((tmp_path / "out" / "conditions" / "real" / "manifest.json").read_text())
    assert list(manifest["config"]["data"]["apart_from"]) == ["val2017"]
    assert "Beside it, without looking" in (tmp_path / "out" / "report.html").read_text()


def test_a_condition_without_its_photographs_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = photo_study().model_copy(update={"tests": {"mini": Source(design="mini-train")}})
    done = run_study(study, tmp_path / "out", "the command")
    assert [condition for condition, _, _ in done.rows] == ["base"]
    (note,) = done.notes
    assert "real was skipped" in note
    assert "photos fetch coco-train --images --to data/coco" in note


def test_a_disk_that_is_full_fails_a_part_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "results.parquet")

    monkeypatch.setattr("evensight.studies.run.evaluate_subject", full)
    monkeypatch.setattr("evensight.studies.run.finetune", full)
    study = mini_study()
    first, *_ = do(study, tmp_path, check(study))
    assert (first.reason, first.trace) == ("No space left on device (`results.parquet`)", "")
