"""How fast a model is asked, and what of a run goes elsewhere, as ratios in one run.

    python benchmarks/evaluation.py --table docs/benchmark-evaluation.md --json runs/evaluation.json
    python benchmarks/evaluation.py --gpu --table docs/benchmark-evaluation-gpu.md --json runs/evaluation-gpu.json

All ways put the same questions of `civet-test`, stored at 336 px, to the embedded model. Each is a process of its own
on one core with one thread, begun anew in each round, the ways by turns; what is counted is the time that it uses of
the core from the first picture that is read to the last file that is written, without the model's loading; of each
way the fastest round counts. So what other programs do at the time weighs little, and who uses more cores gains
nothing. Only every eighth question is asked by nine forward passes.

With `--gpu` the architecture of a 7B model, with random weights in bfloat16 made on the GPU, is asked in one
process, way after way, the first questions of the set; time is the clock's, the median of the rounds behind the first
one. Pictures are encoded before; whole runs encode them, and run once. `--tiny` tries that with a small model, on a
CPU too. The run ends with 1 where a goal was missed.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from askers import (
    BATCH,
    BOTH_WAYS,
    CPU_WAYS,
    GROUP_2,
    GROUP_4,
    NINE,
    PLAIN,
    PRIORS,
    READ,
    SCORES,
    WITHOUT_LAST,
    WITHOUT_STEPS,
    WITHOUT_TREES,
    WORDS,
    job,
)
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.models.answering import MAX_NEW_TOKENS
from evensight.runs import write_json, write_text
from evensight.scenes.catalog import design
from evensight.storage.stored import store
from gpu_askers import WHOLE_GROUP, WHOLE_SCORES, WHOLE_WORDS, gpu_job
from made_models import SMALL_QWEN, WHOLE_QWEN

DESIGN, SIZE_PX = "civet-test", 336
GOALS = (
    (f"options: 5x {GROUP_2}", GROUP_2, 5.0),
    (f"options: 5x {GROUP_4}", GROUP_4, 5.0),
    ("options: no more than plain generate", PLAIN, 1.0),
    (f"options: 8x {NINE}", NINE, 8.0),
)
"""How many times as fast as others options have to be: in words, the other, the ratio."""
MOST_ELSEWHERE = 0.02
"""The share of a run that parsing and statistics may take."""
ELSEWHERE = ("journal", "parsing", "statistics")
_ROW = "row: "

WHOLE_RUNS = (WHOLE_GROUP, WHOLE_WORDS, WHOLE_SCORES)

Row = dict[str, Any]
Scores = Sequence[Sequence[float]]


def main() -> None:
    """Measures, prints the page, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--n",
        type=int,
        default=3888,
        help="how many questions, evenly spread over the set; with --gpu the first ones, in a whole run",
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each way is timed")
    parser.add_argument("--gpu", action="store_true", help="the architecture of a 7B model on a GPU instead")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: a small model, to try it on a CPU")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--table", type=Path, help="where to write the page")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job is not None:
        print(_ROW + json.dumps(job(**json.loads(arguments.job))), flush=True)
        return
    rows = on_gpu(arguments) if arguments.gpu else on_cpu(arguments.n, arguments.rounds)
    goals = judged_on_gpu(rows) if arguments.gpu else judged(rows)
    text = page(rows, goals, arguments)
    print(text)
    if arguments.table is not None:
        write_text(arguments.table, text)
    if arguments.json is not None:
        figures = [{"goal": goal, "found": found, "passed": passed} for goal, found, passed in goals]
        write_json(arguments.json, {"machine": machine(), "rows": rows, "goals": figures})
    if not all(passed for *_, passed in goals):
        raise SystemExit(1)


