"""How fast models are fine-tuned, in how much memory, against two other trainers, as ratios in one run.

    python benchmarks/training.py --table docs/benchmark-training.md --json runs/training.json
    python benchmarks/training.py --gpu --table docs/benchmark-training-gpu.md --json runs/training-gpu.json

All ways train the same LoRA on the same examples in the same order, with the same batch and epochs. Time is taken
from the call that trains to its end: with the reading and encoding of the examples and, for evensight, with the
making of its trainer and all that it prepares; without imports, the model's loading, and the making of the others'
trainers.

Without a GPU each training is a process of its own, begun anew in each round, the ways by turns; of each the
fastest round counts: what other programs do at the time then weighs least. A training is kept on one core with one
thread, its loader's processes too, and what is counted is the time that they use of the core, which is the clock's
where nothing else runs. So who uses more cores gains nothing by it, and other programs take little away. Memory is
what the process and its loader's processes hold together (their shared pages once), looked at ten times a second.

On a GPU (architectures of 7B models with random weights, made on it in bfloat16) a case is one process, in which
one model is made and all ways train by turns. That is fair: before each way all but the frozen weights is as it was
made, what the way before held is given back to the GPU (what is still taken then is in the JSON), and the first
steps, which pay for what the process does once, are left out. Time is the clock's: what was before the first step,
and for each step the mean of those behind the warm-up. evensight looks at each image before its first step and not
again, so that stands over all epochs; with so few examples what it does once, such as the start of its loader,
weighs more than it does in use. Memory is the most that torch held of the GPU, and the most that tensors took of
it.

The first batch must have the same answers in all ways and give the same loss, in bfloat16 to 1 %, else the
comparison is void, which the page then says. A training that ends for lack of memory, or by an error, is a row that
says so. The page and the JSON are written whole after each training; `--have` takes whole cases over from the JSON
of runs before, and makes one page of several. The run ends with 1 where a goal was missed or a training failed.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import evensight
from contenders import (
    CHECKPOINTED,
    CPU_WAYS,
    DESIGN,
    GPU_WAYS,
    NAMES,
    OURS,
    OUT_OF_MEMORY,
    PLAIN,
    TIME_WAS_UP,
    TRL,
    WARM_UP,
    WITHOUTS,
    Case,
    job,
)
from evensight.exchange.export import export
from evensight.runs import write_json, write_text
from evensight.storage.stored import store
from made_models import EMBEDDED, SMALL_NEXT, SMALL_QWEN, WHOLE_NEXT, WHOLE_QWEN

GOALS = {"trl": 3.0, "plain": 1.4, "gpu_trl": 2.0, "gpu_gb": 24.0}
"""How many times as fast as TRL as its docs show it, and as a plain Trainer; on a GPU, and GB for LoRA at 336 px."""
LOSS_TOLERANCE, LOSS_TOLERANCE_BF16 = 1e-3, 1e-2
"""How far losses on the first batch may lie apart, as a share."""


@dataclass(frozen=True)
class Measured:
    """What one way took in one case.

    Attributes:
        way: Who trained.
        fault: Why it has no figures: the other fields then mean nothing.
        samples_a_second: Of the fastest round; without a GPU, a second of the core.
        samples_a_second_in_steps: In its steps behind the warm-up alone, by the clock.
        prepared_s: What went before its first step, by the clock.
        steps_s: Its steps, by the clock.
        rounds: The samples a second of each round.
        held_mb: The most memory that the process held, or torch of the GPU, of the round with the least.
        allocated_mb: The most that tensors took of a GPU in that round.
        held_before_mb: What was taken of the GPU before.
        first_loss: On the first batch.
        last_loss: On the last.
        answers: The tokens of the first batch that have labels.
        is_bf16: Whether it computed in bfloat16.
    """

    way: str
    fault: str = ""
    samples_a_second: float = 0.0
    samples_a_second_in_steps: float | None = None
    prepared_s: float = 0.0
    steps_s: Sequence[float] = ()
    rounds: Sequence[float] = ()
    held_mb: float = 0.0
    allocated_mb: float | None = None
    held_before_mb: float | None = None
    first_loss: float = 0.0
    last_loss: float = 0.0
    answers: Sequence[int] = ()
    is_bf16: bool = False


@dataclass(frozen=True)
class Found:
    """What was measured in one case.

    Attributes:
        case: It.
        machine: What it was measured on.
        ways: What each way took.
        matmul_flops_a_second: What a matrix product does there, if it was measured.
        flops_a_sample: The plain trainer's operations for a sample, forward and backward, if they were counted.
    """

    case: Case
    machine: dict[str, str] = field(default_factory=dict)
    ways: Sequence[Measured] = ()
    matmul_flops_a_second: float | None = None
    flops_a_sample: float | None = None

    @property
    def good(self) -> dict[str, Measured]:
        """The ways that have figures."""
        return {each.way: each for each in self.ways if not each.fault}

    def is_whole(self, ways: Sequence[str]) -> bool:
        """Whether each of these ways has figures, or hadn't the memory."""
        faults = {each.way: each.fault for each in self.ways}
        return all(faults.get(way, "missing") in {"", OUT_OF_MEMORY} for way in ways)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"title": self.case.title, "config": self.case.config.model_dump(mode="json"), **asdict(self)}

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> "Found":
        """What `as_json` gave."""
        given = {name: value[name] for name in ("machine", "matmul_flops_a_second", "flops_a_sample")}
        return cls(Case(**value["case"]), ways=[Measured(**each) for each in value["ways"]], **given)


