"""What is drawn: exact boxes, mirror images, the same bytes everywhere."""

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evensight.annotations import PAPER_GRID, Box, Cell, Frame, Grid
from evensight.errors import InputError
from evensight.scenes.catalog import design, names
from evensight.scenes.compose import Composer
from evensight.scenes.factors import COLORS, PAPER_SHAPES, SHEENS, SIZES, Color, Value
from evensight.scenes.render import Scene, SceneObject, annotate, render
from evensight.scenes.shapes import SHAPES
from made_designs import POOLS, made

SIZES_PX = (64, 108, 335, 336, 672)
SOME_CELLS = (Cell(0, 0), Cell(0, 8), Cell(4, 4), Cell(3, 5), Cell(8, 0), Cell(8, 8))
GRAY = Color("gray", (90, 90, 90))


def drawn(
    shape: str = "circle",
    color: str = "red",
    size: str = "large",
    cell: Cell = Cell(2, 6),  # noqa: B008 - frozen
    size_px: int = 336,
    sheen: str = "none",
) -> Scene:
    return Scene(size_px, PAPER_GRID, (SceneObject(shape, Color(color, COLORS[color]), sheen, size, cell),))


def moved(there: Scene, cell: Cell) -> Scene:
    return replace(there, objects=(replace(there.objects[0], cell=cell),))


def looks() -> Iterator[tuple[str, str, str]]:
    return ((shape, size, sheen) for shape in PAPER_SHAPES for size in SIZES for sheen in SHEENS)


def box_of(found: Scene) -> Box:
    return annotate(found, POOLS).objects[0].box


def bounds(image: NDArray[np.uint8], ground: object = 0) -> tuple[int, int, int, int]:
    """The half-open bounds of the pixels that differ from the ground, black if nothing else is said."""
    lit = (image != ground).any(axis=2)
    rows, cols = np.unique(np.nonzero(lit)[0]), np.unique(np.nonzero(lit)[1])
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1


@st.composite
def objects(draw: st.DrawFn, grid: Grid) -> SceneObject:
    """A shape or a real object, of any look, in any cell."""
    cell = Cell(draw(st.integers(0, grid.rows - 1)), draw(st.integers(0, grid.cols - 1)))
    sizes: tuple[Value, ...] = ("large", "small", 0.5, 0.7)
    size = draw(st.sampled_from(sizes))
    if draw(st.booleans()):
        category = draw(st.sampled_from(POOLS.objects().categories))
        return SceneObject(category, None, "none", size, cell, member=draw(st.integers(0, 2)))
    shape, sheen = draw(st.sampled_from(tuple(SHAPES))), draw(st.sampled_from(SHEENS))
    color = draw(st.sampled_from([Color(name, rgb) for name, rgb in COLORS.items()]))
    return SceneObject(shape, color, sheen, size, cell, draw(st.sampled_from((0, 15, 45, 90, 137.5))))


@st.composite
def scenes(draw: st.DrawFn, even: bool = False) -> Scene:
    """A scene of one object on black, of any fit, anchor and grid."""
    grid = Grid(draw(st.integers(3, 7)), draw(st.integers(3, 7)))
    size_px = draw(st.integers(70, 120)) * 2 + (0 if even else draw(st.integers(0, 1)))
    fit, anchor = draw(st.sampled_from(("box", "area"))), draw(st.sampled_from(("box", "centroid")))
    return Scene(size_px, grid, (draw(objects(grid)),), fit=fit, anchor=anchor)  # type: ignore[arg-type]


@given(scenes())
@settings(max_examples=300)
def test_the_box_is_the_bounds_of_the_mask_for_every_kind_of_object(found: Scene) -> None:
    image = render(found, POOLS)
    thing = annotate(found, POOLS).objects[0]
    assert thing.mask_area_px is not None
    assert 0 < thing.mask_area_px <= thing.box.area_px
    assert bounds(image) == thing.box.xyxy_px


