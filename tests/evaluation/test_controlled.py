"""Photographs are asked again with the wrong photo, whole or not at all; what is found stands beside the score."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from evensight import cli
from evensight.annotations import AREAS, Box, Cell, Frame
from evensight.datasets.controls import CONTROLS, controlled
from evensight.datasets.examples import Example
from evensight.datasets.priors import BASELINES, learn
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate
from evensight.evaluation.results import Results, control_file, find_evaluations, read_results, schema
from evensight.evaluation.summary import summarise
from evensight.models.answering import Answer, Asked
from evensight.models.asked_here import Here
from evensight.questions.tasks import Question
from evensight.runs import RunFolder, hash_files, read_json
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import store
from forged import reseal
from made_photos import MadePhoto, MadePhotos
from made_runs import center_only, examples, half, right, write_run

BATCH = 1
NAMES = ("cat", "dog", "cup")
KITE = Frame(100, 100)


@pytest.fixture(scope="module")
def photos() -> MadePhotos:
    """Twelve photographs, an object in each, in twelve places: two chunks of questions."""
    things = [(NAMES[k % 3], 7 * k, 7 * k, 7 * k + 9, 7 * k + 9) for k in range(12)]
    prior = learn(["cat"] * 2 + ["dog"], [0.1, 0.2, 0.3], ["top left", "top left", "center"], "made").as_json()
    return MadePhotos([MadePhoto((90, 90), [thing], shade=9 * k) for k, thing in enumerate(things)], prior=prior)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, photos: MadePhotos) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    evaluate("embedded", None, photos, out, BATCH)
    return out


def told(question: Question, text: str, category: str = "kite") -> Example:
    """A question about an object at the top left."""
    return Example(text, question, Cell(0, 0), "top left", Box(0, 0, 5, 5), KITE, {"category": category})


def say_center(self: Here, batch: Sequence[Asked], encoded: Mapping[str, Any]) -> list[Answer]:
    """Answers as a model that always says "center"."""
    return [Answer(one.index, "center") for one in batch]


# Asking


def test_photographs_are_asked_with_the_wrong_photo(finished: Path, photos: MadePhotos) -> None:
    results = read_results(finished)
    assert list(results.controls) == ["wrong-photo"]
    assert results.manifest.config["controls"] == ["wrong-photo"]
    assert control_file("wrong-photo") in results.manifest.files
    table = results.controls["wrong-photo"]
    assert table.schema.equals(schema(("category",)))
    assert table["id"].to_pylist() == [f"{example.id}-wrong-photo" for example in photos]
    assert table["question"].to_pylist() == results.column("question")
    assert table["answer"].to_pylist() == results.column("answer")
    names = {path.name for path in finished.iterdir()}
    assert names == {".lock", "manifest.json", "results.parquet", "summary.json", "pictures", "controls"}


def test_each_picture_is_that_of_its_control(
    photos: MadePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def looks(self: Here, batch: Sequence[Asked], encoded: Mapping[str, Any]) -> list[Answer]:
        seen.extend(one.image.tobytes() for one in batch)
        return say_center(self, batch, encoded)

    monkeypatch.setattr(Here, "answered", looks)
    evaluate("embedded", None, photos, tmp_path / "run", 4, controls=["mirrored", "black"])
    sets = [photos, *(controlled(photos, name, 0) for name in ("wrong-photo", "black", "mirrored"))]
    assert seen == [asked.image(k).tobytes() for asked in sets for k in range(len(photos))]
    assert list(read_results(tmp_path / "run").controls) == ["wrong-photo", "black", "mirrored"]


def test_another_choice_of_controls_is_another_run(finished: Path, photos: MadePhotos) -> None:
    for controls in ((), ("black",), ("wrong-photo", "black")):
        with pytest.raises(InputError, match="another configuration"):
            evaluate("embedded", None, photos, finished, BATCH, controls=controls)


def test_the_same_choice_in_another_order_is_the_same_run(
    photos: MadePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "answered", say_center)
    first = evaluate("embedded", None, photos, tmp_path / "run", 6, controls=("black", "covered"))
    assert evaluate("embedded", None, photos, tmp_path / "run", 6, controls=("covered", "black", "black")) == first


def test_scenes_have_no_controls_but_those_that_are_asked_for(
    mini_train: SceneDesign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "answered", say_center)
    scenes = SceneExamples(mini_train, 108, 0)
    evaluate("embedded", None, scenes, tmp_path / "none", 64)
    assert read_results(tmp_path / "none").controls == {}
    assert not (tmp_path / "none" / "controls").exists()
    evaluate("embedded", None, scenes, tmp_path / "black", 64, controls=["black"])
    summary = summarise(read_results(tmp_path / "black"))
    assert summary.controls["black"].accuracy == summary.accuracy
    assert summary.baselines == {}


def test_a_run_killed_in_the_midst_of_a_control_goes_on(
    finished: Path, photos: MadePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Here.answered
    n_asked, n_at_most = 0, len(photos) + 10

    def dies(self: Here, batch: Sequence[Asked], encoded: Mapping[str, Any]) -> list[Answer]:
        nonlocal n_asked
        n_asked += len(batch)
        if n_asked > n_at_most:
            raise KeyboardInterrupt
        return answered(self, batch, encoded)

    monkeypatch.setattr(Here, "answered", dies)
    with pytest.raises(KeyboardInterrupt):
        evaluate("embedded", None, photos, tmp_path / "run", BATCH)
    with pytest.raises(InputError, match="half written"):
        read_results(tmp_path / "run")
    n_asked, n_at_most = 0, 10_000
    manifest = evaluate("embedded", None, photos, tmp_path / "run", BATCH)
    assert n_asked == len(photos) - 10
    assert manifest.files == read_results(finished).manifest.files
    assert not (tmp_path / "run" / ".parts").exists()


def test_a_control_that_cant_be_made_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "answered", say_center)
    one = MadePhotos([MadePhoto((90, 90), [("cat", 0, 0, 9, 9)])])
    evaluate("embedded", None, one, tmp_path / "run", 1)
    results = read_results(tmp_path / "run")
    assert results.controls == {}
    assert "no two different pictures" in results.controls_left_out["wrong-photo"]
    with pytest.raises(InputError, match="no two different pictures"):
        evaluate("embedded", None, one, tmp_path / "chosen", 1, controls=["wrong-photo"])
    assert not (tmp_path / "chosen").exists()


def test_an_unknown_control_is_refused(photos: MadePhotos, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`sepia` is not known"):
        evaluate("embedded", None, photos, tmp_path / "run", 1, controls=["sepia"])
    assert not (tmp_path / "run").exists()


def test_controls_are_no_evaluations(finished: Path) -> None:
    assert find_evaluations(finished) == find_evaluations(finished.parent) == [finished]


# Reading back


def _sealed_anew(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a run's manifest, with the hashes of its files as they are now."""
    manifest = read_json(path / "manifest.json", "manifest") | {"files": hash_files(path)}
    del manifest["sha256"]
    change(manifest)
    reseal(path, **manifest)


