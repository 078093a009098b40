"""States of a whole set on the disk: read once, in whole chunks, known by a hash of all that they depend on.

Each chunk is a safetensors file of its own, written whole, and holds whole batches; so a reader that was killed
goes on with the first chunk that is missing and ends with the same bytes, and never more than a chunk is in memory.
They lie in the folder for caches, where whoever deletes them waits for them once more.
"""

import hashlib
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from evensight import __version__
from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.models.cores import cores_left_for
from evensight.models.loading import LoadedModel, writing_weights
from evensight.probing.layout import Layout, Site
from evensight.probing.reading import BatchStates, StateReader
from evensight.probing.taps import n_states
from evensight.progress import progress
from evensight.runs import atomic_file, hash_json, is_as_received, read_json, write_json

CHUNK_BYTES = 32_000_000
"""About how large a chunk is."""
_LAYOUT = "layout.json"
_LOOKED_AT = 16
"""So many examples show which positions there are."""
_THERE, _PICTURES = "there", "pictures"


@dataclass(frozen=True)
class Activations:
    """The states of a set, on the disk; one site at a time is read into memory.

    Attributes:
        folder: Where the chunks are.
        layout: What they hold.
    """

    folder: Path
    layout: Layout

    def at(self, site: Site) -> NDArray[np.float32]:
        """The states at a site, `[example, hidden]`; zeros where an example has no such position."""
        parts = [self._slice(chunk, site).float().numpy() for chunk in range(len(self.layout.chunks))]
        return np.concatenate(parts)

    def there(self, site: Site) -> NDArray[np.bool_]:
        """Whether each example has the site's position."""
        part, position = self._place(site)
        return np.concatenate([tensors[f"{part}-{_THERE}"][:, position].numpy() > 0 for tensors in self._small()])

    def pictures(self) -> NDArray[np.int64]:
        """A number for each example's picture; equal pixels have the same."""
        digests = np.concatenate([tensors[_PICTURES].numpy() for tensors in self._small()])
        return np.asarray(np.unique(digests, return_inverse=True)[1], dtype=np.int64)

    @property
    def n_bytes(self) -> int:
        """How much of the disk they take."""
        return sum(path.stat().st_size for path in self.folder.glob("chunk-*"))

    def _place(self, site: Site) -> tuple[str, int]:
        part = "vision" if site.position in self.layout.vision else "language"
        return part, getattr(self.layout, part).index(site.position)

    def _slice(self, chunk: int, site: Site) -> Tensor:
        part, position = self._place(site)
        with safe_open(chunk_path(self.folder, chunk), "pt") as file:
            states = file.get_slice(part)
            if part == "vision":
                found: Tensor = states[:, position]
            else:
                found = states[:, self.layout.states.index(site.state), position]
        return found

    def _small(self) -> Iterator[dict[str, Tensor]]:
        for chunk in range(len(self.layout.chunks)):
            with safe_open(chunk_path(self.folder, chunk), "pt") as file:
                yield {name: file.get_tensor(name) for name in file.keys() if name not in ("language", "vision")}  # noqa: SIM118


def chunk_path(folder: Path, chunk: int) -> Path:
    """The file of a chunk."""
    return folder / f"chunk-{chunk:05d}.safetensors"


def activation_key(
    hashes: Mapping[str, str], data: str, positions: Sequence[str], states: Sequence[int] | None, batch_size: int
) -> str:
    """The hash of all that the states depend on.

    Args:
        hashes: What identifies the model, its adapter and its processor, and in what precision it computes.
        data: The hash of the set.
        positions: Where states are read.
        states: Which of them; None for all.
        batch_size: How many examples go through the model at a time: sums differ in their last bits with it.
    """
    return hash_json(
        {
            "inputs": dict(hashes),
            "data": data,
            "positions": sorted(positions),
            "states": None if states is None else sorted(states),
            "batch_size": batch_size,
            "torch": torch.__version__,
            "evensight": __version__,
        }
    )


def extract(
    loaded: LoadedModel,
    examples: ExampleSet,
    folder: Path,
    positions: Sequence[str],
    *,
    states: Sequence[int] | None = None,
    batch_size: int = 64,
) -> Activations:
    """Reads the states of a whole set into a folder; chunks that are there are not read again.

    Args:
        loaded: The model.
        examples: The set.
        folder: Where the chunks go, which is this set's, model's and positions' alone (`activation_key`).
        positions: Where states are read, of `reading.ALL`.
        states: Which states of the language model; None for all.
        batch_size: How many examples go through the model at a time.

    Raises:
        InputError: A position or state isn't known, the disk has no room, or states are not finite.
    """
    wanted = _states(loaded, states)
    folder.mkdir(parents=True, exist_ok=True)
    with cores_left_for(1):
        layout = _known_layout(folder, len(examples))
        if layout is None:
            layout = _layout(StateReader(loaded, positions, wanted), examples, folder, batch_size)
            write_json(folder / _LAYOUT, layout.as_json(), receipt=True)
        reader = StateReader(loaded, (*layout.language, *layout.vision), layout.states)
        with progress("reading states", len(examples), "questions") as advance:
            for k, indices in enumerate(layout.chunks):
                if not _is_whole(chunk_path(folder, k), len(indices)):
                    _write(chunk_path(folder, k), _chunk(reader, examples, indices, batch_size))
                advance(len(indices))
    return Activations(folder, layout)


