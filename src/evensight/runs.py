"""A run folder: what was done, with what, and its results, whole or not at all.

Three promises, kept here for everybody:

* A file or folder appears under its name only when all its bytes are on the disk: it is written beside its
  place, flushed, and renamed (`atomic_file`, `atomic_folder`, `write_json`).
* A run folder is whole when, and only when, it has its `manifest.json`, which is written last. The manifest
  holds the configuration, the seeds, the versions and the hashes of what went in, of the files that came
  out, and of itself, so that no damage goes unseen; its `fingerprint` is a hash of the configuration and the
  inputs, so that work that was done is found again (`RunFolder.is_done`).
* Two processes never write one run folder: the second is told so and stops (`RunFolder.locked`).

What stays in a folder that isn't whole yet, or in a cache, has a receipt beside it, its hash (`receipt=True`,
`is_as_received`), so that who goes on with it takes no damage over.

Nothing here carries a time stamp: the same run gives the same bytes.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from evensight import __version__
from evensight.errors import InputError

MANIFEST_NAME = "manifest.json"
_TEMPORARY = ".partial-"
_RECEIPT = ".sha256-"
_SEAL = "sha256"
_PACKAGES = ("numpy", "pillow", "pyarrow", "scipy", "torch", "transformers", "peft", "accelerate", "scikit-learn")


@contextmanager
def atomic_file(path: Path, *, receipt: bool = False) -> Iterator[Path]:
    """Gives a temporary path to write; renames it to `path` once the block ends without an error.

    Args:
        path: The file.
        receipt: Whether its hash is put beside it, for who will go on with it (`is_as_received`).

    Raises:
        OSError: The disk refuses; it names `path` where the system names no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY}{os.getpid()}-{path.name}"
    try:
        with _naming(path):
            yield temporary
            flush(temporary)
            if receipt:
                _write_receipt(temporary, path)
            temporary.replace(path)
            flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Has the system's errors say which file they are about."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno or 0, error.strerror or one_line(error), str(path)) from error


