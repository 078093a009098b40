from pathlib import Path

import pytest

from evensight.annotations import Grid
from evensight.errors import InputError
from evensight.photos.catalog import SHIPPED, Mix, grid_named, photo_design, photo_names, split_design
from evensight.photos.rules import CERTAIN_RULE
from evensight.scenes import catalog as scenes


@pytest.mark.parametrize("name", photo_names())
def test_every_shipped_design_is_one_and_has_its_files_name(name: str) -> None:
    design = photo_design(name)
    assert design is not None
    assert design.name == name
    assert design.description
    assert name not in scenes.names()


def test_the_shipped_designs_are_the_papers_comparisons_and_the_controls() -> None:
    assert len(photo_names()) == len(list(SHIPPED.glob("*.yaml"))) == 12
    designs = [photo_design(name) for name in photo_names()]
    controls = {design.control for design in designs if design is not None}
    assert controls == {None, "mirrored", "black", "wrong-photo", "covered", "absent"}


def test_the_certain_design_has_the_certain_rule() -> None:
    design = photo_design("coco-val-certain")
    assert design is not None
    assert design.rule == CERTAIN_RULE


def test_a_design_of_scenes_is_none_of_photographs(tmp_path: Path) -> None:
    assert photo_design("civet-train") is None
    assert photo_design("nowhere.yaml") is None
    (tmp_path / "mine.yaml").write_text("name: mine\nparts: []\n")
    assert photo_design(str(tmp_path / "mine.yaml")) is None


def test_a_design_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nphotos: val2017\nrule: {margin: 0.2}\ndraw: {balance: area, per_area: 4}\ngrid: 6x6\n"
    )
    design = photo_design(str(path))
    assert design is not None
    assert (design.rule.margin, design.draw.per_area, design.cells) == (0.2, 4, Grid(6, 6))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rule: {marign: 0.2}", "`rule.marign` is not known"),
        ("colour: red", "`colour` is not known: expected one of name, description, photos"),
        ("photos: ../../etc", "`photos`"),
        ("draw: {balance: area, n: 4}", "exclude one another"),
        ("scenes: {design: civet-train, photo_share: 1.0}", "photo_share"),
        ("orientation: up", "orientation"),
        ("name: mine", "the key `name` is there twice"),
    ],
)
def test_what_is_wrong_with_a_design_is_said_in_one_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    photos = "" if line.startswith("photos") else "photos: val2017\n"
    path.write_text(f"name: mine\n{photos}{line}\n")
    with pytest.raises(InputError, match=message) as caught:
        photo_design(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n_scenes", "share", "n_photos"), [(1620, 0.5, 1620), (100, 0.2, 25), (3, 0.01, 1)])
def test_how_many_photographs_a_share_needs(n_scenes: int, share: float, n_photos: int) -> None:
    assert Mix(design="civet-train", photo_share=share).n_photos(n_scenes) == n_photos


@pytest.mark.parametrize("written", ["2x2", "9", "9x9x9", "axb", "9x"])
def test_a_grid_that_can_not_be(written: str) -> None:
    with pytest.raises(InputError, match="expected rows x columns such as 9x9"):
        grid_named(written)


def test_the_splits_beside_a_split(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for split in ("train2017", "val2017"):
        (tmp_path / "annotations" / f"instances_{split}.json").write_text("{}")
    assert split_design(tmp_path, "val2017").prior == "train2017"
    assert split_design(tmp_path, "train2017").apart_from == ()  # the images of val2017 are not there
    (tmp_path / "val2017").mkdir()
    assert split_design(tmp_path, "train2017").apart_from == ("val2017",)
    assert split_design(tmp_path, "train2017", apart_from=[]).apart_from == ()
    assert split_design(None, "val2017").prior is None


def test_a_file_that_holds_nothing_is_told_what_a_design_of_either_kind_has(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(InputError, match=r"is not a mapping: expected name, parts \(of scenes\) or photos, and"):
        photo_design(str(tmp_path / "empty.yaml"))
