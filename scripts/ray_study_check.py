"""A study done by the workers of a Ray cluster gives the files that it gives without, one worker killed on the way.

OMP_NUM_THREADS=1 python scripts/ray_study_check.py
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from evensight.runs import hash_files

STUDY = """
name: on-ray
size_px: 108
finetune: {epochs: 2}
conditions:
  base: {}
  some: {train: {design: civet-train, n: 162}}
  others: {train: {design: civet-train-photo, n: 162}}
tests:
  civet-test: {design: civet-test, n: 162}
"""


def main() -> None:
    """Runs the study twice and compares."""
    home = Path(tempfile.mkdtemp())
    try:
        (home / "study.yaml").write_text(STUDY)
        _run(home, "here")
        killer = threading.Thread(target=_kill_a_worker, daemon=True)
        killer.start()
        _run(home, "on-ray", "--engine", "ray")
        if killer.is_alive():
            sys.exit("no worker was killed: the study was done too soon")
        here, there = (_files(home / name) for name in ("here", "on-ray"))
        different = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
        if different:
            sys.exit(f"these files differ: {', '.join(different)}")
        print(f"{len(here)} files are the same to the byte, a worker killed on the way")
    finally:
        shutil.rmtree(home)


def _run(home: Path, out: str, *more: str) -> None:
    command = [sys.executable, "-m", "evensight", "study", "study.yaml", "--out", out, *more]
    subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words


def _files(out: Path) -> dict[str, str]:
    """The hashes of all files but the report, which names the command that made it."""
    return {name: digest for name, digest in hash_files(out).items() if name != "report.html"}


def _kill_a_worker() -> None:
    """Kills the first process that does a condition, once it has been at it for a while."""
    while True:
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = status.read_bytes()
            except OSError:
                continue
            if words.startswith(b"ray::do_one"):
                time.sleep(5)
                os.kill(int(status.parent.name), signal.SIGKILL)
                return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
