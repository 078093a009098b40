"""PNG files of plain scenes, spliced from pieces that were deflated before.

A scene is mostly ground: deflating its 339 kB of equal bytes takes a millisecond, and nearly all of it was done
for the scene before. A deflate stream can be cut after any full flush (RFC 1951 and zlib's manual: what follows
refers to nothing before it), so a file is put together from

    head | ground rows above | the band of rows that objects touch | ground rows below | end, checksums

where the pieces are kept: the ground by its number of rows, a band by its patches and their places. Adler-32 of
the whole follows from the pieces' by arithmetic; CRC-32 runs over the few hundred bytes that result. The pieces
of neighbouring scenes are equal to the byte, which is what makes a column of such files small under zstd.

The files are RGB, 8 bits, and exact: every decoder gives the pixels back. Their bytes depend on zlib's version.
"""

import io
import struct
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = tuple[int, int, int]
Pixels = NDArray[np.uint8]
Placed = tuple[int, int, Pixels]
"""A patch and where it lies: `(x, y, rgb)` with `rgb` uint8 `[height, width, 3]`, blended with the ground before."""

BLACK: Rgb = (0, 0, 0)
_ADLER_BASE = 65521
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_ZLIB_HEAD = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"  # an empty final block: without it the stream has no end
_RAW_DEFLATE = -15
_LEVEL = 6
_SUB, _UP = 1, 2
_KEPT_BYTES = 64_000_000
_PIECE_OVERHEAD_BYTES = 400


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows, deflated: bytes that end on a full flush, and the Adler-32 and length of what they unpack to."""

    deflated: bytes
    adler: int
    n_bytes: int


class PngSplicer:
    """Writes PNG files of one size on one plain ground, fast where its patches were met before."""

    def __init__(self, size_wh_px: tuple[int, int], ground_rgb: Rgb = BLACK) -> None:
        """Prepares a splicer; nothing is deflated yet.

        Args:
            size_wh_px: The images' size.
            ground_rgb: What is where no object is.
        """
        self._width, self._height = size_wh_px
        self._ground_row = np.array(ground_rgb * self._width, dtype=np.uint8).reshape(self._width, 3)
        self._ground: dict[int, _Piece] = {}
        self._bands = _Kept()
        header = struct.pack(">2I5B", self._width, self._height, 8, 2, 0, 0, 0)
        self._head = _SIGNATURE + _chunk(b"IHDR", header)

    @property
    def kept_bytes(self) -> int:
        """How much memory the bands that are kept take, about."""
        return self._bands.n_bytes

    def encode(self, objects: Sequence[Placed]) -> bytes:
        """The PNG file of the ground with the objects on it, later ones over earlier ones.

        Raises:
            ValueError: A patch doesn't lie in the image.
        """
        pieces = []
        y = 0
        for top, bottom, band in self._in_bands(objects):
            if top > y:
                pieces.append(self._ground_piece(top - y))
            key = tuple((x, at - top, rgb.shape, rgb.tobytes()) for x, at, rgb in band)
            pieces.append(self._bands.get(key, partial(self._band_piece, top, bottom, band)))
            y = bottom
        if y < self._height:
            pieces.append(self._ground_piece(self._height - y))
        return self._spliced(pieces)

    def _in_bands(self, objects: Sequence[Placed]) -> list[tuple[int, int, list[Placed]]]:
        """The objects from top to bottom in groups that share rows, each group with its half-open rows."""
        bands: list[tuple[int, int, list[Placed]]] = []
        for placed in sorted(objects, key=_top) if len(objects) > 1 else objects:
            x, top, rgb = placed
            height, width, _ = rgb.shape
            if not (0 <= x <= self._width - width and 0 <= top <= self._height - height):
                raise ValueError(
                    f"a patch of {width} x {height} at ({x}, {top}) doesn't lie in {self._width} x {self._height}"
                )
            if bands and top < bands[-1][1]:
                first, bottom, group = bands[-1]
                bands[-1] = (first, max(bottom, top + height), [*group, placed])
            else:
                bands.append((top, top + height, [placed]))
        # Sorting put them from top to bottom; within a band the order that was given says who is above.
        return [
            (top, bottom, group if len(group) == 1 else [p for p in objects if any(p is q for q in group)])
            for top, bottom, group in bands
        ]

    def _ground_piece(self, n_rows: int) -> _Piece:
        piece = self._ground.get(n_rows)
        if piece is None:
            piece = self._ground[n_rows] = _ground_rows(self._ground_row, n_rows)
        return piece

    def _band_piece(self, top: int, bottom: int, objects: Sequence[Placed]) -> _Piece:
        rows = np.broadcast_to(self._ground_row, (bottom - top, self._width, 3)).copy()
        for x, y, rgb in objects:
            rows[y - top : y - top + rgb.shape[0], x : x + rgb.shape[1]] = rgb
        return _drawn_rows(rows)

    def _spliced(self, pieces: Sequence[_Piece]) -> bytes:
        adler = 1
        for piece in pieces:
            adler = adler32_combine(adler, piece.adler, piece.n_bytes)
        parts = [piece.deflated for piece in pieces]
        body = b"".join((b"IDAT", _ZLIB_HEAD, *parts, _LAST_BLOCK, adler.to_bytes(4, "big")))
        length = (len(body) - 4).to_bytes(4, "big")
        return b"".join((self._head, length, body, zlib.crc32(body).to_bytes(4, "big"), _END))


class _Kept:
    """Pieces that were made, by what they show; the oldest are dropped when they take too much memory."""

    def __init__(self) -> None:
        self._pieces: dict[Hashable, _Piece] = {}
        self.n_bytes = 0

    def get(self, key: Hashable, make: Callable[[], _Piece]) -> _Piece:
        piece = self._pieces.get(key)
        if piece is None:
            piece = make()
            self._pieces[key] = piece
            self.n_bytes += _size(key, piece)
            while self.n_bytes > _KEPT_BYTES and len(self._pieces) > 1:
                oldest = next(iter(self._pieces))
                self.n_bytes -= _size(oldest, self._pieces.pop(oldest))
        return piece


def _size(key: Hashable, piece: _Piece) -> int:
    patches = key if isinstance(key, tuple) else ()
    return len(piece.deflated) + sum(len(patch[-1]) + _PIECE_OVERHEAD_BYTES for patch in patches)


def _top(placed: Placed) -> int:
    return placed[1]


@lru_cache(maxsize=8)
def splicer(size_wh_px: tuple[int, int], ground_rgb: Rgb = BLACK) -> PngSplicer:
    """The process's splicer for images of this size and ground."""
    return PngSplicer(size_wh_px, ground_rgb)


