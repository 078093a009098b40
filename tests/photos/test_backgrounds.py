import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evensight.errors import InputError
from evensight.photos.backgrounds import PhotoBackgrounds
from evensight.scenes.grounds import Ground

MakeCoco = Callable[..., Path]
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(*rows: list[tuple[int, ...]], times: int = 8) -> Image.Image:
    """A picture of plain squares of 8 px, given row by row."""
    pixels = np.array(rows, dtype=np.uint8)
    return Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    return tmp_path / "b"


def only(folder: Path, size_px: int = 8) -> np.ndarray:
    pool = PhotoBackgrounds(folder)
    assert len(pool) == 1
    return pool.pixels(0, size_px)


def test_a_folder_is_a_ground_of_its_pictures_by_name(folder: Path) -> None:
    for name, color in (("c.png", BLUE), ("a.JPG", RED), ("b.webp", GREEN)):
        Image.new("RGB", (20, 20), color).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(b"not a picture")
    (folder / "sub.png").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "sub.png" / "deep.png")
    pool = PhotoBackgrounds(folder)
    assert isinstance(pool, Ground)
    assert [pool.member_name(k) for k in range(len(pool))] == ["a.JPG", "b.webp", "c.png"]
    assert [int(pool.pixels(k, 5).reshape(-1, 3).mean(axis=0).argmax()) for k in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "webp", "jpg", "jpeg"])
def test_all_usual_kinds_of_picture_are_read(folder: Path, suffix: str) -> None:
    Image.new("RGB", (30, 30), (200, 100, 50)).save(folder / f"a.{suffix}")
    assert np.abs(only(folder).astype(int) - (200, 100, 50)).max() <= 3


def test_the_middle_square_is_what_is_seen(folder: Path) -> None:
    picture([RED, GREEN, GREEN, BLUE], [RED, GREEN, GREEN, BLUE]).save(folder / "wide.png")
    picture([RED, RED], [BLUE, BLUE], [BLUE, BLUE], [RED, RED]).save(folder / "tall.png")
    tall, wide = (PhotoBackgrounds(folder).pixels(k, 16) for k in (0, 1))
    assert (tall == BLUE).all()
    assert (wide == GREEN).all()


def test_a_picture_is_turned_as_its_tag_says(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the left column becomes the top row
    picture([RED, GREEN], [BLUE, GREEN]).save(folder / "a.png", exif=exif)
    seen = only(folder, 16)
    assert [tuple(map(int, seen[y, x])) for y, x in ((2, 2), (2, 13), (13, 2), (13, 13))] == [BLUE, RED, GREEN, GREEN]


def test_a_large_picture_is_averaged_and_not_sampled(folder: Path) -> None:
    checks = np.indices((400, 400)).sum(axis=0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(folder / "a.png")
    assert np.abs(only(folder, 20).astype(int) - 127).max() <= 2


def with_transparency() -> Image.Image:
    palette = picture([RED, GREEN], [RED, GREEN]).quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 0))
    return palette


@pytest.mark.parametrize(
    ("image", "suffix", "rgb"),
    [
        (Image.new("L", (9, 9), 77), "png", (77, 77, 77)),
        (Image.new("1", (9, 9), 1), "png", (255, 255, 255)),
        (Image.new("LA", (9, 9), (200, 128)), "png", (100, 100, 100)),
        (Image.new("RGBA", (9, 9), (250, 100, 0, 51)), "png", (50, 20, 0)),
        (Image.new("RGBA", (9, 9), (250, 100, 0, 0)), "webp", (0, 0, 0)),
        (Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "jpg", (255, 0, 0)),
        (Image.new("P", (9, 9), 0), "png", (0, 0, 0)),
        (Image.fromarray(np.full((9, 9), 0x8000, np.uint16)), "png", (128, 128, 128)),
        (Image.fromarray(np.full((9, 9), 0xFFFF, np.uint16)), "tif", (255, 255, 255)),
    ],
    ids=["grey", "bit", "grey-alpha", "alpha", "clear", "cmyk", "palette", "16-bit-png", "16-bit-tiff"],
)
def test_pictures_of_every_mode_are_rgb(folder: Path, image: Image.Image, suffix: str, rgb: tuple[int, ...]) -> None:
    image.save(folder / f"a.{suffix}")
    assert np.abs(only(folder).astype(int) - rgb).max() <= 2


