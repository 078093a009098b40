"""The other objects: balanced around the target, never its double, and none that a test holds out."""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import Cell, Grid
from evensight.errors import InputError
from evensight.scenes import distractors
from evensight.scenes.compose import Composer
from evensight.scenes.factors import Color
from evensight.scenes.render import Scene, SceneObject, annotate
from made_designs import OBJECTS, POOLS, made

grids = st.builds(Grid, st.integers(3, 5), st.integers(3, 5))


def scenes(*parts: Mapping[str, Any], one_nearest: bool = False, **settings: Any) -> list[Scene]:
    composer = Composer(made(*parts, **settings), 240, 0, POOLS, one_nearest=one_nearest)
    return [composer.scene(k) for k in range(len(composer.design))]


def look(thing: SceneObject) -> tuple[str, str]:
    return (thing.name, str(thing.color))


@given(grids, st.integers(1, 8), st.integers(0, 300), st.integers(0, 9))
def test_a_pattern_has_different_steps_that_go_somewhere(grid: Grid, n: int, number: int, seed: int) -> None:
    steps = distractors.pattern(grid, n, number, seed)
    assert len(set(steps)) == n
    assert (0, 0) not in steps
    for target in grid.cells():
        assert len({target, *distractors.cells(grid, target, steps)}) == n + 1


@given(grids, st.integers(1, 8), st.integers(0, 5), st.integers(0, 3))
def test_each_distractor_takes_every_step_equally_often(grid: Grid, n: int, turn: int, seed: int) -> None:
    n_steps = len(grid) - 1
    patterns = [distractors.pattern(grid, n, turn * n_steps + k, seed) for k in range(n_steps)]
    for mine in zip(*patterns, strict=True):
        assert len(set(mine)) == n_steps


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(3, 4)])
def test_target_and_distractor_are_in_each_pair_of_cells_equally_often(n: int, grid: Grid) -> None:
    # as many objects as there are steps, so that each distractor takes each step once
    n_steps = len(grid) - 1
    part = {**OBJECTS, "distractors": n, "replicate": [*range(1, n_steps + 1)]}
    found = scenes(part, grid=grid)
    for k in range(1, n + 1):
        pairs = Counter((scene.objects[0].cell, scene.objects[k].cell) for scene in found)
        assert len(pairs) == len(grid) * n_steps
        assert set(pairs.values()) == {9}


def test_all_cells_have_distractors_equally_often_under_each_look() -> None:
    found = scenes({**OBJECTS, "distractors": [0, 1, 4]})
    for number in (1, 4):
        of = [scene for scene in found if len(scene.objects) == number + 1]
        for k in range(1, number + 1):
            assert set(Counter((look(s.objects[0]), s.objects[k].cell) for s in of).values()) == {1}


@pytest.mark.parametrize("kind", ["any", "same-shape", "same-color", "hard"])
def test_no_two_objects_share_a_description_and_kinds_keep_their_word(kind: str) -> None:
    n = {"any": 8, "same-shape": 2, "same-color": 2, "hard": 4}[kind]
    for scene in scenes({**OBJECTS, "distractors": n, "distractor_kind": kind}):
        target, *others = map(look, scene.objects)
        assert len({target, *others}) == n + 1
        same_shape = [other for other in others if other[0] == target[0]]
        same_color = [other for other in others if other[1] == target[1]]
        match kind:
            case "same-shape":
                assert same_shape == others
            case "same-color":
                assert same_color == others
            case "hard":
                assert len(same_shape) == len(same_color) == 2


def test_real_objects_have_others_of_other_categories() -> None:
    for scene in scenes({"category": ["cat", "dog", "cow"], "replicate": [1, 2, 3], "distractors": 2}, pools=POOLS):
        assert {thing.name for thing in scene.objects} == {"cat", "dog", "cow"}
        assert all(thing.member is not None for thing in scene.objects)


