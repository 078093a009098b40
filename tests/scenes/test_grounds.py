import pickle
import subprocess
import sys
from collections import Counter
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.errors import one_of
from evensight.scenes.factors import COLORS
from evensight.scenes.grounds import CEILING, DRAWN, FLOOR, DrawnGround, Ground, PlainGround, drawn_ground

BLACK = PlainGround("black", (0, 0, 0))


def rgb_of(value: str) -> tuple[int, int, int]:
    if value not in COLORS:
        raise one_of("the colour", value, COLORS)
    return COLORS[value]


def luminance(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722]))


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of sRGB pixels (D65), by the standard's formulas."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.moveaxis(linear @ to_xyz.T / (0.9505, 1, 1.089), -1, 0)
    fx, fy, fz = (np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116) for t in (x, y, z))
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def test_a_plain_ground_is_its_colour_everywhere() -> None:
    ground = PlainGround("sand", (200, 180, 120))
    pixels = ground.pixels(0, 50)
    assert pixels.shape == (50, 50, 3)
    assert len(ground) == 1
    assert (pixels == (200, 180, 120)).all()
    assert ground.member_name(0) == "sand"
    assert ground.fingerprint == PlainGround("beach", (200, 180, 120)).fingerprint != BLACK.fingerprint


@pytest.mark.parametrize("rgb", [(0, 0, 256), (-1, 0, 0), (1, 2)])
def test_a_colour_that_is_none_is_refused(rgb: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="three channels"):
        PlainGround("odd", rgb)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size", [1, 33, 96])
def test_the_mean_picture_is_flat_to_the_bit(name: str, size: int) -> None:
    ground = DrawnGround(name)
    total = sum(ground.pixels(k, size).astype(np.int64) for k in range(len(ground)))
    assert len(ground) == 64
    assert np.array_equal(total, np.full((size, size, 3), 64 * 90))


@pytest.mark.parametrize("name", DRAWN)
def test_no_area_is_busier_than_another(name: str) -> None:
    # What a model could still use is where a pool's pictures have their edges, so these are even too.
    ground = DrawnGround(name)
    busy = np.zeros((3, 3))
    for k in range(0, 64, 2):
        light = luminance(ground.pixels(k, 99))
        slope = np.hypot(np.diff(light, axis=0)[:, :-1], np.diff(light, axis=1)[:-1])
        busy += slope[1:97, 1:97].reshape(3, 32, 3, 32).mean(axis=(1, 3))
    assert busy.max() / busy.min() < (1.6 if name == "gradient" else 1.1)


@pytest.mark.parametrize("name", DRAWN)
def test_colours_are_muted_and_every_saturated_colour_is_far_from_them(name: str) -> None:
    pixels = np.concatenate([DrawnGround(name).pixels(k, 64).reshape(-1, 3) for k in range(64)])
    assert pixels.min() >= FLOOR
    assert pixels.max() <= CEILING
    assert np.ptp(pixels.astype(int), axis=1).max() <= 28
    seen = lab(np.unique(pixels, axis=0).astype(float))
    apart = {color: np.linalg.norm(seen - lab(np.array(rgb, float)), axis=1).min() for color, rgb in COLORS.items()}
    assert min(apart.values()) > 37  # a difference of about 2 is just seen


@pytest.mark.parametrize("name", DRAWN)
def test_all_pictures_of_a_pool_differ_in_pixels_and_name(name: str) -> None:
    ground = DrawnGround(name)
    assert len({ground.pixels(k, 48).tobytes() for k in range(64)}) == 64
    assert len({ground.member_name(k) for k in range(64)}) == 64


