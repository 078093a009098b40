"""Numbers that don't move, and those that can: how much.

    python reliability/steady.py --out runs/steady        (or: make steady)

*A study* is run again on another day, in another time zone and language, with another seed of Python's hashes, with
other numbers of threads and of loader's processes; and asked of a set that was stored in five files by four processes
in reverse order. Its files are compared byte for byte, its answers row by row.
Threads may change sums, so what they change is only counted; nothing else may change a byte.
*Batches*: a model is asked the same questions one by one and 16 at a time. What its arithmetic makes of that (sums in
another order) may turn an answer over: counted for the embedded model and for a tiny model with random weights of
each family, in float32 and in bfloat16. `--only-flips` does this alone, on a GPU where there is one.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from commands import Bench, commands, contents
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.embedded import EMBEDDED
from evensight.models.loading import LoadedModel, load
from evensight.models.predict import Predictor
from evensight.models.scoring import Scorer
from evensight.progress import progress
from evensight.runs import write_json
from evensight.scenes.catalog import design
from tracing import disturbing

CORES = """\
import os
os.cpu_count = lambda: {n_cores}
"""
"""A `sitecustomize` that has Python believe in so many cores."""
SHOWN = """\
import torch
from evensight.models.cores import cores_left_for, loader_workers
with cores_left_for(loader_workers()):
    print(loader_workers(), "loader's processes,", torch.get_num_threads(), "threads")
