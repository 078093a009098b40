import numpy as np
import pytest

from evensight.scenes.factors import SHAPES, SHEENS
from evensight.scenes.sprites import coverage, sprite


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extent", [4, 5, 16, 33])
def test_a_sprite_touches_all_four_of_its_edges(shape: str, extent: int) -> None:
    alpha = sprite(shape, "red", "none", extent).alpha
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extent", [4, 5, 16, 33])
def test_a_shape_is_its_own_mirror_image(shape: str, extent: int) -> None:
    mask = coverage(shape, extent)
    assert np.array_equal(mask, mask[:, ::-1])


@pytest.mark.parametrize("sheen", SHEENS)
def test_a_sheen_tells_nothing_of_left_and_right(sheen: str) -> None:
    rgb = sprite("square", "magenta", sheen, 32).rgb
    assert np.array_equal(rgb, rgb[:, ::-1])


def test_a_glossy_object_has_a_white_spot_and_a_matte_one_has_none() -> None:
    matte, glossy = (sprite("square", "red", sheen, 32).rgb for sheen in ("matte", "glossy"))
    assert (matte[..., 1:] == 0).all()
    assert glossy[:16, :, 1:].max() > 128
    assert (sprite("square", "red", "none", 32).rgb == (255, 0, 0)).all()


def test_pixels_half_in_are_half_covered() -> None:
    # The triangle's sides go from (0, -1) to (±1, 1): in the bottom row of 2 x 2 px each is in for 3/4.
    assert coverage("triangle", 2).tolist() == [[64, 64], [191, 191]]


def test_the_plus_has_arms_of_a_third() -> None:
    assert (coverage("plus", 3) > 0).tolist() == [[False, True, False], [True] * 3, [False, True, False]]
    assert (coverage("plus", 9)[:, 0] > 127).tolist() == [False] * 3 + [True] * 3 + [False] * 3


def test_a_star_has_five_points() -> None:
    mask = coverage("star", 201) > 127
    y, x = np.nonzero(mask)
    far = np.hypot(x - x.mean(), y - y.mean())
    angle = np.degrees(np.arctan2(y - y.mean(), x - x.mean()))
    tips = np.unique((angle[far > 0.9 * far.max()] // 36).astype(int))
    assert len(tips) == 5


def test_a_sprite_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        sprite("plus", "red", "none", 9).alpha[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sprite("plus", "red", "none", 9).rgb[0, 0] = 1
