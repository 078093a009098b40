"""Taking the files that are wanted out of a zip: all of them or none, and never over a file that differs.

Every name in the zip is checked before anything is written. The files are unpacked beside, brought to the disk, and
only then given their names; a folder that wasn't there appears as a whole.
"""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from evensight.errors import InputError
from evensight.runs import one_line

_BLOCK_BYTES = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


def members(path: Path, below: str) -> dict[str, zipfile.ZipInfo]:
    """The files that a zip has directly in its folder `below`, by their names there.

    Raises:
        InputError: It is not a zip, or one of its names leads out of the folder, is twice there, or is a link.
    """
    try:
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
    except _BROKEN as error:
        raise InputError(f"`{path}` can't be unpacked: {one_line(error)}") from error
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        fault = _name_fault(info)
        name = PurePosixPath(info.filename)
        if fault is None and name.name in found and str(name.parent) == below:
            fault = "is in it twice"
        if fault is not None:
            raise InputError(f"`{path}` is not unpacked: its file `{info.filename[:100]!r}` {fault}")
        if str(name.parent) == below and not info.is_dir():
            found[name.name] = info
    return found


def _name_fault(info: zipfile.ZipInfo) -> str | None:
    name = info.filename
    if not name or name.startswith("/") or "\\" in name or ":" in name or not name.isprintable():
        return "has a name that is absolute or can't be one"
    if ".." in PurePosixPath(name).parts:
        return "leads out of the folder"
    kind = stat.S_IFMT(info.external_attr >> 16)
    return None if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is a link or no plain file"


def unpack(
    path: Path,
    wanted: Mapping[str, zipfile.ZipInfo],
    folder: Path,
    temporary: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Unpacks files into a folder; those that are there with the same bytes stay.

    Args:
        path: The zip.
        wanted: Its files, by the names they get.
        folder: Where they shall be.
        temporary: A folder on the same disk that is made, used and removed.
        advance: Is told of each further number of bytes that is done.

    Raises:
        InputError: A file that is there differs from the zip's, or the zip is damaged; nothing was changed.
    """
    there = [name for name in wanted if (folder / name).exists() or (folder / name).is_symlink()]
    different = [name for name in there if not _is_same(folder / name, wanted[name], advance)]
    if different:
        raise InputError(
            f"`{folder / different[0]}` is there with other bytes than in {path.name} ({len(different)} such files): "
            "remove or move what is damaged or changed, then run the same command again"
        )
    missing = {name: info for name, info in wanted.items() if name not in set(there)}
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _extract(path, missing, temporary, advance)
        os.sync()  # one call for all: thousands of small files flushed one by one take minutes
        _place(list(missing), temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(path: Path, wanted: Mapping[str, zipfile.ZipInfo], folder: Path, advance: Callable[[int], None]) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            for name, info in wanted.items():
                with file.open(info) as source, (folder / name).open("xb") as out:
                    while block := source.read(_BLOCK_BYTES):
                        out.write(block)
                        advance(len(block))
    except _BROKEN as error:
        raise InputError(f"`{path}` can't be unpacked: {one_line(error)}") from error


def _place(names: list[str], temporary: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        temporary.rename(folder)
        return
    for name in names:
        (temporary / name).replace(folder / name)


def _is_same(path: Path, info: zipfile.ZipInfo, advance: Callable[[int], None]) -> bool:
    """Whether a file has the size and the CRC-32 that the zip says."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
            advance(len(block))
    return crc == info.CRC
