"""Loading a model and its processor: the embedded one, a local folder, or a checkpoint of the Hub.

Everything goes through the Auto classes; code from a checkpoint is run only if the user allows it and names the
commit (`hub.code_allowed`). A model is known by the hash of its files (local) or its Hub commit, its processor by the
hash of what it would save.
"""

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evensight.errors import InputError, is_lack_of_memory
from evensight.models.families import Family, family_of
from evensight.models.hub import HubId, hub_id, may_run_code, names_code
from evensight.models.identity import adapter_folder, check_base, checkpoint, identify, model_source
from evensight.runs import hash_files, hash_json, one_line, read_json

__all__ = [
    "LoadedModel",
    "adapter_folder",
    "identify",
    "load",
    "merged",
    "model_source",
    "processor_hash",
    "quiet_transformers",
    "writing_weights",
]


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

    @property
    def base(self) -> str:
        """What an adapter for it names as its base model: its name, without a revision, as PEFT expects it."""
        return self.name if self.checkpoint is None else self.checkpoint.repository

    @property
    def checkpoint(self) -> HubId | None:
        """The Hub's repository with the commit that was loaded; None for a folder."""
        return hub_id(self.hashes["model"])

    @property
    def family(self) -> Family:
        """What is known of its family."""
        return family_of(self.model.config.model_type)


def load(name: str, adapter: Path | None = None, *, in_4_bits: bool = False) -> LoadedModel:
    """Loads a model with its processor: onto the GPU in bfloat16 if there is one, else in float32.

    Args:
        name: `embedded`, a local folder, or a Hub id (`OWNER/NAME` or `OWNER/NAME@REVISION`).
        adapter: The folder of a fine-tuning run or of a PEFT adapter to put on it.
        in_4_bits: Whether its linear layers are kept in 4 bits (NF4), as QLoRA has it.

    Raises:
        InputError: Something that is needed is not there or can't be read; the message says what.
    """
    import torch

    from evensight.models.packed_vision import pack_vision
    from evensight.models.shared_heads import copy_shared_heads

    copy_shared_heads()
    source, given = model_source(name), checkpoint(name)
    allow_code = may_run_code(name, given and hub_id(name))  # by what the user named, not by what it stands for today
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    how = _four_bits() if in_4_bits else {"dtype": dtype}
    with quiet_transformers(), _explained(name, source, given, allow_code):
        model, processor = _from_pretrained(name, source, given, allow_code, how)
        if not in_4_bits:  # which are put where they belong while they are loaded
            model = model.to(device)
    if family_of(model.config.model_type).packs:
        pack_vision(model)
    if adapter is not None:
        check_base(name, adapter)
        model = _with_adapter(model, adapter)
    hashes = identify(name, adapter) | {"processor": processor_hash(processor)}
    return LoadedModel(name, model.eval(), processor, hashes)


def merged(loaded: LoadedModel) -> LoadedModel:
    """The model with its adapter added to its weights, which makes it as fast as one without.

    Only in float32, where that changes the last bits alone: in 16 bits most of what a small adapter adds to a weight
    would be rounded away, and weights in 4 bits can't be added to. Others come back as they are.
    """
    import torch

    if "adapter" not in loaded.hashes or {one.dtype for one in loaded.model.parameters()} != {torch.float32}:
        return loaded
    return replace(loaded, model=loaded.model.merge_and_unload().eval())


