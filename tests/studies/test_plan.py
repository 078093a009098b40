"""A study's file is checked whole before anything is done."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evensight.errors import InputError
from evensight.photos.catalog import photo_names
from evensight.scenes.catalog import names
from evensight.studies.plan import SHIPPED, read_study

WHOLE: dict[str, Any] = {
    "name": "mine",
    "conditions": {"base": {}, "balanced": {"train": "civet-train"}},
    "tests": {"shapes": {"design": "civet-test"}},
}


def written(path: Path, **changes: Any) -> Path:
    (path / "study.yaml").write_text(yaml.safe_dump({**WHOLE, **changes}))
    return path / "study.yaml"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_is_whole(path: Path) -> None:
    study = read_study(path)
    assert study.name == path.stem
    sources = [source for condition in study.conditions.values() for source in condition.train]
    sources += study.tests.values()
    designs = {source.design for source in sources if source.design}
    assert designs <= {*names(), *photo_names()}


def test_what_is_trained_on_is_a_name_a_set_or_several(tmp_path: Path) -> None:
    little = {"design": "civet-train", "n": 162}
    written_as = {"one": {"train": "civet-train"}, "part": {"train": little}, "mixed": {"train": ["shapes", little]}}
    conditions = read_study(written(tmp_path, conditions={"base": {}, **written_as})).conditions
    assert {name: [(of.design, of.n) for of in one.train] for name, one in conditions.items()} == {
        "base": [],
        "one": [("civet-train", None)],
        "part": [("civet-train", 162)],
        "mixed": [("shapes", None), ("civet-train", 162)],
    }


def test_a_shipped_study_is_found_by_its_name() -> None:
    assert list(read_study(Path("demo")).conditions) == ["base", "balanced", "matched"]


def test_conditions_and_tests_keep_their_order(tmp_path: Path) -> None:
    order: dict[str, Any] = {name: {} for name in ("z", "a", "m")}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**WHOLE, "conditions": order}, sort_keys=False))
    assert list(read_study(tmp_path / "study.yaml").conditions) == ["z", "a", "m"]


def test_an_option_takes_the_place_of_the_file(tmp_path: Path) -> None:
    assert read_study(written(tmp_path, seed=1), {"seed": 7}).seed == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditions": {}}, "`conditions` dictionary should have at least 1 item"),
        ({"conditions": {"../up": {}}}, "is used as a folder's name"),
        ({"tests": {"both": {"design": "civet-test", "photos": "val2017"}}}, "one of `design`, `photos` and `data`"),
        ({"tests": {"none": {}}}, "one of `design`, `photos` and `data`"),
        ({"tests": {"odd": {"photos": "val2017", "part": "test"}}}, "`part` and `task` go with a `design`"),
        ({"conditions": {"a": {"train": {"design": "x", "n": 0}}}}, r"`conditions.a.train.0.n` input should be"),
        ({"conditions": {"a": {"train": [{"photos": 3}]}}}, r"`conditions.a.train.0.photos`"),
        ({"seeds": [1, 1]}, "`seeds` a seed is there twice"),
        ({"finetune": {"seed": 3}}, "`finetune.seed` is said by `seed` or `seeds`"),
        ({"probe": {"test": "nope"}}, "`probe.test` is `nope`: expected one of shapes"),
        ({"colour": "red"}, "`colour` is not known: expected one of name, model, seed"),
        ({"seed": -1}, "`seed` input should be greater than or equal to 0, got '-1'"),
        ({"tests": {"up": {"photos": "../../etc"}}}, "is used as a folder's name"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_study(written(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "just words", "1: 2", "\x00"])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"the study `.*` (can't be read as YAML|is not a mapping)"):
        read_study(path)


def test_a_file_that_is_not_there_is_refused_with_those_that_are_shipped(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there: expected a YAML file, or one that is shipped: demo"):
        read_study(tmp_path / "nope.yaml")