@given(scenes())
def test_area_and_centroid_are_those_of_the_drawn_mask(found: Scene) -> None:
    thing = found.objects[0]
    if thing.color is None:
        return
    plain = replace(found, objects=(replace(thing, color=Color("white", (255, 255, 255)), sheen="none"),))
    mask = render(plain)[..., 0] / 255
    noted = annotate(plain).objects[0]
    y, x = np.mgrid[: found.size_px, : found.size_px] + 0.5
    assert noted.mask_area_px == pytest.approx(mask.sum())
    assert noted.centroid_px == pytest.approx(((mask * x).sum() / mask.sum(), (mask * y).sum() / mask.sum()))


@given(scenes(even=True))
def test_the_scene_of_the_mirrored_cells_and_rotations_is_the_mirrored_picture(there: Scene) -> None:
    thing = there.objects[0]
    if thing.color is None:
        return
    cell = Cell(thing.cell.row, there.grid.cols - 1 - thing.cell.col)
    turned = (360 - thing.rotation_deg) % 360
    back = replace(there, objects=(replace(thing, cell=cell, rotation_deg=turned),))
    assert np.array_equal(render(back), render(there)[:, ::-1])
    assert box_of(back) == box_of(there).mirrored(Frame(there.size_px, there.size_px))


@pytest.mark.parametrize("size_px", [*SIZES_PX, 101])
def test_the_box_is_the_bounds_of_what_is_drawn(size_px: int) -> None:
    cells = SOME_CELLS[:3] if size_px == 672 else SOME_CELLS
    for shape, size, sheen in looks():
        for cell in cells:
            found = drawn(shape, "blue", size, cell, size_px, sheen)
            assert bounds(render(found)) == box_of(found).xyxy_px, found


def test_an_image_is_square_rgb_and_black_but_for_the_object() -> None:
    found = drawn("square", "yellow")
    image = render(found)
    assert image.shape == (336, 336, 3)
    assert image.dtype == np.uint8
    x0, y0, x1, y1 = map(int, box_of(found).xyxy_px)
    assert (image[y0:y1, x0:x1] == (255, 255, 0)).all()
    assert image.sum() == 2 * 255 * (y1 - y0) * (x1 - x0)


def test_what_is_not_the_object_is_the_ground_to_the_bit() -> None:
    for background, member in ((GRAY, 0), ("texture", 3), ("noise", 5), ("photo", 2)):
        found = replace(drawn(), background=background, member=member)
        ground = POOLS.ground(background).pixels(member, 336)
        x0, y0, x1, y1 = map(int, box_of(found).xyxy_px)
        image = render(found, POOLS)
        outside = np.ones((336, 336), dtype=bool)
        outside[y0:y1, x0:x1] = False
        assert np.array_equal(image[outside], ground[outside])
        assert not np.array_equal(image, ground)


@pytest.mark.parametrize("color", COLORS)
def test_the_middle_of_an_object_has_its_color(color: str) -> None:
    for shape in PAPER_SHAPES:
        found = drawn(shape, color)
        x, y = map(int, box_of(found).center_px)
        assert tuple(map(int, render(found)[y, x])) == COLORS[color]


def test_sizes_by_hand() -> None:
    # A cell of 336/9 = 37.3 px: 86 % of it are 32.1 px, 43 % are 16.05 px; both go to the even number next by.
    large, small = box_of(drawn("square", size="large")), box_of(drawn("square", size="small"))
    assert (large.x1_px - large.x0_px, large.y1_px - large.y0_px) == (32, 32)
    assert (small.x1_px - small.x0_px, small.y1_px - small.y0_px) == (16, 16)


@pytest.mark.parametrize("size_px", SIZES_PX)
def test_large_is_twice_small_within_rounding(size_px: int) -> None:
    # Each extent is within 1 px of its ideal, so large and twice small are within 1 + 2 px.
    for shape in PAPER_SHAPES:
        large, small = (box_of(drawn(shape, size=size, size_px=size_px)) for size in ("large", "small"))
        assert abs((large.x1_px - large.x0_px) - 2 * (small.x1_px - small.x0_px)) <= 3


