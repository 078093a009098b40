"""lmms-eval: a task's folder (its YAML, its `utils.py`, a Parquet), to be named by `--include_path`.

`utils.py` scores with evensight's own parser, so evensight is installed beside lmms-eval: `lmms_eval_task`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.llamafactory import dataset_name
from evensight.exchange.exports.pictures import picture_name
from evensight.exchange.exports.rows import PICTURE, schema, write_rows
from evensight.runs import write_text

DATA_NAME = "data.parquet"
UTILS_NAME = "utils.py"

_COLUMNS = {
    "id": pa.string(),
    "image": PICTURE,
    "picture": pa.string(),
    "task": pa.string(),
    "question": pa.string(),
    "options": pa.list_(pa.string()),
    "answer": pa.string(),
    "cell": pa.string(),
    "area": pa.string(),
    "box_xyxy_px": pa.list_(pa.float64()),
    "frame_wh_px": pa.list_(pa.int32()),
}

_YAML = """# {n} questions, made by evensight. Their scoring needs evensight beside lmms-eval (pip install evensight).
#   lmms-eval --include_path THIS_FOLDER --tasks {task} --model ... --batch_size 1
task: {task}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: answer
process_results: !function utils.process_results
generation_kwargs:
  max_new_tokens: 16
  do_sample: false
  temperature: 0
cluster_key: picture
score_key: score
metric_list:
  - metric: accuracy
    aggregation: !function utils.accuracy
    higher_is_better: true
  - metric: invalid
    aggregation: !function utils.accuracy
    higher_is_better: false
  - metric: worst_cell
    aggregation: !function utils.worst_cell
    higher_is_better: true
metadata:
  - version: 1.0
"""

_UTILS = '''"""What the task beside this file calls; evensight's own parser does the scoring."""

try:
    from evensight.exchange.exports.lmms_eval_task import (  # noqa: F401 - the YAML names them
        accuracy,
        doc_to_text,
        doc_to_visual,
        process_results,
        worst_cell,
    )
except ImportError as error:
    raise ImportError("evensight scores this task: install it beside lmms-eval (pip install evensight)") from error
'''


def write(examples: ExampleSet, out: Path) -> dict[str, Any]:
    """Writes the task's YAML, its `utils.py` and its Parquet into the folder."""
    task = dataset_name(examples.info.name)
    write_rows(out / DATA_NAME, schema(_COLUMNS), _rows(examples), len(examples))
    write_text(out / UTILS_NAME, _UTILS)
    write_text(out / f"{task}.yaml", _YAML.format(n=len(examples), task=task, data=DATA_NAME))
    return {"data": DATA_NAME, "task": task}


def _rows(examples: ExampleSet) -> Iterator[tuple[dict[str, Any], int]]:
    for index in range(len(examples)):
        encoded = examples.encoded(index)
        yield _row(examples[index], encoded), len(encoded)


def _row(example: Example, encoded: bytes) -> dict[str, Any]:
    return {
        "id": example.id,
        "image": {"bytes": encoded, "path": picture_name(example.id, encoded)},
        "picture": hashlib.sha256(encoded).hexdigest()[:16],
        "task": example.question.task,
        "question": example.question.text,
        "options": list(example.question.options),
        "answer": example.question.answer,
        "cell": f"{example.cell.row},{example.cell.col}",
        "area": example.area,
        "box_xyxy_px": list(example.box.xyxy_px),
        "frame_wh_px": [example.frame.width_px, example.frame.height_px],
    }
