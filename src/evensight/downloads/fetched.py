"""What was fetched into a folder before: so that it isn't fetched twice, and that a change is noticed.

`FOLDER/.fetched.json` has each file's size, its SHA-256 where it was known, and the zip it came from. Whatever is not
in it is somebody else's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evensight.downloads.downloads import RemoteFile
from evensight.errors import InputError
from evensight.runs import hash_file, one_line, write_json

RECORD_NAME = ".fetched.json"


class FetchedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as it was fetched; `zip_sha256` is of the zip that it was unpacked from, if it was."""

    n_bytes: int
    sha256: str | None = None
    zip_sha256: str | None = None


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    files: dict[str, FetchedFile]
    whole_zip_sha256: str | None = None


@dataclass
class Fetched:
    """What was fetched into a folder.

    Attributes:
        folder: The folder.
        files: Its files, by name.
        whole_zip_sha256: The zip of which all files were unpacked here, if one was.
    """

    folder: Path
    files: dict[str, FetchedFile]
    whole_zip_sha256: str | None = None

    @classmethod
    def read(cls, folder: Path) -> "Fetched":
        """What the folder's record says; nothing where there is none.

        Raises:
            InputError: The record is damaged.
        """
        path = folder / RECORD_NAME
        for leftover in folder.glob(f".partial-*-{RECORD_NAME}"):
            leftover.unlink()  # of a process that was killed while it wrote
        try:
            content = msgspec.json.decode(path.read_bytes(), type=_Content)
        except FileNotFoundError:
            return cls(folder, {})
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"`{path}` is damaged: {one_line(error)}; remove it, and what is there will be checked anew"
            ) from error
        return cls(folder, content.files, content.whole_zip_sha256)

    def write(self) -> None:
        """Writes the record, whole or not at all, the same for the same files."""
        content = _Content(dict(sorted(self.files.items())), self.whole_zip_sha256)
        write_json(self.folder / RECORD_NAME, msgspec.to_builtins(content))

    def has(self, name: str, file: RemoteFile) -> bool:
        """Whether a file of that zip is here, with the size that it had."""
        return name in self.files and self.files[name].zip_sha256 == file.sha256 and not self.missing([name])

    def has_all(self, file: RemoteFile) -> bool:
        """Whether all files of that zip are here, with the sizes that they had."""
        return self.whole_zip_sha256 == file.sha256 and not self.missing(self.files)

    def missing(self, names: Iterable[str], *, thorough: bool = False) -> list[str]:
        """The files that aren't here, of those named.

        Args:
            names: Names of files that were fetched.
            thorough: Also compares the SHA-256 of those that are here, where it is known.

        Raises:
            InputError: One is here, but isn't what was fetched.
        """
        absent = []
        for name in names:
            path, was = self.folder / name, self.files[name]
            if not path.exists():
                absent.append(name)
            elif path.stat().st_size != was.n_bytes or (
                thorough and was.sha256 is not None and hash_file(path) != was.sha256
            ):
                raise InputError(
                    f"`{path}` was changed or damaged since it was fetched: expected the {was.n_bytes:,} bytes that "
                    f"`{RECORD_NAME}` beside it tells of; remove it, and the same command fetches it again"
                )
        return absent