def on_cpu(n: int, n_rounds: int) -> list[Row]:
    """What each way took of a core in its fastest round."""
    found: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "stored"
        whole = SceneExamples(design(DESIGN), SIZE_PX, 0)
        store(Part(whole, [k * len(whole) // n for k in range(n)], {"n": n}), stored)
        for way in CPU_WAYS * n_rounds:
            row = fresh({"way": way, "folder": str(stored), "n": n})
            print(f"{way}: {row['ms']:.2f} ms", file=sys.stderr)
            if way not in found or row["ms"] < found[way]["ms"]:
                found[way] = row
    return list(found.values())


def fresh(given: Row) -> Row:
    """What a process of its own says of one way."""
    command = [sys.executable, __file__, "--job", json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    line = next(line for line in done.stdout.splitlines() if line.startswith(_ROW))
    return dict(json.loads(line.removeprefix(_ROW)))


def on_gpu(arguments: argparse.Namespace) -> list[Row]:
    """What each way did on the GPU."""
    examples = SceneExamples(design(DESIGN), SIZE_PX, 0)
    name = SMALL_QWEN if arguments.tiny else WHOLE_QWEN
    rows = []
    for row in gpu_job(name, examples, arguments.rounds, arguments.n):
        print({key: value for key, value in row.items() if key != "scores"}, file=sys.stderr)
        rows.append(row)
    return rows


def judged(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """The goals on a CPU: what, what was found, whether it was reached."""
    (options,) = (row for row in rows if row["way"] == SCORES)
    share = options["parsing"] + options["statistics"]
    goals = _compared({row["way"]: 1 / row["ms"] for row in rows})
    return [*goals, ("parsing and statistics: under 2 % of a run", f"{share:.1%}", share < MOST_ELSEWHERE)]


def judged_on_gpu(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """The goals on a GPU; what ran out of memory reaches none."""
    return _compared({row["way"]: row["questions_a_second"] for row in rows if "questions_a_second" in row})


def _compared(speeds: Mapping[str, float]) -> list[tuple[str, str, bool]]:
    goals = []
    for goal, other, least in GOALS:
        ratio = _ratio(speeds.get(SCORES), speeds.get(other))
        found = "not measured" if ratio is None else f"{ratio:.2f}x"
        goals.append((goal, found, ratio is not None and ratio >= least))
    return goals


def machine() -> dict[str, str]:
    """What it was measured on."""
    names = ("torch", "transformers")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"gpu": gpu, "python": platform.python_version(), **{name: version(name) for name in names}}


def page(rows: Sequence[Row], goals: Sequence[tuple[str, str, bool]], arguments: argparse.Namespace) -> str:
    """The page in Markdown."""
    where = ", ".join(f"{name} {value}" for name, value in machine().items() if value != "none")
    command = "python benchmarks/evaluation.py --gpu" if arguments.gpu else "make bench-evaluation"
    lines = [
        "# How fast models are asked" + (" on a GPU" if arguments.gpu else ""),
        "",
        f"Made by `{command}` (`benchmarks/evaluation.py`, which says how each figure is taken) with {where}.",
        "",
        *(_gpu_table(rows, arguments) if arguments.gpu else _cpu_table(rows, arguments.n)),
    ]
    if goals:
        lines += ["", "## Goals", "", "| goal | found | |", "|---|---|---|"]
        lines += [f"| {goal} | {found} | {'reached' if passed else '**missed**'} |" for goal, found, passed in goals]
    return "\n".join(lines) + "\n"


def _cpu_table(rows: Sequence[Row], n: int) -> list[str]:
    ms = {row["way"]: row["ms"] for row in rows}
    lines = [
        f"{n:,} questions of `{DESIGN}` at {SIZE_PX} px, the embedded model, one core; evensight and `generate` "
        f"in batches of {BATCH}. *Options* are the exact scores of all nine.",
        "",
        f"| way | ms a question | of it pictures | encoding | the rest | x {GROUP_4} | x {PLAIN} | right "
        f"| {' | '.join(ELSEWHERE)} |",
        "|---|" + "---:|" * (7 + len(ELSEWHERE)),
    ]
    for row in rows:
        ratios = [f"{ms[other] / row['ms']:.2f}" for other in (GROUP_4, PLAIN)]
        shares = [f"{row[name]:.2%}" if name in row else "" for name in ELSEWHERE]
        apart = [row["ms"] * row[name] for name in ("pictures", "encoding")]
        times = [f"{part:.2f}" for part in (row["ms"], *apart, row["ms"] - sum(apart))]
        right = "" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        cells = [row["way"], *times, *ratios, right, *shares]
        lines.append(f"| {' | '.join(cells)} |")
    gains = ((WITHOUT_TREES, SCORES), (WITHOUT_LAST, SCORES), (WITHOUT_STEPS, WORDS))
    lines += ["", "## What each trick brings", "", "| without it | gain |", "|---|---:|"]
    lines += [f"| {without} | {ms[without] / ms[whole]:.2f}x |" for without, whole in gains]
    apart = ms[SCORES] + ms[WORDS]
    more = (
        f"Each question has to be encoded and read once, which takes {ms[READ]:.2f} ms: no exact way can take less, "
        f"and {ms[GROUP_4] / ms[READ]:.2f}x as fast as {GROUP_4} is the most that can be. Options take "
        f"{ms[SCORES] / ms[READ]:.2f}x of it, words {ms[WORDS] / ms[READ]:.2f}x, with all that a run writes. "
        f"Words and options from one reading of the prompt take {ms[BOTH_WAYS] / ms[SCORES]:.2f}x what options take, "
        f"and {ms[BOTH_WAYS] / apart:.2f}x of both apart. Priors, the same questions on black images, make it "
        f"{ms[PRIORS] / ms[SCORES]:.2f}x."
    )
    return [*lines, "", more]


def _gpu_table(rows: Sequence[Row], arguments: argparse.Namespace) -> list[str]:
    (known,) = (row for row in rows if "exact" in row)
    by_way = {row["way"]: row for row in rows if "way" in row}
    reference = by_way[NINE].get("scores")
    lines = [
        f"{SMALL_QWEN if arguments.tiny else WHOLE_QWEN}, random weights, {DESIGN} at {SIZE_PX} px. Evensight and "
        f"`generate` in batches of {BATCH}; answers in words are {MAX_NEW_TOKENS} tokens long, for random "
        f"weights know no end. Pictures are encoded before, on the processor: {known['encoding_ms']:.1f} ms each. "
        f"A tree of options is {'' if known['exact'] else 'not '}exact there, within the precision.",
        "",
        f"| way | questions/s | x {GROUP_4} | x {PLAIN} | x {NINE} | peak, GB | other choice than nine passes "
        "| largest difference, nats |",
        "|---|" + "---:|" * 7,
        *(_gpu_row(by_way, name, (GROUP_4, PLAIN, NINE), reference) for name in by_way if name not in WHOLE_RUNS),
        "",
        f"Whole runs, from {arguments.n:,} stored pictures (the group's way: an eighth) to the last file, with a "
        "model that is loaded; pictures are encoded by the processor's own image processor meanwhile.",
        "",
        f"| way | questions/s | x {GROUP_4} |",
        "|---|---:|---:|",
    ]
    base = by_way[WHOLE_GROUP].get("questions_a_second")
    for name in WHOLE_RUNS:
        speed = by_way[name].get("questions_a_second")
        lines.append(f"| {name} | {_shown(speed, '.1f')} | {_shown(_ratio(speed, base), '.2f')} |")
    return lines


def _gpu_row(by_way: Mapping[str, Row], name: str, others: Sequence[str], reference: Scores | None) -> str:
    row = by_way[name]
    if "fault" in row:
        return f"| {name} | {row['fault']} |" + " |" * (len(others) + 3)
    speed = row["questions_a_second"]
    ratios = [_shown(_ratio(speed, by_way[other].get("questions_a_second")), ".2f") for other in others]
    differ, far = "", ""
    if row.get("scores") and reference is not None:
        pairs = list(zip(row["scores"], reference, strict=True))
        differ = f"{sum(_best(one) != _best(other) for one, other in pairs)} of {len(pairs)}"
        far = f"{max(abs(a - b) for pair in pairs for a, b in zip(*pair, strict=True)):.2g}"
    return f"| {' | '.join([name, f'{speed:.1f}', *ratios, _shown(row.get('peak_gb'), '.1f'), differ, far])} |"


def _best(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


if __name__ == "__main__":
    main()
