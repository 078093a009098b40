"""What the embedded model is taught: functions of an index, right answers, and nothing that tells but the picture."""

from collections import Counter

import pytest

from evensight.annotations import AREAS, PAPER_GRID
from evensight.questions.relations import DIRECTIONS, direction
from evensight.questions.tasks import ROWS
from evensight.scenes.placement import MAIN_OBJECT
from evensight.scenes.render import annotate
from evensight.training.lessons import (
    CATEGORIES,
    MOST_ASKED,
    MOST_SEEN,
    MOST_TOLD,
    N_QUESTIONS,
    POOLS,
    Lesson,
    Stage,
    lesson,
)

STAGES: tuple[Stage, ...] = ("seeing", "seeing-grounds", "telling", "answering")


def lessons(stage: Stage, n: int, seed: int = 0) -> list[Lesson]:
    return [lesson(stage, k, seed) for k in range(n)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_lesson_depends_on_seed_stage_and_index_alone(stage: Stage) -> None:
    backwards = [lesson(stage, k, 3) for k in reversed(range(8))][::-1]
    assert lessons(stage, 8, seed=3) == backwards
    assert lesson(stage, 5, 3).pixels().tobytes() == backwards[5].pixels().tobytes()
    assert lessons(stage, 8, seed=4) != backwards


def test_the_first_stage_is_on_black_alone() -> None:
    assert {str(each.scene.background) for each in lessons("seeing", 40)} == {"black"}
    grounds = Counter(str(each.scene.background) for each in lessons("seeing-grounds", 400))
    assert {"black", "gradient", "noise", "texture", "red", "white"} <= set(grounds)
    assert 150 < grounds["black"] < 250


def test_grounds_are_other_pictures_than_those_of_the_designs() -> None:
    assert POOLS.ground("texture").fingerprint != type(POOLS)().ground("texture").fingerprint


def test_no_object_has_its_background_s_colour() -> None:
    for stage in STAGES:
        for each in lessons(stage, 150):
            assert str(each.scene.background) not in {str(thing.color) for thing in each.scene.objects}


def test_there_are_as_many_objects_as_the_stage_has() -> None:
    counts = {stage: {len(each.scene.objects) for each in lessons(stage, 200)} for stage in STAGES}
    assert counts["seeing"] == counts["seeing-grounds"] == {MOST_SEEN}
    assert counts["telling"] == set(range(1, MOST_TOLD + 1))
    assert counts["answering"] == set(range(1, MOST_ASKED + 1))


def test_what_is_told_is_so() -> None:
    kinds = Counter[str]()
    for each in lessons("telling", 200):
        annotation = annotate(each.scene, POOLS)
        things = {frozenset((t.attributes["color"], t.name)): t for t in annotation.objects}
        for words, answer in each.told:
            kind, _, rest = words.partition(" ")
            if " relative to " in words:
                target, reference = (things[frozenset(part.split())] for part in words.split(" relative to "))
                assert answer == direction(target, reference)
            elif kind in ("color", "shape"):
                (thing,) = (t for t in things.values() if rest in (t.name, t.attributes["color"]))
                assert answer == (thing.attributes["color"] if kind == "color" else thing.name)
            elif kind == "size":
                assert answer == things[frozenset(rest.split())].attributes["size"]
            else:
                named = things.get(frozenset(words.split()), annotation.objects[0])
                assert answer == PAPER_GRID.area_of(PAPER_GRID.cell_of(named, annotation.frame))
                kind = "place"
            kinds[kind] += 1
    assert min(kinds[kind] for kind in ("color", "shape", "size", "place")) > 50


def test_descriptions_single_out_one_object() -> None:
    for stage in ("telling", "answering"):
        for each in lessons(stage, 100):
            names = [thing.description for thing in annotate(each.scene, POOLS).objects]
            assert len(set(names)) == len(names)


def test_one_object_alone_is_also_asked_for_under_a_name_that_means_nothing() -> None:
    named = [each for each in lessons("answering", 300) if str(each.scene.objects[0].color) == "any"]
    assert 15 < len(named) < 50
    for each in named:
        assert len(each.scene.objects) == 1
        ((name, area),) = each.told
        assert name in CATEGORIES
        assert all(name in text for text, _ in each.asked)
        assert area == PAPER_GRID.area_of(each.scene.objects[0].cell)


def test_where_is_only_said_of_objects_placed_as_photographs_place_theirs() -> None:
    elsewhere = {cell for cell in PAPER_GRID.cells() if not MAIN_OBJECT.counts[cell.row][cell.col]}
    asked_elsewhere = 0
    for each in lessons("answering", 400):
        is_out = any(thing.cell in elsewhere for thing in each.scene.objects)
        asked_elsewhere += is_out
        if is_out:
            answers = [answer for _, answer in each.told + each.asked]
            assert not any(answer in AREAS or answer in ROWS for answer in answers)
    assert asked_elsewhere > 50


def test_the_object_that_is_asked_for_is_not_told_by_its_place() -> None:
    """Where several are placed, each is asked for about as often, wherever it is."""
    central = Counter[bool]()
    for each in lessons("answering", 1500):
        things = sorted(each.scene.objects, key=lambda t: abs(t.cell.row - 4) + abs(t.cell.col - 4))
        names = [f"{thing.color} {thing.name}" for thing in things]
        if len(names) != 2:
            continue
        for text, answer in each.asked:
            if answer in AREAS and answer not in DIRECTIONS:
                central[names[0] in text.partition(" Choose")[0]] += 1
    n = sum(central.values())
    assert n > 150
    assert abs(central[True] - n / 2) < 4 * (n / 4) ** 0.5


def test_questions_are_of_many_kinds_with_options_and_without() -> None:
    asked = [text for each in lessons("answering", 300) for text, _ in each.asked]
    for part in ("Where is", "What is the color", "relative to", "How many", "larger or smaller", "horizontally"):
        assert any(part in text for text in asked)
    share = sum("Choose from" in text for text in asked) / len(asked)
    assert 0.5 < share < 0.7
    assert max(len(each.asked) for each in lessons("answering", 100)) == N_QUESTIONS
