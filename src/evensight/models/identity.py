"""Which model, and which adapter: where they are, and what identifies them.

A folder is known by the hash of its files, a checkpoint of the Hub by its commit. What evensight made itself says
what its files should be, and is refused where they are others.
"""

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED, EMBEDDED_FOLDER
from evensight.models.hub import HubId, hub_id, pinned
from evensight.runs import MANIFEST_NAME, RunFolder, RunManifest, hash_files, hash_json, read_json

_MADE_FOLDERS = ("adapter", "model")
"""Where a fine-tuning run leaves what it made."""
PRETRAINING = "pretraining"
"""The kind of run that trains the embedded model; its folder is the model's."""
FINETUNE = "finetune"


def model_source(name: str) -> str:
    """Where `from_pretrained` finds the model of that name: a folder, or the Hub's repository.

    Raises:
        InputError: It is a local folder without a model in it, or nothing that a model can be.
    """
    if name == EMBEDDED:
        if not (EMBEDDED_FOLDER / "model.safetensors").exists():
            raise InputError(
                f"the embedded model's weights are not in `{EMBEDDED_FOLDER}`: install evensight again, "
                f"or train them by `evensight embedded train --out {EMBEDDED_FOLDER}`"
            )
        return str(EMBEDDED_FOLDER)
    folder = Path(name)
    if not folder.exists():
        given = hub_id(name)
        if given is None:
            raise InputError(
                f"the model `{name}` is not there: expected `{EMBEDDED}`, a folder, or a Hub id "
                "(OWNER/NAME or OWNER/NAME@REVISION)"
            )
        if Path(given.repository).exists():
            raise InputError(
                f"`{given.repository}` is a folder here, which would be taken in place of the Hub's `{name}`: name "
                "the folder without a revision, or run the command in another folder"
            )
        return given.repository
    if not (folder / "config.json").exists():
        raise InputError(f"`{folder}` has no config.json: expected the folder of a transformers model")
    if not any(folder.glob("*.safetensors")):
        pickles = any(folder.glob("*.bin"))
        raise InputError(
            f"`{folder}` has no weights as safetensors"
            + (", only pickles, which can run code; convert them first" if pickles else "")
            + ": expected model.safetensors beside its config.json"
        )
    return str(folder)


def checkpoint(name: str) -> HubId | None:
    """The Hub's checkpoint of that name, at the commit that it is at now; None for a folder.

    Raises:
        InputError: There is no such model, or its commit can't be known.
    """
    is_folder = Path(model_source(name)).is_dir()
    given = None if is_folder else hub_id(name)
    return None if given is None else pinned(given)


def identify(name: str, adapter: Path | None = None) -> dict[str, str]:
    """What identifies a model and its adapter, without loading them: the hash of its files, or the Hub's commit.

    Raises:
        InputError: There is no such model or adapter, or its commit can't be known.
    """
    given = checkpoint(name)
    source = Path(model_source(name))
    found = {"model": _hash_made(source) if given is None else f"{given.repository}@{given.revision}"}
    if adapter is not None:
        found["adapter"] = _hash_made(adapter_folder(adapter))
    return found


def _hash_made(folder: Path) -> str:
    """The hash of a folder's files, which are as the run that made them sealed them, if a run says so."""
    for run in map(RunFolder, _runs_of(folder)):
        kind = _kind_of_run(run.path)
        if kind in (FINETUNE, PRETRAINING):
            try:
                _check_made(run, kind, folder, _stats(folder))
            except InputError as error:
                if folder != EMBEDDED_FOLDER:
                    raise
                raise InputError(f"the embedded model is not as it came: {error}; install evensight again") from error
    return _hash_folder(folder)


def _runs_of(folder: Path) -> tuple[Path, ...]:
    """Where the manifest of the run may be that made a model or an adapter."""
    return (folder, folder.parent) if folder.name in _MADE_FOLDERS else (folder,)


def _kind_of_run(folder: Path) -> str | None:
    path = folder / MANIFEST_NAME
    return str(read_json(path, "manifest").get("kind")) if path.is_file() else None


@lru_cache(maxsize=64)
def _check_made(run: RunFolder, kind: str, folder: Path, _stats: "_Stats") -> None:
    """Checks a folder's files against its run's manifest, once as long as they don't change."""
    manifest = run.manifest(kind)
    below = folder.relative_to(run.path)
    files = {name: known for name, known in manifest.files.items() if Path(name).is_relative_to(below)}
    run.check_files(replace(manifest, files=files))


