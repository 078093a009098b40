"""TRL: a Parquet of conversational prompt and completion, with the pictures inside.

With `prompt` and `completion` TRL puts the loss on the answer and the end of its turn alone; with `messages` it
would put it on everything, the picture's placeholders included.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.pictures import picture_name
from evensight.exchange.exports.rows import PICTURE, schema, write_rows
from evensight.runs import write_text

DATA_NAME = "train-00000-of-00001.parquet"

_MESSAGES = pa.list_(
    pa.struct([
        ("role", pa.string()),
        ("content", pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))),
    ])
)  # fmt: skip
_COLUMNS = {"id": pa.string(), "prompt": _MESSAGES, "completion": _MESSAGES, "images": pa.list_(PICTURE)}

_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: {data}
---

# {name}

{n} questions about pictures, each with its right answer, made by evensight, as TRL's `prompt` and `completion`
with `images`:

```python
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

data = load_dataset("parquet", data_files="{data}", split="train")
SFTTrainer(model, args=SFTConfig(max_length=None), train_dataset=data).train()
```

`max_length=None` is needed: TRL cuts at 1,024 tokens by default, through a picture's placeholders if it must. And
the chat template should put nothing after the token that ends the assistant's turn: what stands there is trained.
"""


def write(examples: ExampleSet, out: Path) -> dict[str, Any]:
    """Writes the Parquet and a dataset card into the folder."""
    write_rows(out / DATA_NAME, schema(_COLUMNS), _rows(examples), len(examples))
    write_text(out / "README.md", _CARD.format(name=examples.info.name, n=len(examples), data=DATA_NAME))
    return {"data": DATA_NAME}


def _rows(examples: ExampleSet) -> Iterator[tuple[dict[str, Any], int]]:
    for index in range(len(examples)):
        encoded = examples.encoded(index)
        yield _row(examples[index], encoded), len(encoded)


def _row(example: Example, encoded: bytes) -> dict[str, Any]:
    asked = [{"type": "image", "text": None}, {"type": "text", "text": example.question.text}]
    answered = [{"type": "text", "text": example.question.answer}]
    return {
        "id": example.id,
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": answered}],
        "images": [{"bytes": encoded, "path": picture_name(example.id, encoded)}],
    }
