"""Asking a model every question of a set: a run folder with the results table, resumed where it stopped.

The questions go in chunks; each chunk's rows are a file of its own, written whole, so a run that was killed goes
on with the first chunk that is missing, and ends with the same table.
"""

import hashlib
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replace_fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evensight.annotations import AREAS
from evensight.datasets.examples import Example, ExampleSet
from evensight.evaluation.results import RESULTS_NAME, Results, result_row, schema
from evensight.evaluation.summary import summarise
from evensight.models.cores import cores_left_for
from evensight.models.loading import LoadedModel, identify, load
from evensight.models.predict import MAX_NEW_TOKENS, Predictor
from evensight.progress import progress
from evensight.runs import RunFolder, RunManifest, atomic_file, fingerprint, hash_files, write_json

BATCHES_PER_CHUNK = 8
PICTURES_PER_AREA = 3
_PARTS = ".parts"
_PICTURE_PX = 336


def evaluate(
    model_name: str,
    adapter: Path | None,
    examples: ExampleSet,
    out: Path,
    batch_size: int,
    *,
    replace: bool = False,
) -> RunManifest:
    """Asks a model every question and leaves a run folder.

    The folder holds `results.parquet`, `summary.json`, `pictures/` (of a few questions, the same ones for every
    model) and `manifest.json`. A folder that holds the whole result of just this run is left as it is.

    Args:
        model_name: What `models.loading.load` loads.
        adapter: The adapter's folder, or the fine-tuning run that made it.
        examples: What is asked.
        out: The run folder.
        batch_size: How many questions are asked at a time.
        replace: Whether a finished run of another configuration there may be thrown away.

    Raises:
        InputError: The model or the adapter can't be loaded, or the folder isn't free.
    """
    folder = RunFolder(out)
    config = {
        "model": model_name,
        "data": dict(examples.info.config),
        "batch_size": batch_size,
        "max_new_tokens": MAX_NEW_TOKENS,
        "decoding": "greedy",
    }
    inputs = identify(model_name, adapter) | {"data": examples.hash}
    with folder.locked():
        if not folder.is_done("evaluation", config, inputs):
            loaded = load(model_name, adapter)
            folder.begin("evaluation", fingerprint("evaluation", config, inputs), replace=replace)
            provenance = {
                "model": model_name,
                "adapter": inputs.get("adapter"),
                "processor": loaded.hashes["processor"],
                "batch_size": batch_size,
            }
            with cores_left_for(1):
                table = _ask(Predictor(loaded), examples, out / _PARTS, batch_size, provenance)
            unsealed = RunManifest("evaluation", config, inputs, {}, _facts(examples, loaded))
            folder.seal(_write(Results(out, unsealed, table), examples))
        shutil.rmtree(out / _PARTS, ignore_errors=True)
        return folder.manifest("evaluation")


def _facts(examples: ExampleSet, loaded: LoadedModel) -> dict[str, Any]:
    """What the manifest says of the set that was asked and of the model."""
    info = examples.info
    return {
        "set": info.name,
        "n": len(examples),
        "grid": [info.grid.rows, info.grid.cols],
        "factors": list(info.factors),
        "balanced": [list(pair) for pair in info.balanced],
        "notes": dict(info.notes),
        "of_photos": info.of_photos,
        "prior": None if info.prior is None else dict(info.prior),
        "model": loaded.hashes["model"],
        "processor": loaded.hashes["processor"],
    }


def _write(results: Results, examples: ExampleSet) -> RunManifest:
    """Writes the table, its figures and the pictures; gives the manifest that seals them."""
    with atomic_file(results.path / RESULTS_NAME) as path:
        pq.write_table(results.table, path, compression="zstd")
    write_json(results.path / "summary.json", summarise(results).as_json())
    _save_pictures(examples, results.path / "pictures")
    return replace_fields(results.manifest, files=hash_files(results.path))


def _ask(
    predictor: Predictor, examples: ExampleSet, parts: Path, batch_size: int, provenance: dict[str, Any]
) -> pa.Table:
    """The whole results table; chunks that are there already are not asked again."""
    columns = schema(examples.info.factors)
    chunk_size = BATCHES_PER_CHUNK * batch_size
    tables = []
    with progress(f"asking {examples.info.name}", len(examples), "questions") as advance:
        for k, start in enumerate(range(0, len(examples), chunk_size)):
            indices = range(start, min(start + chunk_size, len(examples)))
            path = parts / f"part-{k:05d}.parquet"
            if not path.exists():
                rows = []
                for asked, images in _prefetched(examples, _batches(indices, batch_size)):
                    answers = predictor.answer(images, [example.question.text for example in asked])
                    rows += [
                        result_row(example, raw, provenance) for example, raw in zip(asked, answers, strict=True)
                    ]
                    advance(len(asked))
                with atomic_file(path) as temporary:
                    pq.write_table(pa.Table.from_pylist(rows, schema=columns), temporary, compression="zstd")
            else:
                advance(len(indices))
            tables.append(pq.read_table(path))
    return pa.concat_tables(tables)


def _batches(indices: range, batch_size: int) -> Iterator[range]:
    return (indices[start : start + batch_size] for start in range(0, len(indices), batch_size))


def _prefetched(examples: ExampleSet, batches: Iterator[range]) -> Iterator[tuple[list[Example], list[Image.Image]]]:
    """Each batch's examples and images; the next batch is made while this one is used."""

    def make(batch: range) -> tuple[list[Example], list[Image.Image]]:
        return [examples[index] for index in batch], [examples.image(index) for index in batch]

    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(make, batch) for batch in islice(batches, 1))
        while coming:
            coming.extend(pool.submit(make, batch) for batch in islice(batches, 1))
            yield coming.popleft().result()


def _save_pictures(examples: ExampleSet, folder: Path) -> None:
    """Keeps the pictures of a few questions of each area, chosen by their ids alone, for the report."""
    order = sorted(range(len(examples)), key=lambda k: hashlib.sha256(examples[k].id.encode()).digest())
    areas = [examples[k].area for k in order]
    chosen = [
        k for area in AREAS for k in [k for k, of in zip(order, areas, strict=True) if of == area][:PICTURES_PER_AREA]
    ]
    for k in chosen:
        picture = examples.image(k)
        picture.thumbnail((_PICTURE_PX, _PICTURE_PX))
        is_drawn = examples.encoded(k).startswith(b"\x89PNG")
        with atomic_file(folder / f"{examples[k].id}.{'png' if is_drawn else 'jpg'}") as path:
            picture.save(path, "PNG") if is_drawn else picture.save(path, "JPEG", quality=80)
