"""What a fine-tuning leaves: a plain PEFT folder, or a plain model folder, each with its card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight import __version__
from evensight.datasets.examples import ExampleSet
from evensight.models.loading import quiet_transformers, writing_weights
from evensight.runs import atomic_folder, write_text
from evensight.training.methods import FinetuneConfig
from evensight.training.trainer import Fitted
from evensight.training.validation import ACCURACY, PERPLEXITY


@dataclass(frozen=True)
class Card:
    """What the README of an adapter or model says.

    Attributes:
        model_name: What was fine-tuned.
        examples: On what.
        config: How.
        learned: The end of the sentence that says how far.
    """

    model_name: str
    examples: ExampleSet
    config: FinetuneConfig
    learned: str

    @property
    def text(self) -> str:
        """The README."""
        is_full = self.config.method == "full"
        settings = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in self.config.model_dump().items())
        library, what = ("transformers", "A fine-tuned") if is_full else ("peft", "A LoRA adapter for")
        return f"""\
---
base_model: {json.dumps(self.model_name)}
library_name: {library}
tags: [evensight, {self.config.method}]
---
# {what} `{self.model_name}`

Fine-tuned by evensight {__version__} on `{self.examples.info.name}`: {len(self.examples):,} questions where an \
object is, {self.learned}. The data's and the model's hashes, the versions and
the table of trained parameters stand in the run's manifest.json, beside this folder.

| setting | value |
|---|---|
{settings}
"""


def learned(fitted: Fitted) -> str:
    """How far a training came, as the end of a sentence."""
    text = f"in {len(fitted.losses):,} steps; the last step's loss was {fitted.losses[-1]:.4f}"
    best = [entry for entry in fitted.validations if entry["step"] == fitted.best_step]
    if not best:
        return text
    return (
        f"{text}; these are the weights after step {fitted.best_step:,}, whose perplexity on validation examples was "
        f"the lowest, {best[0][PERPLEXITY]:.4f}, with {100 * best[0][ACCURACY]:.1f} % of the answers right"
    )


def save_adapter(adapted: Any, path: Path, card: Card, state_dict: Any = None) -> None:
    """Saves a PEFT model's adapter with its card, whole or not at all."""
    with atomic_folder(path) as folder, quiet_transformers(), writing_weights():
        # Embeddings are never adapted; asked to find out itself, PEFT looks for the base model on the Hub.
        adapted.save_pretrained(folder, save_embedding_layers=False, state_dict=state_dict)
        write_text(folder / "README.md", card.text)


def save_model(model: Any, processor: Any, path: Path, card: Card, state_dict: Any = None) -> None:
    """Saves a model with its processor and its card, whole or not at all."""
    with atomic_folder(path) as folder, quiet_transformers(), writing_weights():
        model.save_pretrained(folder, state_dict=state_dict)
        processor.save_pretrained(folder)
        write_text(folder / "README.md", card.text)
