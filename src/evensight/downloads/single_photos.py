"""Images fetched one by one, several at a time.

No hash of a single image is known beforehand: each must be a JPEG of the size that the annotations declare, all its
pixels readable. Its size and SHA-256 are recorded, so that a later change is noticed.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from evensight.downloads.connections import DownloadError
from evensight.downloads.downloads import Downloader, Fault, RemoteFile, UnreachableError, download_from
from evensight.downloads.fetched import Fetched, FetchedFile
from evensight.downloads.sources import Photo
from evensight.errors import InputError
from evensight.pictures.decoding import decode, stored_size_wh
from evensight.pictures.files import PictureError, read_file
from evensight.progress import progress, track
from evensight.runs import hash_file

MOST_FAULTS = 20
"""After so many images that can't be had the rest isn't asked for."""
_WRITE_EVERY = 1000
_JPEG_BEGINS = b"\xff\xd8\xff"


def photo_fault(photo: Photo) -> Fault:
    """A check that a file is this image, whole."""

    def fault(path: Path) -> str | None:
        try:
            content = read_file(path)
            if not content.startswith(_JPEG_BEGINS):
                return "is not a whole JPEG: it begins with other bytes"
            width, height = stored_size_wh(content, path)
            if (width, height) != (photo.width, photo.height):
                return f"is a JPEG of {width}x{height} pixels: expected {photo.width}x{photo.height}"
            decode(content, path)
        except PictureError as error:
            return f"is not a whole JPEG: {error.fault}"
        return None

    return fault


@dataclass(frozen=True)
class SinglePhotos:
    """Fetches images of a split.

    Attributes:
        fetched: The record of the images' folder.
        parts: A folder for what is under way, on the same disk.
        downloader: How to download; made for at least `n_at_once` threads.
        bases: The URLs below which the images are, the first that has one is taken.
        n_at_once: How many to fetch at a time.
    """

    fetched: Fetched
    parts: Path
    downloader: Downloader
    bases: Sequence[str]
    n_at_once: int

    def missing(self, photos: Sequence[Photo]) -> list[Photo]:
        """The images that are not here; those that are and weren't recorded are checked, and recorded.

        Raises:
            InputError: One is here and isn't what was fetched, or isn't that image.
        """
        fetched, absent = self.fetched, []
        for photo in track(photos, "checking photographs", len(photos), "photographs"):
            name = photo.file_name
            if name in fetched.files:
                absent += [photo] if fetched.missing([name], thorough=True) else []
            elif (fetched.folder / name).exists():
                fetched.files[name] = self._adopted(photo)
            else:
                absent.append(photo)
        return absent

    def _adopted(self, photo: Photo) -> FetchedFile:
        path = self.fetched.folder / photo.file_name
        if (fault := photo_fault(photo)(path)) is not None:
            raise InputError(f"`{path}` {fault}; remove it, and the same command fetches it")
        return _file(path)

    def fetch(self, photos: Sequence[Photo]) -> None:
        """Fetches images that are missing; those that come stay, whatever happens to others.

        Raises:
            DownloadError: Some can't be had.
            InputError: The disk is full or can't be written.
        """
        pool = ThreadPoolExecutor(self.n_at_once)
        try:
            self._collect({pool.submit(self._one, photo): photo for photo in photos})
        except BaseException:
            self.downloader.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self.fetched.write()

    def _collect(self, futures: dict[Future[FetchedFile], Photo]) -> None:
        faults: list[DownloadError] = []
        with progress("photographs", len(futures), "photographs") as advance:
            for n, future in enumerate(as_completed(futures), start=1):
                try:
                    self.fetched.files[futures[future].file_name] = future.result()
                except UnreachableError:
                    raise
                except DownloadError as error:
                    faults.append(error)
                    if len(faults) == MOST_FAULTS:
                        break
                if n % _WRITE_EVERY == 0:
                    self.fetched.write()
                advance()
        if faults:
            rest = ", and the rest wasn't asked for" if len(faults) == MOST_FAULTS else ""
            raise DownloadError(
                f"{len(faults)} of {len(futures):,} photographs can't be had{rest}; what came stays; "
                f"the first: {faults[0]}"
            )

    def _one(self, photo: Photo) -> FetchedFile:
        folder = self.fetched.folder
        was = self.fetched.files.get(photo.file_name)
        known = (was.n_bytes, was.sha256) if was else (None, None)  # what was removed comes back as it was
        file = RemoteFile(f"{folder.name}/{photo.file_name}", *known)
        target = folder / photo.file_name
        try:
            download_from(self.downloader, self.bases, file, target, parts=self.parts, fault=photo_fault(photo))
        except UnreachableError:
            self.downloader.stop()  # at once, before this thread takes up the next
            raise
        return _file(target)


def _file(path: Path) -> FetchedFile:
    return FetchedFile(path.stat().st_size, hash_file(path))
