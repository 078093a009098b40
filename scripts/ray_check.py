"""Proves that a set stored with Ray is the set stored without, a worker killed in the middle included.

    pip install 'evensight[ray]' && python scripts/ray_check.py

Starts a Ray cluster on this machine with two workers, stores 3,888 scenes as shards, kills (`kill -9`) a worker
that is in the middle of a shard, and compares: every file's SHA-256, and the hash of every image's pixels. Prints
what it found as JSON; exits with 1 if anything differs or nobody could be killed. Takes a minute.
"""

import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray.cluster_utils import Cluster

from evensight.datasets.orders import Order
from evensight.runs import hash_files
from evensight.storage.ray_engine import RayJob, store_with_ray
from evensight.storage.stored import StoredExamples, store

ORDER, SHARD_ROWS = Order("civet-test"), 200
N_WORKERS = 2
FINISHED_BEFORE_KILL = 3


def main() -> int:
    """Runs the comparison; 0 when all is equal."""
    with tempfile.TemporaryDirectory() as folder:
        alone, together = Path(folder) / "alone", Path(folder) / "ray"
        store(ORDER.examples(), alone, shard_rows=SHARD_ROWS)
        killed = _stored_with_a_kill(together)
        found = {
            "ray": ray.__version__,
            "workers": N_WORKERS,
            "scenes": len(ORDER.examples()),
            "shards": len(list(together.glob("data-*"))),
            "killed": killed,
            "files_equal": hash_files(alone) == hash_files(together),
            "manifests_equal": (alone / "manifest.json").read_bytes() == (together / "manifest.json").read_bytes(),
            "pixels_sha256": [_pixels_hash(alone), _pixels_hash(together)],
        }
    print(json.dumps(found, indent=2))
    equal = found["files_equal"] and found["manifests_equal"] and len(set(found["pixels_sha256"])) == 1
    return 0 if equal and killed else 1


def _stored_with_a_kill(out: Path) -> dict[str, object]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(N_WORKERS):
        cluster.add_node(num_cpus=1)
    killed: dict[str, object] = {}
    killer = threading.Thread(target=partial(_kill_one, out, killed), daemon=True)
    try:
        ray.init(address=cluster.address)
        killer.start()
        store_with_ray(RayJob(ORDER.examples, out, shard_rows=SHARD_ROWS))
        killer.join(1)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return killed


def _kill_one(out: Path, killed: dict[str, object]) -> None:
    """Kills the first worker that is seen in the middle of a shard once some shards are finished."""
    while not (out / "manifest.json").exists():
        for partial_file in out.glob(".partial-*-data-*"):
            finished = len(list(out.glob("data-*")))
            pid = int(partial_file.name.split("-")[1])
            if finished >= FINISHED_BEFORE_KILL and pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
                killed.update({"pid_was_writing": partial_file.name.split("-", 2)[2], "shards_finished": finished})
                return
        time.sleep(0.002)


def _pixels_hash(folder: Path) -> str:
    stored = StoredExamples(folder)
    hashed = hashlib.sha256()
    for index in range(len(stored)):
        hashed.update(stored.image(index).tobytes())
    return hashed.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
