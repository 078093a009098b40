"""ms-swift: a line of JSON an example with `messages` and `images`, and pictures.

The pictures' paths are given below the folder, so that it can be moved; ms-swift finds them with the environment
variable `ROOT_IMAGE_DIR` set to the folder, or when it runs there.
"""

import json
from pathlib import Path
from typing import Any

from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.pictures import PICTURES, refuse_tags, write_pictures
from evensight.runs import write_text

DATA_NAME = "data.jsonl"

_TAGS = ("<image>", "<video>", "<audio>", "<bbox>", "<ref-object>")


def write(examples: ExampleSet, out: Path) -> dict[str, Any]:
    """Writes the pictures and the lines into the folder."""
    pictures = write_pictures(examples, out / PICTURES)
    lines = (_line(example, name) for example, name in zip(examples, pictures, strict=True))
    write_text(out / DATA_NAME, "".join(lines))
    return {"data": DATA_NAME, "n_pictures": len(set(pictures))}


def _line(example: Example, picture: str) -> str:
    refuse_tags(example, _TAGS)
    row = {
        "messages": [
            {"role": "user", "content": f"<image>{example.question.text}"},
            {"role": "assistant", "content": example.question.answer},
        ],
        "images": [f"{PICTURES}/{picture}"],
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
