"""The tokens under a box, by hand, and the part of a picture that a cut leaves."""

from types import SimpleNamespace

import pytest

from evensight.annotations import Box, Frame
from evensight.probing.image_grids import TokenGrid, seen_part, token_grid

WHOLE = Box(0, 0, 100, 100)


@pytest.mark.parametrize(
    ("box", "tokens"),
    [
        (Box(0, 0, 50, 50), (0, 1, 4, 5)),
        (Box(12, 12, 13, 13), (0,)),  # the middle of a token is in it
        (Box(30, 60, 35, 70), (9,)),  # none is: the token that holds the box's middle
        (Box(0, 80, 100, 90), (12, 13, 14, 15)),
        (Box(20, 10, 80, 20), (1, 2)),
        (Box(-30, 10, -10, 20), ()),
    ],
)
def test_tokens_whose_middle_is_in_the_box(box: Box, tokens: tuple[int, ...]) -> None:
    assert TokenGrid(4, 4, 0, WHOLE).under(box) == tokens
    assert TokenGrid(4, 4, 7, WHOLE).under(box) == tuple(7 + token for token in tokens)


def test_a_mirrored_box_has_the_mirrored_tokens() -> None:
    grid, frame = TokenGrid(4, 6, 0, WHOLE), Frame(100, 100)
    for box in (Box(3, 20, 41, 77), Box(60, 5, 99, 12), Box(1, 1, 2, 99)):
        mirrored = sorted(row * 6 + 5 - col for row, col in (divmod(token, 6) for token in grid.under(box)))
        assert list(grid.under(box.mirrored(frame))) == mirrored


def test_a_cut_leaves_the_middle_of_a_wide_picture_and_its_grid() -> None:
    images = SimpleNamespace(
        size={"shortest_edge": 50}, crop_size={"height": 50, "width": 50}, do_center_crop=True, do_resize=True
    )
    seen = seen_part(images, Frame(200, 100))
    assert list(seen.xyxy_px) == [50.0, 0.0, 150.0, 100.0]
    processor = SimpleNamespace(image_processor=images)
    grid = token_grid(processor, "llava", Frame(200, 100), 16)
    assert grid is not None
    assert grid.under(Box(50, 0, 75, 25)) == (0,)
    assert grid.under(Box(0, 0, 40, 25)) == ()  # cut off


def test_a_stretched_picture_is_seen_whole() -> None:
    images = SimpleNamespace(size={"height": 50, "width": 50}, do_center_crop=False)
    assert list(seen_part(images, Frame(200, 100)).xyxy_px) == [0.0, 0.0, 200.0, 100.0]


def test_a_wide_picture_has_a_wide_grid_where_its_shape_is_kept() -> None:
    processor = SimpleNamespace(image_processor=SimpleNamespace(merge_size=2))
    grid = token_grid(processor, "qwen2_vl", Frame(200, 100), 32, (1, 8, 16))
    assert grid is not None
    assert (grid.rows, grid.cols) == (4, 8)
    assert grid.under(Box(175, 75, 200, 100)) == (31,)


@pytest.mark.parametrize("model_type", ["unheard_of", "llava", "qwen2_vl"])
def test_what_is_no_known_grid_is_none(model_type: str) -> None:
    processor = SimpleNamespace(image_processor=SimpleNamespace(size=None))
    assert token_grid(processor, model_type, Frame(10, 10), 15, (1, 8, 8)) is None
