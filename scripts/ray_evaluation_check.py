"""Proves that a model asked by the workers of a Ray cluster gives the table that it gives here, also after a kill.

    pip install 'evensight[ray,models]' && OMP_NUM_THREADS=1 python scripts/ray_evaluation_check.py

Starts a Ray cluster on this machine with two workers, has the embedded model answer 324 questions for words and
options, kills (`kill -9`) a worker that holds the model once answers have come, and compares every file's SHA-256.
Prints what it found as JSON; exits with 1 if anything differs or nobody could be killed. Takes a minute.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray.cluster_utils import Cluster

from evensight.datasets.examples import ExampleSet
from evensight.datasets.orders import Order
from evensight.datasets.subsets import Part
from evensight.evaluation.ask import evaluate_subject
from evensight.models.answering import BOTH, Way
from evensight.models.asked_here import ModelHere
from evensight.models.ray_engine import OnRay
from evensight.runs import hash_files

N, BATCH, N_WORKERS = 324, 12, 2


def main() -> int:
    """Runs the comparison; 0 when all is equal."""
    whole = Order("civet-test", size_px=108).examples()
    asked = Part(whole, range(0, len(whole), len(whole) // N), {"of every": len(whole) // N})
    subject = ModelHere("embedded", None, BATCH, Way(BOTH))
    with tempfile.TemporaryDirectory() as folder:
        alone, together = Path(folder) / "alone", Path(folder) / "ray"
        evaluate_subject(subject, asked, alone)
        killed = _asked_with_a_kill(subject, asked, together)
        found = {
            "ray": ray.__version__,
            "workers": N_WORKERS,
            "questions": len(asked),
            "killed": killed,
            "files_equal": hash_files(alone) == hash_files(together),
            "manifests_equal": (alone / "manifest.json").read_bytes() == (together / "manifest.json").read_bytes(),
        }
    print(json.dumps(found, indent=2))
    return 0 if found["files_equal"] and found["manifests_equal"] and killed else 1


def _asked_with_a_kill(subject: ModelHere, asked: ExampleSet, out: Path) -> dict[str, object]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(N_WORKERS):
        cluster.add_node(num_cpus=1)
    killed: dict[str, object] = {}
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        threading.Thread(target=_kill_one, args=(out, killed), daemon=True).start()
        evaluate_subject(OnRay(subject), asked, out)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return killed


def _kill_one(out: Path, killed: dict[str, object]) -> None:
    """Kills a worker that holds the model once the journal has some answers."""
    journal = out / ".parts" / "answers-0.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        time.sleep(0.005)
    lines = journal.read_bytes().count(b"\n")
    pids = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _holds_the_model(path)]
    os.kill(max(pids), signal.SIGKILL)
    killed.update({"groups_answered_before": lines, "workers_seen": len(pids)})


def _holds_the_model(command_line: Path) -> bool:
    try:
        return command_line.read_bytes().startswith(b"ray::Worker")
    except OSError:  # it has ended
        return False


if __name__ == "__main__":
    sys.exit(main())