def cpu_cases(scale: float) -> list[Case]:
    """What is trained on a CPU; the embedded model as it recommends."""
    few, fewer = max(32, round(160 * scale)), max(8, round(32 * scale))
    return [
        Case(EMBEDDED, 336, few, {}),
        Case(EMBEDDED, 108, few, {}),
        Case(SMALL_QWEN, 336, fewer, {"batch_size": 8}),
    ]


def gpu_cases(scale: float, *, is_tiny: bool) -> list[Case]:
    """What is trained on a GPU, or small models on the same way through the code; what is asked most comes first."""
    qwen, next_ = (SMALL_QWEN, SMALL_NEXT) if is_tiny else (WHOLE_QWEN, WHOLE_NEXT)
    sizes = ((qwen, 336, 4, 8), (next_, 336, 4, 5), (qwen, 672, 4, 6), (next_, 672, 2, 5))
    return [
        Case(model, side_px, batch_size * max(2, round(n_batches * scale)), {"batch_size": batch_size})
        for model, side_px, batch_size, n_batches in sizes
    ]


def main() -> None:
    """Measures, prints the page, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="the fastest of each way counts; 2, and 1 with --gpu")
    parser.add_argument("--scale", type=float, default=1.0, help="how many examples, as a share of those it has")
    parser.add_argument("--only", help="only cases whose title has this in it")
    parser.add_argument("--ways", nargs="+", choices=list(NAMES), metavar="WAY", help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--gpu", action="store_true", help="the architectures of 7B models on a GPU instead")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: small models, to try it on a CPU")
    parser.add_argument("--minutes", type=float, help="begin no training later than so long after the start")
    parser.add_argument("--have", type=Path, nargs="+", default=[], help="JSON of runs before: whole cases are kept")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--table", type=Path, help="where to write the page")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job is not None:
        for row in chain([{"machine": machine()}], job(**json.loads(arguments.job))):
            print(_ROW + json.dumps(row), flush=True)
    elif not report(arguments):
        raise SystemExit(1)


_ROW = "row: "
"""Begins a line of a job's that is for us."""


def report(arguments: argparse.Namespace) -> bool:
    """Measures everything and writes it; gives whether all goals were reached and no training failed."""
    begun, is_gpu, scale = time.time(), arguments.gpu, arguments.scale
    cases = gpu_cases(scale, is_tiny=arguments.tiny) if is_gpu else cpu_cases(scale)
    ways = [NAMES[name] for name in arguments.ways or ()] or (GPU_WAYS if is_gpu else CPU_WAYS)
    plan = Plan(
        ways=ways,
        n_rounds=arguments.rounds or (1 if is_gpu else 2),
        is_gpu=is_gpu,
        until=None if arguments.minutes is None else begun + 60 * arguments.minutes,
    )
    kept = _kept(arguments.have, ways)
    found: list[Found] = []
    for case in cases:
        if arguments.only is not None and arguments.only not in case.title:
            continue
        if case in kept:
            found.append(kept[case])
            continue
        latest = Found(case)
        for latest in measured(case, plan):
            write([*found, latest], arguments)
        found.append(latest)
    write(found, arguments)
    print(page(found, is_gpu=is_gpu, table=arguments.table))
    goals = [goal for each in found for goal in judged(each, is_gpu=is_gpu)]
    return all(passed for *_, passed in goals) and all(each.is_whole(ways) for each in found)