def test_shapes_fill_their_share_of_the_square() -> None:
    def share(shape: str) -> float:
        lit = render(drawn(shape, "white", size_px=1344))[..., 0].sum() / 255
        return float(lit) / 128**2

    assert share("square") == pytest.approx(1.0)
    assert share("circle") == pytest.approx(np.pi / 4, rel=0.01)
    assert share("triangle") == pytest.approx(1 / 2, rel=0.01)
    assert share("plus") == pytest.approx(5 / 9, rel=0.02)


@pytest.mark.parametrize("size_px", [64, 108, 336, 672])
def test_the_mirrored_scene_is_the_mirrored_image(size_px: int) -> None:
    for shape, size, sheen in looks():
        there = drawn(shape, "cyan", size, Cell(1, 2), size_px, sheen)
        back = moved(there, Cell(1, 6))
        assert np.array_equal(render(back), render(there)[:, ::-1]), there
        assert box_of(back) == box_of(there).mirrored(Frame(size_px, size_px))


def test_every_column_mirrors() -> None:
    for col in range(9):
        there, back = drawn(cell=Cell(0, col)), drawn(cell=Cell(0, 8 - col))
        assert np.array_equal(render(back), render(there)[:, ::-1])


@pytest.mark.parametrize("shape", ["square", "circle", "plus"])
def test_upright_symmetric_shapes_mirror_top_to_bottom(shape: str) -> None:
    there, back = drawn(shape, cell=Cell(1, 4)), drawn(shape, cell=Cell(7, 4))
    assert np.array_equal(render(back), render(there)[::-1])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_middle_column_is_its_own_mirror_image(shape: str) -> None:
    image = render(drawn(shape, sheen="glossy", cell=Cell(4, 4)))
    assert np.array_equal(image, image[:, ::-1]) or shape in {"crescent", "arrow"}


