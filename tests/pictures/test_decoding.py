import os
import pickle
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageFile

from evensight.annotations import Frame
from evensight.errors import InputError
from evensight.pictures.decoding import (
    Orientation,
    decode_rgb,
    load_rgb,
    pixel_hash,
    plain_bytes,
    stored_size_wh,
)
from evensight.pictures.files import (
    AMBIGUOUS,
    FAULTS,
    MISSING,
    NOT_A_FILE,
    OTHER_SIZE,
    TOO_LARGE,
    UNDECODABLE,
    PictureError,
    read_file,
)

HERE = Path("picture")
QUARTER_TURN = Image.Exif()
QUARTER_TURN[0x0112] = 6


def rgb(content: bytes) -> list[list[list[int]]]:
    image = decode_rgb(content, HERE)
    assert image.mode == "RGB"
    pixels: list[list[list[int]]] = np.asarray(image).tolist()
    return pixels


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def noise(width: int = 60, height: int = 40) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(depth: int, color_type: int, row: bytes, width: int, **chunks: bytes) -> bytes:
    """A PNG of one row, written by hand: Pillow writes few of the kinds there are."""

    def chunk(name: str, content: bytes) -> bytes:
        body = name.encode() + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    parts = {
        "IHDR": struct.pack(">IIBBBBB", width, 1, depth, color_type, 0, 0, 0),
        **chunks,
        "IDAT": zlib.compress(b"\0" + row),
        "IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts.items())


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


RED_GREEN = bytes([255, 0, 0, 0, 255, 0])


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (png(8, 0, bytes([7, 200]), 2), [[7] * 3, [200] * 3]),
        (png(1, 0, bytes([0b01000000]), 2), [[0] * 3, [255] * 3]),
        (png(2, 0, bytes([0b00011011]), 4), [[0] * 3, [85] * 3, [170] * 3, [255] * 3]),
        (png(2, 0, bytes([0b00011011]), 4, tRNS=words(1)), [[0] * 3, [0] * 3, [170] * 3, [255] * 3]),
        (png(4, 0, bytes([0x1F]), 2, tRNS=words(15)), [[17] * 3, [0] * 3]),
        (png(1, 0, bytes([0b01000000]), 2, tRNS=words(1)), [[0] * 3, [0] * 3]),
        (png(8, 0, bytes([7, 200]), 2, tRNS=words(200)), [[7] * 3, [0] * 3]),
        (png(16, 0, words(0x1234, 0xFFFF), 2), [[0x12] * 3, [0xFF] * 3]),
        (png(16, 0, words(0x1234, 0x1235), 2, tRNS=words(0x1234)), [[0] * 3, [0x12] * 3]),
        (png(8, 4, bytes([200, 51, 200, 255]), 2), [[40] * 3, [200] * 3]),
        (png(16, 4, words(0xC8C8, 0x3333), 1), [[40] * 3]),
        (png(8, 2, RED_GREEN, 2), [[255, 0, 0], [0, 255, 0]]),
        (png(8, 2, RED_GREEN, 2, tRNS=words(0, 255, 0)), [[255, 0, 0], [0, 0, 0]]),
        (png(16, 2, words(0x1234, 0x5678, 0x9ABC), 1), [[0x12, 0x56, 0x9A]]),
        (png(16, 2, words(0x1234, 0x5678, 0x9ABC), 1, tRNS=words(0x1234, 0x5678, 0x9ABC)), [[0, 0, 0]]),
        (png(8, 6, bytes([250, 100, 0, 51]), 1), [[50, 20, 0]]),
        (png(8, 6, bytes([250, 100, 0, 0]), 1), [[0, 0, 0]]),
        (png(16, 6, words(0xFAFA, 0x6464, 0, 0x3333), 1), [[50, 20, 0]]),
        (png(8, 3, bytes([1, 0]), 2, PLTE=RED_GREEN), [[0, 255, 0], [255, 0, 0]]),
        (png(1, 3, bytes([0b10000000]), 2, PLTE=RED_GREEN), [[0, 255, 0], [255, 0, 0]]),
        (png(8, 3, bytes([1, 0]), 2, PLTE=RED_GREEN, tRNS=bytes([255, 0])), [[0, 0, 0], [255, 0, 0]]),
        (png(8, 3, bytes([1, 0]), 2, PLTE=RED_GREEN, tRNS=bytes([51])), [[0, 255, 0], [51, 0, 0]]),
    ],
    ids=lambda value: "" if isinstance(value, list) else f"{value[24]}-bit-{value[25]}",
)
def test_a_png_of_any_kind_is_rgb_over_black(content: bytes, row: list[list[int]]) -> None:
    assert rgb(content) == [row]


