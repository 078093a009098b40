"""Loading a model and its processor: the embedded one, a local folder, or a checkpoint of the Hub.

Everything goes through the Auto classes; code from a checkpoint is never run. A model is known by the hash of
its files (local) or its Hub commit, its processor by the hash of what it would save.
"""

import json
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED, EMBEDDED_FOLDER
from evensight.runs import MANIFEST_NAME, RunFolder, hash_files, hash_json, one_line, read_json


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be asked or trained.

    Attributes:
        name: What the user called it.
        model: The transformers model, with its adapter if it has one, in evaluation mode.
        processor: Its processor, padding on the left.
        hashes: What identifies `model`, `adapter` (if any) and `processor`.
    """

    name: str
    model: Any
    processor: Any
    hashes: dict[str, str]


def load(name: str, adapter: Path | None = None) -> LoadedModel:
    """Loads a model with its processor.

    Args:
        name: `embedded`, a local folder, or a Hub id.
        adapter: The folder of a fine-tuning run or of a PEFT adapter to put on it.

    Raises:
        InputError: Something that is needed is not there or can't be read; the message says what.
    """
    import torch
    import transformers

    source = model_source(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    with quiet_transformers(), _explained(name):
        processor = transformers.AutoProcessor.from_pretrained(source, trust_remote_code=False)
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            source, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not getattr(processor, "chat_template", None):
        raise InputError(f"`{name}` has no processor with a chat template: expected a chat model that takes images")
    tokenizer.padding_side = "left"
    if adapter is not None:
        _check_base(name, adapter)
        model = _with_adapter(model, adapter)
    hashes = identify(name, adapter) | {"processor": processor_hash(processor)}
    if not Path(source).is_dir():
        hashes["model"] = f"{name}@{getattr(model.config, '_commit_hash', None) or 'unknown'}"
    return LoadedModel(name, model.to(device).eval(), processor, hashes)


def model_source(name: str) -> str:
    """Where `from_pretrained` finds the model of that name.

    Raises:
        InputError: It is a local folder without a model in it.
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
        if name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise InputError(f"the model `{name}` is not there: expected `{EMBEDDED}`, a folder, or a Hub id")
        return name
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


def identify(name: str, adapter: Path | None = None) -> dict[str, str]:
    """The hashes of a model's and its adapter's files, without loading them; a Hub id stands for itself."""
    source = Path(model_source(name))
    found = {"model": _hash_folder(source) if source.is_dir() else name}
    if adapter is not None:
        found["adapter"] = _hash_folder(adapter_folder(adapter))
    return found


def _hash_folder(folder: Path) -> str:
    """The hash of a folder's files; of files that haven't changed since, it is remembered."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _hash_folder_once(folder, stats)


@lru_cache(maxsize=64)
def _hash_folder_once(folder: Path, _stats: tuple[tuple[str, int, int], ...]) -> str:
    return hash_json(hash_files(folder))


def _check_base(name: str, adapter: Path) -> None:
    """Checks that an adapter was trained on these weights, where its run says on which.

    Raises:
        InputError: It was trained on others.
    """
    if not (adapter / MANIFEST_NAME).exists():
        return
    trained_on, given = RunFolder(adapter).manifest("finetune").inputs.get("model", ""), identify(name)["model"]
    are_hashes = all(re.fullmatch("[0-9a-f]{64}", known) for known in (trained_on, given))
    if are_hashes and given != trained_on:
        raise InputError(
            f"the adapter `{adapter}` was trained on other weights than those of `{name}`: their hashes differ; "
            "name the model that it was trained on"
        )


def adapter_folder(path: Path) -> Path:
    """The PEFT folder of an adapter, given it or the fine-tuning run that made it.

    Raises:
        InputError: There is none.
    """
    if (path / MANIFEST_NAME).exists():
        run = RunFolder(path)
        run.check_files(run.manifest("finetune"))
        path /= "adapter"
    if not (path / "adapter_config.json").exists() or not (path / "adapter_model.safetensors").exists():
        raise InputError(
            f"`{path}` holds no whole adapter: expected adapter_config.json and adapter_model.safetensors, "
            "or a finished `evensight finetune` run"
        )
    return path


def processor_hash(processor: Any) -> str:
    """The hash of all that a processor would save: sizes, normalisation, vocabulary, chat template."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        return hash_json(hash_files(Path(folder)))


def _with_adapter(model: Any, path: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    folder = adapter_folder(path)
    config = read_json(folder / "adapter_config.json", "PEFT adapter's configuration")
    try:
        with quiet_transformers():
            loaded = PeftModel.from_pretrained(model, str(folder))
    except (ValueError, RuntimeError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise InputError(
            f"the adapter `{path}` does not fit the model: it was made for "
            f"`{config.get('base_model_name_or_path')}` ({one_line(error)})"
        ) from error
    return loaded


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' warnings and bars off the screen; ours is the only progress that shows."""
    import transformers

    bars = transformers.utils.logging.is_progress_bar_enabled()
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    hub = logging.getLogger("huggingface_hub")
    hub_level = hub.level
    hub.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
            yield
    finally:
        transformers.logging.set_verbosity(level)
        hub.setLevel(hub_level)
        if bars:
            transformers.utils.logging.enable_progress_bar()


@contextmanager
def writing_weights() -> Iterator[None]:
    """Has a disk that can't be written to raise an OSError, which safetensors doesn't."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise OSError(one_line(error)) from error


@contextmanager
def _explained(name: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except ImportError as error:
        raise InputError(f"the model `{name}` needs a package that is missing: {one_line(error)}") from error
    except (OSError, ValueError, KeyError, json.JSONDecodeError, SafetensorError, RuntimeError) as error:
        if "video processor" in str(error) and find_spec("torchvision") is None:
            raise InputError(
                f"the processor of the model `{name}` needs torchvision: install the one that fits your torch"
            ) from error
        raise InputError(f"the model `{name}` can't be loaded: {one_line(error)}") from error
