import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from evensight.annotations import PAPER_GRID, Box, Cell, Frame, Grid
from evensight.errors import InputError
from evensight.scenes.designs import CATALOG, design
from evensight.scenes.factors import COLORS, SHAPES, SHEENS, SIZES
from evensight.scenes.render import Scene, SceneObject, annotate, check_size, render, scene

SIZES_PX = (64, 108, 335, 336, 672)
SOME_CELLS = (Cell(0, 0), Cell(0, 8), Cell(4, 4), Cell(3, 5), Cell(8, 0), Cell(8, 8))


def drawn(
    shape: str = "circle",
    color: str = "red",
    size: str = "large",
    cell: Cell = Cell(2, 6),  # noqa: B008 - frozen
    size_px: int = 336,
    sheen: str = "none",
) -> Scene:
    return Scene(size_px, PAPER_GRID, SceneObject(shape, color, sheen, size, cell))


def looks() -> Iterator[tuple[str, str, str]]:
    return ((shape, size, sheen) for shape in SHAPES for size in SIZES for sheen in SHEENS)


def box_of(found: Scene) -> Box:
    return annotate(found).objects[0].box


def bounds(image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The half-open bounds of the pixels that are not black."""
    lit = image.max(axis=2) > 0
    rows, cols = np.unique(np.nonzero(lit)[0]), np.unique(np.nonzero(lit)[1])
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1


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


@pytest.mark.parametrize("color", COLORS)
def test_the_middle_of_an_object_has_its_color(color: str) -> None:
    for shape in SHAPES:
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
    for shape in SHAPES:
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
        back = replace(there, target=replace(there.target, cell=Cell(1, 6)))
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
    assert np.array_equal(image, image[:, ::-1])


def test_an_image_of_twice_the_side_doubles_the_box() -> None:
    for shape, size, _ in looks():
        one, two = (box_of(drawn(shape, size=size, size_px=size_px)) for size_px in (336, 672))
        for edge, doubled in zip(one.xyxy_px, two.xyxy_px, strict=True):
            assert abs(doubled - 2 * edge) <= 3


@pytest.mark.parametrize("name", CATALOG)
@pytest.mark.parametrize("size_px", [64, 335, 336])
def test_every_object_is_annotated_in_the_cell_of_its_design(name: str, size_px: int) -> None:
    found = design(name)
    for index in range(0, len(found), 1 if size_px == 336 else 7):
        annotation = annotate(scene(found, index, size_px))
        assert PAPER_GRID.cell_of(annotation.objects[0], annotation.frame) == found.cell(index)


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
    thing = annotate(scene(found, 5000, 336)).objects[0]
    assert {f: thing.attributes[f] for f in ("shape", "color", "size", "sheen")} == {
        f: v for f, v in row.items() if f != "cell"
    }
    assert thing.name == row["shape"]


@pytest.mark.parametrize("shape", SHAPES)
def test_sheens_change_the_pixels_but_not_the_box(shape: str) -> None:
    found = [drawn(shape, sheen=sheen) for sheen in SHEENS]
    assert len({render(each).tobytes() for each in found}) == 3
    assert len({box_of(each) for each in found}) == 1


def test_all_scenes_of_a_design_look_different() -> None:
    found = design("civet-full")
    in_one_cell = [render(scene(found, index, 64)).tobytes() for index in range(40, len(found), 81)]
    assert len(set(in_one_cell)) == 144


ANOTHER_PROCESS = """
import hashlib
from evensight.scenes.designs import design
from evensight.scenes.render import render, scene
digest = hashlib.sha256()
for name in ("civet-full", "civet-train-photo"):
    for index in (1600, 7, 801):
        digest.update(render(scene(design(name, 3), index, 335)).tobytes())
print(digest.hexdigest())
"""


def test_another_process_draws_the_same_bytes() -> None:
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    here = hashlib.sha256()
    for name in ("civet-full", "civet-train-photo"):
        for index in (1600, 7, 801):
            here.update(render(scene(design(name, 3), index, 335)).tobytes())
    assert there == here.hexdigest()


def test_drawing_one_scene_does_not_change_the_next() -> None:
    before = render(drawn())
    render(drawn())[:] = 7
    assert np.array_equal(render(drawn()), before)


def size_that_fits(size_px: int, grid: Grid = PAPER_GRID) -> int:
    """The size that the error for a too small one names."""
    with pytest.raises(InputError, match=r"too small.*choose a size of \d+ px or more") as caught:
        check_size(grid, size_px)
    assert len(str(caught.value).splitlines()) == 1
    return int(str(caught.value).split("choose a size of ")[1].split()[0])


@pytest.mark.parametrize("size_px", [-5, 0, 1, 20, 63])
def test_a_size_that_is_too_small_names_one_that_works(size_px: int) -> None:
    check_size(PAPER_GRID, size_that_fits(size_px))


@pytest.mark.parametrize("size_px", [1, 62, 63])
def test_every_size_from_the_named_one_on_works(size_px: int) -> None:
    for larger in range(size_that_fits(size_px), 400):
        check_size(PAPER_GRID, larger)


def test_a_small_object_at_the_smallest_size_is_four_pixels_wide() -> None:
    box = box_of(drawn("square", size="small", size_px=size_that_fits(1)))
    assert box.x1_px - box.x0_px >= 4


def test_a_scene_that_is_too_small_raises_before_it_is_drawn() -> None:
    with pytest.raises(InputError):
        scene(design("civet-test"), 0, 20)


def test_a_finer_grid_needs_a_larger_image() -> None:
    assert size_that_fits(60, Grid(18, 9)) > size_that_fits(60)