@pytest.mark.parametrize(
    ("image", "kind", "how", "expected"),
    [
        (Image.new("L", (1, 1), 7), "BMP", {}, [7, 7, 7]),
        (Image.new("1", (1, 1), 1), "TIFF", {}, [255, 255, 255]),
        (Image.new("I", (1, 1), 0x8042), "TIFF", {}, [128, 128, 128]),
        (Image.new("I;16", (1, 1), 0xFFFF), "TIFF", {}, [255, 255, 255]),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF", {}, [255, 0, 0]),
        (Image.new("LA", (1, 1), (200, 51)), "TIFF", {}, [40, 40, 40]),
        (Image.new("RGBA", (1, 1), (250, 100, 0, 51)), "TIFF", {}, [50, 20, 0]),
        (Image.new("RGBA", (1, 1), (250, 100, 0, 51)), "WEBP", {"lossless": True}, [50, 20, 0]),
        (Image.new("RGB", (1, 1), (1, 2, 3)), "WEBP", {"lossless": True}, [1, 2, 3]),
    ],
)
def test_other_formats_are_rgb_over_black(
    image: Image.Image, kind: str, how: dict[str, Any], expected: list[int]
) -> None:
    assert rgb(encoded(image, kind, **how)) == [[expected]]


APP14 = b"\xff\xee\x00\x0eAdobe"


