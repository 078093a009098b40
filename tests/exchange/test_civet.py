"""The import of CIVET folders, on folders that the tests write as CIVET's generators do.

The drawing here is independent of evensight's: squares of whole pixels in the windows of CIVET's grid.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from evensight.annotations import AREAS, Box, Cell
from evensight.audits.audit import audit
from evensight.datasets.examples import Example
from evensight.errors import InputError
from evensight.exchange.civet import CivetExamples
from evensight.exchange.civet_answers import KINDS
from evensight.storage.stored import StoredExamples, store

SIDE = 75  # 9 windows of 8 pixels and 3 left over: the margin is round(1.5) = 2, as in CIVET at 336
WINDOW, MARGIN = 8, 2
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
AREA_CODES = ["NW", "N", "NE", "W", "C", "E", "SW", "S", "SE"]
NINE = ", ".join(AREAS)

Things = Sequence[Mapping[str, Any]]


def thing(row: int, col: int, shape: str = "square", color: str = "red", size: str = "large", **other: Any) -> Any:
    return {
        "class": "ObjEntity",
        "position": [row, col],
        "area": AREA_CODES[3 * (row // 3) + col // 3],
        "shape": shape,
        "color": color,
        "sheen": "none",
        "size": size,
        **other,
    }


def world(things: Things, name: str) -> dict[str, Any]:
    ents = {"w": {"class": "Entity", "position": [4.0, 4.0]}}
    ents |= {f"e{k}": dict(each) for k, each in enumerate(things, start=1)}
    return {
        "size": [9, 9],
        "background": "none",
        "img": f"data/mine/images/{name}.png",
        "ents": ents,
        "relations": {},
    }


def drawn(things: Things) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A large object is 6 pixels in a window of 8, a small one 4, both in the middle."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for each in things:
        pad = 1 if each["size"] == "large" else 2
        y, x = (MARGIN + WINDOW * k + pad for k in each["position"])
        extent = WINDOW - 2 * pad
        pixels[y : y + extent, x : x + extent] = COLORS[each.get("color", "red")]
    return pixels


def write(folder: Path, scenes: Mapping[str, Things], questions: Mapping[str, Any]) -> Path:
    (folder / "images").mkdir(parents=True)
    worlds = {name: world(things, name) for name, things in scenes.items()}
    (folder / "repr.json").write_text(json.dumps(worlds, indent=4))
    (folder / "questions.json").write_text(json.dumps(questions, indent=4))
    for name, things in scenes.items():
        Image.fromarray(drawn(things)).save(folder / "images" / f"{name}.png")
    return folder


def where(words: str, options: str = NINE) -> str:
    return f"Where is the {words}? Choose from [{options}]."


def imported(tmp_path: Path, things: Things, questions: Mapping[str, Any]) -> list[Example]:
    return list(CivetExamples(write(tmp_path / "civet", {"0": things}, {"0": questions})))


def one(tmp_path: Path, things: Things, questions: Mapping[str, Any]) -> Example:
    (example,) = imported(tmp_path, things, questions)
    return example


def reason(tmp_path: Path, things: Things, questions: Mapping[str, Any]) -> str:
    """Why the one question about a scene is left out, beside a good one that isn't."""
    good = {"9": {"e1": {"position_absolute": where("red square")}}}
    folder = write(tmp_path / "civet", {"0": things, "9": [thing(0, 0)]}, {"0": questions} | good)
    return left_out(folder)


def left_out(folder: Path) -> str:
    examples = CivetExamples(folder)
    notes = examples.info.notes
    ((found, listed),) = notes["left_out"].items()
    assert listed["n"] == 1
    assert len(examples) + listed["n"] == notes["n_listed"]
    return str(found)


# What a folder of CIVET's holds


