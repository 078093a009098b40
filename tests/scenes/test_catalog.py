"""Designs that ship, and designs of one's own: what a YAML file says is what is made, or one line says why not."""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from evensight.annotations import PAPER_GRID, Cell
from evensight.datasets.orders import Order
from evensight.errors import InputError
from evensight.scenes.catalog import design, design_file, names
from evensight.scenes.compose import Composer
from made_designs import POOLS

CROSSED = ("civet-train", "civet-test", "civet-full")
PAPER = (*CROSSED, "civet-train-photo")


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("civet-train", (4 * 1 + 1 * 6) * 2 * 81),
        ("civet-test", 4 * 6 * 2 * 81),
        ("civet-full", 4 * 6 * 3 * 2 * 81),
        ("civet-train-photo", (4 * 1 + 1 * 6) * 2 * 81),
    ],
)
def test_the_designs_have_the_papers_sizes(name: str, n: int) -> None:
    assert len(design(name)) == n


def test_the_sizes_that_the_paper_gives() -> None:
    assert names()[:4] == PAPER
    assert [len(design(name)) for name in PAPER] == [1620, 3888, 11664, 1620]


@pytest.mark.parametrize("name", names())
def test_every_shipped_design_is_made_and_says_what_it_is_for(name: str) -> None:
    found = design(name, pools=POOLS)
    assert found.name == design_file(name).name == name
    assert found.description
    assert len(found) % 81 == 0


@pytest.mark.parametrize("name", CROSSED)
def test_every_object_is_in_every_cell_exactly_once(name: str) -> None:
    rows = [design(name).rows[k] for k in range(len(design(name)))]
    times = Counter((tuple(v for f, v in row.items() if f != "cell"), row["cell"]) for row in rows)
    assert set(times.values()) == {1}
    objects = {shown for shown, _ in times}
    assert len(times) == len(objects) * 81


@pytest.mark.parametrize("name", CROSSED)
def test_the_cell_is_the_last_digit_of_the_index(name: str) -> None:
    found = design(name)
    assert all(found.cell(k) == PAPER_GRID.cells()[k % 81] for k in range(len(found)))


def _values(name: str, *wanted: str) -> set[tuple[str, ...]]:
    rows = design(name).rows
    return {tuple(str(rows[k][factor]) for factor in wanted) for k in range(len(rows))}


@pytest.mark.parametrize("train", ["civet-train", "civet-train-photo"])
@pytest.mark.parametrize("test", ["civet-test", "civet-full"])
def test_no_combination_of_shape_and_color_is_trained_and_tested(train: str, test: str) -> None:
    assert not _values(train, "shape", "color") & _values(test, "shape", "color")


def test_every_shape_and_color_of_the_test_is_seen_in_training() -> None:
    for factor in ("shape", "color", "size"):
        assert _values("civet-test", factor) <= _values("civet-train", factor)


def test_the_training_objects_are_the_papers() -> None:
    in_white = {(shape, "white") for shape in ("square", "circle", "triangle", "star")}
    plus = {("plus", color) for color in ("red", "green", "blue", "magenta", "yellow", "cyan")}
    assert _values("civet-train", "shape", "color") == in_white | plus


def test_the_control_shows_the_same_objects_as_the_balanced_set() -> None:
    balanced, control = design("civet-train").rows, design("civet-train-photo").rows
    for k in range(1620):
        assert {**balanced[k], "cell": None} == {**control[k], "cell": None}


def test_the_control_is_drawn_by_its_seed() -> None:
    def cells(seed: int) -> list[object]:
        return [design("civet-train-photo", seed).cell(k) for k in range(300)]

    assert cells(1) == cells(1)
    assert cells(1) != cells(2)


@pytest.mark.parametrize("index", [-1, 1620, 10**9])
@pytest.mark.parametrize("name", ["civet-train", "civet-train-photo"])
def test_a_row_that_is_not_there_raises(name: str, index: int) -> None:
    with pytest.raises(IndexError, match="rows 0 to 1619"):
        design(name).rows[index]


def test_an_unknown_design_is_an_input_error_that_names_all_designs() -> None:
    with pytest.raises(InputError) as caught:
        design("civet-trian")
    assert all(name in str(caught.value) for name in ("civet-trian", *names()))
    assert len(str(caught.value).splitlines()) == 1


def written(path: Path, content: str | None = None, **keys: Any) -> str:
    """A design's file; `keys` over a whole one, or all of it as it stands."""
    base = {"name": "own", "parts": [{"shape": ["square", "circle"], "color": ["red", "blue"]}]}
    path = path / "own.yaml"
    path.write_text(content if content is not None else yaml.safe_dump({**base, **keys}), encoding="utf-8")
    return str(path)


