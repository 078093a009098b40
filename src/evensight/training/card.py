"""The README of an adapter or a model: what it is, what it learned from, how, and how far it came.

Its head is what the Hub reads. Nothing in it depends on when or where it was made but for the kind of hardware, so
the same run has the same card.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from evensight.annotations import AREAS
from evensight.audits.audit import Audit, certificate
from evensight.datasets.examples import ExampleSet
from evensight.models.hub import HubId
from evensight.models.loading import LoadedModel
from evensight.runs import versions
from evensight.training.methods import FinetuneConfig
from evensight.training.trainer import Fitted
from evensight.training.validation import ACCURACY, PERPLEXITY

_TITLES: Mapping[str, str] = {
    "lora": "A LoRA adapter for",
    "dora": "A DoRA adapter for",
    "qlora": "A LoRA adapter, trained on a base of 4 bits, for",
    "full": "A fine-tuned",
}


@dataclass(frozen=True)
class Base:
    """What was fine-tuned, as others can find it.

    Attributes:
        title: The Hub's repository, or the last part of a folder's name.
        checkpoint: The repository with its commit; None for a folder.
        identity: The commit or the hash that identifies it.
    """

    title: str
    checkpoint: HubId | None
    identity: str


def base_of(loaded: LoadedModel) -> Base:
    """The base of a loaded model; of a folder's place on this machine nothing is told."""
    found = loaded.checkpoint
    title = Path(loaded.name).resolve().name if found is None else found.repository
    return Base(title, found, loaded.hashes["model"])


@dataclass(frozen=True)
class Card:
    """What the README says.

    Attributes:
        base: What was fine-tuned.
        examples: On what.
        counted: What an audit counted in these examples; None where there are too many for it.
        config: How.
        parameters: Component -> how many `parameters` it has, and how many are `trained`.
        hardware: What it ran on.
        learned: How far it came, as the end of a sentence.
        scores: The validation of these weights; None without one.
    """

    base: Base
    examples: ExampleSet
    counted: Audit | None
    config: FinetuneConfig
    parameters: Mapping[str, Mapping[str, int]]
    hardware: str
    learned: str
    scores: Mapping[str, float] | None = None

    @property
    def text(self) -> str:
        """The README, as Markdown with its YAML head."""
        head = yaml.safe_dump(self._head(), sort_keys=False, allow_unicode=True)
        title = f"{_TITLES[self.config.method]} `{self.base.title}`"
        parts = [
            f"---\n{head}---\n# {title}\n",
            f"Fine-tuned by evensight on `{self.examples.info.name}`, {len(self.examples):,} questions, "
            f"{self.learned}.\n\nThe base is {_identified(self.base)}. The losses of all steps and the hashes of all "
            "files stand in the run's folder, above this one.\n",
            f"## Data\n\n{self._data()}",
            f"## What was trained\n\n{_table(('part', 'parameters', 'trained'), self._parts())}",
            *([] if self.scores is None else [f"## Validation\n\n{_scored(self.scores)}"]),
            f"## Recipe\n\n{_table(('setting', 'value'), self._recipe())}",
        ]
        return "\n".join(parts)

    def _head(self) -> dict[str, Any]:
        is_full = self.config.method == "full"
        base = {} if self.base.checkpoint is None else {"base_model": self.base.checkpoint.repository}
        kinds = [self.config.method] if is_full else sorted({"lora", self.config.method})
        return {
            **base,
            "library_name": "transformers" if is_full else "peft",
            "pipeline_tag": "image-text-to-text",
            "tags": ["evensight", "spatial-reasoning", *kinds],
        }

    def _data(self) -> str:
        known = f"`{self.examples.info.name}`, SHA-256 `{self.examples.hash}`."
        if self.counted is None:
            return f"{known}\n\nThere are too many questions to be counted here: `evensight audit` counts them.\n"
        areas = {area: (f"{n:,}",) for area, n in self.counted.counts.get("area", {}).items()}
        return f"{known}\n\n{certificate(self.counted).strip()}\n\n{_table(('area', 'questions'), areas)}"

    def _parts(self) -> dict[str, tuple[str, ...]]:
        return {part: (f"{row['parameters']:,}", f"{row['trained']:,}") for part, row in self.parameters.items()}

    def _recipe(self) -> dict[str, tuple[str, ...]]:
        settings = {name: json.dumps(value) for name, value in self.config.model_dump(mode="json").items()}
        rows = settings | {"hardware": self.hardware} | versions()
        return {name: (value,) for name, value in rows.items()}


def hardware(n_processes: int) -> str:
    """What a training runs on: the kind of GPU or processor, and how many of them."""
    kind = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU ({platform.machine()})"
    return f"{n_processes} x {kind}"


def learned(fitted: Fitted) -> str:
    """How far a training came, as the end of a sentence."""
    text = f"in {len(fitted.losses):,} steps; the last step's loss was {fitted.losses[-1]:.4f}"
    best = scores(fitted)
    if best is None:
        return text
    return (
        f"{text}; these are the weights after step {fitted.best_step:,}, whose perplexity on validation examples was "
        f"the lowest, {best[PERPLEXITY]:.4f}, with {100 * best[ACCURACY]:.1f} % of the answers right"
    )


def scores(fitted: Fitted) -> Mapping[str, float] | None:
    """The validation of the weights that a training ended with; None without one."""
    return next((entry for entry in fitted.validations if entry["step"] == fitted.best_step), None)


def _identified(base: Base) -> str:
    if base.checkpoint is None:
        return f"a folder whose files have the hash `{base.identity}`"
    return f"`{base.checkpoint.repository}` at the commit `{base.checkpoint.revision}`"


def _scored(figures: Mapping[str, float]) -> str:
    names = [name for name in (f"{ACCURACY}/{area}" for area in AREAS) if name in figures]
    rows = {name.rpartition("/")[2]: (f"{100 * figures[name]:.1f} %",) for name in (*names, ACCURACY)}
    rows["all"] = rows.pop(ACCURACY)
    return f"Free, greedy answers to examples that were not trained on.\n\n{_table(('area', 'right'), rows)}"


def _table(header: tuple[str, ...], rows: Mapping[str, tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *((name, *cells) for name, cells in rows.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