@contextmanager
def atomic_folder(path: Path, *, receipt: bool = False) -> Iterator[Path]:
    """Gives a temporary folder to fill; renames it to `path`, in place of what was there, at the end.

    With `receipt` its hash is put beside it, for who will go on with it (`is_as_received`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY}{os.getpid()}-{path.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    old = path.parent / f"{_TEMPORARY}{os.getpid()}-old-{path.name}"
    try:
        with _naming(path):
            yield temporary
            for file in sorted(temporary.rglob("*")):
                flush(file)
            flush(temporary)
            if receipt:
                _write_receipt(temporary, path)
            if path.exists():
                path.rename(old)
            try:
                temporary.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
            flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file of bytes, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: object, *, receipt: bool = False) -> None:
    """Writes a JSON file, whole or not at all, its keys in the order given; with `receipt` its hash beside it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_file(path, receipt=receipt) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: The file.
        what: What it is to the user, for the error's message ("run manifest").

    Raises:
        InputError: The file is not there, or isn't a JSON object.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except FileNotFoundError as error:
        raise InputError(f"`{path}` is not there: expected a {what}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"`{path}` can't be read as a {what}: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise InputError(f"`{path}` is not a {what}: expected a JSON object, got {type(value).__name__}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def one_line(error: BaseException) -> str:
    """An exception's message on one line, cut at 300 characters; its type's name if it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"


def hash_json(value: object) -> str:
    """The SHA-256, in hex, of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """The SHA-256, in hex, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, pattern: str = "*") -> dict[str, str]:
    """The SHA-256 of each file below a folder that fits the pattern, by its path in the folder.

    Left out are the manifest and all whose name begins with a dot: locks, marks and what is half written.
    """
    files = (path for path in sorted(folder.rglob(pattern)) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in files
        if path.name != MANIFEST_NAME and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _receipt(path: Path) -> Path:
    return path.parent / f"{_RECEIPT}{path.name}"


def _hash_of(path: Path) -> str:
    return hash_json(hash_files(path)) if path.is_dir() else hash_file(path)


def _write_receipt(content: Path, path: Path) -> None:
    """Writes the hash of what is about to get a name beside that, so that whatever has the name has a receipt."""
    write_text(_receipt(path), _hash_of(content))


def is_as_received(path: Path) -> bool:
    """Whether a file or folder is there, with its receipt, and the same since that was written."""
    receipt = _receipt(path)
    return path.exists() and receipt.is_file() and receipt.read_bytes() == _hash_of(path).encode()


def has_receipt(path: Path) -> bool:
    """Whether a file or folder is there with a receipt, whatever is in it."""
    return path.exists() and _receipt(path).is_file()


def drop_receipts(folder: Path) -> None:
    """Removes the receipts of what is in a folder: its manifest holds the hashes now."""
    for receipt in folder.glob(f"{_RECEIPT}*"):
        receipt.unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """The versions of evensight and of the installed packages that its results depend on."""
    found = {"evensight": __version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class RunManifest:
    """What a whole run folder says of itself.

    Attributes:
        kind: What was done: `dataset`, `finetune`, `evaluation`, `probes`, `study`.
        config: The configuration, as JSON, seeds included.
        inputs: The hashes of what went in (data, model, adapter, processor), by name.
        files: The SHA-256 of each file that came out, by its path in the folder.
        facts: What is worth knowing of the result (counts, claims, sizes), as JSON.
        versions: The packages' versions that made it.
    """

    kind: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=versions)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RunManifest":
        """The manifest of which this is the JSON.

        Raises:
            KeyError: A part is missing.
            TypeError: A part is no JSON object.
        """
        parts = {name: value[name] for name in cls.__slots__}
        if not all(isinstance(part, dict) for name, part in parts.items() if name != "kind"):
            raise TypeError("its parts are not JSON objects")
        return cls(**parts)

    @property
    def fingerprint(self) -> str:
        """The hash of the kind, the configuration, the inputs and evensight's version."""
        return fingerprint(self.kind, self.config, self.inputs, str(self.versions.get("evensight")))


def fingerprint(kind: str, config: Mapping[str, Any], inputs: Mapping[str, str], version: str = __version__) -> str:
    """The hash by which a run is known before it is done."""
    return hash_json({"kind": kind, "config": dict(config), "inputs": dict(inputs), "evensight": version})


def called(kind: str) -> str:
    """What a kind of run is called in a sentence, with its article."""
    return {
        "dataset": "a stored set",
        "finetune": "a fine-tuning run",
        "evaluation": "an evaluation",
        "export": "an export",
        "probes": "a probing run",
    }.get(kind, f"a {kind}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that one run fills and its manifest seals."""

    path: Path

    @property
    def manifest_path(self) -> Path:
        """Where the manifest is, once the run is whole."""
        return self.path / MANIFEST_NAME

    def manifest(self, kind: str) -> RunManifest:
        """The folder's manifest.

        Raises:
            InputError: The folder isn't there, isn't whole, or is of another kind.
        """
        if not self.path.is_dir():
            raise InputError(f"`{self.path}` is not a folder: expected the folder of {called(kind)}")
        if not self.manifest_path.exists():
            raise InputError(
                f"`{self.path}` has no {MANIFEST_NAME}: expected {called(kind)} that is whole, "
                "got a folder that is half written or of another kind; run the command that makes it again"
            )
        value = read_json(self.manifest_path, f"{kind} manifest")
        if value.get("kind") != kind:
            raise InputError(f"`{self.path}` is {called(str(value.get('kind')))}: expected {called(kind)}")
        if not _is_as_sealed(value):
            raise InputError(
                f"`{self.manifest_path}` is damaged or was changed: its SHA-256 differs from the one in it; "
                "make the folder again"
            )
        try:
            return RunManifest.from_json(value)
        except KeyError as error:
            raise InputError(
                f"`{self.manifest_path}` lacks {error}: it is not the manifest of {called(kind)}"
            ) from error
        except TypeError as error:
            raise InputError(f"`{self.manifest_path}` is damaged: {error}") from error

    def check_files(self, manifest: RunManifest) -> None:
        """Compares every file with its hash in the manifest.

        Raises:
            InputError: A file is missing or its bytes have changed since it was written.
        """
        for name, expected in manifest.files.items():
            path = self.path / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise InputError(f"`{self.manifest_path}` lists `{name}`, which isn't in its folder; make it again")
            if not path.is_file():
                raise InputError(f"`{path}` is not there, but the manifest beside it lists it; make it again")
            if hash_file(path) != expected:
                raise InputError(
                    f"`{path}` is damaged or was changed: its SHA-256 differs from the manifest's; make it again"
                )

    def is_done(self, kind: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> bool:
        """Whether the folder holds the whole result of just this run, its files unchanged.

        What a run that was killed behind its last line left beside it is then taken away.
        """
        try:
            manifest = self.manifest(kind)
            if manifest.fingerprint != fingerprint(kind, config, inputs):
                return False
            self.check_files(manifest)
        except InputError:
            return False
        self._marker(kind).unlink(missing_ok=True)
        self.sweep()
        return True

    def begin(self, kind: str, run_fingerprint: str, *, replace: bool = False) -> None:
        """Makes the folder ready for a run; what an interrupted run of the same fingerprint left stays.

        Args:
            kind: The kind of run.
            run_fingerprint: What `fingerprint` says of it.
            replace: Whether a whole run of this kind with another fingerprint may be thrown away.

        Raises:
            InputError: The folder holds a whole run of another fingerprint, or files of somebody else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"`{self.path}` is a file: expected a folder, or a new name, for {called(kind)}")
        marker = self._marker(kind)
        if self.manifest_path.exists():
            is_damaged = self.manifest(kind).fingerprint == run_fingerprint  # for else `is_done` had said so
            if not (replace or is_damaged):
                raise InputError(
                    f"`{self.path}` holds {called(kind)} that was made with another configuration or other inputs: "
                    "choose a new folder, or remove this one"
                )
            write_text(marker, "")  # whoever is killed while clearing is found again by it
            self._clear(marker)
        elif marker.exists():
            if marker.read_text() != run_fingerprint:
                self._clear(marker)
        elif self.path.is_dir() and self.has_foreign_files():
            raise InputError(
                f"`{self.path}` holds files that are not of {called(kind)}: choose an empty or a new folder"
            )
        self.sweep()
        write_text(marker, run_fingerprint)

    def has_foreign_files(self) -> bool:
        """Whether the folder holds anything but a lock and what a killed process left half written."""
        return any(map(_is_foreign, self.path.iterdir()))

    def sweep(self) -> None:
        """Removes what a killed process left half written, also in folders below."""
        for leftover in list(self.path.rglob(f"{_TEMPORARY}*")):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)

    def _marker(self, kind: str) -> Path:
        return self.path / f".begun-{kind}"

    def _clear(self, marker: Path) -> None:
        self.manifest_path.unlink(missing_ok=True)
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in (".lock", marker.name):
                path.unlink()

    def seal(self, manifest: RunManifest) -> None:
        """Writes the manifest: from now on the run is whole."""
        value = asdict(manifest)
        write_json(self.manifest_path, {**value, _SEAL: hash_json(value)})
        self._marker(manifest.kind).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from writing this folder while the block runs.

        Raises:
            InputError: Another process is at work on it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"`{self.path}` can't be a folder: there is a file of that name") from error
        had_lock = (self.path / ".lock").exists()
        with (self.path / ".lock").open("a") as lock, _known(lock):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"`{self.path}` is being written by another evensight process: wait for it, "
                    "or choose another folder"
                ) from error
            try:
                yield
            except BaseException:
                leave_as_found(self.path, had_lock=had_lock)
                raise


def _is_as_sealed(value: Mapping[str, Any]) -> bool:
    """Whether a manifest's hash of itself is right; those of before evensight wrote one have nothing besides."""
    rest = {name: part for name, part in value.items() if name != _SEAL}
    return value[_SEAL] == hash_json(rest) if _SEAL in value else set(rest) <= set(RunManifest.__slots__)


_locks: set[IO[str]] = set()


@contextmanager
def _known(lock: IO[str]) -> Iterator[None]:
    """Has forks let go of a lock, so that it is free as soon as the process that took it is killed."""
    _locks.add(lock)
    try:
        yield
    finally:
        _locks.discard(lock)


def _let_go() -> None:
    for lock in _locks:
        lock.close()


os.register_at_fork(after_in_child=_let_go)


def leave_as_found(path: Path, *, had_lock: bool) -> None:
    """Takes back the lock, and the folder if there is nothing else in it, where a run was refused before it began."""
    names = [file.name for file in path.iterdir()]
    if names == [".lock"]:
        shutil.rmtree(path)
    elif not had_lock and not any(name == MANIFEST_NAME or name.startswith(".begun-") for name in names):
        (path / ".lock").unlink(missing_ok=True)


def _is_foreign(path: Path) -> bool:
    return path.name != ".lock" and not path.name.startswith(_TEMPORARY)


def is_half_written(path: Path) -> bool:
    """Whether a file, or a folder, is what a process left half written, or is writing just now."""
    return path.name.startswith(_TEMPORARY)


def flush(path: Path) -> None:
    """Has the disk keep a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