def test_what_a_palette_makes_transparent_is_black(folder: Path) -> None:
    with_transparency().save(folder / "a.png", transparency=with_transparency().info["transparency"])
    seen = only(folder, 16)
    assert seen[2, 2].tolist() == [0, 0, 0]
    assert seen[2, 13].tolist() == [0, 255, 0]


def test_animations_are_their_first_frame(folder: Path) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, BLUE)]
    frames[0].save(folder / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert only(folder)[4, 4].tolist() == [255, 0, 0]


def refused(make: Callable[[], Any], *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message


@pytest.mark.parametrize("content", [b"", b"no", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%!PS-Adobe"])
def test_a_file_that_is_no_picture_is_named(folder: Path, content: bytes) -> None:
    Image.new("RGB", (9, 9)).save(folder / "a.png")
    (folder / "b.png").write_bytes(content)
    refused(lambda: PhotoBackgrounds(folder), "b.png", "mend it or take it out")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_picture_is_named(folder: Path, suffix: str, share: float) -> None:
    path = folder / f"b.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(lambda: PhotoBackgrounds(folder), path.name, "can't be read as an image")


def test_a_huge_picture_is_refused_before_it_is_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evensight.pictures.decoding.MAX_PIXELS", 99)
    Image.new("RGB", (10, 10)).save(folder / "a.png")
    refused(lambda: PhotoBackgrounds(folder), "a.png", "10 x 10 pixels")


def test_a_bomb_is_refused(folder: Path) -> None:
    Image.new("1", (8, 8)).save(folder / "a.png")
    content = bytearray((folder / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 40_000, 40_000)  # the header's width and height, and its checksum
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "a.png").write_bytes(content)
    refused(lambda: PhotoBackgrounds(folder), "a.png", "40000 x 40000 pixels")


def test_floating_point_pixels_are_refused(folder: Path) -> None:
    Image.fromarray(np.ones((9, 9), np.float32)).save(folder / "a.tif")
    refused(lambda: PhotoBackgrounds(folder), "a.tif", "8 bits")


def test_a_folder_without_pictures_says_so(tmp_path: Path, folder: Path) -> None:
    refused(lambda: PhotoBackgrounds(folder), "has no pictures", ".png")
    (folder / "notes.txt").write_text("x")
    refused(lambda: PhotoBackgrounds(folder), "has no pictures among its 1 entries")
    refused(lambda: PhotoBackgrounds(folder / "notes.txt"), "is not a folder")
    refused(lambda: PhotoBackgrounds(tmp_path / "none"), "is not there")


def test_links_out_of_the_folder_are_refused(tmp_path: Path, folder: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    Image.new("RGB", (9, 9)).save(folder / "a.png")
    (folder / "inside.png").symlink_to(folder / "a.png")
    assert len(PhotoBackgrounds(folder)) == 2
    (tmp_path / "link").symlink_to(folder)
    assert len(PhotoBackgrounds(tmp_path / "link")) == 2
    (folder / "b.png").symlink_to(tmp_path / "secret.png")
    refused(lambda: PhotoBackgrounds(folder), "b.png", "link out of its folder")
    (folder / "b.png").unlink()
    (folder / "loop.png").symlink_to(folder / "loop.png")
    refused(lambda: PhotoBackgrounds(folder), "loop.png")


def test_a_fingerprint_is_of_names_and_bytes_and_not_of_the_place(tmp_path: Path, folder: Path) -> None:
    Image.new("RGB", (9, 9), RED).save(folder / "a.png")
    before = PhotoBackgrounds(folder).fingerprint
    moved = folder.rename(tmp_path / "elsewhere")
    assert PhotoBackgrounds(moved).fingerprint == before
    (moved / "a.png").rename(moved / "b.png")
    renamed = PhotoBackgrounds(moved).fingerprint
    Image.new("RGB", (9, 9), BLUE).save(moved / "b.png")
    assert len({before, renamed, PhotoBackgrounds(moved).fingerprint}) == 3


def test_a_picture_that_has_changed_since_is_refused(folder: Path) -> None:
    Image.new("RGB", (9, 9), RED).save(folder / "a.png")
    pool = PhotoBackgrounds(folder)
    Image.new("RGB", (9, 9), BLUE).save(folder / "a.png")
    refused(lambda: pool.pixels(0, 9), "a.png", "has changed")
    (folder / "a.png").unlink()
    refused(lambda: pool.pixels(0, 9), "a.png", "can't be read")


def test_pictures_are_kept_read_only_until_the_room_is_used_up(folder: Path) -> None:
    for name in "abcd":
        Image.new("RGB", (9, 9), RED).save(folder / f"{name}.png")
    pool = PhotoBackgrounds(folder, cache_bytes=2 * 10 * 10 * 3)
    first = pool.pixels(0, 10)
    assert pool.pixels(0, 10) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0, 0] = 1
    pool.pixels(1, 10)
    assert pool.pixels(0, 10) is first
    pool.pixels(2, 10)  # room for two: the one not used for longest is 1
    assert pool.pixels(0, 10) is first
    for k in (1, 2):
        pool.pixels(k, 10)
    assert pool.pixels(0, 10) is not first
    assert pool._kept.n_bytes == 600
    sent = pickle.dumps(pool)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).pixels(3, 10), pool.pixels(3, 10))
    for k in (-1, 4):
        with pytest.raises(IndexError, match="0 to 3"):
            pool.pixels(k, 10)


COCO_IMAGES = [{"id": n, "file_name": f"{n}.jpg", "width": 40, "height": 30} for n in (1, 2, 3)]
COCO_FILES = {f"{n}.jpg": (40, 30) for n in (1, 2, 3)}


def thing(number: int, image_id: int, category_id: int, **other: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": [1, 2, 9, 9]} | other


def names(pool: PhotoBackgrounds) -> list[str]:
    return [pool.member_name(k) for k in range(len(pool))]


def test_a_coco_set_is_a_pool_that_knows_what_it_shows(make_coco: MakeCoco) -> None:
    annotations = [thing(1, 1, 1), thing(2, 2, 2, iscrowd=1), thing(3, 3, 2, bbox=[0, 0, 0, 0])]
    root = make_coco(COCO_FILES, COCO_IMAGES, annotations)
    pool = PhotoBackgrounds.of_coco(root, "val2017")
    assert names(pool) == ["1.jpg", "2.jpg", "3.jpg"]
    # A crowd of dogs, and a dog whose box is none, are dogs in the picture all the same.
    assert [pool.shows(k) for k in range(3)] == [{"cat"}, {"dog"}, {"dog"}]
    (root / "val2017" / "2.jpg").write_bytes(b"no")
    refused(lambda: PhotoBackgrounds.of_coco(root, "val2017"), "2.jpg")


@pytest.mark.photos
def test_real_photographs_are_backgrounds(photos_root: Path) -> None:
    pool = PhotoBackgrounds.of_coco(photos_root, "val2017")
    assert len(pool) == len(list((photos_root / "val2017").glob("*.jpg")))
    assert sum("person" in pool.shows(k) for k in range(len(pool))) > 10
    for k in range(0, len(pool), 20):
        # The second opinion: Pillow's own fit, by area and in one step.
        from PIL import ImageOps

        with Image.open(photos_root / "val2017" / pool.member_name(k)) as image:
            expected = np.asarray(ImageOps.fit(image.convert("RGB"), (48, 48), Image.Resampling.BOX)).astype(int)
        assert np.abs(pool.pixels(k, 48) - expected).mean() < 8