def test_an_image_of_twice_the_side_doubles_the_box() -> None:
    for shape, size, _ in looks():
        one, two = (box_of(drawn(shape, size=size, size_px=size_px)) for size_px in (336, 672))
        for edge, doubled in zip(one.xyxy_px, two.xyxy_px, strict=True):
            assert abs(doubled - 2 * edge) <= 3


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("size_px", [108, 335])
def test_every_object_is_annotated_in_the_cell_of_its_design(name: str, size_px: int) -> None:
    composer = Composer(design(name, pools=POOLS), size_px, 0, POOLS)
    for index in range(0, len(composer.design), max(7, len(composer.design) // 500)):
        annotation = annotate(composer.scene(index), POOLS)
        assert composer.design.grid.cell_of(annotation.objects[0], annotation.frame) == composer.design.cell(index)


@pytest.mark.parametrize("size_px", SIZES_PX)
def test_an_object_stays_in_its_cell(size_px: int) -> None:
    side = size_px / 9
    for shape, size, _ in looks():
        for cell in SOME_CELLS:
            x0, y0, x1, y1 = box_of(drawn(shape, size=size, cell=cell, size_px=size_px)).xyxy_px
            assert x0 >= cell.col * side - 0.5
            assert y0 >= cell.row * side - 0.5
            assert x1 <= (cell.col + 1) * side + 0.5
            assert y1 <= (cell.row + 1) * side + 0.5


def test_the_annotation_says_what_the_row_says() -> None:
    found = design("civet-full")
    row = found.rows[5000]
    thing = annotate(Composer(found, 336, 0).scene(5000)).objects[0]
    assert {f: thing.attributes[f] for f in ("shape", "color", "size", "sheen")} == {
        f: str(v) for f, v in row.items() if f != "cell"
    }
    assert thing.name == row["shape"]


@pytest.mark.parametrize("shape", PAPER_SHAPES)
def test_sheens_change_the_pixels_but_not_the_box(shape: str) -> None:
    found = [drawn(shape, sheen=sheen) for sheen in SHEENS]
    assert len({render(each).tobytes() for each in found}) == 3
    assert len({box_of(each) for each in found}) == 1


def test_all_scenes_of_a_design_look_different() -> None:
    composer = Composer(design("civet-full"), 84, 0)
    in_one_cell = [render(composer.scene(index)).tobytes() for index in range(40, len(composer.design), 81)]
    assert len(set(in_one_cell)) == 144


ANOTHER_PROCESS = """
import hashlib, sys
from evensight.scenes.render import render
from test_render import composers
digest = hashlib.sha256()
for composer in composers():
    for index in (1600, 7, 801):
        digest.update(render(composer.scene(index), composer.pools).tobytes())
print(digest.hexdigest())
"""


def composers() -> list[Composer]:
    """Designs with all that is drawn or dealt."""
    everything = {
        "shape": ["square", "heart", "star"],
        "color": ["red", "yellow", "blue"],
        "size": ["small", 0.6],
        "sheen": ["none", "glossy"],
        "rotation": [0, 20],
        "jitter": [0, 0.7],
        "background": ["noise", "photo", "texture", "gradient", "gray=#202020"],
        "distractors": [0, 3],
    }
    real = {"category": ["cat", "dog"], "replicate": [*range(1, 21)], "distractors": [1], "jitter": 1}
    own = [made(everything, seed=3), made(real, pools=POOLS)]
    return [Composer(each, 150, 3, POOLS) for each in (design("civet-full", 3), design("civet-train-photo", 3), *own)]


def _digest(found: list[Composer]) -> str:
    digest = hashlib.sha256()
    for composer in found:
        for index in (1600, 7, 801):
            digest.update(render(composer.scene(index), composer.pools).tobytes())
    return digest.hexdigest()


def test_another_process_draws_the_same_bytes() -> None:
    here = str(__file__).rpartition("/")[0]
    program = f"import sys; sys.path[:0] = [{here!r}, {here.rpartition('/')[0] + '/support'!r}]\n{ANOTHER_PROCESS}"
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert there == _digest(composers())


def test_a_composer_that_was_pickled_draws_the_same_bytes() -> None:
    found = composers()
    assert _digest(pickle.loads(pickle.dumps(found))) == _digest(found)


def test_a_composer_that_was_pickled_still_has_one_nearest_object() -> None:
    near, any_ = (Composer(design("nearest"), 150, 0, one_nearest=one) for one in (True, False))
    every = range(0, len(near.design), 27)
    assert [pickle.loads(pickle.dumps(near)).scene(k) for k in every] == [near.scene(k) for k in every]
    assert [any_.scene(k) for k in every] != [near.scene(k) for k in every]


def test_drawing_one_scene_does_not_change_the_next() -> None:
    before = render(drawn())
    render(drawn())[:] = 7
    assert np.array_equal(render(drawn()), before)


def composed(size_px: int, grid: Grid = PAPER_GRID) -> Composer:
    return Composer(made({"shape": ["square"], "size": ["large", "small"]}, grid=grid), size_px, 0)


def size_that_fits(size_px: int, grid: Grid = PAPER_GRID) -> int:
    """The size that the error for a too small one names."""
    with pytest.raises(InputError, match=r"too small.*choose a size of \d+ px or more") as caught:
        composed(size_px, grid)
    assert len(str(caught.value).splitlines()) == 1
    return int(str(caught.value).split("choose a size of ")[1].split()[0])


@pytest.mark.parametrize("size_px", [-5, 0, 1, 20, 62])
def test_a_size_that_is_too_small_names_one_that_works(size_px: int) -> None:
    composed(size_that_fits(size_px))


@pytest.mark.parametrize("size_px", [1, 62, 63])
def test_every_size_from_the_named_one_on_works(size_px: int) -> None:
    for larger in range(size_that_fits(size_px), 400):
        composed(larger)


def test_a_small_object_at_the_smallest_size_is_four_pixels_wide() -> None:
    box = box_of(drawn("square", size="small", size_px=size_that_fits(1)))
    assert box.x1_px - box.x0_px >= 4


def test_a_finer_grid_needs_a_larger_image() -> None:
    assert size_that_fits(60, Grid(18, 9)) > size_that_fits(60)
