"""`evensight photos`, as a user types it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from evensight import cli
from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.storage.stored import StoredExamples
from forged import reseal

MakeCoco = Callable[..., Path]


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli.app, list(map(str, arguments)), catch_exceptions=True)
    if isinstance(done.exception, Exception):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def root(make_coco: MakeCoco) -> Path:
    """18 photographs, two with a cat in each area; in the first there is a dog, in the last there are two."""
    files = {f"{k}.jpg": (90, 90 + k) for k in range(18)}
    images = [{"id": k, "file_name": name, "width": w, "height": h} for k, (name, (w, h)) in enumerate(files.items())]
    boxes = [[30 * (k % 3) + 10, 30 * (k // 3 % 3) + 10, 10, 10] for k in range(18)]
    annotations = [{"id": k + 1, "image_id": k, "category_id": 1, "bbox": box} for k, box in enumerate(boxes)]
    dogs = [(0, [0, 0, 9, 9]), (17, [0, 0, 9, 9]), (17, [40, 40, 9, 9]), (3, [1, 1, 0, 9])]
    annotations += [{"id": 50 + k, "image_id": i, "category_id": 2, "bbox": box} for k, (i, box) in enumerate(dogs)]
    return make_coco(files, images, annotations)


def test_counts(root: Path) -> None:
    found = json.loads(
        run("photos", "counts", root, "--split", "val2017", "--json", "--flags", "--categories", "--cells")
    )
    assert (found["n_photographs"], found["n_objects"]) == (18, 21)
    assert found["asked"] == [3, 2, 2, 2, 2, 2, 2, 2, 2]
    assert found["balanced"] == {"area": 18, "area-category": {"cat": 18}}
    assert found["categories"] == {"cat": [2] * 9, "dog": [1, 0, 0, 0, 0, 0, 0, 0, 0]}
    assert [fault["first"] for fault in found["left_out"].values()] == [["53"]]
    assert found["flags"]["the paper's rule"] == found["asked"]
    assert np.sum(found["cells"]) == 19


def test_counts_in_words(root: Path) -> None:
    said = run("photos", "counts", root, "--split", "val2017", "--only", "cat", "--flags", "--categories", "--cells")
    assert "val2017: 18 photographs, 21 annotated objects" in said
    assert "only cat" in said
    assert "A set balanced by area can have 18 questions, 2 of each." in said
    assert "of 1 categories (cat 2 of each)" in said
    assert "--max-overlap 0.5" in said
    assert "What is left, by cell (18)" in said


def test_each_option_of_a_rule_is_in_the_manifest(root: Path, tmp_path: Path) -> None:
    excluded = tmp_path / "wrong.txt"
    excluded.write_text("# seen to be wrong\nval2017-000000000001-2\n5  # another\n\n")
    options = (
        "--crowds=ignored --min-box-share=0.001 --max-box-share=0.9 --inside-area --min-certainty=0.5 --margin=0.1 "
        "--clear-of-edge --max-overlap=0.7 --max-category-share=0.8 --without=dog"
    )
    out = tmp_path / "set"
    said = run("photos", "make", root, "--split", "val2017", "--out", out, *options.split(), "--exclude", excluded)
    assert "centre 0.1 sides of an area off its borders" in said
    assert StoredExamples(out).info.config["rule"] == {
        "crowds": "ignored",
        "min_box_share": 0.001,
        "max_box_share": 0.9,
        "inside_area": True,
        "min_certainty": 0.5,
        "margin": 0.1,
        "clear_of_edge": True,
        "one_piece": False,
        "max_overlap": 0.7,
        "max_category_share": 0.8,
        "without": ["dog"],
        "only": [],
        "without_ids": [2, 5],
    }
    assert StoredExamples(out).info.name == "coco-val2017-ruled"
    # Of 18 cats two are excluded; in the two tallest photographs a border runs through the box of another.
    assert len(StoredExamples(out)) == 14


def test_the_certain_rules_can_be_changed_one_by_one(root: Path, tmp_path: Path) -> None:
    run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "set", "--certain", "--margin", "0.2")
    rule = StoredExamples(tmp_path / "set").info.config["rule"]
    assert (rule["margin"], rule["min_certainty"], rule["crowds"]) == (0.2, 0.75, "excluded")


@pytest.mark.parametrize(
    ("content", "says"),
    [("what?\n", "line 1 of .* is no id"), ("1\nval2017-x\n", "line 2"), (b"\xff\xfe", "can't be read")],
)
def test_a_list_that_can_not_be_read(root: Path, tmp_path: Path, content: str | bytes, says: str) -> None:
    listed = tmp_path / "wrong.txt"
    listed.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=says):
        run("photos", "counts", root, "--split", "val2017", "--exclude", listed)


@pytest.mark.parametrize(
    ("options", "n", "name"),
    [
        ([], 19, "coco-val2017"),
        (["--n", "5"], 5, "coco-val2017-5"),
        (["--balance", "area"], 18, "coco-val2017-balanced"),
        (["--balance", "area", "--per-area", "1"], 9, "coco-val2017-balanced-1-each"),
        (["--balance", "area-category"], 18, "coco-val2017-balanced-by-category"),
        (["--mix", "civet-train:0.01"], 1636, "coco-val2017-mixed"),
        (["--certain"], 19, "coco-val2017-certain"),
        (["--control", "mirrored"], 19, "coco-val2017-mirrored"),
        (["--task", "row-position", "--grid", "6x6"], 19, "coco-val2017-row"),
        (["--name", "mine", "--seed", "3"], 19, "mine"),
    ],
)
def test_the_papers_comparisons_are_one_flag_each(
    root: Path, tmp_path: Path, options: list[str], n: int, name: str
) -> None:
    run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "set", *options)
    stored = StoredExamples(tmp_path / "set")
    assert (len(stored), stored.info.name) == (n, name)
    audited = run("audit", tmp_path / "set", "--no-pixels")
    assert "No fault found" in audited or "Every balance that the set claims holds" in audited


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--matched", "civet-train"], "`1,620` photographs' objects are asked for, and there are 19"),
        (["--matched", "civet-trian"], "`civet-trian` is not known"),
        (["--mix", "civet-train"], "the mix `civet-train` can't be read"),
        (["--mix", "civet-train:1.5"], "less than 1"),
        (["--balance", "area", "--n", "9"], "exclude one another"),
        (["--per-area", "9"], "goes with `balance: area`"),
        (["--control", "upside-down"], "`upside-down` is not known"),
        (["--task", "counting"], "of photographs the place alone can be asked"),
        (["--apart-from", "test2017"], "instances_test2017.json"),
        (["--prior", "test2017"], "expected the annotations that `--prior test2017` names"),
        (["--only", "mouse"], "the category `mouse` is not in `val2017`"),
        (["--margin", "0.5"], "less than 0.5"),
        (["--grid", "2x2"], "expected rows x columns"),
        (["--name", "../up"], "`name`"),
    ],
)
def test_what_can_not_be_made_is_said_and_leaves_nothing(
    root: Path, tmp_path: Path, options: list[str], says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "set", *options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "set").exists()


def test_a_value_of_nought_is_a_value(root: Path, tmp_path: Path) -> None:
    run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "set", "--certain", "--margin", "0")
    rule = StoredExamples(tmp_path / "set").info.config["rule"]
    assert (rule["margin"], rule["min_certainty"]) == (0.0, 0.75)
    run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "other", "--max-overlap", "0")
    assert StoredExamples(tmp_path / "other").info.config["rule"]["max_overlap"] == 0.0
    with pytest.raises(InputError, match="`max_box_share` input should be greater than 0"):
        run("photos", "counts", root, "--split", "val2017", "--max-box-share", "0")


def test_ids_to_leave_out_that_are_not_there_are_named(root: Path, tmp_path: Path) -> None:
    listed = tmp_path / "wrong.txt"
    listed.write_text("2\n777\n778\n")
    with pytest.raises(
        InputError, match="the id `777`, which is to be left out, is not in `val2017`, nor are 1 more"
    ):
        run("photos", "counts", root, "--split", "val2017", "--exclude", listed)


def test_a_set_of_ones_own_that_is_not_in_cocos_layout(root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "mine.json"
    (root / "annotations" / "instances_val2017.json").rename(moved)
    out = tmp_path / "set"
    run("photos", "make", "--annotations", moved, "--images", root / "val2017", "--out", out)
    assert StoredExamples(out).info.name == "coco-mine"
    assert "mine: 18 photographs" in run("photos", "counts", "--annotations", moved, "--images", root / "val2017")


def test_a_sheet_has_the_box_the_borders_and_the_centre(root: Path, tmp_path: Path) -> None:
    for k in range(18):
        Image.new("RGB", (90, 90 + k)).save(root / "val2017" / f"{k}.jpg")
    run("photos", "make", root, "--split", "val2017", "--out", tmp_path / "set", "--only", "cat")
    said = run("photos", "sheet", tmp_path / "set", tmp_path / "sheet.png", "--n", "1")
    assert "1 of 18 questions of coco-val2017-ruled" in said
    page = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).reshape(-1, 3)
    colors = Counter(map(tuple, page.tolist()))
    assert colors[0, 220, 255] > 20  # the centre's dot
    assert colors[255, 64, 0] > 200  # the box, 40 px a side and 3 px wide
    with pytest.raises(InputError, match=r"ends in .jpg or .png"):
        run("photos", "sheet", tmp_path / "set", tmp_path / "sheet")


def areas_by_hand(path: Path) -> list[int]:
    """How many objects that are alone of their category there are in each area, straight from COCO's file."""
    content: dict[str, Any] = json.loads(path.read_text())
    sizes = {entry["id"]: (entry["width"], entry["height"]) for entry in content["images"]}
    times = Counter((entry["image_id"], entry["category_id"]) for entry in content["annotations"])
    counts = [0] * 9
    for entry in content["annotations"]:
        if times[entry["image_id"], entry["category_id"]] == 1 and not entry["iscrowd"]:
            x, y, w, h = entry["bbox"]
            width, height = sizes[entry["image_id"]]
            counts[3 * min(2, int((y + h / 2) * 3 / height)) + min(2, int((x + w / 2) * 3 / width))] += 1
    return counts


