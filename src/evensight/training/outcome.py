"""What a fine-tuning leaves: a plain PEFT folder, or a plain model folder, each with its card."""

from pathlib import Path
from typing import Any

from evensight.models.loading import quiet_transformers, writing_weights
from evensight.runs import atomic_folder, write_text
from evensight.training.card import Card


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