def test_a_file_is_its_parts_one_after_the_other_with_the_cell_last(tmp_path: Path) -> None:
    parts = [
        {"cell": "1,2", "color": "red", "shape": ["star"]},
        {"color": ["#0000ff"], "shape": "plus", "cell": "2,1"},
    ]
    found = design(written(tmp_path, parts=parts)).rows
    assert found.factor_names == ("color", "shape", "cell")
    assert [(str(row["color"]), row["shape"], row["cell"]) for row in map(found.__getitem__, range(len(found)))] == [
        ("red", "star", Cell(1, 2)),
        ("blue", "plus", Cell(2, 1)),
    ]


def test_an_areas_name_stands_for_its_cells(tmp_path: Path) -> None:
    found = design(written(tmp_path, only={"cell": ["top right", "0,0"]}))
    assert {found.cell(k) for k in range(len(found))} == {
        Cell(0, 0),
        *(Cell(*at) for at in product(range(3), range(6, 9))),
    }


def test_only_and_without_keep_and_leave_out(tmp_path: Path) -> None:
    found = design(written(tmp_path, only={"color": "red"}, without=[{"shape": "circle", "cell": "center"}]))
    rows = [found.rows[k] for k in range(len(found))]
    assert len(rows) == 81 + 72
    assert {str(row["color"]) for row in rows} == {"red"}
    assert not [row for row in rows if row["shape"] == "circle" and PAPER_GRID.area_of(row["cell"]) == "center"]  # type: ignore[arg-type]


def test_the_parts_of_a_held_out_design_are_named_and_complete(tmp_path: Path) -> None:
    path = written(tmp_path, hold_out=[{"shape": "square", "color": "red"}])
    whole, train, test = (design(path, part=part) for part in (None, "train", "test"))
    assert (train.name, test.name) == ("own-train", "own-test")
    assert (len(whole), len(train), len(test)) == (324, 243, 81)


def test_ten_to_the_twelve_scenes_take_no_time_and_no_memory(tmp_path: Path) -> None:
    found = design(
        written(
            tmp_path,
            replicate=10**9,
            parts=[{"shape": ["square", "star"], "size": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]}],
        )
    )
    assert len(found) == 14 * 10**9 * 81 > 10**12
    assert found.rows[len(found) - 1] == {"shape": "star", "size": 0.9, "replicate": 10**9, "cell": Cell(8, 8)}
    assert (
        str(found.rows)
        == "(shape{square, star} x size{0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9} x cell{81}) x replicate{1 to 1000000000}"
    )