def test_every_cell_has_its_area_as_the_answer_and_its_box_from_the_pixels(tmp_path: Path) -> None:
    cells = [(row, col) for row in range(9) for col in range(9)]
    scenes = {str(k): [thing(row, col)] for k, (row, col) in enumerate(cells)}
    questions = {name: {"e1": {"position_absolute": where("red square")}} for name in scenes}
    examples = CivetExamples(write(tmp_path / "civet", scenes, questions))
    assert [(each.cell.row, each.cell.col) for each in examples] == cells
    for (row, col), each in zip(cells, examples, strict=True):
        assert each.question.answer == each.area == AREAS[3 * (row // 3) + col // 3]
        x0, y0 = MARGIN + WINDOW * col + 1, MARGIN + WINDOW * row + 1
        assert each.box == Box(x0, y0, x0 + 6, y0 + 6)
        assert (each.mask_area_px, each.centroid_xy_px) == (36, (x0 + 3, y0 + 3))
        assert (each.frame.width_px, each.frame.height_px) == (SIDE, SIDE)


def test_a_question_keeps_its_words_its_order_and_civets_id(tmp_path: Path) -> None:
    options = (
        "center, top left, bottom right, top right, bottom left, top center, center left, bottom center, center right"
    )
    text = where("red square", options)
    each = one(tmp_path, [thing(0, 0)], {"e1": {"position_absolute": text}})
    assert each.id == "0-e1-position_absolute"
    assert each.question.text == f"Answer using as few words as possible. {text}"
    assert each.question.options == tuple(options.split(", "))
    assert (each.question.slot, each.question.task) == (1, "absolute-position")


def test_the_instruction_is_a_choice(tmp_path: Path) -> None:
    text = where("red square")
    folder = write(tmp_path / "civet", {"0": [thing(0, 0)]}, {"0": {"e1": {"position_absolute": text}}})
    assert CivetExamples(folder, instruction="")[0].question.text == text


@pytest.mark.parametrize(
    ("row", "col", "row_answer", "column_answer"),
    [(0, 0, "top", "left"), (2, 3, "top", "center"), (5, 5, "center", "center"), (6, 2, "bottom", "left"),
     (8, 6, "bottom", "right")],
)  # fmt: skip
def test_rows_and_columns(tmp_path: Path, row: int, col: int, row_answer: str, column_answer: str) -> None:
    asked = {
        "position_absolute_hor": where("red square", "center, top, bottom"),
        "position_absolute_vert": where("red square", "center, left, right"),
    }
    across, down = imported(tmp_path, [thing(row, col)], {"e1": asked})
    assert (across.question.answer, down.question.answer) == (row_answer, column_answer)


def test_properties(tmp_path: Path) -> None:
    sheen = "Sheen is a measure of the reflected light from a material. "
    asked = {
        "shape": "What is the shape of the object? Choose from [star, square].",
        "color": "What is the color of the object? Choose from [red, blue].",
        "sheen": f"{sheen}What is the sheen of the object? Choose from [matte, glossy].",
    }
    found = imported(tmp_path, [thing(4, 4, "star", "blue", sheen="glossy")], {"e1": {"properties": asked}})
    assert [each.question.answer for each in found] == ["star", "blue", "glossy"]
    assert [each.id for each in found] == [f"0-e1-properties-{name}" for name in asked]
    assert [each.question.task for each in found] == [f"property-{name}" for name in asked]
    assert dict(found[0].attributes) == {"shape": "star", "color": "blue", "sheen": "glossy", "size": "large"}


EIGHT = (
    "above left, directly above, above right, directly left, directly right, below left, directly below, below right"
)


@pytest.mark.parametrize(
    ("row", "col", "expected"),
    [(3, 3, "above left"), (3, 4, "directly above"), (1, 8, "above right"), (4, 0, "directly left"),
     (4, 5, "directly right"), (8, 3, "below left"), (5, 4, "directly below"), (5, 5, "below right")],
)  # fmt: skip
def test_directions(tmp_path: Path, row: int, col: int, expected: str) -> None:
    things = [thing(row, col, "star"), thing(4, 4, "circle")]

    def text(one: str, other: str) -> str:
        return f"Where is the {one} positioned with respect to the {other}? Choose from [{EIGHT}]."

    asked = {
        "e1": {"position_relative": text("star", "circle")},
        "e2": {"position_relative": text("circle", "star")},
    }
    there, back = imported(tmp_path, things, asked)
    opposite = {"above": "below", "below": "above", "left": "right", "right": "left", "directly": "directly"}
    assert there.question.answer == expected
    assert back.question.answer == " ".join(opposite[word] for word in expected.split())


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("large", "small", "larger"),
        ("small", "large", "smaller"),
        ("small", "small", "same"),
        ("large", "large", "same"),
    ],
)
def test_sizes(tmp_path: Path, mine: str, theirs: str, expected: str) -> None:
    text = "What is the size of the star with respect to the circle? Choose from [same, larger, smaller]."
    things = [thing(0, 0, "star", size=mine), thing(0, 1, "circle", size=theirs)]
    each = one(tmp_path, things, {"e1": {"size_relative": text}})
    assert each.question.answer == expected
    assert [(other.name, other.mask_area_px) for other in each.others] == [
        ("circle", 36 if theirs == "large" else 16)
    ]


