"""The pictures of a file of questions: paths beside it, or bytes inside its Parquet.

A path must stay in the file's folder. Pixels are taken as they are stored, as those do who train on such a file.
Of a Parquet file one batch of rows is held at a time, as pictures are asked for in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from evensight.annotations import Frame
from evensight.audits.columns import NoPictureError
from evensight.pictures.decoding import decode_rgb, stored_size_wh
from evensight.pictures.files import MISSING, TOO_LARGE, PictureError, read_file

_BATCH_ROWS = 32


class RecordPictures:
    """Gives the picture of a row: call it with the row's index among those that are kept."""

    def __init__(self, path: Path) -> None:
        """Prepares the pictures of a file; nothing is read yet."""
        self._path = path
        self._folder = path.parent.resolve()
        self._references: dict[int, Any] = {}
        self._kept: Sequence[int] = ()
        self._inside = _ParquetPictures(path) if path.suffix == ".parquet" else None

    def note(self, number: int, row: Mapping[str, Any]) -> None:
        """Remembers what row `number` of the file says of its picture."""
        given = row.get("images") or row.get("image")
        first = given[0] if isinstance(given, list) and given else given
        if first:
            self._references[number] = first

    def keep(self, numbers: Sequence[int]) -> bool:
        """Says which rows of the file are the table's, in order; returns whether any has a picture."""
        self._kept = numbers
        return (self._inside is not None and self._inside.has_any) or bool(self._references)

    def frame(self, number: int) -> Frame | None:
        """The size of the picture of row `number` of the file, if that can be told."""
        try:
            return Frame(*stored_size_wh(*self._read(number)))
        except (NoPictureError, PictureError):
            return None

    def __call__(self, index: int) -> Image.Image:
        """The picture of the kept row `index`, RGB.

        Raises:
            NoPictureError: There is none, or it can't be decoded.
        """
        try:
            return decode_rgb(*self._read(self._kept[index]), orientation="stored")
        except PictureError as error:
            reasons = {MISSING: "picture that isn't there", TOO_LARGE: "picture too large to be decoded"}
            raise NoPictureError(reasons.get(error.fault, "picture that can't be decoded")) from error

    def _read(self, number: int) -> tuple[bytes, Path]:
        """The bytes of a picture, and the file that they are from."""
        inside = self._inside[number] if self._inside is not None else None
        source = _source(inside or self._references.get(number))
        if isinstance(source, bytes):
            return source, self._path
        path = self._beside(source)
        return read_file(path), path

    def _beside(self, name: str) -> Path:
        try:
            path = (self._folder / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise NoPictureError("picture that isn't there") from error
        if not path.is_relative_to(self._folder):
            raise NoPictureError("picture outside the file's folder")
        return path


class _ParquetPictures:
    """The `image` or `images` column of a Parquet file, read forward batch by batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin, self._batch = 0, list[Any]()
        self._batches: Iterator[list[Any]] = iter(())
        self._column: str | None = None

    @property
    def has_any(self) -> bool:
        """Whether the file has such a column."""
        return self._name() is not None

    def __getitem__(self, number: int) -> Any:
        if self._name() is None:
            return None
        if number < self._begin or not self._batch:
            self._batches, self._begin, self._batch = self._read(), 0, []
        while number >= self._begin + len(self._batch):
            self._begin += len(self._batch)
            self._batch = next(self._batches, [])
            if not self._batch:
                return None
        value = self._batch[number - self._begin]
        return value[0] if isinstance(value, list) and value else value

    def _name(self) -> str | None:
        if self._column is None:
            import pyarrow.parquet as pq

            names = pq.read_schema(self._path).names
            self._column = next((name for name in ("images", "image") if name in names), "")
        return self._column or None

    def _read(self) -> Iterator[list[Any]]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[self._column], use_threads=False):
                yield batch.column(0).to_pylist()


def _source(reference: Any) -> bytes | str:
    """What a reference leads to: bytes, or a path beside the file."""
    if isinstance(reference, Mapping):
        reference = reference.get("bytes") or reference.get("path") or reference.get("image")
    if isinstance(reference, bytes) and reference:
        return reference
    if isinstance(reference, str) and reference:
        return reference.removeprefix("file://")
    raise NoPictureError("row without a picture")
