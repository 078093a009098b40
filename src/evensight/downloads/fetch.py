"""Photographs brought to a folder in COCO's layout: what is there stays, what is missing is fetched and checked.

`.fetched.json` in `annotations/` and in the images' folder says what was fetched (`fetched`). What is under way,
parts and zips, is in `TO/.fetching`. Nothing that is there is ever overwritten: a file with other bytes than it
should have is named, and is the user's to remove.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evensight.downloads.downloads import Downloader, RemoteFile, download_from
from evensight.downloads.fetched import Fetched, FetchedFile
from evensight.downloads.single_photos import SinglePhotos
from evensight.downloads.sources import Photo, PhotoSource, choose_photos
from evensight.downloads.unpacking import members, unpack
from evensight.errors import InputError
from evensight.progress import progress
from evensight.runs import RunFolder, hash_file

N_PHOTO_BYTES = 170_000
"""About how long one of COCO's images is."""
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images of a split: none, all (out of the zip), or some (one by one).

    Attributes:
        photos: Whether images are wanted at all.
        categories: Only those that hold an object of one of these.
        limit: At most so many.
    """

    photos: bool
    categories: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether all images are wanted."""
        return self.photos and not self.categories and self.limit is None


@dataclass(frozen=True)
class Fetch:
    """Fetches a split to a folder.

    Attributes:
        source: What.
        to: Where to.
        downloader: How; made for at least `n_at_once` threads.
        n_at_once: How many single images at a time.
        zips: A folder of the user's in which zips lie already; it is only read.
        say: Is told, in a line, what is done.
    """

    source: PhotoSource
    to: Path
    downloader: Downloader
    n_at_once: int = 8
    zips: Path | None = None
    say: Callable[[str], None] = lambda _: None

    def run(self, wanted: Wanted) -> int:
        """Brings the annotations and the wanted images there; gives the number of images.

        Raises:
            InputError: Another process is at work there, the disk is too full, something can't be had or isn't what
                it should be, or what is there differs.
        """
        with RunFolder(self.to).locked():
            self._prepare(wanted)
            self._fetch_instances()
            n_photos = self._fetch_photos(wanted) if wanted.photos else 0
            self._tidy()
        return n_photos

    @property
    def _work(self) -> Path:
        return self.to / ".fetching"

    @property
    def _photos(self) -> Fetched:
        return Fetched.read(self.to / self.source.split)

    @property
    def _annotations(self) -> Fetched:
        return Fetched.read(self.to / "annotations")

    def _prepare(self, wanted: Wanted) -> None:
        """Refuses, before anything is begun, a folder of zips that has none of use, and a disk without the room."""
        source = self.source
        needed = [] if self._annotations.has(source.instances, source.annotations_zip) else [source.annotations_zip]
        photos_missing = wanted.photos and not self._photos.has_all(source.photos_zip)
        needed += [source.photos_zip] if photos_missing else []
        if self.zips and needed and not any(map(self._own, needed)):
            names = " or ".join(file.name for file in needed)
            raise InputError(f"`{self.zips}` has no {names}: expected the zips under COCO's names")
        if not wanted.is_all and photos_missing:
            needed.remove(source.photos_zip)  # what single images need is known once they are chosen
        self._check_room(sum(map(self._n_bytes_to_come, needed)))

    def _n_bytes_to_come(self, file: RemoteFile) -> int:
        """About how much room a zip and what is unpacked from it still need."""
        n_bytes = file.n_bytes or 0
        here = n_bytes if self._own(file) else _size(self._work / file.name) or self._n_part_bytes(file)
        return n_bytes - here + (n_bytes if file == self.source.photos_zip else self.source.n_instances_bytes)

    def _n_part_bytes(self, file: RemoteFile) -> int:
        return _size(self._work / f".download-{file.name}")

    def _check_room(self, need: int) -> None:
        free = shutil.disk_usage(self.to).free
        if need > free:
            raise InputError(
                f"`{self.to}` has {in_mb(free)} free: expected about {in_mb(need)} for what is to be downloaded and "
                "unpacked; free some space, or choose another folder with --to"
            )
        if need:
            self.say(f"{self.to}: needs about {in_mb(need)}, {in_mb(free)} are free")

    def _own(self, file: RemoteFile) -> Path | None:
        """The user's own copy of a zip."""
        path = self.zips / file.name if self.zips else None
        return path if path and path.is_file() else None

    def _fetch_instances(self) -> None:
        source, fetched = self.source, self._annotations
        path = fetched.folder / source.instances
        if fetched.has(source.instances, source.annotations_zip):
            self.say(f"{path}: is there already")
            return
        with self._zip(source.annotations_zip) as zip_path:
            self._unpack(zip_path, "annotations", [source.instances])
        fetched.files[source.instances] = FetchedFile(_size(path), hash_file(path), source.annotations_zip.sha256)
        fetched.write()
        self.say(f"{path}: {in_mb(_size(path))}, from {source.annotations_zip.name}")

    def _fetch_photos(self, wanted: Wanted) -> int:
        fetched = self._photos
        if fetched.has_all(self.source.photos_zip):
            self.say(f"{fetched.folder}: all {len(fetched.files):,} photographs are there already")
            return len(fetched.files)
        if wanted.is_all:
            return self._fetch_all(fetched)
        instances = self._annotations.folder / self.source.instances
        photos = choose_photos(instances, wanted.categories, wanted.limit)
        self._fetch_some(fetched, photos)
        return len(photos)

    def _fetch_all(self, fetched: Fetched) -> int:
        file = self.source.photos_zip
        with self._zip(file) as zip_path:
            sizes = self._unpack(zip_path, self.source.split)
        known = fetched.files
        hashes = {name: known[name].sha256 for name in sizes if name in known}
        fetched.files = {name: FetchedFile(n, hashes.get(name), file.sha256) for name, n in sizes.items()}
        fetched.whole_zip_sha256 = file.sha256
        fetched.write()
        self.say(f"{fetched.folder}: {len(sizes):,} photographs, {in_mb(sum(sizes.values()))}, from {file.name}")
        return len(sizes)

    def _fetch_some(self, fetched: Fetched, photos: Sequence[Photo]) -> None:
        """Single images: out of the user's own zip where there is one, else each by its URL."""
        bases = self.source.photo_bases
        singles = SinglePhotos(fetched, self._work, self.downloader, bases, self.n_at_once)
        missing = singles.missing(photos)
        self._check_room(len(missing) * N_PHOTO_BYTES)
        if missing and self._own(self.source.photos_zip) is not None:
            with self._zip(self.source.photos_zip) as zip_path:
                self._unpack(zip_path, self.source.split, [photo.file_name for photo in missing])
            singles.missing(missing)
        elif missing:
            singles.fetch(missing)
        fetched.write()
        there = len(photos) - len(missing)
        self.say(f"{fetched.folder}: {len(photos):,} photographs, {there:,} of them were there already")

    @contextmanager
    def _zip(self, file: RemoteFile) -> Iterator[Path]:
        """A zip with the right bytes: the user's, or one that is downloaded."""
        own = self._own(file)
        if own is not None:
            self.say(f"{own}: checking its SHA-256")
            if (fault := file.fault(own)) is not None:
                raise InputError(f"`{own}` {fault}; put the right file there, or leave out --from")
            yield own
            return
        path = self._work / file.name
        if not path.is_file() or file.fault(path) is not None:
            path.unlink(missing_ok=True)
            self._download(file, path)
        yield path

    def _download(self, file: RemoteFile, path: Path) -> None:
        begun = best = self._n_part_bytes(file)
        label = f"{file.name}, from {in_mb(begun)} on" if begun else file.name
        with _megabytes(label, (file.n_bytes or 0) - begun) as advance:

            def moved(position: int) -> None:
                nonlocal best
                advance(max(0, position - best))
                best = max(best, position)

            download_from(self.downloader, self.source.bases, file, path, moved=moved)

    def _unpack(self, path: Path, below: str, names: Sequence[str] | None = None) -> dict[str, int]:
        """Unpacks a folder's files, or those named; gives their sizes."""
        found = members(path, below)
        absent = [name for name in names or () if name not in found]
        if absent or not found:
            raise InputError(f"`{path}` has no `{below}/{absent[0] if absent else ''}`: expected COCO's zip")
        wanted = {name: found[name] for name in names or found}
        sizes = {name: info.file_size for name, info in wanted.items()}
        with _megabytes(f"unpacking {path.name}", sum(sizes.values())) as advance:
            unpack(path, wanted, self.to / below, self._work / f"unpacking-{below}", advance)
        return sizes

    def _tidy(self) -> None:
        """Removes what was under way, but for the annotations' zip as long as it has something for another split."""
        zip_path = self._work / self.source.annotations_zip.name
        serves = len(self._annotations.files) < self.source.n_splits
        for path in list(self._work.iterdir()) if self._work.is_dir() else []:
            if path != zip_path or not serves:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if zip_path.exists():
            self.say(f"{zip_path}: stays, for the other split's annotations are in it too; it may be removed")
        elif self._work.is_dir():
            self._work.rmdir()


@contextmanager
def _megabytes(label: str, n_bytes: int) -> Iterator[Callable[[int], None]]:
    """Progress in MB of what is told in bytes."""
    done = 0
    with progress(label, max(1, n_bytes // _MB), "MB") as advance:

        def count(n: int) -> None:
            nonlocal done
            before, done = done, done + n
            if done // _MB > before // _MB:
                advance(done // _MB - before // _MB)

        yield count


def in_mb(n_bytes: int) -> str:
    """A number of bytes in MB or GB, as a user reads it."""
    return f"{n_bytes / _MB / 1000:,.1f} GB" if n_bytes >= 1000 * _MB else f"{n_bytes / _MB:,.1f} MB"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
