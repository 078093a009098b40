"""An evaluation is whole or not there, resumes to the same bytes, and keeps what the model said."""

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evensight.annotations import AREAS
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.evaluation.ask import PICTURES_PER_AREA, evaluate
from evensight.evaluation.results import find_evaluations, read_results, schema
from evensight.evaluation.summary import summarise
from evensight.models.answering import Answer, Asked
from evensight.models.asked_here import Here
from evensight.runs import read_json
from evensight.scenes.compose import SceneDesign

BATCH = 8


@pytest.fixture
def few(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, mini_train: SceneDesign) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    evaluate("embedded", None, SceneExamples(mini_train, 108, 0), out, BATCH)
    return out


def test_one_row_a_question_in_order(finished: Path, few: SceneExamples) -> None:
    assert read_results(finished).column("id") == [example.id for example in few]


def test_the_table_has_the_agreed_columns(finished: Path, few: SceneExamples) -> None:
    table = pq.read_table(finished / "results.parquet")
    assert table.schema.equals(schema(few.info.factors))


def test_the_summary_file_is_what_the_table_says(finished: Path) -> None:
    assert read_json(finished / "summary.json", "summary") == summarise(read_results(finished)).as_json()


def test_a_few_pictures_of_each_area_are_kept_by_their_ids_alone(finished: Path, few: SceneExamples) -> None:
    of_areas = [[one.id for one in few if one.area == area] for area in AREAS]
    first = [sorted(ids, key=lambda id_: sha256(id_.encode()).hexdigest())[:PICTURES_PER_AREA] for ids in of_areas]
    kept = {path.stem for path in (finished / "pictures").iterdir()}
    assert kept == {id_ for ids in first for id_ in ids}
    assert len(kept) == 9 * PICTURES_PER_AREA


def test_nothing_half_made_is_left(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names == {".lock", "manifest.json", "results.parquet", "summary.json", "pictures"}


def test_an_interrupted_run_goes_on_and_ends_with_the_same_files(
    finished: Path, few: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Here.answered
    n_asked = 0

    def dies(self: Here, batch: Sequence[Asked], encoded: Mapping[str, Any]) -> list[Answer]:
        nonlocal n_asked
        n_asked += len(batch)
        if n_asked > BATCH * 10:
            raise KeyboardInterrupt
        return answered(self, batch, encoded)

    monkeypatch.setattr(Here, "answered", dies)
    with pytest.raises(KeyboardInterrupt):
        evaluate("embedded", None, few, tmp_path / "run", BATCH)
    with pytest.raises(InputError, match="half written"):
        read_results(tmp_path / "run")

    n_asked = -10_000
    monkeypatch.setattr(Here, "answered", dies)
    manifest = evaluate("embedded", None, few, tmp_path / "run", BATCH)
    assert n_asked == -10_000 + len(few) - BATCH * 10
    assert manifest.files == read_results(finished).manifest.files


def test_a_finished_run_asks_nothing_again(
    finished: Path, few: SceneExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evensight.models.asked_here.load", lambda *_: pytest.fail("the model was loaded again"))
    assert evaluate("embedded", None, few, finished, BATCH).facts["n"] == len(few)


def test_another_batch_size_is_another_run(finished: Path, few: SceneExamples) -> None:
    with pytest.raises(InputError, match="another configuration"):
        evaluate("embedded", None, few, finished, BATCH + 1)


def test_a_flipped_bit_in_the_table_is_seen(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    path = copy / "results.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"results.parquet` is damaged"):
        read_results(copy)


def test_evaluations_are_found_in_a_folder(finished: Path, tmp_path: Path) -> None:
    assert find_evaluations(finished) == [finished]
    assert find_evaluations(finished.parent) == [finished]
    with pytest.raises(InputError, match="holds no evaluation"):
        find_evaluations(tmp_path)
