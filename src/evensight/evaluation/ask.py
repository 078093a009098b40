"""Asking a model every question of a set: a run folder with the results table, resumed where it stopped.

The questions go in chunks; each chunk's rows are a file of its own, written whole, so a run that was killed goes
on with the first chunk that is missing, and ends with the same table.

A set of photographs is asked again with the wrong photo under each question, unless the caller wants other controls:
what a model reaches there it reaches from the words alone.
"""

import hashlib
import shutil
from collections import deque
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replace_fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evensight.annotations import AREAS
from evensight.datasets.controls import CONTROLS, controlled
from evensight.datasets.examples import Example, ExampleSet
from evensight.datasets.swapped import WrongPhoto
from evensight.errors import InputError, one_of
from evensight.evaluation.results import RESULTS_NAME, Results, control_file, result_row, schema
from evensight.evaluation.summary import summarise
from evensight.models.cores import cores_left_for
from evensight.models.loading import LoadedModel, identify, load
from evensight.models.predict import MAX_NEW_TOKENS, Predictor
from evensight.progress import progress
from evensight.runs import RunFolder, RunManifest, atomic_file, fingerprint, hash_files, write_json

BATCHES_PER_CHUNK = 8
PICTURES_PER_AREA = 3
CONTROLS_OF_PHOTOS = (WrongPhoto.name,)
"""What stands beside every score on photographs."""
_CONTROLS_SEED = 0
_PARTS = ".parts"
_PICTURE_PX = 336


def evaluate(
    model_name: str,
    adapter: Path | None,
    examples: ExampleSet,
    out: Path,
    batch_size: int,
    *,
    controls: Sequence[str] | None = None,
    replace: bool = False,
) -> RunManifest:
    """Asks a model every question and leaves a run folder.

    The folder holds `results.parquet`, `summary.json`, `pictures/` (of a few questions, the same ones for every
    model), the answers on the controls in `controls/`, and `manifest.json`. A folder that holds the whole result of
    just this run is left as it is.

    Args:
        model_name: What `models.loading.load` loads.
        adapter: The adapter's folder, or the fine-tuning run that made it.
        examples: What is asked.
        out: The run folder.
        batch_size: How many questions are asked at a time.
        controls: The controls that are asked as well, of `datasets.controls.CONTROLS`; None for those that belong
            beside a score: the wrong photo for sets of photographs. These are asked beside the named ones too; one
            that can't be made is left out, and the manifest says why. Empty for none at all.
        replace: Whether a finished run of another configuration there may be thrown away.

    Raises:
        InputError: The model or the adapter can't be loaded, the folder isn't free, or a control that was asked for
            isn't known or can't be made.
    """
    folder = RunFolder(out)
    names = _names(examples, controls)
    config = {
        "model": model_name,
        "data": dict(examples.info.config),
        "batch_size": batch_size,
        "max_new_tokens": MAX_NEW_TOKENS,
        "decoding": "greedy",
    }
    if names:
        config |= {"controls": list(names), "controls_seed": _CONTROLS_SEED}
    inputs = identify(model_name, adapter) | {"data": examples.hash}
    with folder.locked():
        if not folder.is_done("evaluation", config, inputs):
            sets, left_out = _controls(examples, names, frozenset(controls or ()))
            loaded = load(model_name, adapter)
            folder.begin("evaluation", fingerprint("evaluation", config, inputs), replace=replace)
            provenance = {
                "model": model_name,
                "adapter": inputs.get("adapter"),
                "processor": loaded.hashes["processor"],
                "batch_size": batch_size,
            }
            with cores_left_for(1):
                predictor = Predictor(loaded)
                table = _ask(predictor, examples, out / _PARTS, batch_size, provenance)
                tables = {
                    name: _ask(predictor, control, out / _PARTS / name, batch_size, provenance)
                    for name, control in sets.items()
                }
            noted = {name: _added_notes(control, examples) for name, control in sets.items()}
            facts = _facts(examples, loaded) | ({"controls_left_out": left_out} if left_out else {})
            facts |= {"control_notes": noted} if any(noted.values()) else {}
            unsealed = RunManifest("evaluation", config, inputs, {}, facts)
            folder.seal(_write(Results(out, unsealed, table, tables), examples))
        shutil.rmtree(out / _PARTS, ignore_errors=True)
        return folder.manifest("evaluation")


def default_controls(examples: ExampleSet) -> tuple[str, ...]:
    """The controls that belong beside a score on this set: the wrong photo for photographs that are no control."""
    return CONTROLS_OF_PHOTOS if examples.info.of_photos and "control" not in examples.info.config else ()


def _names(examples: ExampleSet, controls: Sequence[str] | None) -> tuple[str, ...]:
    """The controls to ask, each once, in the order of `CONTROLS`."""
    for name in controls or ():
        if name not in CONTROLS:
            raise one_of("the control", name, CONTROLS)
    beside = () if controls is not None and not controls else default_controls(examples)
    return tuple(name for name in CONTROLS if name in (*beside, *(controls or ())))


def _controls(
    examples: ExampleSet, names: Sequence[str], must: Set[str]
) -> tuple[dict[str, ExampleSet], dict[str, str]]:
    """The controls as sets, and why some of them can't be made; of those that `must` be that is an error."""
    made, left_out = {}, {}
    for name in names:
        try:
            made[name] = controlled(examples, name, _CONTROLS_SEED)
        except InputError as error:
            if name in must:
                raise
            left_out[name] = str(error)
    return made, left_out


def _added_notes(control: ExampleSet, examples: ExampleSet) -> dict[str, Any]:
    """What a control notes that its set doesn't: where it could not be made as it should be."""
    return {key: value for key, value in control.info.notes.items() if examples.info.notes.get(key) != value}


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
    """Writes the tables, their figures and the pictures; gives the manifest that seals them."""
    tables = {RESULTS_NAME: results.table} | {control_file(name): table for name, table in results.controls.items()}
    for name, table in tables.items():
        with atomic_file(results.path / name) as path:
            pq.write_table(table, path, compression="zstd")
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