def test_the_nearest_object(tmp_path: Path) -> None:
    text = "What is the closest object to the star? Choose from [square, circle]."
    things = [thing(0, 0, "star"), thing(0, 3, "circle"), thing(2, 2, "square")]  # 3 against the root of 8
    assert one(tmp_path, things, {"e1": {"distance_relative": text}}).question.answer == "square"


def test_cut_outs_have_a_category(tmp_path: Path) -> None:
    zebra = {"class": "ImgEntity", "position": [8, 8], "area": "SE", "category": "zebra", "size": "large"}
    each = one(tmp_path, [zebra], {"e1": {"position_absolute": where("zebra")}})
    assert each.question.answer == "bottom right"
    assert dict(each.attributes) == {"category": "zebra", "size": "large"}


# What becomes of it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes = {str(k): [thing(k % 9, (2 * k) % 9, color=("red", "green")[k % 2])] for k in range(9)}
    questions = {str(k): {"e1": {"position_absolute": where(f"{('red', 'green')[k % 2]} square")}} for k in range(9)}
    return write(tmp_path / "civet", scenes, questions)


def test_an_imported_folder_is_stored_and_audited(folder: Path, tmp_path: Path) -> None:
    examples = CivetExamples(folder)
    store(examples, tmp_path / "set")
    stored = StoredExamples(tmp_path / "set")
    assert list(stored) == list(examples)
    for k in range(9):
        assert stored.encoded(k) == (folder / "images" / f"{k}.png").read_bytes()
        assert np.array_equal(np.asarray(stored.image(k)), np.asarray(examples.image(k)))
    found = audit(stored)
    assert (found.ok, found.n, found.faults) == (True, 9, ())


def test_a_picture_with_a_palette_is_stored_in_rgb(folder: Path) -> None:
    path = folder / "images" / "0.png"
    before = np.asarray(Image.open(path).convert("RGB"))
    Image.fromarray(before).quantize(4).save(path)
    examples = CivetExamples(folder)
    assert examples.encoded(0) != path.read_bytes()
    assert np.array_equal(np.asarray(examples.image(0)), before)


@pytest.mark.parametrize("changed", ["repr.json", "questions.json", "images/3.png"])
def test_another_content_is_another_set(folder: Path, changed: str) -> None:
    before = CivetExamples(folder).hash
    assert CivetExamples(folder).hash == before
    path = folder / changed
    if path.suffix == ".json":
        path.write_text(path.read_text() + "\n")
    else:
        Image.open(path).save(path, compress_level=0)
    assert CivetExamples(folder).hash != before


def test_only_the_kinds_that_are_asked_for(tmp_path: Path) -> None:
    asked = {
        "position_absolute": where("red square"),
        "position_absolute_hor": where("red square", "top, center, bottom"),
    }
    made = write(tmp_path / "civet", {"0": [thing(0, 0)]}, {"0": {"e1": asked}})
    assert [each.question.task for each in CivetExamples(made, ("position_absolute",))] == ["absolute-position"]
    assert len(CivetExamples(made)) == 2
    with pytest.raises(
        InputError, match=r"`areas` is not known: expected one of properties-shape, .*distance_relative"
    ):
        CivetExamples(made, ("areas",))


def test_the_command_stores_it(folder: Path, tmp_path: Path) -> None:
    from evensight.cli.import_ import import_

    app = typer.Typer()
    app.add_typer(import_, name="import")
    (folder / "images" / "4.png").unlink()
    arguments = ["import", "civet", str(folder), "--out", str(tmp_path / "set"), "--kind", "position_absolute"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert "8 of 9 questions about 8 pictures" in ran.output
    assert "1 x picture missing (first: 4-e1-position_absolute)" in ran.output
    assert len(StoredExamples(tmp_path / "set")) == 8


# What can't be used is counted under its reason

ASKED = {"e1": {"position_absolute": where("red square")}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (where("blue square"), "names no object"),
        (where(" "), "names no object"),
        ("Where is it?", "not worded"),
        ("What is the shape of the object? Choose from [square, star].", "not worded"),
        (where("red square", "top center, center"), "without its right answer"),
        (where("red square", "top left, top left"), "an option twice"),
        ("Where is the red\nsquare? Choose from [top left].", "without a text"),
        (None, "without a text"),
        (7, "without a text"),
        ({}, "kind that is not known"),
    ],
)
def test_a_question_that_cant_be_used(tmp_path: Path, text: Any, expected: str) -> None:
    if text == {}:
        assert expected in reason(tmp_path, [thing(0, 0)], {"e1": {"count": "How many objects are there?"}})
    else:
        assert expected in reason(tmp_path, [thing(0, 0)], {"e1": {"position_absolute": text}})