def test_what_a_test_holds_out_is_no_bystander_in_training() -> None:
    held = [{"shape": "star", "color": "red"}, {"shape": "circle", "color": "blue"}]
    part = {**OBJECTS, "distractors": [1, 4]}
    met = {look(thing) for scene in scenes(part, hold_out=held, part="train") for thing in scene.objects}
    assert met == {(s, c) for s in OBJECTS["shape"] for c in OBJECTS["color"]} - {("star", "red"), ("circle", "blue")}


def test_others_differ_from_the_target_also_where_objects_have_different_cells() -> None:
    held = [{"shape": "star", "cell": ["0,0", "center"]}, {"color": "red", "cell": "8,8"}]
    for scene in scenes({**OBJECTS, "distractors": [1, 4]}, without=held):
        assert len(set(map(look, scene.objects))) == len(scene.objects)
        assert len({thing.cell for thing in scene.objects}) == len(scene.objects)


def test_the_steps_to_the_others_stay_the_same_while_the_target_goes_through_its_cells() -> None:
    held = [{"shape": "star", "cell": ["0,0", "center"]}]
    seen: dict[object, set[object]] = {}
    composer = Composer(made({**OBJECTS, "distractors": 3}, without=held), 240, 0)
    for k in range(len(composer.design)):
        target, *others = composer.scene(k).objects
        steps = [((o.cell.row - target.cell.row) % 9, (o.cell.col - target.cell.col) % 9) for o in others]
        seen.setdefault(composer.design.shown(k), set()).add(tuple(steps))
    assert all(len(each) == 1 for each in seen.values())


@pytest.mark.parametrize("kind", ["any", "hard", "same-shape"])
def test_whatever_is_shown_every_look_that_fits_is_each_of_the_others_equally_often(kind: str) -> None:
    # 81 cells, 8 looks that fit ("any"), 2 of the same shape, and 2 of the same color
    composer = Composer(made({**OBJECTS, "distractors": 2, "distractor_kind": kind}), 240, 0)
    met: dict[int, Counter[object]] = {}
    for k in range(len(composer.design)):
        _, *others = map(look, composer.scene(k).objects)
        met.setdefault(composer.design.shown(k), Counter()).update(enumerate(others))
    for counted in met.values():
        assert len(counted) == {"any": 16, "hard": 8, "same-shape": 4}[kind]
        assert max(counted.values()) - min(counted.values()) <= 2


def test_nothing_is_in_the_color_of_its_ground() -> None:
    colors = ["red", "blue", "a=#808000"]
    part = {"shape": ["star", "plus"], "color": colors, "background": ["black", "b=#808000"], "distractors": [1, 3]}
    found = scenes(part, without=[{"color": "a=#808000", "background": "b=#808000"}])
    for scene in found:
        assert isinstance(scene.background, Color)
        assert scene.background.rgb not in {thing.color.rgb for thing in scene.objects if thing.color}
    assert {str(thing.color) for scene in found for thing in scene.objects} == {"red", "blue", "a"}


@pytest.mark.parametrize("n", [2, 3, 5])
def test_one_of_the_others_is_clearly_nearest(n: int) -> None:
    for scene in scenes({**OBJECTS, "distractors": n}, one_nearest=True):
        (target, *others), grid = scene.objects, scene.grid
        far = sorted(
            ((o.cell.row - target.cell.row) / grid.rows) ** 2 + ((o.cell.col - target.cell.col) / grid.cols) ** 2
            for o in others
        )
        assert far[1] >= far[0] * distractors.NEARER_BY**2


def test_where_no_placing_has_one_nearest_that_is_said() -> None:
    with pytest.raises(InputError, match=r"no placing of 8 distractors on a 3x3 grid.*choose fewer"):
        distractors.distinct_pattern(Grid(3, 3), 8, 0, 0)