def _kept(paths: Sequence[Path], ways: Sequence[str]) -> dict[Case, Found]:
    found = [Found.of_json(each) for path in paths for each in json.loads(path.read_text())["cases"]]
    return {each.case: each for each in found if each.is_whole(ways)}


def write(found: Sequence[Found], arguments: argparse.Namespace) -> None:
    """Writes the page and the figures, each whole."""
    if arguments.table is not None:
        write_text(arguments.table, page(found, is_gpu=arguments.gpu, table=arguments.table))
    if arguments.json is not None:
        goals = [goal for each in found for goal in judged(each, is_gpu=arguments.gpu)]
        figures = {
            "cases": [each.as_json() for each in found],
            "goals": [{"goal": goal, "found": what, "passed": passed} for goal, what, passed in goals],
        }
        write_json(arguments.json, figures)


@dataclass(frozen=True)
class Plan:
    """How a case is measured.

    Attributes:
        ways: Who trains.
        n_rounds: How often.
        is_gpu: Whether all ways train in one process.
        until: The second of the epoch after which none begins.
    """

    ways: Sequence[str]
    n_rounds: int
    is_gpu: bool
    until: float | None


def measured(case: Case, plan: Plan) -> Iterator[Found]:
    """All ways in one case, by turns: what is known of it after each training."""
    groups = [plan.ways] if plan.is_gpu else [[way] for way in plan.ways]
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in plan.ways}
    found = Found(case)
    with tempfile.TemporaryDirectory() as folder:
        write_sets(case, Path(folder))
        for group in groups * plan.n_rounds:
            is_late = plan.until is not None and time.time() > plan.until
            late = ({"way": way, "fault": TIME_WAS_UP} for way in group)
            for row in late if is_late else fresh(case, group, Path(folder), plan):
                if "way" in row:
                    rows[row["way"]].append(row)
                    found = replace(found, ways=[best(way, each) for way, each in rows.items() if each])
                else:
                    found = replace(found, **row)
                yield found


def write_sets(case: Case, folder: Path) -> None:
    """The case's examples, as evensight stores them and as it exports them for TRL."""
    examples = case.drawn
    store(examples, folder / "stored")
    export(examples, "trl", folder / "trl")