"""
"""Says what a training has of both: what is meant to be different has to be."""


def variations(bench: Bench, root: Path) -> Mapping[str, Mapping[str, str]]:
    """What is different around a run, by its name, as environment."""
    library = str(disturbing(root))

    def cores(n: int) -> str:
        folder = root / f"{n}-cores"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(CORES.format(n_cores=n))
        return f"{folder}:{bench.package.parent}"

    return {
        "again": {},
        "400 days later": {"LD_PRELOAD": library, "CLOCK_AHEAD_S": str(400 * 86_400)},
        "in Kathmandu, without a language": {"TZ": "Asia/Kathmandu", "LANG": "C", "LC_ALL": "C"},
        "another hash seed": {"PYTHONHASHSEED": "12345"},
        "4 loader's processes, 1 threads": {"PYTHONPATH": cores(5)},
        "8 loader's processes, 2 threads": {"PYTHONPATH": cores(16), "OMP_NUM_THREADS": "2"},
    }


def studied(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """The study under each variation, compared with the first run."""
    study, out = bench.by_name["study"], root / "study"
    rows: list[dict[str, Any]] = []
    expected: dict[str, str] = {}
    answers: dict[str, dict[str, Any]] = {}
    for name, change in variations(bench, root).items():
        for path in (out, root / "cache"):
            shutil.rmtree(path, ignore_errors=True)
        env = bench.environment(root / "cache", **change)
        if "threads" in name:
            shown = subprocess.run([sys.executable, "-c", SHOWN], env=env, capture_output=True, text=True, check=True)
            if shown.stdout.strip() != name:
                sys.exit(f"expected {name}, got {shown.stdout.strip()}")
        done = subprocess.run(study.line(out), env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            rows.append({"what": name, "faults": [done.stderr[-600:]]})
            continue
        found, now = contents(out), _answers(out)
        expected, answers = expected or found, answers or now
        row = {"what": name, **_compared(expected, found, answers, now)}
        if row["files that differ"] and "OMP_NUM_THREADS" not in change:  # which may change sums
            row["faults"] = [f"{len(row['files that differ'])} files differ"]
        rows.append(row)
    return rows


def stored_in_parts(bench: Bench, root: Path) -> dict[str, Any]:
    """One set stored in one file and in five, by four processes in reverse order, and asked."""
    env = bench.environment(root / "cache")
    words = [sys.executable, "-m", "evensight"]

    def run(*more: str) -> None:
        subprocess.run([*words, *more], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    make = ["generate", str(bench.root / "stars.yaml"), "--size", "108"]
    run(*make, "--out", str(root / "whole"))
    parts = root / "parts"
    for part in (4, 3, 2, 1):
        run(*make, "--out", str(parts), "--shard", f"{part}/4", "--shard-rows", "8")
    run(*make, "--out", str(parts), "--shard-rows", "8")
    for name in ("whole", "parts"):
        run("evaluate", "--model", EMBEDDED, "--data", str(root / name), "--out", str(root / f"asked-{name}"))
    one, other = (_rows(root / f"asked-{name}" / "results.parquet") for name in ("whole", "parts"))
    faults = [] if one == other else ["the tables differ"]
    n, differ = len(list(parts.glob("*.parquet"))), sum(a != b for a, b in zip(one, other, strict=True))
    return {"what": f"{n} files by 4 processes", "answers": len(one), "answers that differ": differ, "faults": faults}


def _answers(out: Path) -> dict[str, dict[str, Any]]:
    """The answer to each question of each evaluation of a study."""
    tables = sorted(out.glob("evaluations/**/results.parquet"))
    return {str(path.relative_to(out)): {row["id"]: row["raw"] for row in _rows(path)} for path in tables}


def _rows(path: Path) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(path).read().to_pylist())


def _compared(
    expected: Mapping[str, str],
    found: Mapping[str, str],
    answers: Mapping[str, Mapping[str, Any]],
    now: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    names = expected.keys() | found.keys()
    other = sorted(name for name in names if expected.get(name) != found.get(name))
    flips = sum(answers.get(table, {}).get(key) != said for table, rows in now.items() for key, said in rows.items())
    return {
        "files": len(names),
        "files that differ": other,
        "answers": sum(map(len, now.values())),
        "answers that differ": flips,
        "faults": [],
    }


@torch.inference_mode()
def flips(loaded: LoadedModel, family: str, n: int, *, in_16_bits: bool = False) -> dict[str, Any]:
    """How many answers of a model are others in batches of 16 than one by one."""
    examples = SceneExamples(design("civet-test"), 112, 0)
    some = range(0, len(examples), len(examples) // n)[:n]
    images, texts = [examples.image(k) for k in some], [examples[k].question.text for k in some]
    options = [examples[k].question.options for k in some]
    loaded.model.to(torch.bfloat16 if in_16_bits else torch.float32)
    predictor, scorer = Predictor(loaded), Scorer(loaded)

    def ask(size: int) -> tuple[list[str], list[list[float]]]:
        said, scores = [], []
        for start in range(0, n, size):
            part = slice(start, start + size)
            said += predictor.answer(images[part], texts[part])
            scores += scorer.scores(images[part], texts[part], options[part])
        return said, scores

    (one, one_scores), (many, many_scores) = ask(1), ask(16)
    best = [[max(range(len(row)), key=row.__getitem__) for row in rows] for rows in (one_scores, many_scores)]
    gaps = [abs(a - b) for x, y in zip(one_scores, many_scores, strict=True) for a, b in zip(x, y, strict=True)]
    return {
        "family": family,
        "dtype": "bfloat16" if in_16_bits else "float32",
        "questions": n,
        "answers in words that differ": sum(a != b for a, b in zip(one, many, strict=True)),
        "best options that differ": sum(a != b for a, b in zip(*best, strict=True)),
        "largest difference of a log-likelihood": max(gaps),
    }


def all_flips(root: Path, n: int) -> list[dict[str, Any]]:
    """The flips of the embedded model and of a tiny one of each family."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
    from tiny_models import BUILDERS, save_tiny

    torch.set_num_threads(1)
    rows = []
    for name in (EMBEDDED, *BUILDERS):
        source = name if name == EMBEDDED else str(save_tiny(name, root / name))
        for in_16_bits in (False, True):
            rows.append(flips(load(source), name, n, in_16_bits=in_16_bits))
            print(rows[-1], flush=True)
    return rows


def machine() -> dict[str, str]:
    """What the flips were counted with."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"torch": torch.__version__, "device": device}


def main() -> None:
    """Runs all, prints it and ends with 1 where a number moved that must not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=144, help="for the flips")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and steady.json")
    parser.add_argument("--only-flips", action="store_true", help="no study; on a GPU, if there is one")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    out = given.out.absolute()
    if given.only_flips:
        write_json(out / "flips.json", {"flips": all_flips(out / "tiny", given.questions), **machine()})
        return
    with commands(out / "inputs", are_few=True) as bench, progress("a study, again and again", 0, "runs"):
        rows = [*studied(bench, out), stored_in_parts(bench, out)]
    for row in rows:
        print(row, flush=True)
    found = {"study": rows, "flips": all_flips(out / "tiny", given.questions), **machine()}
    write_json(out / "steady.json", found)
    sys.exit(any(row["faults"] for row in rows))


if __name__ == "__main__":
    main()
