"""What Ray itself does to the shards is checked by `make ray`, on a cluster with a worker killed."""

import pickle
import sys
from pathlib import Path

import pytest

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.runs import hash_files
from evensight.scenes.catalog import design
from evensight.storage.ray_engine import RayJob, store_with_ray
from evensight.storage.stored import store

N, SHARD_ROWS = 50, 15


def made() -> SceneExamples:
    return SceneExamples(design("civet-test"), 64, 0)


def job(out: Path) -> RayJob:
    return RayJob(made, out, limit=N, shard_rows=SHARD_ROWS)


def test_what_workers_write_is_what_is_written_without_them(tmp_path: Path) -> None:
    store(made(), tmp_path / "alone", N, shard_rows=SHARD_ROWS)
    out = tmp_path / "together"
    sent = pickle.dumps(job(out))
    for shard in (3, 0, 2, 2, 1):  # lost and done again included
        pickle.loads(sent)({"id": [shard]})
    assert job(out).store().missing() == []
    job(out).store().complete()
    assert hash_files(out) == hash_files(tmp_path / "alone")


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ray.data", raising=False)
    with pytest.raises(InputError, match=r"pip install 'evensight\[ray\]'"):
        store_with_ray(job(tmp_path / "set"))
    assert not (tmp_path / "set").exists()