def _hash_folder(folder: Path) -> str:
    """The hash of a folder's files; of files that haven't changed since, it is remembered."""
    return _hash_folder_once(folder, _stats(folder))


_Stats: TypeAlias = tuple[tuple[str, int, int], ...]


def _stats(folder: Path) -> _Stats:
    """Each file's path, size and time: what tells that nothing has changed."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@lru_cache(maxsize=64)
def _hash_folder_once(folder: Path, _stats: _Stats) -> str:
    return hash_json(hash_files(folder))


def adapter_folder(path: Path) -> Path:
    """The PEFT folder of an adapter, given it or the fine-tuning run that made it.

    Raises:
        InputError: There is none.
    """
    if (path / MANIFEST_NAME).exists():
        run = RunFolder(path)
        run.check_files(run.manifest("finetune"))
        if (path / "model").is_dir():
            raise InputError(
                f"`{path}` trained the model itself and has no adapter: name `{path / 'model'}` as the model instead"
            )
        path /= "adapter"
    if not (path / "adapter_config.json").exists() or not (path / "adapter_model.safetensors").exists():
        pickles = (path / "adapter_model.bin").exists()
        raise InputError(
            f"`{path}` holds no whole adapter"
            + (", only one as a pickle, which can run code; convert it first" if pickles else "")
            + ": expected adapter_config.json and adapter_model.safetensors, or a finished `evensight finetune` run"
        )
    return path


def trainings_of(name: str, adapter: Path | None) -> tuple[RunManifest, ...]:
    """The manifests of the fine-tuning runs that made an adapter, the model beneath it, and what that was made of.

    An adapter or a model that somebody has copied out of its run, or merged, tells nothing.
    """
    made_by = [None if adapter is None else _training_of(adapter), _training_of_model(name)]
    found: dict[str, RunManifest] = {}
    while made_by:
        training = made_by.pop(0)
        if training is None or training.fingerprint in found:
            continue
        found[training.fingerprint] = training
        base = str(training.config.get("model"))
        before = _training_of_model(base)
        if before is not None and _hash_folder(Path(base)) == training.inputs.get("model"):
            made_by.append(before)
    return tuple(found.values())


def _training_of_model(name: str) -> RunManifest | None:
    return None if name == EMBEDDED else _training_of(Path(name))


def _training_of(folder: Path) -> RunManifest | None:
    """The manifest of the fine-tuning run that left a folder; None if it isn't known."""
    for run in _runs_of(folder):
        if _kind_of_run(run) == FINETUNE:
            return RunFolder(run).manifest(FINETUNE)
    return None


def check_base(name: str, adapter: Path) -> None:
    """Checks that an adapter was trained on this model, as far as it says on which.

    Raises:
        InputError: It was trained on another.
    """
    given = identify(name)["model"]
    if (adapter / MANIFEST_NAME).exists():
        trained_on = RunFolder(adapter).manifest("finetune").inputs.get("model", "")
        if _kind(trained_on) == _kind(given) != "name" and given != trained_on:
            raise InputError(
                f"the adapter `{adapter}` was trained on other weights than those of `{name}` "
                f"({_short(trained_on)}, not {_short(given)}): name the model that it was trained on"
            )
        return
    config = read_json(adapter_folder(adapter) / "adapter_config.json", "PEFT adapter's configuration")
    base = hub_id(str(config.get("base_model_name_or_path")))
    here = hub_id(given) if _kind(given) == "commit" else None
    if base is None or here is None:
        return
    made_for = HubId(base.repository, config.get("revision") or here.revision)
    if made_for.repository.lower() != here.repository.lower():
        raise InputError(
            f"the adapter `{adapter}` was made for `{base.repository}`, not for `{here.repository}`: name the model "
            "that it was made for, or the folder of your copy of it"
        )
    if made_for.is_pinned and made_for.revision != here.revision:
        raise InputError(
            f"the adapter `{adapter}` was made for the commit {made_for.revision} of `{base.repository}`, not for "
            f"{here.revision}: name `{base.repository}@{made_for.revision}`"
        )


def _kind(identity: str) -> str:
    """Whether it is the hash of a folder, a commit of the Hub, or, in old runs, just a name."""
    if re.fullmatch("[0-9a-f]{64}", identity):
        return "hash"
    given = hub_id(identity)
    return "commit" if given is not None and given.is_pinned else "name"


def _short(identity: str) -> str:
    return f"hash {identity[:12]}" if _kind(identity) == "hash" else identity