def test_a_control_with_other_rows_is_refused(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    file = copy / control_file("wrong-photo")
    table = pq.read_table(file)
    pq.write_table(table.take(pa.array(range(len(table))[::-1])), file)
    _sealed_anew(copy, lambda manifest: None)
    with pytest.raises(InputError, match=r"wrong-photo.parquet` doesn't go with `results.parquet` row by row"):
        read_results(copy)


def test_a_damaged_prior_is_one_line_that_names_the_run(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    _sealed_anew(copy, lambda manifest: manifest["facts"]["prior"]["overall"].pop())
    with pytest.raises(InputError, match=r"copy` can.t be .*the `prior`") as caught:
        read_results(copy)
    assert len(str(caught.value).splitlines()) == 1


def test_an_evaluation_from_before_there_were_controls_is_read(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    shutil.rmtree(copy / "controls")

    def as_it_was(manifest: dict[str, Any]) -> None:
        for name in ("of_photos", "prior"):
            del manifest["facts"][name]
        manifest["files"] = hash_files(copy)

    _sealed_anew(copy, as_it_was)
    summary = summarise(read_results(copy))
    assert (summary.of_photos, summary.controls, summary.baselines) == (False, {}, {})
    assert RunFolder(copy).manifest("evaluation").files == hash_files(copy)


# Figures


def test_the_wrong_photo_by_hand(tmp_path: Path) -> None:
    """The model is right everywhere; with the wrong photo it says center, which is right in 72 of 648."""
    asked = examples(category=("cat", "dog"))
    summary = summarise(write_run(tmp_path / "run", right, asked, controls={"wrong-photo": center_only}))
    wrong = summary.wrong_photo
    assert wrong is not None
    assert (wrong.accuracy.n, wrong.accuracy.estimate) == (648, 72 / 648)
    assert wrong.areas["center"].estimate == 1
    assert wrong.areas["top left"].estimate == 0
    assert wrong.area_mean == pytest.approx(1 / 9)
    assert wrong.difference.estimate == pytest.approx(576 / 648)
    assert wrong.difference.p_value == pytest.approx(2 * 0.5**576)
    figures = summary.headline()["wrong_photo"]
    assert figures["accuracy"] == 72 / 648
    assert (figures["low"], figures["high"]) == (wrong.accuracy.low, wrong.accuracy.high)
    assert figures["p"] == wrong.difference.p_value
    written = summary.as_json()["controls"]["wrong-photo"]
    assert written["difference"]["estimate"] == pytest.approx(576 / 648)


def test_who_answers_alike_on_the_wrong_photo_gains_nothing_from_the_picture(tmp_path: Path) -> None:
    asked = examples(category=("cat", "dog"))
    wrong = summarise(
        write_run(tmp_path / "run", center_only, asked, controls={"wrong-photo": center_only})
    ).wrong_photo
    assert wrong is not None
    assert (wrong.difference.estimate, wrong.difference.p_value) == (0, 1)


def test_baselines_agree_with_a_second_count(tmp_path: Path) -> None:
    """The guesses are made anew from the training objects by sorting; differences against scipy's binomial test."""
    rng = np.random.default_rng(0)
    train = [(NAMES[k % 3], float(rng.random()) / 9, AREAS[int(rng.integers(9)) // (1 + k % 3)]) for k in range(400)]
    prior = learn(*(list(column) for column in zip(*train, strict=True)), "made")  # type: ignore[call-arg,arg-type]
    asked = examples(2, category=NAMES)

    results = write_run(tmp_path / "run", half, asked, controls={}, prior=prior.as_json())
    summary = summarise(results)
    assert list(summary.baselines) == list(BASELINES)
    in_area = {area: sum(a == area for _, _, a in train) for area in AREAS}
    usual = {
        name: max(AREAS, key=lambda area: (sum((c, a) == (name, area) for c, _, a in train), in_area[area]))
        for name in NAMES
    }
    edges = sorted(share for _, share, _ in train)[50::50]

    def by_size(example: Example) -> str:
        low = max((edge for edge in edges if edge <= example.box.share_of(example.frame)), default=-1.0)
        high = min((edge for edge in edges if edge > low), default=2.0)
        here = [a for _, share, a in train if low <= share < high]
        return max(AREAS, key=lambda area: (here.count(area), in_area[area]))

    expected = {
        "always center": lambda example: "center",
        "most frequent area": lambda example: max(AREAS, key=lambda area: in_area[area]),
        "category prior": lambda example: usual[example.attributes["category"]],
        "box-size prior": by_size,
    }
    for name, guess in expected.items():
        hits = [guess(example) == example.question.answer for example in asked]
        found = summary.baselines[name]
        assert found.accuracy.estimate == sum(hits) / len(asked)
        for area in AREAS:
            there = [hit for hit, example in zip(hits, asked, strict=True) if example.area == area]
            assert found.areas[area].estimate == sum(there) / len(there)
        model = [half(example) == example.question.answer for example in asked]
        won = sum(m and not h for m, h in zip(model, hits, strict=True))
        lost = sum(h and not m for m, h in zip(model, hits, strict=True))
        assert found.difference.estimate == pytest.approx((won - lost) / len(asked))
        assert found.difference.p_value == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    assert summary.headline()["baselines"]["always center"]["area_mean"] == pytest.approx(1 / 9)


def test_without_a_prior_only_the_center_can_be_said(tmp_path: Path) -> None:
    summary = summarise(write_run(tmp_path / "run", right, examples(1), controls={}))
    assert list(summary.baselines) == ["always center"]


def test_scenes_have_no_baselines(tmp_path: Path) -> None:
    summary = summarise(write_run(tmp_path / "run", right, examples(1)))
    assert not summary.of_photos
    assert summary.baselines == {}
    assert summary.headline()["wrong_photo"] is None


def test_rows_and_columns_have_no_baselines(tmp_path: Path) -> None:
    question = Question(
        "row-position",
        "Where is the kite vertically? Choose from [top, center, bottom].",
        ("top", "center", "bottom"),
        "top",
    )
    summary = summarise(write_run(tmp_path / "run", right, [told(question, "a")], controls={}))
    assert summary.of_photos
    assert summary.baselines == {}


def _mirror_run(path: Path, pairs: Sequence[tuple[str, str]]) -> Results:
    """A run with these answers on the photos and on the mirrored ones."""
    asked = examples(1, category=("cat", "dog"))[: len(pairs)]
    said = {example.id: pair for example, pair in zip(asked, pairs, strict=True)}
    return write_run(
        path,
        lambda example: said[example.id][0],
        asked,
        controls={"mirrored": lambda example: said[example.id.removesuffix("-mirrored")][1]},
    )


def test_consistency_by_hand(tmp_path: Path) -> None:
    pairs = [
        ("top left", "top right"),  # mirrored
        ("top left", "top left"),  # the same words again
        ("center right", "center left"),  # mirrored
        ("center", "center"),  # can't be mirrored
        ("center", "bottom center"),
        ("hm", "top left"),  # invalid: left out
        ("top left", "hm"),
    ]
    found = summarise(_mirror_run(tmp_path / "run", pairs)).mirrored
    assert found is not None
    assert (found.overall.n, found.overall.estimate) == (5, 3 / 5)
    assert (found.sides.n, found.sides.estimate) == (3, 2 / 3)
    assert (found.middle.n, found.middle.estimate) == (2, 1 / 2)


def test_consistency_of_no_valid_answers_is_no_number(tmp_path: Path) -> None:
    found = summarise(_mirror_run(tmp_path / "run", [("hm", "hm")])).mirrored
    assert found is not None
    assert isnan(found.overall.estimate)


def test_who_is_right_on_photo_and_mirrored_photo_is_consistent(tmp_path: Path) -> None:
    asked = examples(1, category=("cat", "dog"))
    summary = summarise(write_run(tmp_path / "run", right, asked, controls={"mirrored": right}))
    assert summary.mirrored is not None
    assert summary.mirrored.overall.estimate == summary.controls["mirrored"].accuracy.estimate == 1
    assert summary.controls["mirrored"].areas["top right"].n == 9


def test_the_help_names_all_controls() -> None:
    done = CliRunner().invoke(cli.app, ["evaluate", "--help"], env={"COLUMNS": "300"})
    words = re.sub(r"[\s│]", "", done.output)
    assert f"forseveral:{','.join(CONTROLS)}." in words
    assert "--no-controls" in words


def test_controls_and_none_contradict_each_other(tmp_path: Path) -> None:
    words = [
        "evaluate",
        "--model",
        "m",
        "--data",
        "d",
        "--out",
        str(tmp_path / "o"),
        "--no-controls",
        "--control",
        "black",
    ]
    done = CliRunner().invoke(cli.app, words)
    assert "contradict" in str(done.exception) + done.output


def test_the_command_asks_what_it_is_told_to(
    photos: MadePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "answered", say_center)
    store(photos, tmp_path / "set")
    words = ["evaluate", "--model", "embedded", "--data", str(tmp_path / "set"), "--out"]
    for name, more, expected in (
        ("default", [], ["wrong-photo"]),
        ("none", ["--no-controls"], []),
        ("two", ["--control", "mirrored", "--control", "absent"], ["wrong-photo", "mirrored", "absent"]),
    ):
        done = CliRunner().invoke(cli.app, [*words, str(tmp_path / name), *more])
        assert done.exit_code == 0, done.output
        assert list(read_results(tmp_path / name).controls) == expected