def fresh(case: Case, ways: Sequence[str], folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """What a process of its own, in which these ways train by turns, says of each as soon as it has ended.

    Without a GPU that includes the most memory that it and those it began held together meanwhile. A way of which the
    process, having ended early, says nothing has that as its fault. What a process on a GPU complains of is seen at
    once, what others complain of where they fail.
    """
    given = {"case": asdict(case), "ways": ways, "folder": str(folder), "until": plan.until, "counts": plan.is_gpu}
    command = [sys.executable, __file__, "--job", json.dumps(given)]
    missing = list(ways)
    with (
        (folder / "errors").open("w+") as errors,
        nullcontext(None if plan.is_gpu else errors) as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as process,  # noqa: S603
    ):
        most = [0.0]
        watch = threading.Thread(target=_watch, args=(process, most))
        watch.start()
        for line in process.stdout or ():
            if not line.startswith(_ROW):
                continue
            row: dict[str, Any] = json.loads(line.removeprefix(_ROW))
            if "way" in row:
                missing.remove(row["way"])
                row = {"held_mb": most[0], **row}
                most[0] = 0.0
                rate = row.get("fault") or f"{row['samples_a_second']:.1f} samples/s"
                print(f"{case.title}: {row['way']}: {rate}", file=sys.stderr)
            yield row
        watch.join()
        errors.seek(0)
        said = errors.read()
    if process.returncode or "Traceback" in said:
        print(said[-6000:], file=sys.stderr)
    for way in missing:
        yield {"way": way, "fault": f"its process ended early, with {process.returncode}"}


def _watch(process: "subprocess.Popen[str]", most: list[float]) -> None:
    while process.poll() is None:
        most[0] = max(most[0], sum(map(_held_mb, _family(process.pid))))
        time.sleep(0.1)


def _family(pid: int) -> list[int]:
    """A process and those that it began, and they."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _held_mb(pid: int) -> float:
    """What a process holds; of pages that it shares with n others, an n-th."""
    try:
        found = re.search(r"^Pss:\s*(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def best(way: str, rows: Sequence[dict[str, Any]]) -> Measured:
    """A way's figures over its rounds; a fault if it had one in any."""
    fault = next((row["fault"] for row in rows if "fault" in row), "")
    if fault:
        return Measured(way, fault)
    rates = [row["samples_a_second"] for row in rows]
    least = min(rows, key=lambda row: row["held_mb"])
    memory: dict[str, Any] = {name: least[name] for name in ("held_mb", "allocated_mb") if name in least}
    figures: dict[str, Any] = {**rows[rates.index(max(rates))], **memory}
    return Measured(**figures, rounds=rates)


Judged = tuple[str, str, bool]
"""A goal, what was found, and whether it was reached."""


def judged(found: Found, *, is_gpu: bool) -> list[Judged]:
    """Each goal that the measured ways allow to judge, with what was found; first of all, whether they compare."""
    return [*_same(found), *(_judged_on_gpu(found) if is_gpu else _judged_on_cpu(found))]


def _same(found: Found) -> list[Judged]:
    """Whether the ways computed the same loss on the same first batch; else they didn't do the same."""
    good = found.good
    if len(good) < 2:
        return []
    given = good.get(PLAIN, next(iter(good.values())))
    far = [
        f"{each.way}: {each.first_loss:.4f}"
        for each in good.values()
        if list(each.answers) != list(given.answers)
        or not abs(each.first_loss - given.first_loss)
        <= (LOSS_TOLERANCE_BF16 if each.is_bf16 else LOSS_TOLERANCE) * given.first_loss
    ]
    losses = [each.first_loss for each in good.values()]
    what = f"{min(losses):.4f} to {max(losses):.4f} on {len(given.answers)} tokens"
    if far:
        what = f"the comparison is void: {given.way}: {given.first_loss:.4f}, {', '.join(far)}"
    return [(f"{found.case.title}: the same first loss in all ways", what, not far)]


def _judged_on_gpu(found: Found) -> list[Judged]:
    title, good = found.case.title, found.good
    tried = [each.way for each in found.ways if each.way in {OURS, CHECKPOINTED}]
    ours = [good[way] for way in tried if way in good]
    if not tried:
        return []
    goals: list[Judged] = []
    if TRL in good:
        goal = f"{title}: {GOALS['gpu_trl']:g}x TRL as its docs show it"
        goals.append((goal, *_times(ours[0], good[TRL], GOALS["gpu_trl"])) if ours else (goal, OUT_OF_MEMORY, False))
    if found.case.size_px == 336:
        least = min(ours, key=lambda each: each.held_mb, default=None)
        goal = f"{title}: under {GOALS['gpu_gb']:g} GB"
        what = OUT_OF_MEMORY if least is None else f"{least.held_mb / 1000:.1f} GB held by {least.way}"
        goals.append((goal, what, least is not None and least.held_mb / 1000 < GOALS["gpu_gb"]))
    return goals


def _times(ours: Measured, other: Measured, goal: float) -> tuple[str, bool]:
    times = ours.samples_a_second / other.samples_a_second
    in_steps = ""
    if ours.samples_a_second_in_steps and other.samples_a_second_in_steps:
        in_steps = f", {ours.samples_a_second_in_steps / other.samples_a_second_in_steps:.2f}x in steps alone"
    return f"{times:.2f}x by {ours.way}{in_steps}", times >= goal


def _judged_on_cpu(found: Found) -> list[Judged]:
    title, good = found.case.title, found.good
    if not {OURS, TRL, PLAIN} <= good.keys():
        return []
    ours, trl, plain = good[OURS], good[TRL], good[PLAIN]
    x_trl, x_plain = (ours.samples_a_second / each.samples_a_second for each in (trl, plain))
    memory = (f"{title}: less memory than TRL", f"{ours.held_mb:,.0f} against {trl.held_mb:,.0f} MB")
    goals = [
        (f"{title}: 3x TRL as its docs show it", f"{x_trl:.2f}x", x_trl >= GOALS["trl"]),
        (f"{title}: 1.4x a plain Trainer", f"{x_plain:.2f}x", x_plain >= GOALS["plain"]),
    ]
    return [*(goals if found.case.model == EMBEDDED else []), (*memory, ours.held_mb < trl.held_mb)]


def machine() -> dict[str, str]:
    """What it was measured on."""
    import torch

    names = ("torch", "transformers", "peft", "trl", "accelerate")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": _processor(),
        "bfloat16": "yes" if re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", _cpu_info()) else "no",
        "gpu": gpu,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "evensight": evensight.__version__,
    }


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _cpu_info())
    return found[1] if found else platform.processor() or "unknown"


