"""Storing a set with Ray Data: the same shards, written by the workers of a cluster.

What is sent to a worker is how to make the set and the number of a shard; pixels are drawn where they are written.
A worker that dies takes nothing with it: Ray starts its shard again somewhere else, and a shard appears whole or
not at all (see `shards`). The folder has to be one that all workers and the caller see.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError
from evensight.progress import progress
from evensight.runs import RunManifest
from evensight.storage.card import CardNotes
from evensight.storage.formats import storing
from evensight.storage.shards import ShardStore

MakeExamples = Callable[[], ExampleSet]
"""Makes the set, on any worker the same; it has to pickle, as `functools.partial` of a module's function does."""


@dataclass(frozen=True, slots=True)
class RayJob:
    """What is to be stored, as it is sent to the workers.

    Attributes:
        make_examples: Makes the set.
        out: The folder, on a disk that all workers see.
        format_name: One of `formats.FORMATS`.
        limit: Only so many examples, from the first.
        shard_rows: How many rows a shard has; a worker takes a shard at a time.
        notes: What the card is to say that the set can't know.
    """

    make_examples: MakeExamples
    out: Path
    format_name: str = "parquet"
    limit: int | None = None
    shard_rows: int | None = None
    notes: CardNotes | None = None

    def store(self) -> ShardStore:
        """The set on its way into the folder."""
        return storing(
            self.make_examples(),
            self.out,
            self.format_name,
            self.limit,
            shard_rows=self.shard_rows,
            notes=self.notes,
        )

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Writes the shards of a batch of Ray Data's `range`; called on a worker."""
        store = self.store()
        with store.joined() as done:
            if done is None:
                for shard in batch["id"]:
                    store.write(int(shard), _silent)
        return batch


def store_with_ray(job: RayJob) -> RunManifest:
    """Stores a set on the Ray cluster that this process is connected to, or on this machine's cores.

    The folder is what storing without Ray makes of it, to the byte; shards that are there are kept.

    Raises:
        InputError: Ray isn't installed, the folder holds something else, or another process is writing it.
    """
    ray_data = _ray_data()
    job = RayJob(job.make_examples, job.out.resolve(), job.format_name, job.limit, job.shard_rows, job.notes)
    store = job.store()
    with store.joined() as done:
        if done is not None:
            return done
        missing = store.missing()
        if missing:
            _write(ray_data, job, store, missing)
        return store.complete()


def _write(ray_data: Any, job: RayJob, store: ShardStore, missing: list[int]) -> None:
    """Has the workers write the shards; a task is one shard, and one that was lost is begun again."""
    context = ray_data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False  # there is our own
    shards = ray_data.from_items([{"id": shard} for shard in missing], override_num_blocks=len(missing))
    written = shards.map_batches(job, batch_size=1, zero_copy_batch=True)
    total = sum(len(store.layout.rows(shard)) for shard in missing)
    try:
        with progress("storing with Ray", total, "examples") as advance:
            for row in written.iter_rows():
                advance(len(store.layout.rows(int(row["id"]))))
    except Exception as error:
        cause = getattr(error, "cause", None)  # a worker's error comes wrapped in Ray's
        if isinstance(cause, InputError):
            raise cause from error
        raise
    finally:
        context.enable_progress_bars = shown


def _ray_data() -> Any:
    try:
        return importlib.import_module("ray.data")
    except ImportError as error:
        raise InputError("`ray` is not installed: install it with `pip install 'evensight[ray]'`") from error


def _silent(n: int = 1, note: str = "") -> None:
    """Counts nothing: a worker's progress is its shard."""