def test_jitter_stays_in_the_cell_and_is_as_often_to_the_left_as_to_the_right() -> None:
    part = {**OBJECTS, "size": "small", "jitter": [0, 0.5, 1], "distractors": [0, 2], "replicate": [1, 2]}
    composer = Composer(made(part), 270, 0)
    moves: dict[object, list[tuple[int, int]]] = {}
    for k in range(len(composer.design)):
        scene, share = composer.scene(k), composer.design.rows[k]["jitter"]
        for thing in scene.objects:
            moves.setdefault(share, []).append(thing.shift_px)
    # a cell has 30 px, small shapes 12: 9 px are left on either side
    assert set(moves[0]) == {(0, 0)}
    for share, most in ((0.5, 4), (1, 9)):
        for axis in (0, 1):
            shifts = Counter(move[axis] for move in moves[share])
            assert set(shifts) == set(range(-most, most + 1))
            n, mean = len(moves[share]), sum(move[axis] for move in moves[share]) / len(moves[share])
            assert abs(mean) < 4 * (most * (most + 1) / 3 / n) ** 0.5


def test_nothing_leaves_its_cell() -> None:
    either: tuple[dict[str, Any], ...] = ({}, {"fit": "area", "anchor": "centroid"})
    for settings in either:
        part = {"shape": ["drop", "arrow", "crescent"], "rotation": [0, 20], "size": ["small", "large"], "jitter": 1}
        composer = Composer(made(part, grid=Grid(4, 5), **settings), 203, 0)
        for k in range(len(composer.design)):
            scene = composer.scene(k)
            x0, y0, x1, y1 = annotate(scene).objects[0].box.xyxy_px
            cell, width, height = scene.objects[0].cell, 203 / 5, 203 / 4
            assert x0 >= cell.col * width - 1
            assert y0 >= cell.row * height - 1
            assert x1 <= (cell.col + 1) * width + 1
            assert y1 <= (cell.row + 1) * height + 1


def test_the_members_of_a_pool_are_dealt_evenly() -> None:
    part = {"category": ["cat", "dog"], "replicate": [*range(1, 8)], "background": ["photo", "black"]}
    composer = Composer(made(part, pools=POOLS), 160, 0, POOLS)
    found = [composer.scene(k) for k in range(len(composer.design))]
    grounds: Counter[tuple[Cell, int | None]] = Counter(
        (s.objects[0].cell, s.member) for s in found if s.background == "photo"
    )
    _assert_even(grounds, 81, 5)
    for category, n in (("cat", 3), ("dog", 4)):
        members = [s.objects[0] for s in found if s.objects[0].name == category]
        _assert_even(Counter((thing.cell, thing.member) for thing in members), 81, n)
    for first in range(0, len(found), 81):  # what is shown goes through the pool as it goes through the cells
        used = Counter(scene.objects[0].member for scene in found[first : first + 81])
        assert max(used.values()) - min(used.values()) <= 1


def test_the_members_are_dealt_evenly_where_parts_have_different_cells() -> None:
    held = [{"shape": "star", "cell": ["0,0", "center"]}, {"color": "red", "cell": "8,8"}]
    composer = Composer(made({**OBJECTS, "background": "photo", "replicate": [1, 2]}, without=held), 240, 0, POOLS)
    in_cell: Counter[tuple[Cell, int]] = Counter()
    for k in range(len(composer.design)):
        scene = composer.scene(k)
        in_cell[scene.objects[0].cell, scene.member] += 1
    complete = [cell for cell in composer.design.grid.cells() if sum(in_cell[cell, m] for m in range(5)) == 18]
    assert len(complete) == 81 - 9 - 1 - 1
    for cell, (a, b) in ((cell, pair) for cell in complete for pair in combinations(range(5), 2)):
        assert abs(in_cell[cell, a] - in_cell[cell, b]) <= 1


def _assert_even(counts: Counter[tuple[Cell, int | None]], n_cells: int, n_members: int) -> None:
    by_cell: dict[Cell, list[int]] = {}
    for (cell, _), n in counts.items():
        by_cell.setdefault(cell, []).append(n)
    assert len(by_cell) == n_cells
    for used in by_cell.values():
        padded = [*used, *[0] * (n_members - len(used))]
        assert max(padded) - min(padded) <= 1
