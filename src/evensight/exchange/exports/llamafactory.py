"""LLaMA-Factory: ShareGPT conversations, a `dataset_info.json` that names their columns and tags, and pictures.

The folder is a `dataset_dir`; LLaMA-Factory finds a picture's path below it (`media_dir`, which is that folder
unless something else is said).
"""

import re
from pathlib import Path
from typing import Any

from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.pictures import PICTURES, refuse_tags, write_pictures
from evensight.runs import write_json

DATA_NAME = "data.json"
INFO_NAME = "dataset_info.json"

_TAGS = ("<image>", "<video>", "<audio>")


def write(examples: ExampleSet, out: Path) -> dict[str, Any]:
    """Writes the pictures, the conversations and the entry of `dataset_info.json` into the folder."""
    pictures = write_pictures(examples, out / PICTURES)
    write_json(out / DATA_NAME, [_row(example, name) for example, name in zip(examples, pictures, strict=True)])
    dataset = dataset_name(examples.info.name)
    entry = {
        "file_name": DATA_NAME,
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "images": "images"},
        "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
    }
    write_json(out / INFO_NAME, {dataset: entry})
    return {"data": DATA_NAME, "dataset": dataset, "n_pictures": len(set(pictures))}


def dataset_name(name: str) -> str:
    """The set's name as one that can stand in LLaMA-Factory's comma-separated `dataset`."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", f"evensight_{name}")


def _row(example: Example, picture: str) -> dict[str, Any]:
    refuse_tags(example, _TAGS)
    return {
        "id": example.id,
        "conversations": [
            {"from": "human", "value": f"<image>{example.question.text}"},
            {"from": "gpt", "value": example.question.answer},
        ],
        "images": [f"{PICTURES}/{picture}"],
    }