def _four_bits() -> dict[str, Any]:
    """How `from_pretrained` loads a model for QLoRA.

    Raises:
        InputError: It can't be done here.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise InputError("the method `qlora` needs the package bitsandbytes: install it, or use the method `lora`")
    if not torch.cuda.is_available():
        raise InputError("the method `qlora` needs a GPU, and torch sees none: use the method `lora`")
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    place = {"": torch.cuda.current_device()}
    return {"dtype": torch.bfloat16, "quantization_config": quantisation, "device_map": place}


def _from_pretrained(
    name: str, source: str, given: HubId | None, allow_code: bool, how: Mapping[str, Any]
) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForImageTextToText

    from evensight.models.processors import load_processor
    from evensight.models.prompts import check_template

    pinned = {} if given is None else {"revision": given.revision}
    if allow_code and given is not None:
        pinned["code_revision"] = given.revision
    config = AutoConfig.from_pretrained(source, trust_remote_code=allow_code, **pinned)
    _check_kind(name, config, allow_code)
    processor = load_processor(name, source, config, trust_remote_code=allow_code, **pinned)
    check_template(name, processor, config)
    model = AutoModelForImageTextToText.from_pretrained(
        source, use_safetensors=True, trust_remote_code=allow_code, **pinned, **how
    )
    return model, processor


def _check_kind(name: str, config: Any, allow_code: bool) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    if config.model_type not in KNOWN and not (allow_code and getattr(config, "auto_map", None)):
        raise InputError(
            f"`{name}` is a `{config.model_type}`, which takes no images: expected a model that answers questions "
            "about an image (`evensight models list`)"
        )


def processor_hash(processor: Any) -> str:
    """The hash of all that a processor would save: sizes, normalisation, vocabulary, chat template.

    What it would save of its part for videos, which is there only where torchvision is, is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        (Path(folder) / "video_preprocessor_config.json").unlink(missing_ok=True)
        path = Path(folder) / "processor_config.json"
        config = read_json(path, "processor's configuration") if path.exists() else {}
        if config.pop("video_processor", None) is not None:
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return hash_json(hash_files(Path(folder)))


def _with_adapter(model: Any, path: Path) -> Any:
    from peft import PeftModel
    from safetensors import safe_open

    folder = adapter_folder(path)
    config = read_json(folder / "adapter_config.json", "PEFT adapter's configuration")
    if config.get("megatron_config") is not None:
        raise InputError(
            f"the adapter `{path}` is for Megatron, and names code to run: expected one for a transformers model"
        )
    try:
        with quiet_transformers():
            loaded = PeftModel.from_pretrained(model, str(folder))
        with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
            _check_all_used(loaded, set(weights.keys()))
    except Exception as error:  # whatever PEFT makes of a configuration that isn't one
        if is_lack_of_memory(error):
            raise
        raise InputError(
            f"the adapter `{path}` does not fit the model: it was made for "
            f"`{config.get('base_model_name_or_path')}` ({one_line(error)})"
        ) from error
    return loaded


def _check_all_used(loaded: Any, saved: set[str]) -> None:
    """Checks that the adapter's weights are all in the model: PEFT starts those it misses anew, with a warning."""
    from peft import get_peft_model_state_dict

    # Left to find out whether embeddings were saved, PEFT asks the Hub for the base model.
    has_embeddings = any("embed" in name and "lora_" not in name for name in saved)
    wanted = set(get_peft_model_state_dict(loaded, save_embedding_layers=has_embeddings))
    if wanted != saved:
        raise ValueError(
            f"{len(saved - wanted)} of its weights have no place in it, {len(wanted - saved)} are missing"
        )


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
def _explained(name: str, source: str, given: HubId | None, allow_code: bool) -> Iterator[None]:
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"the model `{name}` needs a package that is missing: {one_line(error)}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError, RuntimeError) as error:
        if not allow_code and names_code(source, given):
            raise InputError(
                f"the model `{name}` needs code of its own, which is not run unless you allow it: read it, then name "
                "the commit (OWNER/NAME@COMMIT) and give --allow-code"
            ) from error
        if "safetensors" in str(error) and "pytorch_model" in str(error):
            raise InputError(
                f"the model `{name}` has no weights as safetensors; pickles, which can run code, are not read"
            ) from error
        if isinstance(error, torch.OutOfMemoryError):
            raise InputError(
                f"the GPU's memory is too small to load the model `{name}`: close what else uses it, take a smaller "
                "model, or fine-tune by the method `qlora`"
            ) from error
        raise InputError(f"the model `{name}` can't be loaded: {one_line(error)}") from error
