"""States on the disk are those that are read, the same bytes after a kill, and only what is missing is read again."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.models.loading import LoadedModel
from evensight.probing import activations as module
from evensight.probing.activations import activation_key, chunk_path, extract
from evensight.probing.layout import Site
from evensight.probing.reading import StateReader
from evensight.runs import hash_files
from tiny_models import Tiny

BATCH = 32
POSITIONS = ("last", "object", "vision")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)  # a batch each


@pytest.mark.usefixtures("small_chunks")
def test_what_is_on_the_disk_is_what_was_read(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path: Path
) -> None:
    found = extract(embedded, four_kinds, tmp_path / "states", POSITIONS, batch_size=BATCH)
    assert len(list((tmp_path / "states").glob("chunk-*"))) == 11
    reader = StateReader(embedded, POSITIONS, range(5))
    which = range(64, 96)
    read = reader.read([four_kinds.image(k) for k in which], [four_kinds[k] for k in which]).by_part
    assert found.layout.sites[:2] == (Site("vision", 0), Site("last", 0))
    for p, position in enumerate(("last", "object")):
        for state in range(5):
            assert np.array_equal(found.at(Site(position, state))[64:96], read["language"][:, state, p].numpy())
    assert np.array_equal(found.at(Site("vision", 0))[64:96], read["vision"][:, 0].numpy())
    assert found.there(Site("object", 1)).all()
    assert len(set(found.pictures().tolist())) == 324


@pytest.mark.usefixtures("small_chunks")
def test_chunks_that_are_there_are_not_read_again_and_damaged_ones_are(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(embedded, four_kinds, tmp_path, POSITIONS, batch_size=BATCH)
    whole = hash_files(tmp_path)
    chunk_path(tmp_path, 3).unlink()
    chunk_path(tmp_path, 7).write_bytes(chunk_path(tmp_path, 7).read_bytes()[:100])
    content = chunk_path(tmp_path, 9).read_bytes()
    chunk_path(tmp_path, 9).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # a number is another one
    n_read: list[int] = []
    read = StateReader.read

    def counted(self: StateReader, images: object, examples: list[object]) -> object:
        n_read.append(len(examples))
        return read(self, images, examples)  # type: ignore[arg-type]

    monkeypatch.setattr(StateReader, "read", counted)
    extract(embedded, four_kinds, tmp_path, POSITIONS, batch_size=BATCH)
    assert n_read == [BATCH, BATCH, BATCH]
    assert hash_files(tmp_path) == whole


@pytest.mark.usefixtures("small_chunks")
def test_a_killed_reader_goes_on_and_ends_with_the_same_bytes(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path: Path
) -> None:
    def read(folder: Path) -> None:
        extract(embedded, four_kinds, folder, ("last", "object"), batch_size=BATCH)

    child = os.fork()
    if not child:
        vars(module)["save_file"] = _dying(vars(module)["save_file"], at=2)
        read(tmp_path / "killed")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "killed").glob("chunk-*")] == ["chunk-00000.safetensors"]
    read(tmp_path / "killed")
    read(tmp_path / "whole")
    names = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert all((tmp_path / "killed" / name).read_bytes() == content for name, content in names.items())


def _dying(save: Callable[[dict[str, torch.Tensor], Path], None], at: int) -> Callable[..., None]:
    """Saves, but when the n-th file is half written its process is killed."""
    n = 0

    def saves(tensors: dict[str, torch.Tensor], path: Path) -> None:
        nonlocal n
        n += 1
        save(tensors, path)
        if n == at:
            os.truncate(path, 1000)
            os.kill(os.getpid(), signal.SIGKILL)

    return saves


def test_any_family_is_extracted(tiny: Tiny, four_kinds: SceneExamples, tmp_path: Path) -> None:
    few = _Few(four_kinds)
    found = extract(tiny.loaded, few, tmp_path, ("last", "object", "image", "vision"), batch_size=4)
    assert set(found.layout.language) == {"last", "object", "image"}
    for site in found.layout.sites:
        assert found.at(site).shape[0] == 6
        assert found.there(site).all()
        assert np.isfinite(found.at(site)).all()
    assert ("vision" in found.layout.vision) != ("vision" in found.layout.left_out)


class _Few(SceneExamples):
    """Six of a set's examples."""

    def __init__(self, examples: SceneExamples) -> None:
        self.__dict__.update(examples.__dict__)

    def __len__(self) -> int:
        return 6


def test_states_that_are_not_finite_are_refused(
    tiny_of: Callable[[str], Tiny], four_kinds: SceneExamples, tmp_path: Path
) -> None:
    loaded = tiny_of("llava").fresh()
    with torch.no_grad():
        loaded.model.get_output_embeddings()
        loaded.model.model.language_model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="are not finite"):
        extract(loaded, _Few(four_kinds), tmp_path, ("last",), batch_size=4)


def test_a_layer_that_there_is_not_is_refused(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no layer 5: expected 0 \(embeddings\) to 4"):
        extract(embedded, four_kinds, tmp_path, ("last",), states=(1, 5))


def test_a_disk_without_room_is_told_before_anything_is_read(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"has room for 0\.0 GB"):
        extract(embedded, four_kinds, tmp_path, ("last",))


def test_the_key_holds_all_that_states_depend_on() -> None:
    base = ({"model": "m", "processor": "p"}, "d", ("last",), None, 64)
    others = [
        ({"model": "m2", "processor": "p"}, "d", ("last",), None, 64),
        ({"model": "m", "processor": "p", "adapter": "a"}, "d", ("last",), None, 64),
        ({"model": "m", "processor": "p2"}, "d", ("last",), None, 64),
        ({"model": "m", "processor": "p"}, "d2", ("last",), None, 64),
        ({"model": "m", "processor": "p"}, "d", ("last", "image"), None, 64),
        ({"model": "m", "processor": "p"}, "d", ("last",), (0, 1), 64),
        ({"model": "m", "processor": "p"}, "d", ("last",), None, 32),
    ]
    assert len({activation_key(*given) for given in (base, *others)}) == 8
