import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from evensight.png import Placed, PngSplicer, adler32_combine, encode_any

Pixels = NDArray[np.uint8]
COLORS = st.tuples(*(st.integers(0, 255),) * 3)


def decoded(png: bytes) -> Pixels:
    """The file's pixels by Pillow, which checks the checksums of its chunks and of the deflated stream."""
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def pasted(size_wh_px: tuple[int, int], ground: tuple[int, int, int], objects: list[Placed]) -> Pixels:
    image = np.full((size_wh_px[1], size_wh_px[0], 3), ground, dtype=np.uint8)
    for x, y, rgb in objects:
        image[y : y + rgb.shape[0], x : x + rgb.shape[1]] = rgb
    return image


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int], list[Placed]]:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    objects = []
    for _ in range(draw(st.integers(0, 4))):
        w, h = draw(st.integers(1, width)), draw(st.integers(1, height))
        rgb = draw(arrays.arrays(np.uint8, (h, w, 3)))
        objects.append((draw(st.integers(0, width - w)), draw(st.integers(0, height - h)), rgb))
    return (width, height), draw(COLORS), objects


@given(scenes())
def test_objects_on_a_ground_come_back_to_the_pixel(
    scene: tuple[tuple[int, int], tuple[int, int, int], list[Placed]],
) -> None:
    size, ground, objects = scene
    splicer = PngSplicer(size, ground)
    first = splicer.encode(objects)
    assert np.array_equal(decoded(first), pasted(size, ground, objects))
    assert splicer.encode(objects) == first  # now from pieces that were kept


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3))))
def test_any_image_comes_back_to_the_pixel(image: Pixels) -> None:
    assert np.array_equal(decoded(encode_any(image)), image)


def test_objects_in_the_same_rows_lie_in_the_order_given() -> None:
    low, high = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 20, np.uint8)
    objects = [(4, 8, low), (5, 6, high), (20, 7, low)]
    splicer = PngSplicer((32, 32))
    for order in (objects, objects[::-1]):
        assert np.array_equal(decoded(splicer.encode(order)), pasted((32, 32), (0, 0, 0), order))


def test_a_patch_that_changes_after_it_was_kept_is_seen() -> None:
    patch = np.full((4, 4, 3), 10, np.uint8)
    splicer = PngSplicer((16, 16))
    splicer.encode([(1, 1, patch)])
    patch[2, 2] = 99
    assert decoded(splicer.encode([(1, 1, patch)]))[3, 3].tolist() == [99, 99, 99]


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (13, 0), (0, 13)])
def test_a_patch_off_the_image_is_an_error(place: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="doesn't lie in 16 x 16"):
        PngSplicer((16, 16)).encode([(*place, np.zeros((4, 4, 3), np.uint8))])


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evensight.png._KEPT_BYTES", 20_000)
    splicer = PngSplicer((32, 32))
    for k in range(200):
        objects: list[Placed] = [(k % 20, 3, np.full((8, 8, 3), k, np.uint8))]
        assert np.array_equal(decoded(splicer.encode(objects)), pasted((32, 32), (0, 0, 0), objects))
    assert splicer.kept_bytes <= 20_000


@given(st.binary(), st.binary())
def test_checksums_add_up_as_zlib_has_them(first: bytes, second: bytes) -> None:
    combined = adler32_combine(zlib.adler32(first), zlib.adler32(second), len(second))
    assert combined == zlib.adler32(first + second)


def test_a_checksum_adds_up_over_more_than_the_modulus() -> None:
    first, second = b"\xff" * 70_000, b"\xfe" * 200_001
    combined = adler32_combine(zlib.adler32(first), zlib.adler32(second), len(second))
    assert combined == zlib.adler32(first + second)


@pytest.mark.parametrize(("ground", "most_bytes"), [((0, 0, 0), 500), ((1, 2, 3), 1100), ((255, 0, 128), 1100)])
def test_plain_ground_is_small_whatever_its_colour(ground: tuple[int, int, int], most_bytes: int) -> None:
    assert len(PngSplicer((336, 336), ground).encode([])) < most_bytes
