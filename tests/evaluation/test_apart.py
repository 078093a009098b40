"""A model isn't asked what it was trained on, however the one set is made of the other."""

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from evensight.datasets.controls import controlled
from evensight.datasets.mixtures import Mixture
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part, subset
from evensight.errors import InputError
from evensight.evaluation.apart import check_not_trained_on
from evensight.runs import RunManifest
from evensight.scenes.catalog import build, design_file
from evensight.scenes.compose import SceneDesign
from made_designs import OBJECTS, made

PARTS = (None, "train", "test")


def _trained(config: Mapping[str, Any] | None, known_as: str | None) -> RunManifest:
    """What a run leaves that was trained on a set."""
    inputs = {} if known_as is None else {"data": known_as}
    return RunManifest("finetune", {"data": config}, inputs, {})


def test_draws_of_some_examples_may_share_some_but_the_parts_that_a_design_holds_out_are_apart() -> None:
    whole, train, test = (SceneExamples(build(design_file("ladder-black"), part=part), 64, 0) for part in PARTS)
    some = [subset(whole, 60, 0), subset(whole, 90, 0), subset(whole, 60, 1), subset(train, 60, 0)]
    for a, b in [*combinations(some, 2), (whole, train), (whole, test), (train, some[3]), (test, some[0])]:
        for trained, asked in ((a, b), (b, a)):
            with pytest.raises(InputError, match="trained on"):
                check_not_trained_on([_trained(trained.info.config, trained.hash)], asked)
    mixed = Mixture("mixed", some[3], train, 0)
    for a, b in [(train, test), (some[3], test), (some[3], subset(test, 60, 0)), (mixed, test)]:
        check_not_trained_on([_trained(a.info.config, a.hash)], b)
        check_not_trained_on([_trained(b.info.config, b.hash)], a)


def test_a_seed_a_size_and_an_instruction_make_no_other_scenes(mini_train: SceneDesign) -> None:
    few = SceneExamples(mini_train, 64, 0)
    for other in (
        SceneExamples(mini_train, 64, 1),
        SceneExamples(mini_train, 108, 0),
        SceneExamples(mini_train, 64, 0, instruction="Say where."),
        subset(SceneExamples(mini_train, 64, 1), 9, 0),
        controlled(SceneExamples(mini_train, 64, 1), "black", 0),
    ):
        for trained, asked in ((few, other), (other, few)):
            with pytest.raises(InputError, match="trained on"):
                check_not_trained_on([_trained(trained.info.config, trained.hash)], asked)
    none = made({**OBJECTS, "distractors": [0], "jitter": [0]})
    one, other = (SceneExamples(none, 144, seed) for seed in (0, 1))
    with pytest.raises(InputError, match="trained on"):
        check_not_trained_on([_trained(one.info.config, one.hash)], other)
    asked_otherwise = SceneExamples(mini_train, 64, 0, "row-position")
    check_not_trained_on([_trained(few.info.config, few.hash)], asked_otherwise)


def test_scenes_that_are_drawn_are_others_with_another_seed_but_not_in_another_size() -> None:
    for drawn in ({"jitter": [0.5]}, {"distractors": [2]}):
        design = made({**OBJECTS, **drawn})
        few, other, larger = (SceneExamples(design, *how) for how in ((432, 0), (432, 1), (864, 0)))
        assert any((few.pixels(k) != other.pixels(k)).any() for k in range(9))
        check_not_trained_on([_trained(few.info.config, few.hash)], other)
        with pytest.raises(InputError, match="trained on"):
            check_not_trained_on([_trained(few.info.config, few.hash)], larger)


def test_fractions_with_other_seeds_may_share_some_and_parts_that_are_held_out_never_do() -> None:
    part = {**OBJECTS, "sheen": ["none", "matte", "glossy"]}
    one, other = (SceneExamples(made(part, fraction=3, seed=k), 64, k) for k in (0, 1))
    assert one.info.config["rows"] != other.info.config["rows"]
    with pytest.raises(InputError, match="trained on"):
        check_not_trained_on([_trained(one.info.config, one.hash)], other)
    designs = (build(design_file("ladder-black"), part=part) for part in ("train", "test"))
    train, test = (SceneExamples(design, 64, seed) for seed, design in enumerate(designs))
    check_not_trained_on([_trained(train.info.config, train.hash)], test)


def test_what_shares_examples_by_mixtures_controls_and_parts_is_refused() -> None:
    design = made({"shape": ["square"], "color": ["red", "green"], "jitter": [0.5]})
    few, other, third = (SceneExamples(design, 64, seed) for seed in range(3))
    mixed, also_mixed = Mixture("both", few, other, 0), Mixture("also", third, few, 0)
    one, rest = Part(few, range(9), {"part": 0}), Part(few, range(9, 14), {"part": 1})
    black, mirrored = controlled(few, "black", 0), controlled(few, "mirrored", 0)
    shared = [
        (few, mixed),
        (one, mixed),
        (mixed, also_mixed),
        (Part(mixed, range(4), {"part": 0}), few),
        (Part(mixed, range(4), {"part": 0}), also_mixed),
        (Mixture("part", one, other, 0), few),
        (Mixture("part", one, other, 0), one),
        (black, mirrored),
        (controlled(one, "black", 0), one),
        (controlled(one, "black", 0), few),
        (Part(black, range(9), {"part": 0}), mirrored),
        (Part(black, range(9), {"part": 0}), Part(mirrored, range(9), {"part": 0})),
    ]
    apart = [
        (few, other),
        (one, rest),
        (mixed, third),
        (Part(mixed, range(4), {"part": 0}), Part(mixed, range(4, 8), {"part": 1})),
        (Mixture("part", one, other, 0), rest),
        (controlled(one, "black", 0), rest),
        (Part(black, range(9), {"part": 0}), Part(mirrored, range(9, 14), {"part": 1})),
    ]
    for a, b in [*shared, *((b, a) for a, b in shared)]:
        trained = _trained(json.loads(json.dumps(dict(a.info.config))), a.hash)
        with pytest.raises(InputError, match="trained on"):
            check_not_trained_on([trained], b)
    for a, b in [*apart, *((b, a) for a, b in apart)]:
        check_not_trained_on([_trained(dict(a.info.config), a.hash)], b)
    check_not_trained_on([_trained(None, None)], few)
