import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from evensight.annotations import AREAS
from evensight.audits.audit import audit
from evensight.audits.columns import AuditTable
from evensight.audits.foreign import open_table
from evensight.audits.pixels import EDGE, look_at
from evensight.cli import app
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.exchange.export import FORMATS as EXPORTS
from evensight.exchange.export import export
from evensight.scenes.catalog import design
from evensight.storage.parquet import DATA_NAME
from evensight.storage.stored import StoredExamples, store

MakeCoco = Callable[..., Path]


def written(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def values(table: AuditTable, name: str) -> list[str]:
    return table.columns[name].values


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_plain_rows_with_cells(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "Where? Choose from [x, y, z].", "answer": "y", "row": 0, "col": 2, "shape": "star"},
        {"id": "b", "question": "Where? Choose from [z, y, x].", "answer": "X.", "row": 2, "col": 0, "shape": "disc"},
    ]
    table = open_table(written(tmp_path / "set.jsonl", rows))
    assert table.ids == ("a", "b")
    assert values(table, "answer") == ["y", "x"]
    assert values(table, "slot") == ["1", "2"]
    assert table.columns["slot"].levels == ("0", "1", "2")
    assert values(table, "area") == ["top right", "bottom left"]
    assert table.factors == ("shape",)
    assert table.picture is None


def test_the_prompts_and_completions_of_trl(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "0.png")
    row = {
        "prompt": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where? Choose from [x, y]."}]},
        ],
        "completion": [{"role": "assistant", "content": "y"}],
        "images": ["images/0.png"],
        "bbox": [0, 40, 45, 20],
    }
    table = open_table(written(tmp_path / "train.jsonl", [row]))
    assert table.questions == ("Where? Choose from [x, y].",)
    assert values(table, "slot") == ["1"]
    # the box's centre is (22.5, 50) of the picture's 90 x 60: column 2, row 7
    assert values(table, "cell") == ["7,2"]
    assert values(table, "area") == ["bottom left"]
    assert look_at(table).n_read == 1
    assert EDGE in look_at(table).seen


def test_the_conversations_of_sharegpt(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "<image>Which? Choose from [x, y]."}, {"from": "gpt", "value": "x"}]
    path = tmp_path / "sharegpt.json"
    path.write_text(
        json.dumps([{"conversations": turns, "images": ["0.png"], "row": 1, "col": 1, "color": "red"}] * 2)
    )
    table = open_table(path)
    assert values(table, "answer") == ["x", "x"]
    assert table.questions[0] == "Which? Choose from [x, y]."
    assert values(table, "color") == ["red", "red"]


def test_texts_as_prompt_and_completion(tmp_path: Path) -> None:
    row = {"prompt": "Where? Choose from [x, y].", "completion": "x", "metadata": {"shape": "star"}}
    table = open_table(written(tmp_path / "t.jsonl", [row]))
    assert (values(table, "answer"), values(table, "slot"), values(table, "shape")) == (["x"], ["0"], ["star"])


GOOD = {"question": "Where? Choose from [x, y].", "answer": "x", "box_xyxy_px": [1, 1, 5, 5], "frame_wh_px": [9, 9]}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{broken\n", "not a JSON object"),
        ([1, 2], "not a JSON object"),
        ({"other": 1}, "neither a question nor a place"),
        ({**GOOD, "box_xyxy_px": [1, 1, 5]}, "box without four finite numbers"),
        ({**GOOD, "box_xyxy_px": [1, 1, 5, "NaN"]}, "box without four finite numbers"),
        ({**GOOD, "box_xyxy_px": [5, 1, 5, 5]}, "box without a width and a height"),
        ({**GOOD, "frame_wh_px": None}, "box without the image's size"),
        ({**GOOD, "row": -1, "col": 3}, "row and col that are not two whole numbers from 0"),
        ({**GOOD, "row": 1.5, "col": 3}, "row and col that are not two whole numbers from 0"),
        ({**GOOD, "answer": "z"}, "answer that is none of the options"),
        ({**GOOD, "answer": None}, "without the answer that the others have"),
        ({**GOOD, "box_xyxy_px": None}, "without the place in the grid that the others have"),
        ({**GOOD, "question": " "}, "without the question that the others have"),
    ],
)
def test_what_cannot_be_used_is_counted_under_its_reason(tmp_path: Path, bad: Any, reason: str) -> None:
    table = open_table(written(tmp_path / "set.jsonl", [GOOD, bad, GOOD, GOOD]))
    assert {why: len(rows) for why, rows in table.rejected.items()} == {reason: 1}
    found = audit(table)
    assert (found.n, found.n_rejected, found.as_json()["n_listed"]) == (3, 1, 4)


