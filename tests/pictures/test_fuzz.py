"""Arbitrary trouble in picture files: pixels, or one line that names the file."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evensight.pictures.decoding import decode_rgb
from evensight.pictures.files import PictureError
from fuzzing import cases, check_line, n_cases, tell_seen
from troubled_trees import damaged

HERE = Path("picture")
TURNED = Image.Exif()
TURNED[0x0112] = 6


def encoded(kind: str, mode: str = "RGB", **how: Any) -> bytes:
    """A small picture as a file."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 18, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode)
    file = BytesIO()
    (image.convert("I").convert("I;16") if mode == "I;16" else image).save(file, kind, **how)
    return file.getvalue()


SOUND = (
    encoded("JPEG"),
    encoded("JPEG", progressive=True, exif=TURNED),
    encoded("JPEG", "CMYK"),
    encoded("PNG"),
    encoded("PNG", "P"),
    encoded("PNG", "RGBA", exif=TURNED),
    encoded("PNG", "I;16"),
    encoded("WEBP"),
    encoded("WEBP", lossless=True),
    encoded("BMP"),
    encoded("TIFF"),
    encoded("TIFF", compression="tiff_lzw"),
)


@st.composite
def troubled(draw: Any) -> bytes:
    """A picture's file with up to four damages."""
    content: bytes = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 4))):
        content = draw(damaged(content, one_in=1))
    return content


def test_no_trouble_in_a_picture_is_unexpected() -> None:
    seen: Counter[str] = Counter()

    @cases(300)
    @given(troubled())
    def look(content: bytes) -> None:
        try:
            image = decode_rgb(content, HERE)
        except PictureError as error:
            check_line(error, HERE)
            seen["refused"] += 1
        else:
            assert image.mode == "RGB"
            assert np.asarray(image).shape == (*image.size[::-1], 3)
            seen["decoded"] += 1

    look()
    tell_seen("pictures", seen, "decoded", "refused")
    assert min(seen["decoded"], seen["refused"]) > n_cases(300) / 20, seen  # or nothing has been tried
