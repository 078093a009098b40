"""`evensight audit` as a user types it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from evensight import cli
from evensight.annotations import PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import Factor, cell_factor, factor
from evensight.storage.stored import store

MakeCoco = Callable[..., Path]


def small(name: str, *colors: str) -> SceneDesign:
    factors = (
        Factor("shape", ("square", "star")),
        factor("color", colors),
        Factor("size", ("large",)),
        cell_factor(PAPER_GRID),
    )
    return SceneDesign(name, "", PAPER_GRID, Product(factors))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    store(SceneExamples(small("train", "red", "green"), 72, 0), folder / "train")
    store(SceneExamples(small("test", "blue"), 72, 0), folder / "test")
    return folder


def audited(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["audit", *map(str, arguments)], env={"COLUMNS": "100"})


def test_a_set_that_is_as_it_says(sets: Path) -> None:
    done = audited(sets / "train")
    assert done.exit_code == 0
    assert "Every balance that the set claims holds." in done.output
    assert "324 pictures read, 324 different" in done.output
    assert max(map(len, done.output.splitlines())) <= 100


def test_json_of_one_set_and_of_several(sets: Path) -> None:
    one = json.loads(audited(sets / "train", "--json", "--no-pixels").stdout)
    assert (one["ok"], one["n"], one["pictures"]) == (True, 324, None)
    several = json.loads(audited(sets / "train", sets / "test", "--json").stdout)
    assert several["ok"] is True
    assert [each["name"] for each in several["sets"]] == ["train", "test"]
    assert several["leakage"][0]["n_same_picture"] == 0
    assert several["leakage"][0]["held_out"] == [["color"]]


def test_a_set_beside_itself_shares_its_pictures(sets: Path, tmp_path: Path) -> None:
    copytree(sets / "test", tmp_path / "copy")
    done = audited(sets / "test", tmp_path / "copy")
    assert done.exit_code == 1
    assert "162 of 162 have a picture of the first" in done.output
    assert audited(sets / "test", tmp_path / "copy", "--no-pixels").exit_code == 0


def test_a_foreign_file_with_a_confound_and_broken_rows(tmp_path: Path) -> None:
    rows = [
        {"question": f"{k}? Choose from [left, right].", "answer": ("left", "right")[k % 2], "color": "rg"[k % 2]}
        for k in range(60)
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{\n")
    done = audited(path)
    assert done.exit_code == 0
    assert "1 more can't be used" in done.output
    line = next(line.split() for line in done.output.splitlines() if line.startswith("color"))
    assert line == ["color", "answer", "0", "30", "30", "1.0000", "0.0001", "no", "tells"]


def test_the_strongest_of_many_pairs_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"question": str(k), "answer": "x", **{f"f{j}": str(rng.integers(3)) for j in range(9)}} for k in range(80)
    ]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = audited(tmp_path / "set.jsonl")
    rows_shown = [line for line in map(str.rstrip, done.output.splitlines()) if re.search(r" no +chance$", line)]
    assert len(rows_shown) == 15
    assert "21 pairs chance" in done.output  # 9 * 8 / 2 = 36


def test_a_picture_that_repeats_is_a_fault(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8)).save(tmp_path / "b.png", compress_level=0)
    rows = [{"id": name, "question": "?", "answer": "x", "image": f"{name}.png"} for name in "ab"]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = audited(tmp_path / "set.jsonl")
    assert done.exit_code == 1
    assert "`a` and `b` have the same picture and the same question" in done.output


def test_foreign_text_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    rows = [{"question": "?", "answer": "x", "[red]\x1b[2J": word, "b": "pq"[k % 2]} for k, word in enumerate("rsrs")]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = audited(tmp_path / "set.jsonl", "--no-pixels")
    assert "\x1b[2J" not in done.output
    assert "[red]" in done.output


def test_the_report_is_written(sets: Path, tmp_path: Path) -> None:
    assert audited(sets / "train", "--no-pixels", "--report", tmp_path / "r.html").exit_code == 0
    page = (tmp_path / "r.html").read_text()
    assert "<h1>What does it give away?</h1>" in page
    assert f"{sets / 'train'} --no-pixels --seed=0 --report" in page


def test_a_coco_folder(make_coco: MakeCoco) -> None:
    image = {"id": 1, "file_name": "a.jpg", "width": 90, "height": 90}
    thing = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 30, 30]}
    done = audited(make_coco({"a.jpg": (90, 90)}, [image], [thing]), "--split", "val2017")
    assert done.exit_code == 0
    assert "coco-val2017: 1 questions or objects" in done.output
