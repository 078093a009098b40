import hashlib
import io
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from evensight.annotations import PAPER_GRID, Frame
from evensight.datasets.examples import Example, SceneExamples
from evensight.errors import InputError
from evensight.questions.tasks import AbsolutePosition
from evensight.scenes.designs import CATALOG, design
from evensight.scenes.render import render, scene


def made(name: str = "civet-test", size_px: int = 108, seed: int = 0) -> SceneExamples:
    return SceneExamples(design(name, seed), size_px, seed)


@pytest.fixture(scope="module", params=list(CATALOG))
def examples(request: pytest.FixtureRequest) -> list[Example]:
    return list(made(request.param))


@pytest.mark.parametrize("name", CATALOG)
def test_an_example_is_the_same_twice_and_in_any_order(name: str) -> None:
    one, other = made(name), made(name)
    indices = np.random.default_rng(0).integers(0, len(one), 40)
    forwards = {int(k): one[int(k)] for k in indices}
    assert all(other[k] == forwards[k] for k in reversed(forwards))
    assert all(other.encoded(k) == one.encoded(k) for k in list(forwards)[:5])


ANOTHER_PROCESS = """
import hashlib, json
from evensight.datasets.examples import SceneExamples
from evensight.scenes.designs import design
made = SceneExamples(design("civet-train-photo", 1), 108, 1)
shown = [(made[k].id, made[k].question.text, hashlib.sha256(made.encoded(k)).hexdigest()) for k in (1600, 3)]
print(json.dumps([shown, made.hash]))
"""


def test_another_process_makes_the_same_examples() -> None:
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    there = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    here = made("civet-train-photo", seed=1)
    shown = [[here[k].id, here[k].question.text, hashlib.sha256(here.encoded(k)).hexdigest()] for k in (1600, 3)]
    assert there == [shown, here.hash]


def test_the_image_is_the_rendered_scene_without_loss() -> None:
    found = made("civet-full")
    with Image.open(io.BytesIO(found.encoded(5000))) as image:
        assert np.array_equal(np.asarray(image), render(scene(design("civet-full"), 5000, 108)))


def test_ids_are_unique(examples: list[Example]) -> None:
    assert len({example.id for example in examples}) == len(examples)


def test_the_answer_is_the_area_of_the_objects_cell(examples: list[Example]) -> None:
    for example in examples:
        assert example.cell == PAPER_GRID.cell_at(example.box.center_px, Frame(108, 108))
        assert example.question.answer == example.area == PAPER_GRID.area_of(example.cell)


def test_the_question_names_the_object_and_lists_the_options_in_order(examples: list[Example]) -> None:
    for example in examples[::17]:
        question, attributes = example.question, example.attributes
        assert f"Where is the {attributes['color']} {attributes['shape']}?" in question.text
        assert question.text.endswith(f"Choose from [{', '.join(question.options)}].")
        assert question.options[question.slot] == question.answer


def test_every_area_has_its_share_of_the_crossed_sets(examples: list[Example]) -> None:
    areas = Counter(example.area for example in examples)
    if "photo" not in examples[0].id:
        assert set(areas.values()) == {len(examples) // 9}


def test_the_orders_of_the_options_vary() -> None:
    found = made()
    assert len({found[k].question.options for k in range(0, 3888, 9)}) > 400


def test_the_factors_are_the_attributes(examples: list[Example]) -> None:
    factors = made(examples[0].id.rpartition("-")[0]).info.factors
    assert all(tuple(example.attributes) == factors for example in examples)


def test_another_seed_orders_the_options_otherwise_but_shows_the_same() -> None:
    one, other = made(seed=0), made(seed=1)
    assert one.encoded(7) == other.encoded(7)
    assert one[7].question.answer == other[7].question.answer
    assert [one[k].question.options for k in range(9)] != [other[k].question.options for k in range(9)]


def test_the_hash_tells_sets_apart() -> None:
    sets = [made(), made(seed=1), made(size_px=110), made("civet-full"), made("civet-train-photo")]
    assert len({each.hash for each in sets}) == len(sets)
    assert made().hash == made().hash


def test_the_hash_tells_apart_what_the_designs_seed_draws() -> None:
    one, other = (SceneExamples(design("civet-train-photo", seed), 108, 0) for seed in (1, 2))
    assert [one[k].cell for k in range(50)] != [other[k].cell for k in range(50)]
    assert one.hash != other.hash


def test_an_example_that_is_not_there_raises() -> None:
    found = made()
    for index in (-1, len(found)):
        with pytest.raises(IndexError):
            found[index]


def test_images_that_are_too_small_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="too small"):
        made(size_px=20)


def test_the_position_task_is_the_default() -> None:
    explicit = SceneExamples(design("civet-test"), 108, 0, AbsolutePosition(PAPER_GRID))
    assert explicit[100] == made()[100]
    assert explicit.hash == made().hash