@pytest.mark.photos
@pytest.mark.parametrize("split", ["val2017", "train2017"])
def test_photos_and_audit_count_the_real_areas_as_a_second_computation_does(
    photos_root: Path, tmp_path: Path, split: str
) -> None:
    expected = areas_by_hand(photos_root / "annotations" / f"instances_{split}.json")
    assert json.loads(run("photos", "counts", photos_root, "--split", split, "--json"))["asked"] == expected
    out = tmp_path / "set"
    run("photos", "make", photos_root, "--split", split, "--out", out, "--apart-from", "none")
    for audited in (out, photos_root):
        given = [] if audited == out else ["--split", split]
        found = json.loads(run("audit", audited, *given, "--no-pixels", "--json"))
        assert found["selection"]["asked"] == expected
        assert found["selection"]["steps"][-1]["by_area"] == expected
    assert json.loads(run("audit", out, "--no-pixels", "--json"))["counts"]["area"] == dict(
        zip(AREAS, expected, strict=True)
    )


def test_an_audit_shows_what_each_rule_left_also_as_a_picture_and_in_the_card(root: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "set", tmp_path / "audit.html"
    run("photos", "make", root, "--split", "val2017", "--out", out, "--only", "cat")
    said = run("audit", out, "--no-pixels", "--report", report)
    assert "only cat" in said
    page = report.read_text()
    assert '<th scope="row">only cat</th>' + "<td>2</td>" * 9 + "<td>18</td>" in page
    card = (out / "README.md").read_text()
    assert "| only cat |" + " 2 |" * 9 in card


@pytest.mark.parametrize(
    "selection",
    [7, {}, {"steps": 5, "asked": []}, {"steps": [{"rule": "x"}], "asked": [1] * 9}, {"steps": [], "asked": [1] * 9}],
)
def test_notes_that_were_changed_by_hand_do_no_harm(root: Path, tmp_path: Path, selection: Any) -> None:
    out = tmp_path / "set"
    run("photos", "make", root, "--split", "val2017", "--out", out)
    facts = json.loads((out / "manifest.json").read_text())["facts"]
    facts["notes"]["selection"] = selection
    reseal(out, facts=facts)
    assert json.loads(run("audit", out, "--no-pixels", "--json"))["selection"] is None