def _states(loaded: LoadedModel, asked: Sequence[int] | None) -> tuple[int, ...]:
    n = n_states(loaded.model)
    unknown = [state for state in asked or () if not 0 <= state < n]
    if unknown:
        raise InputError(f"`{loaded.name}` has no layer {unknown[0]}: expected 0 (embeddings) to {n - 1}")
    return tuple(range(n)) if asked is None else tuple(sorted(set(asked)))


def _known_layout(folder: Path, n: int) -> Layout | None:
    if not is_as_received(folder / _LAYOUT):
        return None
    try:
        layout = Layout.from_json(read_json(folder / _LAYOUT, "layout of states"))
    except (InputError, KeyError, TypeError):
        return None
    return layout if layout.n == n else None


def _layout(reader: StateReader, examples: ExampleSet, folder: Path, batch_size: int) -> Layout:
    """What the chunks will hold: all that is asked for and is there in the first examples."""
    first = range(min(batch_size, _LOOKED_AT, len(examples)))
    read = reader.read([examples.image(k) for k in first], [examples[k] for k in first])
    language = tuple(name for name in reader.language if name not in reader.missing)
    vision = tuple(name for name in reader.vision if name not in reader.missing)
    if not language and not vision:
        raise InputError(
            "; ".join(f"the position `{name}` is not there: {why}" for name, why in reader.missing.items())
        )
    n_bytes = sum(part[0].nbytes for part in read.by_part.values())
    n_batches = max(1, CHUNK_BYTES // max(1, n_bytes * batch_size))
    _check_room(folder, n_bytes * len(examples))
    states = tuple(reader.states) if language else ()
    return Layout(states, language, vision, dict(reader.missing), n_batches * batch_size, len(examples))


def _check_room(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise InputError(
            f"the states take {n_bytes / 1e9:,.1f} GB and `{folder}` has room for {free / 1e9:,.1f} GB: ask for "
            "fewer layers or positions, or name a larger disk by EVENSIGHT_CACHE"
        )


def _chunk(reader: StateReader, examples: ExampleSet, indices: range, batch_size: int) -> dict[str, Tensor]:
    read: list[BatchStates] = []
    pictures: list[int] = []
    batches = (indices[start : start + batch_size] for start in range(0, len(indices), batch_size))
    for asked, images in _prefetched(examples, batches):
        read.append(reader.read(images, asked))
        pictures += [_digest(image) for image in images]
    tensors = {_PICTURES: torch.tensor(pictures, dtype=torch.int64)}
    for part in read[0].by_part:
        if len({states.by_part[part].shape[1:] for states in read}) > 1:
            raise InputError(
                f"what the vision tower of `{reader.loaded.name}` gives can't be told apart by picture in every "
                "batch: leave `vision` and `vision-object` out of `--positions`"
            )
        tensors[part] = torch.cat([states.by_part[part] for states in read])
        tensors[f"{part}-{_THERE}"] = torch.cat([states.there[part] for states in read]).to(torch.uint8)
        if not torch.isfinite(tensors[part]).all():
            raise InputError(
                f"the states of `{reader.loaded.name}` are not finite: expected sound weights, in float32"
            )
    return tensors


def _digest(image: Image.Image) -> int:
    digest = hashlib.sha256(repr(image.size).encode() + image.tobytes()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    with atomic_file(path, receipt=True) as temporary, writing_weights():
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)


def _is_whole(path: Path, n: int) -> bool:
    """Whether a chunk is there, unchanged; what isn't is read from the model again."""
    if not is_as_received(path):
        return False
    try:
        with safe_open(path, "pt") as file:
            return all(file.get_slice(name).get_shape()[0] == n for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return False


def _prefetched(examples: ExampleSet, batches: Iterator[range]) -> Iterator[tuple[list[Example], list[Image.Image]]]:
    """Each batch's examples and images; the next batch is made while this one goes through the model."""

    def make(batch: range) -> tuple[list[Example], list[Image.Image]]:
        return [examples[k] for k in batch], [examples.image(k) for k in batch]

    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(make, batch) for batch in islice(batches, 1))
        while coming:
            coming.extend(pool.submit(make, batch) for batch in islice(batches, 1))
            yield coming.popleft().result()
