"""Batches: the same pixels as one scene after the other, whatever was in the buffer before."""

import numpy as np
import pytest

from evensight.annotations import Grid
from evensight.errors import InputError
from evensight.randomness import shuffled
from evensight.scenes.batches import Batches, batches
from evensight.scenes.catalog import design, names
from evensight.scenes.compose import Composer, SceneDesign
from evensight.scenes.render import render
from made_designs import OBJECTS, POOLS, made

OWN = {
    "several plain grounds": made({**OBJECTS, "background": ["black", "white"], "size": ["small", "large"]}),
    "no cells in common": made({**OBJECTS, "cell": ["0,0", "center"]}, without=[{"shape": "star", "cell": "0,0"}]),
    "some cells": made({**OBJECTS, "cell": ["0,8", "8,0", "center"]}),
    "odd grid": made(
        {"shape": ["square", "star", "arrow"], "rotation": [0, 30], "sheen": ["none", "matte"]}, grid=Grid(4, 7)
    ),
    "others that come and go": made({**OBJECTS, "distractors": [0, 3]}),
    "objects that move": made({**OBJECTS, "size": ["small"], "jitter": [0, 1]}),
    "plain and pictures": made({**OBJECTS, "background": ["gradient", "black", "photo"]}),
    "real objects": made({"category": ["cat", "dog"], "background": ["black", "white"]}, pools=POOLS),
    "placed": made(OBJECTS, placement="photo-main-object"),
    "a fraction": made({**OBJECTS, "sheen": ["none", "matte", "glossy"]}, fraction=3),
    "equal areas": made(OBJECTS, fit="area", anchor="centroid"),
}
DESIGNS = {**{name: design(name, pools=POOLS) for name in names()}, **OWN}


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("size_px", [120, 121])
def test_a_batch_is_what_render_draws_in_any_order_and_in_a_used_buffer(name: str, size_px: int) -> None:
    composer = Composer(DESIGNS[name], size_px, 1, POOLS)
    draw = Batches(composer, 7)
    n = len(composer.design)
    for start in range(0, 70, 7):
        chosen = [index % n for index in shuffled(range(start, n, max(1, n // 50)), 0, "order", start)[:7]]
        for index, image in zip(chosen, draw(chosen), strict=True):
            assert np.array_equal(image, render(composer.scene(index), POOLS)), (name, index)


def test_neighbours_do_not_touch() -> None:
    part = {**OBJECTS, "size": 0.97, "distractors": 8}
    composer = Composer(made(part), 336, 0)  # 36 px in cells of 37.3 px
    draw = Batches(composer, 1)
    assert all(np.array_equal(draw([k])[0], render(composer.scene(k))) for k in range(len(composer.design)))
    with pytest.raises(
        InputError, match=r"reaches 19.0 px sideways .* leaves the cell of 37 x 37 px: choose smaller sizes"
    ):
        Composer(made({**part, "size": 1}), 336, 0)


def test_nothing_reaches_over_the_edge_from_its_centre_of_gravity() -> None:
    with pytest.raises(InputError, match=r"a drop turned by 0 degrees .* leaves the cell"):
        Composer(made({"shape": ["drop"], "size": 1}, anchor="centroid"), 336, 0)


def test_all_of_a_design_comes_in_order_once() -> None:
    composer = Composer(_small(), 60, 0)
    met = []
    for indices, images in batches(composer, range(len(composer.design)), 5):
        assert len(images) == len(indices) <= 5
        met += list(indices)
        assert all(np.array_equal(image, render(composer.scene(k))) for k, image in zip(indices, images, strict=True))
    assert met == list(range(len(composer.design)))


def test_more_than_a_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="has 2 pictures at most, got 3"):
        Batches(Composer(_small(), 60, 0), 2)([0, 1, 2])


def test_what_a_caller_draws_over_a_batch_is_his_own_until_the_place_is_drawn_again() -> None:
    draw = Batches(Composer(_small(), 60, 0), 1)
    first = draw([3])[0].copy()
    assert np.array_equal(draw([3])[0], first)
    draw([8])
    assert np.array_equal(draw([3])[0], first)


def _small() -> SceneDesign:
    return made({"shape": ["square", "star"]}, grid=Grid(3, 4))
