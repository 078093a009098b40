"""lmms-eval: a task's folder (its YAML, its `utils.py`, a Parquet), to be named by `--include_path`.

`utils.py` scores with evensight's own parser, so evensight is installed beside lmms-eval: `lmms_eval_task`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from evensight.annotations import AREAS
from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.llamafactory import dataset_name
from evensight.exchange.exports.lmms_eval_task import area_metric
from evensight.exchange.exports.pictures import picture_name
from evensight.exchange.exports.rows import PICTURE, schema, write_rows
from evensight.exchange.question_rows import MAX_NEW_TOKENS, question_row
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
  max_new_tokens: {max_new_tokens}
  do_sample: false
  temperature: 0
cluster_key: picture
score_key: score
metric_list:
{metrics}metadata:
  - version: 2.0
"""

_METRIC = """  - metric: {name}
    aggregation: !function utils.{aggregation}
    higher_is_better: {higher_is_better}
"""

_METRICS = (
    ("accuracy", "accuracy", True),
    ("invalid", "accuracy", False),
    ("cell_std", "cell_std", False),
    ("cell_std_true", "cell_std_true", False),
    ("worst_cell", "worst_cell", True),
    *((area_metric(area), "accuracy", True) for area in AREAS),
)
"""Each metric, its aggregation, and whether more is better; an area is reported if it was asked about."""

_UTILS = '''"""What the task beside this file calls; evensight's own parser does the scoring."""

try:
    from evensight.exchange.exports.lmms_eval_task import (  # noqa: F401 - the YAML names them
        accuracy,
        cell_std,
        cell_std_true,
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
    write_text(out / f"{task}.yaml", _yaml(task, len(examples)))
    return {"data": DATA_NAME, "task": task}


def _yaml(task: str, n: int) -> str:
    metrics = "".join(
        _METRIC.format(name=name, aggregation=aggregation, higher_is_better=str(is_better).lower())
        for name, aggregation, is_better in _METRICS
    )
    return _YAML.format(n=n, task=task, data=DATA_NAME, max_new_tokens=MAX_NEW_TOKENS, metrics=metrics)


def _rows(examples: ExampleSet) -> Iterator[tuple[dict[str, Any], int]]:
    for index in range(len(examples)):
        encoded = examples.encoded(index)
        yield _row(examples[index], encoded), len(encoded)


def _row(example: Example, encoded: bytes) -> dict[str, Any]:
    picture = {"bytes": encoded, "path": picture_name(example.id, encoded)}
    return {**question_row(example, encoded), "image": picture}