def _cpu_info() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


def page(found: Sequence[Found], *, is_gpu: bool, table: Path | None) -> str:
    """The page in Markdown."""
    lines = [
        "# How fast models are fine-tuned" + (" on a GPU" if is_gpu else ""),
        "",
        f"Made by `{'python benchmarks/training.py --gpu' if is_gpu else 'make bench-training'}` "
        f"(`benchmarks/training.py`, which says how each figure is taken) on {_places(found)}. LoRA on scenes of "
        f"`{DESIGN}`; {_ON_GPU if is_gpu else _ON_CPU}",
        *(["", _NO_BFLOAT16] if any(each.machine and each.machine.get("bfloat16") == "no" for each in found) else []),
    ]
    for each in found:
        lines += ["", f"## {each.case.title}", "", _described(each), "", *_table(each, is_gpu=is_gpu)]
    goals = [goal for each in found for goal in judged(each, is_gpu=is_gpu)]
    lines += ["", "## Goals", "", "| goal | found | |", "|---|---|---|"]
    lines += [f"| {goal} | {what} | {'reached' if passed else '**missed**'} |" for goal, what, passed in goals]
    lines += ["", "## What the tricks are", "", TRICKS, "", *_gains(found)]
    return "\n".join([*lines, *([] if is_gpu else ["", _on_gpu(table)])]).rstrip() + "\n"


_ON_CPU = "each training in a process of its own, the fastest of the rounds."
_NO_BFLOAT16 = (
    "This processor has no instructions for bfloat16, which is TRL's default precision, so *TRL, as its docs show "
    "it* is slow here for a reason that a GPU, or a newer processor, doesn't have. The row to compare with is *TRL, "
    "activations kept, in the others' precision*."
)
_ON_GPU = (
    "random weights in bfloat16; in each case one process, one model, all ways by turns. *Samples/s* are of the "
    "whole training, with what is prepared before its first step; *in steps* of the steps alone. *Held* is what "
    "torch held of the GPU, *allocated* what tensors took of it, at most, in units of 10^6 bytes."
)


def _places(found: Sequence[Found]) -> str:
    """The machines, each once."""
    texts = []
    for facts in (each.machine for each in found if each.machine):
        where = f"one core of {facts['processor']}" if facts["gpu"] == "none" else facts["gpu"]
        libraries = ", ".join(f"{name} {facts[name]}" for name in ("torch", "transformers", "peft", "trl"))
        texts.append(f"{where}, {facts['system']}, Python {facts['python']}, {libraries}")
    return "; and on ".join(dict.fromkeys(texts))


def _described(found: Found) -> str:
    case, config = found.case, found.case.config
    text = f"{case.n} examples, {config.epochs:g} epochs, batches of {config.batch_size}"
    if found.matmul_flops_a_second is not None:
        text += f"; a product of two matrices does {found.matmul_flops_a_second / 1e12:,.3g} TFLOP/s there"
    if found.flops_a_sample is not None:
        text += (
            f"; a sample takes the plain trainer {found.flops_a_sample / 1e12:,.3g} TFLOP, which is what the last "
        )
        text += "column multiplies each way's samples/s by, whatever it computes itself"
    return text + "."