def four_quarters(values: list[list[list[int]]], *, transform: int = 0) -> bytes:
    """A JPEG of four plain quarters whose file has these four values a pixel."""
    stored = np.array(values, np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    image = Image.fromarray(255 - stored, "CMYK")  # which Pillow inverts in writing
    content = bytearray(encoded(image, "JPEG", quality=100, subsampling=0))
    content[content.index(APP14) + 15] = transform
    return bytes(content)


def quarters(content: bytes) -> list[list[int]]:
    pixels = np.asarray(decode_rgb(content, HERE))
    return [pixels[y, x].tolist() for y, x in ((8, 8), (8, 24), (24, 8), (24, 24))]


@pytest.mark.parametrize("has_marker", [True, False])
def test_a_cmyk_jpeg_is_paper_where_its_values_are_high(has_marker: bool) -> None:
    # Adobe's way, and what browsers take every file for: 255 is no ink. No ink, cyan, black, half of the black.
    content = four_quarters([[[255] * 4, [0, 255, 255, 255]], [[255, 255, 255, 0], [255, 255, 255, 127]]])
    at = content.index(APP14)
    file = content if has_marker else content[:at] + content[at + 16 :]
    expected = [[255, 255, 255], [0, 255, 255], [0, 0, 0], [127, 127, 127]]
    assert np.abs(np.subtract(quarters(file), expected)).max() <= 2


def test_a_ycck_jpeg_is_turned_into_ink_first() -> None:
    # Y, Cb and Cr are those of the ink's own colour (black for none, red where all is cyan ink), and K as above.
    content = four_quarters(
        [[[0, 128, 128, 255], [76, 85, 255, 255]], [[0, 128, 128, 0], [0, 128, 128, 127]]], transform=2
    )
    expected = [[255, 255, 255], [0, 255, 255], [0, 0, 0], [127, 127, 127]]
    assert np.abs(np.subtract(quarters(content), expected)).max() <= 2


def test_of_several_frames_it_is_the_first() -> None:
    first, second = Image.new("RGB", (20, 10), (200, 100, 50)), Image.new("RGB", (20, 10))
    for kind, how in (("WEBP", {"lossless": True}), ("TIFF", {}), ("MPO", {"quality": 100, "subsampling": 0})):
        content = encoded(first, kind, save_all=True, append_images=[second], **how)
        assert np.abs(np.subtract(rgb(content)[5][5], [200, 100, 50])).max() <= 2


STORED = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
TURNED: dict[int, np.ndarray] = {
    # EXIF 2.3: the side of the picture that row 0 is, then that of column 0; [y, x] of what is shown.
    1: STORED,
    2: STORED[:, ::-1],  # top, right
    3: STORED[::-1, ::-1],  # bottom, right
    4: STORED[::-1],  # bottom, left
    5: STORED.swapaxes(0, 1),  # left, top
    6: STORED[::-1].swapaxes(0, 1),  # right, top
    7: STORED[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: STORED[:, ::-1].swapaxes(0, 1),  # left, bottom
}


def with_tag(pixels: np.ndarray, tag: Any, kind: str = "PNG", **how: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return encoded(Image.fromarray(pixels), kind, exif=exif, **how)


def seen(content: bytes, size_wh: tuple[int, int] | None, orientation: Orientation) -> np.ndarray | str:
    frame = Frame(*size_wh) if size_wh else None
    try:
        return np.asarray(decode_rgb(content, HERE, frame, orientation))
    except PictureError as error:
        return error.fault


def is_same(found: np.ndarray | str, expected: np.ndarray | str) -> bool:
    return found == expected if isinstance(expected, str) else np.array_equal(found, expected)


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


@pytest.mark.parametrize(("kind", "how"), KINDS)
@pytest.mark.parametrize("tag", range(1, 9))
def test_a_tag_turns_a_picture_as_its_declared_size_says(tag: int, kind: str, how: dict[str, Any]) -> None:
    content = with_tag(STORED, tag, kind, **how)
    swaps = tag >= 5
    assert stored_size_wh(content, HERE) == (3, 2)
    assert is_same(seen(content, None, "by-size"), TURNED[tag])
    assert is_same(seen(content, None, "turned"), TURNED[tag])
    assert is_same(seen(content, None, "stored"), STORED)
    by_size = STORED if tag == 1 or swaps else AMBIGUOUS
    assert is_same(seen(content, (3, 2), "by-size"), by_size)
    assert is_same(seen(content, (3, 2), "stored"), STORED)
    assert is_same(seen(content, (3, 2), "turned"), OTHER_SIZE if swaps else TURNED[tag])
    assert is_same(seen(content, (2, 3), "by-size"), TURNED[tag] if swaps else OTHER_SIZE)
    assert is_same(seen(content, (2, 3), "stored"), OTHER_SIZE)
    assert is_same(seen(content, (2, 3), "turned"), TURNED[tag] if swaps else OTHER_SIZE)
    for orientation in get_args(Orientation):
        assert is_same(seen(content, (3, 3), orientation), OTHER_SIZE)


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_square_picture_with_a_tag_does_not_say_which_way(tag: int) -> None:
    square = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    content = with_tag(square, tag)
    assert is_same(seen(content, (3, 3), "by-size"), square if tag == 1 else AMBIGUOUS)
    assert is_same(seen(content, (3, 3), "stored"), square)
    assert is_same(seen(content, (3, 4), "by-size"), OTHER_SIZE)


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_a_tag_of_no_meaning_turns_nothing(tag: int) -> None:
    for size_wh in (None, (3, 2)):
        assert is_same(seen(with_tag(STORED, tag), size_wh, "by-size"), STORED)


def test_broken_exif_turns_nothing() -> None:
    content = encoded(Image.fromarray(STORED), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert is_same(seen(content, (3, 2), "by-size"), STORED)
    assert is_same(seen(content, None, "by-size"), STORED)


def test_an_orientation_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"`sideways`.*by-size, stored, turned"):
        decode_rgb(with_tag(STORED, 1), HERE, None, "sideways")  # type: ignore[arg-type]


def fault_of(read: Callable[..., Any], *given: Any, says: str = "") -> str:
    with pytest.raises(PictureError) as caught:
        read(*given)
    message = str(caught.value)
    assert message.isprintable()
    assert says in message
    assert caught.value.fault in FAULTS
    return caught.value.fault


@pytest.fixture(params=[False, True], ids=["strict", "lenient"])
def _others_are_lenient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


@pytest.mark.usefixtures("_others_are_lenient")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_picture_cut_short_is_an_error(kind: str, share: float) -> None:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    whole = encoded(noise(), kind)
    assert decode_rgb(whole, HERE).size == (60, 40)
    cut = whole[: int(share * len(whole))]
    assert fault_of(decode_rgb, cut, HERE, says="`picture` can't be read as an image") == UNDECODABLE
    assert before == ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.usefixtures("_others_are_lenient")
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_jpeg_that_ends_in_zeros_is_cut_short(progressive: bool, share: float) -> None:
    whole = encoded(noise(), "JPEG", progressive=progressive)
    n = int(share * len(whole))
    assert fault_of(decode_rgb, whole[:n] + bytes(len(whole) - n), HERE, says="cut short") == UNDECODABLE
    assert decode_rgb(whole + b"\0" * 100, HERE).size == (60, 40)  # what comes behind a picture is not it


@pytest.mark.parametrize(
    "content", [b"", b"no", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%!PS-Adobe", b"II*\0", b"BM"]
)
def test_what_is_no_picture_is_an_error(content: bytes) -> None:
    assert fault_of(decode_rgb, content, HERE) == UNDECODABLE


def test_formats_that_photographs_do_not_come_in_are_not_decoded() -> None:
    for kind in ("GIF", "PPM", "TGA", "PCX", "ICO"):
        content = encoded(Image.new("RGB", (16, 16)), kind)
        assert fault_of(decode_rgb, content, HERE, says="none that is known") == UNDECODABLE


def bomb(width: int, height: int) -> bytes:
    content = bytearray(png(1, 0, bytes([0]), 8))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("limit", [None, 10, 2**60])
@pytest.mark.parametrize("side", [10_001, 40_000, 2**31 - 1])
def test_a_bomb_is_refused_by_our_limit_alone(
    side: int, limit: int | None, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for read in (decode_rgb, stored_size_wh):
        content = bomb(side, side)
        assert fault_of(read, content, HERE, says="100 million at most") == TOO_LARGE
    assert rgb(png(8, 0, bytes(20), 20)) == [[[0, 0, 0]] * 20]
    assert limit == Image.MAX_IMAGE_PIXELS
    assert not recwarn.list


def test_a_picture_without_pixels_is_an_error() -> None:
    for sides in ((0, 5), (5, 0), (0, 0)):
        assert fault_of(decode_rgb, bomb(*sides), HERE) == UNDECODABLE


def test_a_bomb_of_text_is_an_error() -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(200 * 2**20), 9)
    assert len(text) < 2**20
    assert fault_of(decode_rgb, png(8, 0, b"\0", 1, zTXt=text), HERE, says="too large") == UNDECODABLE


def test_what_an_annotator_of_floats_saw_is_not_known() -> None:
    content = encoded(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF")
    assert fault_of(decode_rgb, content, HERE, says="8 bits a channel") == UNDECODABLE


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "file.jpg").write_bytes(b"no")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for name, fault in (
        ("pipe.jpg", NOT_A_FILE),
        ("folder.jpg", NOT_A_FILE),
        ("device.jpg", NOT_A_FILE),
        ("file.jpg", UNDECODABLE),
        ("none.jpg", MISSING),
        ("loop.jpg", MISSING),
        ("file.jpg/in.jpg", MISSING),
        ("a\0b.jpg", MISSING),
        ("\ud800.jpg", MISSING),
        ("long" * 1000, MISSING),
        ("\x1b[31m\nred.jpg", MISSING),
    ):
        path = tmp_path / name
        assert fault_of(load_rgb, path, says="can't be read as an image") == fault, name


def test_a_file_that_turns_into_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    as_file = (tmp_path / "a.jpg").stat()
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(Path, "stat", lambda *_, **__: as_file)
    assert fault_of(read_file, tmp_path / "pipe.jpg", says="a pipe") == NOT_A_FILE


def test_a_file_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(2**40)  # all of them holes
    assert fault_of(load_rgb, tmp_path / "a.png", says="1,073 million bytes") == TOO_LARGE


def test_a_path_is_shown_on_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "new\nline\x1b[31m\u202e"
    folder.mkdir()
    (folder / "a.png").write_bytes(bomb(20_000, 20_000))
    assert fault_of(load_rgb, folder / "a.png", says=r"new\nline\x1b[31m\u202e/a.png") == TOO_LARGE
    (folder / "a.png").write_bytes(with_tag(STORED, 2))
    assert fault_of(load_rgb, folder / "a.png", Frame(3, 2), says=r"new\nline\x1b[31m") == AMBIGUOUS
    assert fault_of(load_rgb, folder / "a.png", Frame(9, 2), says=r"new\nline\x1b[31m") == OTHER_SIZE


def test_an_error_goes_through_processes_with_its_fault() -> None:
    error = pickle.loads(pickle.dumps(PictureError("`a` is gone", MISSING)))
    assert (str(error), error.fault) == ("`a` is gone", MISSING)


def test_settings_of_the_process_are_put_back_whatever_threads_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    whole = encoded(noise(200, 200), "JPEG")
    cut = whole[: len(whole) // 2]
    lenient: list[str] = []

    def work() -> None:
        for _ in range(30):
            try:
                decode_rgb(cut, HERE)
                lenient.append("half grey")
            except PictureError:
                continue

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == filters
    assert not lenient
    assert not caught
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == (True, 12345)


def test_pictures_are_the_same_by_size_and_rgb_pixels() -> None:
    image = noise()
    assert pixel_hash(image) == pixel_hash(image.convert("RGBA"))
    assert pixel_hash(image) != pixel_hash(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert pixel_hash(Image.new("RGB", (2, 8))) != pixel_hash(Image.new("RGB", (8, 2)))


BROKEN_EXIF = b"Exif\0\0II*\0\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("image", "kind", "how", "asked", "is_plain"),
    [
        (noise(), "JPEG", {}, "JPEG", True),
        (noise(), "PNG", {}, "PNG", True),
        (noise(), "PNG", {}, "JPEG", False),
        (noise().convert("L"), "JPEG", {}, "JPEG", False),
        (noise().convert("P"), "PNG", {}, "PNG", False),
        (noise().convert("RGBA"), "PNG", {}, "PNG", False),
        (noise(), "PNG", {"transparency": (1, 2, 3)}, "PNG", False),
        (noise(), "JPEG", {"exif": QUARTER_TURN}, "JPEG", False),
        (noise(), "JPEG", {"exif": BROKEN_EXIF}, "JPEG", True),  # which turns it nowhere
    ],
)
def test_a_files_own_bytes_are_plain_where_they_say_it_all(
    image: Image.Image, kind: str, how: dict[str, Any], asked: str, is_plain: bool, tmp_path: Path
) -> None:
    content = encoded(image, kind, **how)
    (tmp_path / "a").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plain_bytes(tmp_path / "a", asked) == (content if is_plain else None)


def test_no_bytes_are_plain_of_what_is_no_picture(tmp_path: Path) -> None:
    assert fault_of(plain_bytes, tmp_path / "none.jpg", "JPEG") == MISSING
    (tmp_path / "a.jpg").write_bytes(encoded(noise(), "JPEG")[:-900])
    assert fault_of(plain_bytes, tmp_path / "a.jpg", "JPEG") == UNDECODABLE
