"""Fine-tuning a model on a set of examples by LoRA: a run folder with a plain PEFT adapter in it.

Only the components that are named are adapted, by default the attention of the language model, as in the paper;
the table of trained parameters by component stands in the manifest.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from pydantic import Field

from evensight import __version__
from evensight.datasets.examples import ExampleSet
from evensight.models.families import linear_layers, parameter_table
from evensight.models.loading import LoadedModel, identify, load, model_source, quiet_transformers, writing_weights
from evensight.runs import RunFolder, RunManifest, atomic_folder, fingerprint, hash_files, read_json, write_text
from evensight.settings import checked
from evensight.training.trainer import TrainingConfig, train


class FinetuneConfig(TrainingConfig):
    """What to adapt, and how.

    Attributes:
        lora_rank: The adapters' rank, r.
        lora_alpha: Their scale is alpha / r.
        components: Which parts of the model are adapted: `language`, `projector`, `vision`.
        layers: The names of the linear layers that are adapted in them; empty for all.
    """

    lora_rank: int = Field(32, ge=1)
    lora_alpha: int = Field(64, ge=1)
    components: tuple[str, ...] = Field(("language",), min_length=1)
    layers: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")


SETTINGS_NAME = "evensight_finetune.json"
"""The file in a model's folder that holds the settings which serve it better than the defaults."""


def config_for(model_name: str, overrides: Mapping[str, Any], where: str) -> FinetuneConfig:
    """The settings for a model: what is given, else what its folder recommends, else the defaults.

    Raises:
        InputError: A setting is not known or out of range.
    """
    path = Path(model_source(model_name)) / SETTINGS_NAME
    recommended = read_json(path, "model's fine-tuning settings") if path.exists() else {}
    return checked(FinetuneConfig, {**recommended, **overrides}, where)


def finetune(
    model_name: str,
    examples: ExampleSet,
    config: FinetuneConfig,
    out: Path,
    *,
    replace: bool = False,
) -> RunManifest:
    """Fine-tunes a model and leaves a run folder: `adapter/`, `losses.csv`, `manifest.json`.

    A folder that holds the whole result of just this run is left as it is.

    Args:
        model_name: What `models.loading.load` loads.
        examples: What to learn from.
        config: What to adapt, and how.
        out: The run folder.
        replace: Whether a finished run of another configuration there may be thrown away.

    Raises:
        InputError: The model can't be loaded, a component isn't there, or the folder isn't free.
    """
    folder = RunFolder(out)
    settings = {"model": model_name, "data": dict(examples.info.config), **config.model_dump(mode="json")}
    inputs = identify(model_name) | {"data": examples.hash}
    with folder.locked():
        if folder.is_done("finetune", settings, inputs):
            return folder.manifest("finetune")
        loaded = load(model_name)
        adapted = _adapted(loaded, config)
        folder.begin("finetune", fingerprint("finetune", settings, inputs), replace=replace)
        losses = train(adapted, loaded.processor, examples, config, f"fine-tuning on {examples.info.name}")
        with atomic_folder(out / "adapter") as adapter, quiet_transformers(), writing_weights():
            adapted.save_pretrained(adapter)
            write_text(adapter / "README.md", _card(model_name, examples, config, losses))
        rows = "".join(f"{step},{loss!r}\n" for step, loss in enumerate(losses, start=1))
        write_text(out / "losses.csv", "step,loss\n" + rows)
        facts = {
            "n_examples": len(examples),
            "n_steps": len(losses),
            "final_loss": losses[-1],
            "parameters": parameter_table(adapted),
            "model": loaded.hashes["model"],
            "processor": loaded.hashes["processor"],
        }
        manifest = RunManifest("finetune", settings, inputs, hash_files(out), facts)
        folder.seal(manifest)
        return manifest


def _adapted(loaded: LoadedModel, config: FinetuneConfig) -> Any:
    names = [name for part in config.components for name in linear_layers(loaded.model, part, config.layers)]
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        init_lora_weights="gaussian",
        target_modules=names,
        task_type="CAUSAL_LM",
    )
    with quiet_transformers():
        adapted = get_peft_model(loaded.model, lora)
    # PEFT keeps the names in a set, whose order differs between processes: sorted, the same run has the same bytes.
    adapted.peft_config["default"].target_modules = sorted(names)
    adapted.peft_config["default"].base_model_name_or_path = loaded.name  # and not where this machine has it
    return adapted


def _card(model_name: str, examples: ExampleSet, config: FinetuneConfig, losses: list[float]) -> str:
    settings = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in config.model_dump().items())
    return f"""\
---
base_model: {json.dumps(model_name)}
library_name: peft
tags: [evensight, lora]
---
# A LoRA adapter for `{model_name}`

Fine-tuned by evensight {__version__} on `{examples.info.name}`: {len(examples):,} questions where an object is, in
{len(losses):,} steps; the last step's loss was {losses[-1]:.4f}. The data's and the model's hashes, the versions and
the table of trained parameters stand in the run's manifest.json, beside this folder.

| setting | value |
|---|---|
{settings}
"""