def test_the_kinds_of_a_pool_are_in_it_equally_often() -> None:
    for name, n_kinds in (("gradient", 2), ("noise", 4), ("texture", 8)):
        ground = DrawnGround(name)
        kinds = Counter(ground.member_name(k).removesuffix("-negative").rpartition("-")[0] for k in range(64))
        assert set(kinds.values()) == {64 // n_kinds}


def test_gradients_point_in_sixteen_directions_equally_often() -> None:
    corners: Counter[str] = Counter()
    ground = DrawnGround("gradient")
    for k in range(0, 64, 4):
        light = luminance(ground.pixels(k, 65))
        assert "linear" in ground.member_name(k)
        down, across = np.gradient(light.astype(float))
        corners[f"{round(np.degrees(np.arctan2(down.mean(), across.mean())) / 22.5) % 16}"] += 1
    assert set(corners.values()) == {1}
    assert len(corners) == 16


def test_radial_gradients_have_their_centres_in_all_four_quarters_alike() -> None:
    ground = DrawnGround("gradient")
    centers = []
    for k in range(2, 64, 4):
        assert "radial" in ground.member_name(k)
        light = luminance(ground.pixels(k, 401))
        y, x = np.argwhere(light < light.min() + 1).mean(axis=0) - 200
        centers.append((round(x / 10), round(y / 10)))
    assert Counter(centers) == Counter((-y, x) for x, y in centers)
    assert len(set(centers)) == 16


PRINT_HASH = """
import sys
from hashlib import sha256
from evensight.scenes.grounds import DRAWN, DrawnGround
pixels = (DrawnGround(name, 7).pixels(k, 77).tobytes() for name in DRAWN for k in range(64))
print(sha256(b"".join(pixels)).hexdigest())
"""


def test_another_process_draws_the_same_bytes() -> None:
    here = sha256(b"".join(DrawnGround(name, 7).pixels(k, 77).tobytes() for name in DRAWN for k in range(64)))
    env = {"PYTHONHASHSEED": "123", "PYTHONPATH": ":".join(sys.path)}
    there = subprocess.run([sys.executable, "-c", PRINT_HASH], env=env, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here.hexdigest()


@pytest.mark.parametrize("name", DRAWN)
def test_a_fingerprint_is_of_seed_and_number(name: str) -> None:
    prints = {DrawnGround(name, seed, n).fingerprint for seed, n in ((0, 64), (1, 64), (0, 32))}
    assert len(prints) == 3
    assert DrawnGround(name).fingerprint == DrawnGround(name, 0, 64).fingerprint
    assert not np.array_equal(DrawnGround(name, 0).pixels(4, 32), DrawnGround(name, 1).pixels(4, 32))


@pytest.mark.parametrize("name", ["gradient", "texture"])
def test_a_picture_is_the_same_at_twice_the_size(name: str) -> None:
    ground = DrawnGround(name)
    for k in range(0, 64, 2):
        small, large = ground.pixels(k, 168).astype(float), ground.pixels(k, 336).astype(float)
        halved = large.reshape(168, 2, 168, 2, 3).mean(axis=(1, 3))
        assert np.abs(halved - small).mean() < 4, ground.member_name(k)


@pytest.mark.parametrize("ground", [BLACK, DrawnGround("texture")], ids=["plain", "drawn"])
def test_pixels_can_not_be_changed(ground: Ground) -> None:
    with pytest.raises(ValueError, match="read-only"):
        ground.pixels(0, 9)[0, 0, 0] = 1


@pytest.mark.parametrize("ground", [BLACK, DrawnGround("noise", n_members=4)], ids=["plain", "drawn"])
@pytest.mark.parametrize("k", [-1, 4])
def test_a_picture_that_is_not_there_is_an_index_error(ground: Ground, k: int) -> None:
    with pytest.raises(IndexError, match="has pictures 0 to"):
        ground.pixels(k, 9)
    with pytest.raises(IndexError, match="has pictures 0 to"):
        ground.member_name(k)


@pytest.mark.parametrize(("name", "n"), [("photo", 64), ("noise", 3), ("noise", 0)])
def test_a_drawn_ground_that_can_not_be_is_refused(name: str, n: int) -> None:
    with pytest.raises(ValueError, match="drawn ground"):
        DrawnGround(name, 0, n)


def test_what_was_drawn_is_kept_until_the_room_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evensight.scenes.grounds.CACHE_BYTES", 3 * 10 * 10 * 3)
    ground = DrawnGround("gradient")
    first = ground.pixels(0, 10)
    ground.pixels(1, 10)
    assert ground.pixels(0, 10) is first
    ground.pixels(2, 10)
    ground.pixels(3, 10)  # room for three: the one not used for longest is 1
    assert ground.pixels(0, 10) is first
    ground.pixels(4, 100)  # larger than all the room: given, not kept
    assert ground._kept.n_bytes == 900
    for k in range(5, 9):
        ground.pixels(k, 10)
    assert ground.pixels(0, 10) is not first
    assert np.array_equal(ground.pixels(0, 10), first)


def test_a_ground_travels_to_another_process_without_its_pixels() -> None:
    ground = DrawnGround("texture")
    ground.pixels(0, 336)
    sent = pickle.dumps(ground)
    assert len(sent) < 1000
    there = pickle.loads(sent)
    assert there == ground
    assert np.array_equal(there.pixels(0, 336), ground.pixels(0, 336))


@given(st.sampled_from(DRAWN), st.integers(0, 2**63), st.integers(0, 31), st.integers(1, 40))
def test_any_seed_gives_pictures_in_range_and_their_negatives(name: str, seed: int, pair: int, size: int) -> None:
    ground = DrawnGround(name, seed)
    picture, negative = ground.pixels(2 * pair, size), ground.pixels(2 * pair + 1, size)
    assert picture.min() >= FLOOR
    assert picture.max() <= CEILING
    assert (picture.astype(int) + negative == FLOOR + CEILING).all()


def test_drawn_grounds_are_shared() -> None:
    assert drawn_ground("texture", 3) == DrawnGround("texture", 3)
    assert drawn_ground("texture", 3) is drawn_ground("texture", 3)
    assert isinstance(drawn_ground("noise"), Ground)
    assert isinstance(BLACK, Ground)
    assert drawn_ground("noise").shows(0) == BLACK.shows(0) == frozenset()