def test_rows_from_one_keep_their_numbers(tmp_path: Path) -> None:
    rows = [{"question": "?", "answer": "a", "row": 1 + k // 3, "col": 1 + k % 3} for k in range(9)]
    table = open_table(written(tmp_path / "set.jsonl", rows))
    assert table.columns["row"].levels == ("1", "2", "3")
    assert "area" not in table.columns  # whose first row is 1 doesn't say where its grid ends


def test_a_stored_set_read_as_anybodys_parquet_is_the_same(tmp_path: Path) -> None:
    store(SceneExamples(design("civet-train"), 108, 0), tmp_path / "set", limit=200)
    ours, theirs = open_table(tmp_path / "set"), open_table(tmp_path / "set" / DATA_NAME)
    assert theirs.ids == ours.ids
    assert theirs.questions == ours.questions
    for name in ("shape", "color", "size", "answer", "row", "col", "cell", "area", "slot"):
        assert values(theirs, name) == values(ours, name), name
    assert look_at(theirs).hashes == look_at(ours).hashes
    assert look_at(theirs).hashes == look_at(theirs).hashes  # read forward, and from the start again


def test_pictures_inside_parquet_keep_their_rows_when_some_are_left_out(tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{k}.png", seed=k) for k in range(3)]
    images = [[{"bytes": path.read_bytes(), "path": None}] for path in paths]
    columns = {"images": images, "question": ["?", None, "?"], "answer": ["a", "b", "a"]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")
    assert len(table) == 2
    assert table.picture is not None
    assert np.array_equal(np.asarray(table.picture(1)), np.asarray(Image.open(paths[2])))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("nowhere.png", "picture that isn't there"),
        ("../outside.png", "picture outside the file's folder"),
        ("/etc/hostname", "picture outside the file's folder"),
        ("text.png", "picture that can't be decoded"),
        ("", "row without a picture"),
    ],
)
def test_a_picture_that_cannot_be_had_is_said_with_its_reason(tmp_path: Path, image: str, reason: str) -> None:
    folder = tmp_path / "set"
    picture(folder / "0.png")
    picture(tmp_path / "outside.png")
    (folder / "text.png").write_text("no picture")
    rows = [{"question": "?", "answer": "a", "image": "0.png"}, {"question": "?", "answer": "a", "image": image}]
    pictures = look_at(open_table(written(folder / "set.jsonl", rows)))
    assert pictures.n_read == 1
    assert dict(pictures.unreadable) == {reason: ["row 1"]}


def test_a_coco_split_is_its_objects(make_coco: MakeCoco) -> None:
    image = {"id": 1, "file_name": "a.jpg", "width": 90, "height": 90}
    boxes = [[0, 0, 10, 10], [40, 40, 40, 40], [10, 10, 5, 5]]
    annotations = [
        {"id": k, "image_id": 1, "category_id": 1 + k % 2, "bbox": box, "iscrowd": int(k == 2)}
        for k, box in enumerate(boxes)
    ]
    broken = {"id": 9, "image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 1]}
    root = make_coco({"a.jpg": (90, 90)}, [image], [*annotations, broken])
    for path, split in ((root, "val2017"), (root, None), (root / "annotations" / "instances_val2017.json", None)):
        table = open_table(path, split)
        assert values(table, "category") == ["cat", "dog"]
        assert values(table, "size") == ["small", "medium"]
        assert values(table, "cell") == ["0,0", "6,6"]
        assert values(table, "area") == ["top left", AREAS[8]]
        assert sum(map(len, table.rejected.values())) == 2
    assert look_at(table).n_different == 1


def test_photographs_are_no_balanced_set(photos_root: Path) -> None:
    found = audit(open_table(photos_root, "val2017"))
    told = {(b.given, b.counted): b for b in found.balances if b.verdict == "tells"}
    assert ("category", "area") in told
    assert found.ok  # it claims nothing


def test_a_civet_folder_is_read_by_its_own_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("repr.json", "questions.json"):
        (tmp_path / name).write_text("{}")
    read = SceneExamples(design("civet-train"), 108, 0)
    monkeypatch.setattr("evensight.audits.foreign.CivetExamples", lambda folder: read)
    assert len(open_table(tmp_path)) == 1620


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("set.jsonl", "", "has nothing to audit"),
        ("set.jsonl", "nonsense\n", "1 x not a JSON object"),
        ("set.json", "{", "can't be read as json"),
        ("set.json", "{}", "holds no list of rows"),
        ("set.csv", "a,b", "is not known: expected a folder, or a file of .jsonl, .json, .parquet"),
        ("set.parquet", "no", "can't be read as Parquet"),
        ("c.json", '{"images": [], "annotations": [], "categories": []}', "expected it in COCO's layout"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says) as raised:
        open_table(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_coco_folder_with_several_splits_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for split in ("a", "b"):
        (tmp_path / "annotations" / f"instances_{split}.json").write_text("{}")
    with pytest.raises(InputError, match="--split` with one of a, b"):
        open_table(tmp_path)


@pytest.mark.parametrize("to", EXPORTS)
def test_what_was_exported_can_be_audited(tmp_path: Path, to: str) -> None:
    store(SceneExamples(design("civet-train"), 64, 0), tmp_path / "set", limit=20)
    export(StoredExamples(tmp_path / "set"), to, tmp_path / "out")
    assert len(open_table(tmp_path / "out")) == 20
    assert CliRunner().invoke(app, ["audit", str(tmp_path / "out")]).exit_code == 0