NINES = "9" * 5000
BAD: dict[str, tuple[str, str]] = {
    "nothing": ("", "is not a mapping: expected name, parts (of scenes) or photos, "),
    "a list": ("[1]", "is not a mapping"),
    "a word": ("hello", "is not a mapping"),
    "a number as key": ("1: 2", "is not a mapping"),
    "no YAML": ("a: [", "can't be read as YAML"),
    "a NUL": ("\x00", "can't be read as YAML"),
    "a program": ("name: a\nparts: !!python/object:os.system []", "can't be read as YAML"),
    "too deep": ("name: a\nparts: " + "[" * 3000 + "]" * 3000, "can't be read as YAML"),
    "a key twice": ("name: a\nparts: [{shape: square, color: red, color: blue}]", "the key `color` is there twice"),
    "an unknown key": ("name: a\nparts: [{shape: star}]\nfoo: 1", "`foo` is not known: expected one of name"),
    "no parts": ("name: a", "`parts` field required"),
    "empty parts": ("name: a\nparts: []", "`parts` list should have at least 1 item"),
    "an empty part": ("name: a\nparts: [{}]", "varies nothing"),
    "a part that is nothing": ("name: a\nparts: [null]", "`parts.0`"),
    "a name that is a path": ("name: ../x\nparts: [{shape: star}]", "`name` string should match"),
    "an unknown factor": ("name: a\nparts: [{shap: star}]", "the factor `shap` is not known: expected one of shape"),
    "no shape": ("name: a\nparts: [{color: red}]", "expected a cell, and a shape or category"),
    "a shape and a category": ("name: a\nparts: [{shape: star, category: cat}]", "a shape or category"),
    "no values": ("name: a\nparts: [{shape: []}]", "`shape` has []: expected one or more"),
    "no cells": ("name: a\nparts: [{shape: star, cell: []}]", "`cell` has []: expected one or more"),
    "null": ("name: a\nparts: [{shape: null}]", "`None` is no shape: expected one of square"),
    "a mapping as value": ("name: a\nparts: [{shape: {a: b}}]", "is no shape"),
    "a list in a list": ("name: a\nparts: [{shape: [[star]]}]", "is no shape"),
    "a value of two lines": ('name: a\nparts: [{shape: "st\\nar"}]', "`st ar` is no shape"),
    "a shape twice": ("name: a\nparts: [{shape: [star, star]}]", "one or more different values"),
    "a category twice": ("name: a\nparts: [{category: [cat, cat]}]", "one or more different values"),
    "yes as size": ("name: a\nparts: [{shape: star, size: true}]", "`True` is no size"),
    "yes as number": ("name: a\nparts: [{shape: star, distractors: true}]", "`True` is no distractors"),
    "not a number": ("name: a\nparts: [{shape: star, size: .nan}]", "`nan` is no size"),
    "infinite": ("name: a\nparts: [{shape: star, rotation: .inf}]", "`inf` is no rotation"),
    "a huge number": (f"name: a\nparts: [{{shape: star, jitter: {NINES[:400]}}}]", "is no jitter: expected a number"),
    "a huge cell": (f"name: a\nparts: [{{shape: star, cell: '{NINES},0'}}]", "is no cell: expected `row,col`"),
    "a cell that isn't": ("name: a\nparts: [{shape: star, cell: middle}]", "`middle` is no cell"),
    "a cell off the grid": ("name: a\nparts: [{shape: star, cell: '9,0'}]", "`9,0` is not on the 9x9 grid"),
    "sizes that look the same": ("name: a\nparts: [{shape: star, size: [large, 0.86]}]", "can't be told apart"),
    "an unknown color": ("name: a\nparts: [{shape: star, color: redd}]", "`redd` is no color: expected one of red"),
    "a short code": ("name: a\nparts: [{shape: star, color: '#fff'}]", "`#fff` is no color"),
    "another red": ("name: a\nparts: [{shape: star, color: 'red=#ee0000'}]", "`red` is #ff0000 here"),
    "a color twice": ("name: a\nparts: [{shape: star, color: [red, '#ff0000']}]", "different values"),
    "two colors of a word": (
        "name: a\nparts: [{shape: star, color: ['a=#ff8000', 'a=#ff9000']}]",
        "`a=#ff8000` and `a=#ff9000`, which can't be told apart",
    ),
    "two words of a color": (
        "name: a\nparts: [{shape: star, color: 'a=#ff8000'}, {shape: plus, color: 'b=#ff8000'}]",
        "can't be told apart",
    ),
    "black on black": (
        "name: a\nparts: [{shape: star, color: black}]",
        "without: [{color: black, background: black}]",
    ),
    "nearly black on black": ("name: a\nparts: [{shape: star, color: '#040404'}]", "which can't be seen"),
    "no size": ("name: a\nparts: [{shape: star, size: 0}]", "`0` is no size"),
    "too large": ("name: a\nparts: [{shape: star, size: 1.01}]", "`1.01` is no size"),
    "rotated twins": ("name: a\nparts: [{shape: square, rotation: [0, 90]}]", "looks as one turned by 0"),
    "a whole turn": ("name: a\nparts: [{shape: star, rotation: [0, 360]}]", "different values"),
    "too many others": ("name: a\nparts: [{shape: star, distractors: 9}]", "expected a whole number from 0 to 8"),
    "half an other": ("name: a\nparts: [{shape: star, distractors: 1.5}]", "expected a whole number from 0 to 8"),
    "too few descriptions": ("name: a\nparts: [{shape: [star, plus], distractors: 2}]", "as many descriptions"),
    "too few of a kind": (
        "name: a\nparts: [{shape: [star, plus], color: [red, blue], distractors: 2, distractor_kind: same-shape}]",
        "as many descriptions",
    ),
    "too few that are seen": (
        "name: a\nparts: [{shape: star, color: [red, blue, cyan], background: [black, blue], distractors: 2}]\n"
        "without: [{color: blue, background: blue}]",
        "as many descriptions",
    ),
    "kinds of no others": (
        "name: a\nparts: [{shape: [star, plus], distractors: [0, 1], distractor_kind: [any, same-color]}]",
        "leave out `0` of `distractors`",
    ),
    "a wording that isn't": ("name: a\nparts: [{shape: star, wording: 4}]", "has 3 wordings"),
    "a task that isn't": ("name: a\ntask: foo\nparts: [{shape: star}]", "the task `foo` is not known"),
    "a task for two": ("name: a\ntask: relative-size\nparts: [{shape: star}]", "`relative-size` needs 2 objects"),
    "a property that doesn't vary": ("name: a\ntask: property-color\nparts: [{shape: star}]", "2 or more values"),
    "photographs that aren't there": ("name: a\nparts: [{shape: star, background: photo}]", "needs photographs"),
    "objects that aren't there": ("name: a\nparts: [{category: all}]", "needs real objects to cut out"),
    "replicated twice": ("name: a\nreplicate: 2\nparts: [{shape: star, replicate: [1, 2]}]", "leave one out"),
    "replicated too often": (f"name: a\nreplicate: {10**12}\nparts: [{{shape: star}}]", "less than or equal to"),
    "more than 2^63": (
        f"name: a\nreplicate: {10**9}\nparts: [{{shape: [arrow, star], rotation: {[*range(72)]}, color: [red, blue], "
        f"jitter: {[k / 10000 for k in range(5000)]}, wording: [1, 2, 3], background: [gradient, noise, black], "
        "size: [0.2, 0.3, 0.4, 0.5], sheen: [none, glossy, matte]}]",
        "a design has 2^63 rows at most",
    ),
    "no fraction": ("name: a\nfraction: 2\nparts: [{shape: [star, plus]}]", "no balanced fraction of 1/2"),
    "a prime fraction": (f"name: a\nfraction: {2**61 - 1}\nparts: [{{shape: star}}]", "less than or equal to"),
    "a fraction of zero": ("name: a\nfraction: 0\nparts: [{shape: star}]", "greater than or equal to 1"),
    "a placement that isn't": ("name: a\nplacement: x\nparts: [{shape: star}]", "the placement `x` is not known"),
    "a placement's other grid": (
        "name: a\nplacement: photo-main-object\ngrid: 6x6\nparts: [{shape: star}]",
        "was counted on a 9x9 grid, the design has 6x6",
    ),
    "a placement of chosen cells": (
        "name: a\nplacement: photo-main-object\nparts: [{shape: star, cell: center}]",
        "leave out `cell`, or",
    ),
    "a small grid": ("name: a\ngrid: 2x9\nparts: [{shape: star}]", "at least 3 x 3 cells"),
    "a huge grid": ("name: a\ngrid: 9999x9999\nparts: [{shape: star}]", "too fine"),
    "a grid that isn't": ("name: a\ngrid: nine\nparts: [{shape: star}]", "`grid` string should match"),
    "a grid too fine": ("name: a\ngrid: 90x90\nparts: [{shape: star, size: small}]", "too small for a 90x90 grid"),
    "a part twice": ("name: a\nparts: [{shape: star}, {shape: star}]", "share no combination"),
    "parts that overlap": (
        "name: a\nparts: [{shape: [star, plus]}, {shape: [square, plus]}]",
        "share no combination",
    ),
    "parts of other factors": ("name: a\nparts: [{shape: star}, {shape: plus, color: red}]", "have the same factors"),
    "nothing left": ("name: a\nparts: [{shape: star}]\nwithout: [{shape: star}]", "nothing is left"),
    "a selection of nothing": (
        "name: a\nparts: [{shape: star}]\nwithout: [{}]",
        "a selection of combinations is empty",
    ),
    "a selection by no factor": ("name: a\nparts: [{shape: star}]\nonly: {shap: star}", "`shap` is not known"),
    "a selection by another": (
        "name: a\nparts: [{shape: star}]\nonly: {size: large}",
        "doesn't vary: expected some of",
    ),
    "a selection of another": (
        "name: a\nparts: [{shape: star}]\nonly: {shape: plus}",
        "the design has no shape plus, expected some of star",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_one_line(case: str, tmp_path: Path) -> None:
    content, message = BAD[case]
    with pytest.raises(InputError) as caught:
        Order(written(tmp_path, content)).examples()
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700


def test_a_part_of_a_design_that_holds_nothing_out_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds nothing out.*add `hold_out`"):
        design(written(tmp_path), part="test")
    with pytest.raises(InputError, match="the part `dev` is not known: expected one of train, test"):
        design(written(tmp_path, hold_out=[{"shape": "square"}]), part="dev")


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(InputError):
            design(str(path))


def test_real_objects_are_not_painted(tmp_path: Path) -> None:
    path = written(tmp_path, parts=[{"category": ["cat"], "color": "red", "size": "small", "rotation": 45}])
    with pytest.raises(InputError, match="real objects, which have no color, rotation to choose"):
        _composed(path)


def test_a_category_that_nothing_can_be_cut_out_of_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"real objects of yeti.*expected some of cat, dog, cow"):
        _composed(written(tmp_path, parts=[{"category": ["cat", "yeti"]}]))


def _composed(path: str) -> None:
    Composer(design(path, pools=POOLS), 336, 0, POOLS)


def test_a_selection_takes_a_color_by_its_word(tmp_path: Path) -> None:
    path = tmp_path / "teal.yaml"
    path.write_text("name: t\nparts: [{shape: [star, plus], color: [red, teal=#008080]}]\nhold_out: [{color: teal}]")
    assert [str(value) for value in design(str(path), part="test").values("color")] == ["teal"]
    assert [str(value) for value in design(str(path), part="train").values("color")] == ["red"]