def _table(found: Found, *, is_gpu: bool) -> list[str]:
    memory = ["held, MB", "allocated, MB"] if is_gpu else ["memory, MB"]
    columns = ["samples/s", *(["in steps", "ms a step", "s before them"] if is_gpu else [])]
    columns += ["x TRL", "x plain", "x evensight", *memory, "first loss", "last loss"]
    columns += ["plain's operations, of the peak"] if is_gpu else []
    lines = [f"| way | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for each in found.ways:
        cells = [each.fault, *[""] * (len(columns) - 1)] if each.fault else _cells(each, found, is_gpu=is_gpu)
        lines.append(f"| {each.way} | {' | '.join(cells)} |")
    return lines


def _cells(each: Measured, found: Found, *, is_gpu: bool) -> list[str]:
    good, rate = found.good, each.samples_a_second
    ratios = [f"{rate / good[other].samples_a_second:.2f}" if other in good else "" for other in (TRL, PLAIN, OURS)]
    losses = [f"{each.first_loss:.4f}", f"{each.last_loss:.4f}"]
    if not is_gpu:
        return [f"{rate:.1f}", *ratios, f"{each.held_mb:,.0f}", *losses]
    in_steps = each.samples_a_second_in_steps
    allocated = "" if each.allocated_mb is None else f"{each.allocated_mb:,.0f}"
    peak, flops = found.matmul_flops_a_second, found.flops_a_sample
    share = f"{100 * rate * flops / peak:.1f} %" if peak and flops else ""
    timed = ["" if in_steps is None else f"{in_steps:.2f}", _step(each), f"{each.prepared_s:.2f}"]
    return [f"{rate:.2f}", *timed, *ratios, f"{each.held_mb:,.0f}", allocated, *losses, share]


def _step(each: Measured) -> str:
    """The mean step behind the warm-up with its standard deviation, ms."""
    warm_ms = [1000 * step for step in each.steps_s[WARM_UP:]]
    return f"{mean(warm_ms):.0f} ± {stdev(warm_ms):.0f}" if len(warm_ms) > 1 else ""


def _gains(found: Sequence[Found]) -> list[str]:
    """What each trick brings in each case, and whether that shows above what differs from round to round."""
    shown: dict[str, list[bool]] = {}
    lines = []
    for each in found:
        for way in (way for way in WITHOUTS if {way, OURS} <= each.good.keys()):
            text, shows = _gain(each.good[OURS].rounds, each.good[way].rounds)
            lines.append(f"| {way.removeprefix('evensight ')} | {each.case.title} | {text} |")
            shown.setdefault(way, []).append(shows)
    if not lines:
        return []
    unseen = [way.removeprefix("evensight ") for way, shows in shown.items() if not any(shows)]
    told = f" Nothing that shows in any case: {'; '.join(unseen)}." if unseen else " Each shows in some case."
    head = (
        "How many times as fast evensight is as evensight without the trick: the fastest round of each, and in "
        "brackets the least and the most that any two rounds give. A gain shows if even the least is above 1."
    )
    return [head + told, "", "| | case | gain |", "|---|---|---|", *lines]


def _gain(ours: Sequence[float], without: Sequence[float]) -> tuple[str, bool]:
    text = f"{max(ours) / max(without):.2f}x"
    if min(len(ours), len(without)) < 2:
        return f"{text} (one round, so nothing is said to show)", False
    low, high = min(ours) / max(without), max(ours) / min(without)
    shows = low > 1
    return f"{text} ({low:.2f} to {high:.2f}), {'shows' if shows else 'does not show'}", shows


TRICKS = """\
*Logits for answers alone*: words' scores are computed only where a word of an answer is predicted. *A last layer
for answers alone*: behind its attention, the last layer too is computed only there. *Examples prepared once*: where
the vision tower and the projector are frozen and there is more than one epoch, each example is drawn, encoded and
looked at once; its tokens stay in memory and its image's embeddings in a mapped file. *Adapters added to small
layers*: in float32, LoRA of a layer with fewer than 6 r features is computed as (W + s B A) x, which is less work
there.

Tried and left out, for it brought nothing that could be told from noise: keeping freed memory in the process
(`mallopt`), flushing denormal numbers. transformers' default optimizer is the fused one already. A loop of our own
could save at most what transformers' Trainer takes beside the model's passes, about 10 ms of a step of 110 of the
embedded model, and less of any larger one: we stay on the Trainer."""

_GPU_PAGE = "benchmark-training-gpu.md"
_WHAT_ON_GPU = """\
`python benchmarks/training.py --gpu` measures LoRA on Qwen2.5-VL-7B's and LLaVA-NeXT-7B's architectures with random
weights in bfloat16 at 336 and 672 px, against TRL, with the share of the peak that a matrix product reaches there.
`--gpu --tiny` goes the same way with small models on a CPU."""


def _on_gpu(table: Path | None) -> str:
    """Where the figures of a GPU are, if there are any beside the page."""
    is_there = table is not None and (table.parent / _GPU_PAGE).exists()
    where = f"Its page is [{_GPU_PAGE}]({_GPU_PAGE})." if is_there else "No GPU was at hand: it was not run."
    return f"## On a GPU\n\n{_WHAT_ON_GPU} {where}"


if __name__ == "__main__":
    main()