def test_a_question_must_single_out_the_object_that_it_is_listed_under(tmp_path: Path) -> None:
    twice = [thing(0, 0), thing(5, 5)]
    assert "more than one" in reason(tmp_path / "a", twice, ASKED)
    assert "another object than it is listed under" in reason(
        tmp_path / "b", [thing(0, 0), thing(5, 5, "star")], {"e2": {"position_absolute": where("square")}}
    )
    assert "not in the picture" in reason(
        tmp_path / "c", [thing(0, 0)], {"e7": {"position_absolute": where("square")}}
    )
    shape = {"e1": {"properties": {"shape": "What is the shape of the object? Choose from [square, star]."}}}
    assert "more than one" in reason(tmp_path / "d", [thing(0, 0), thing(5, 5, "star")], shape)
    text = f"Where is the star positioned with respect to the star? Choose from [{EIGHT}]."
    same = {"e2": {"position_relative": text}}
    assert "with itself" in reason(tmp_path / "e", [thing(0, 0), thing(5, 5, "star")], same)


def test_two_objects_equally_near_are_no_question(tmp_path: Path) -> None:
    text = "What is the closest object to the star? Choose from [square, circle]."
    things = [thing(4, 4, "star"), thing(4, 6, "circle"), thing(2, 4, "square")]
    assert "equally near" in reason(tmp_path, things, {"e1": {"distance_relative": text}})


def test_a_property_that_a_cut_out_doesnt_have(tmp_path: Path) -> None:
    zebra = {"class": "ImgEntity", "position": [8, 8], "area": "SE", "category": "zebra", "size": "large"}
    asked = {"e1": {"properties": {"color": "What is the color of the object? Choose from [red, blue]."}}}
    assert "doesn't have" in reason(tmp_path, [zebra], asked)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"position": [9, 0]}, "without a cell"),
        ({"position": [0.5, 0]}, "without a cell"),
        ({"position": [True, 0]}, "without a cell"),
        ({"position": "NW"}, "without a cell"),
        ({"area": "SE"}, "another area"),
        ({"area": ["NW"]}, "another area"),
        ({"class": "Robot"}, "class that is not known"),
        ({"class": ["ObjEntity"]}, "class that is not known"),
        ({"color": None}, "without its properties"),
        ({"shape": "big square"}, "without its properties"),
    ],
)
def test_an_object_that_cant_be_used(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    made = write(
        tmp_path / "civet",
        {"0": [thing(0, 0)], "1": [thing(0, 0)]},
        {"0": ASKED, "1": ASKED},
    )
    worlds = json.loads((made / "repr.json").read_text())
    worlds["0"]["ents"]["e1"] |= change
    (made / "repr.json").write_text(json.dumps(worlds))
    assert expected in left_out(made)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": [8, 8]}, "another grid"),
        ({"size": None}, "without a grid"),
        ({"ents": []}, "without a grid and objects"),
        ({"img": "data/images/7.png"}, "another name"),
    ],
)
def test_a_scene_that_cant_be_used(folder: Path, change: dict[str, Any], expected: str) -> None:
    worlds = json.loads((folder / "repr.json").read_text())
    worlds["5"] |= change
    (folder / "repr.json").write_text(json.dumps(worlds))
    assert expected in left_out(folder)


def test_a_scene_that_is_not_listed(folder: Path) -> None:
    worlds = json.loads((folder / "repr.json").read_text())
    del worlds["5"]
    (folder / "repr.json").write_text(json.dumps(worlds))
    assert "not in repr.json" in left_out(folder)


Damage = Callable[[Path], None]


def _paint(y: int, x: int) -> Damage:
    def paint(path: Path) -> None:
        pixels = np.array(Image.open(path))
        pixels[y, x] = (9, 9, 9)
        Image.fromarray(pixels).save(path)

    return paint


def _noise(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _link_out(path: Path) -> None:
    outside = path.parents[2] / "outside.png"
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b"not a picture"), "can't be decoded"),
        (lambda path: path.write_bytes(path.read_bytes()[:80]), "can't be decoded"),
        (
            lambda path: Image.open(path).resize((2 * SIDE, 2 * SIDE), Image.Resampling.NEAREST).save(path),
            "another size",
        ),
        (lambda path: Image.new("RGB", (SIDE, 40)).save(path), "can't be seen"),
        (lambda path: Image.new("RGB", (40, SIDE)).save(path), "doesn't fit"),
        (lambda path: Image.new("RGB", (5, 5)).save(path), "doesn't fit"),
        (lambda path: Image.fromarray(drawn([])).save(path), "can't be seen"),
        (lambda path: Image.fromarray(drawn([thing(5, 2)])).save(path), "can't be seen"),
        (_paint(0, 40), "more than its objects"),
        (_noise, "not plain"),
        (_link_out, "outside the folder"),
    ],
)
def test_a_picture_that_cant_be_used(folder: Path, damage: Damage, expected: str) -> None:
    damage(folder / "images" / "5.png")
    assert expected in left_out(folder)


