"""Every study that ships can be done as it is, with the embedded model and with a checkpoint of the Hub."""

from pathlib import Path

import pytest

from evensight.errors import InputError
from evensight.evaluation.apart import check_not_trained_on
from evensight.runs import RunManifest
from evensight.studies.plan import SHIPPED, read_study
from evensight.studies.run import config
from evensight.studies.sets import make, missing

HUB = "Qwen/Qwen2.5-VL-7B-Instruct"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def test_these_ship() -> None:
    assert NAMES == ["demo", "forgetting", "ladder", "paper", "parts", "size"]


@pytest.mark.parametrize("name", NAMES)
def test_one_line_makes_it_a_study_of_another_model(name: str) -> None:
    study = read_study(Path(name), {"model": HUB})
    for title, condition in study.conditions.items():
        settings = config(study, condition, 0, title)
        assert (condition.model or study.model) == HUB
        assert settings.seed == 0
        assert settings.epochs == {**study.finetune, **condition.finetune}.get("epochs", 3.0)


def test_seeds_are_three_or_more_but_in_the_demo() -> None:
    assert {name: len(read_study(Path(name)).training_seeds()) for name in NAMES} == {
        name: 1 if name == "demo" else 3 for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_condition_is_asked_what_it_was_trained_on(name: str) -> None:
    study = read_study(Path(name))
    there = {title: source for title, source in study.tests.items() if not missing([source])}
    tests = {title: make([source], study, study.seed) for title, source in there.items()}
    assert tests
    for title, condition in study.conditions.items():
        if not condition.train or missing(condition.train):
            continue
        data = make(condition.train, study, study.training_seeds()[0])
        trained = RunManifest("finetune", {"data": dict(data.info.config)}, {"data": data.hash}, {})
        for test, examples in tests.items():
            try:
                check_not_trained_on([trained], examples)
            except InputError:
                assert condition.allow_trained_on, f"{name}: {title} is asked {test}"