def encode_any(image: Pixels) -> bytes:
    """The PNG file of an image that shows much, by Pillow's encoder."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def adler32_combine(first: int, second: int, n_bytes: int) -> int:
    """The Adler-32 of two texts in a row from that of each and the second's length (zlib's `adler32_combine`).

    With sums A = 1 + Σ d and B = Σ A over the bytes d, the second text begins at the first's A in place of 1:
    A = A1 + A2 - 1, B = B1 + B2 + n (A1 - 1).
    """
    low = first & 0xFFFF
    total = (first >> 16) + (second >> 16) + n_bytes * (low - 1)
    return total % _ADLER_BASE << 16 | (low + (second & 0xFFFF) - 1) % _ADLER_BASE


def _ground_rows(ground_row: Pixels, n_rows: int) -> _Piece:
    """Rows of plain ground, deflated.

    Black is zeros as it is. Of another colour each row but the first is told by its difference from the row above
    (PNG's filter `Up`), the first by that from the pixel to the left (`Sub`): nearly all is zeros again, which
    runs of equal bytes tell best.
    """
    filtered = np.zeros((n_rows, 1 + ground_row.size), dtype=np.uint8)
    if ground_row.any():
        filtered[0, 0], filtered[1:, 0] = _SUB, _UP
        filtered[0, 1:4] = ground_row[0]
    return _deflated(filtered, zlib.Z_RLE)


def _drawn_rows(rows: Pixels) -> _Piece:
    """Rows of pixels, uint8 `[height, width, 3]`, deflated as they are: for flat objects this is the smallest."""
    filtered = np.zeros((len(rows), 1 + rows[0].size), dtype=np.uint8)
    filtered[:, 1:] = rows.reshape(len(rows), -1)
    return _deflated(filtered, zlib.Z_DEFAULT_STRATEGY)


def _deflated(filtered: Pixels, strategy: int) -> _Piece:
    raw = filtered.tobytes()
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE, strategy=strategy)
    deflated = packer.compress(raw) + packer.flush(zlib.Z_FULL_FLUSH)
    return _Piece(deflated, zlib.adler32(raw), len(raw))


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