def test_an_object_on_a_bright_ground_is_measured_as_on_black(folder: Path) -> None:
    before = [each.box for each in CivetExamples(folder)]
    for path in (folder / "images").glob("*.png"):
        pixels = np.array(Image.open(path))
        pixels[(pixels == 0).all(axis=2)] = (200, 220, 240)
        Image.fromarray(pixels).save(path)
    assert [each.box for each in CivetExamples(folder)] == before


@pytest.mark.parametrize("name", ["../../0", "/etc/passwd", ".0", "a/b"])
def test_a_name_that_leads_out_of_the_folder(folder: Path, name: str) -> None:
    content = json.loads((folder / "questions.json").read_text())
    content[name] = content.pop("5")
    worlds = json.loads((folder / "repr.json").read_text())
    worlds[name] = worlds.pop("5")
    (folder / "questions.json").write_text(json.dumps(content))
    (folder / "repr.json").write_text(json.dumps(worlds))
    assert "out of the folder" in left_out(folder)


@pytest.mark.parametrize("node", [None, [], "text", {}, {"e1": 5}, {"e1": {}}])
def test_an_entry_of_questions_that_holds_none(folder: Path, node: Any) -> None:
    content = json.loads((folder / "questions.json").read_text())
    content["5"] = node
    (folder / "questions.json").write_text(json.dumps(content))
    assert "holds no questions" in left_out(folder)


# Folders that hold nothing to use


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        CivetExamples(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("name", ["repr.json", "questions.json", "images"])
def test_a_part_that_is_missing(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "elsewhere")
    assert name in refused(folder)


def test_no_folder(tmp_path: Path) -> None:
    assert "is not a folder" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["repr.json", "questions.json"])
@pytest.mark.parametrize("content", ["", "[]", "{", "7", "[" * 100_000, '{"images": [], "annotations": []}', "{}"])
def test_json_of_another_kind(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    refused(folder)


def test_a_folder_without_a_usable_question_says_what_was_wrong(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()
    assert "{'picture missing': 9}" in refused(folder)


def test_every_kind_has_a_task_of_its_own() -> None:
    assert len({kind.task for kind in KINDS.values()}) == len(KINDS) == 10


def test_a_cell_is_where_the_box_is(tmp_path: Path) -> None:
    each = one(tmp_path, [thing(7, 2, size="small")], ASKED)
    assert (each.cell, each.box.xyxy_px) == (Cell(7, 2), (20, 60, 24, 64))


def _only(y: slice, x: slice) -> Damage:
    def paint(path: Path) -> None:
        pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        pixels[y, x] = COLORS["red"]
        Image.fromarray(pixels).save(path)

    return paint


def test_a_window_is_what_civet_draws_in(tmp_path: Path) -> None:
    made = write(tmp_path / "civet", {"0": [thing(8, 0)]}, {"0": ASKED})
    _only(slice(66, 74), slice(2, 10))(made / "images" / "0.png")
    assert CivetExamples(made)[0].box == Box(2, 66, 10, 74)


def test_an_object_whose_pixels_are_in_another_cell(tmp_path: Path) -> None:
    made = write(tmp_path / "civet", {"0": [thing(8, 0)], "1": [thing(0, 0)]}, {"0": ASKED, "1": ASKED})
    _only(slice(66, 67), slice(2, 10))(made / "images" / "0.png")  # cell 8 begins at 66.7
    assert "another cell than its own" in left_out(made)


def test_two_objects_in_one_cell(tmp_path: Path) -> None:
    things = [thing(0, 0), thing(0, 0, "star")]
    assert "two objects in one cell" in reason(tmp_path, things, {"e1": {"position_absolute": where("square")}})


def test_two_questions_of_one_id(tmp_path: Path) -> None:
    things = {"0": [thing(0, 0)], "0-e1": [thing(0, 0)]}
    asked = {"position_absolute": where("red square")}
    made = write(tmp_path / "civet", things, {"0": {"e1-e1": asked}, "0-e1": {"e1": asked}})
    worlds = json.loads((made / "repr.json").read_text())
    worlds["0"]["ents"]["e1-e1"] = worlds["0"]["ents"].pop("e1")
    (made / "repr.json").write_text(json.dumps(worlds))
    assert "question id twice" in left_out(made)
