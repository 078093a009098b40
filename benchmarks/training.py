"""How fast models are fine-tuned, in how much memory, against two other trainers, as ratios in one run.

    python benchmarks/training.py --table docs/benchmark-training.md --json runs/training.json
    python benchmarks/training.py --gpu --table docs/benchmark-training-gpu.md   # 7B models, on a GPU

Each training is a process of its own, begun anew in each round, the ways by turns; of each the fastest round counts:
what other programs do at the time then weighs least. All train the same LoRA on the same examples in the same order,
with the same batch and epochs. Time is taken from the call that trains to its end: with the reading and encoding of
the examples and, for evensight, with the making of its trainer and all that it prepares; without imports, the model's
loading, and the making of the others' trainers.

Without a GPU a training is kept on one core with one thread, its loader's processes too, and what is counted is the
time that they use of the core, which is the clock's where nothing else runs. So who uses more cores gains nothing by
it, and other programs take little away. On a GPU it is the clock's time.

Memory is what the process and its loader's processes hold together (their shared pages once), looked at ten times a
second; on a GPU it is the most that torch held there.

The losses of all ways on the first batch must agree, in bfloat16 to two places, else the comparison is void and the
run ends with an error. It ends with 1 where a goal was missed.
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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import evensight
from contenders import (
    CHECKPOINTED,
    DESIGN,
    DRAWN,
    OURS,
    PLAIN,
    TRL,
    TRL_KEPT,
    WITHOUT_LAST,
    WITHOUT_LOGITS,
    WITHOUT_MERGED,
    WITHOUT_PREPARED,
    Case,
    job,
    matmul_peak,
)
from evensight.exchange.export import export
from evensight.runs import write_json, write_text
from evensight.storage.stored import store
from made_models import SMALL_NEXT, SMALL_QWEN, WHOLE_NEXT, WHOLE_QWEN

GOALS = {"trl": 3.0, "plain": 1.4, "gpu_trl": 2.0, "gpu_gib": 24.0}
"""How many times as fast as TRL as its docs show it, and as a plain Trainer; on a GPU; GiB for LoRA at 336 px."""
LOSS_TOLERANCE, LOSS_TOLERANCE_BF16 = 1e-3, 3e-2
"""How far losses on the first batch may lie apart, as a share."""


@dataclass(frozen=True)
class Measured:
    """What one training took.

    Attributes:
        way: Who trained.
        samples_a_second: Of the fastest round; without a GPU, a second of the core.
        samples_a_second_by_the_clock: In that round.
        peak_mib: The most memory, of the round with the least.
        first_loss: On the first batch.
        last_loss: On the last.
        is_bf16: Whether it computed in bfloat16.
        flops_a_sample: Floating-point operations of forward and backward pass, if they were counted.
    """

    way: str
    samples_a_second: float
    samples_a_second_by_the_clock: float
    peak_mib: float
    first_loss: float
    last_loss: float
    is_bf16: bool
    flops_a_sample: float | None = None


CPU_WAYS = (TRL, TRL_KEPT, PLAIN, OURS, DRAWN, WITHOUT_LOGITS, WITHOUT_LAST, WITHOUT_PREPARED, WITHOUT_MERGED)
GPU_WAYS = (TRL, TRL_KEPT, PLAIN, OURS, CHECKPOINTED, WITHOUT_LOGITS, WITHOUT_LAST, WITHOUT_PREPARED)
_EMBEDDED = {"batch_size": 32, "layers": []}
"""With six epochs, as the embedded model recommends for itself."""


def cpu_cases(scale: float) -> list[Case]:
    """What is trained on a CPU."""
    few, fewer = max(32, round(160 * scale)), max(8, round(32 * scale))
    return [
        Case("embedded", 336, few, 6.0, _EMBEDDED),
        Case("embedded", 108, few, 6.0, _EMBEDDED),
        Case(SMALL_QWEN, 336, fewer, 3.0, {"batch_size": 8}),
    ]


def gpu_cases(scale: float, *, is_tiny: bool) -> list[Case]:
    """What is trained on a GPU, or small models on the same way through the code."""
    n = max(4, round(96 * scale))
    qwen, next_ = (SMALL_QWEN, SMALL_NEXT) if is_tiny else (WHOLE_QWEN, WHOLE_NEXT)
    return [Case(model, side, n, 3.0, {"batch_size": 4}) for model in (qwen, next_) for side in (336, 672)]


def main() -> None:
    """Measures, prints the page, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="the fastest of each way counts")
    parser.add_argument("--scale", type=float, default=1.0, help="how many examples, as a share of those it has")
    parser.add_argument("--only", help="only cases whose title has this in it")
    parser.add_argument("--gpu", action="store_true", help="the architectures of 7B models on a GPU instead")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: small models, to try it on a CPU")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--table", type=Path, help="where to write the page")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job is not None:
        print(json.dumps(job(**json.loads(arguments.job))))
    elif not report(arguments):
        raise SystemExit(1)


def report(arguments: argparse.Namespace) -> bool:
    """Measures everything and writes it; gives whether all goals were reached."""
    is_gpu, scale = arguments.gpu, arguments.scale
    cases = gpu_cases(scale, is_tiny=arguments.tiny) if is_gpu else cpu_cases(scale)
    chosen = [case for case in cases if arguments.only is None or arguments.only in case.title]
    found = {case: measured(case, GPU_WAYS if is_gpu else CPU_WAYS, arguments.rounds) for case in chosen}
    peak = matmul_peak() if is_gpu else None
    goals = [goal for case, ways in found.items() for goal in judged(case, ways, is_gpu=is_gpu)]
    text = page(found, goals, peak)
    print(text)
    if arguments.table is not None:
        write_text(arguments.table, text)
    if arguments.json is not None:
        figures = {
            "machine": machine(),
            "matmul_flops_a_second": peak,
            "cases": [
                {**asdict(case), "title": case.title, "ways": [asdict(each) for each in found[case]]}
                for case in cases
            ],
            "goals": [{"goal": goal, "found": what, "passed": passed} for goal, what, passed in goals],
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(arguments.json, figures)
    return all(passed for *_, passed in goals)


def measured(case: Case, ways: Sequence[str], n_rounds: int) -> list[Measured]:
    """All ways in one case, by turns, each round of each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_sets(case, Path(folder))
        rounds = [[fresh(case, way, Path(folder)) for way in ways] for _ in range(n_rounds)]
    found = [best([each[k] for each in rounds]) for k in range(len(ways))]
    check_losses(case, found)
    return found


def write_sets(case: Case, folder: Path) -> None:
    """The case's examples, as evensight stores them and as it exports them for TRL."""
    examples = case.drawn
    store(examples, folder / "stored")
    export(examples, "trl", folder / "trl")


def fresh(case: Case, way: str, folder: Path) -> dict[str, Any]:
    """One training in a process of its own, with the most memory that it and those it began held together, MiB."""
    work = json.dumps({"case": asdict(case), "way": way, "folder": str(folder)})
    command = [sys.executable, __file__, "--job", work]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        most = [0.0]
        watch = threading.Thread(target=_watch, args=(process, most))
        watch.start()
        out, err = process.communicate()
        watch.join()
    if process.returncode:
        raise SystemExit(f"`{way}` failed in {case.title}:\n{err}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    print(f"{case.title}: {way}: {found['samples_a_second']:.1f} samples/s", file=sys.stderr)
    return {"peak_mib": most[0], "way": way, **{name: value for name, value in found.items() if value is not None}}


def _watch(process: "subprocess.Popen[str]", most: list[float]) -> None:
    while process.poll() is None:
        most[0] = max(most[0], sum(map(_held_mib, _family(process.pid))))
        time.sleep(0.1)


def _family(pid: int) -> list[int]:
    """A process and those that it began, and they."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _held_mib(pid: int) -> float:
    """What a process holds; of pages that it shares with n others, an n-th."""
    try:
        found = re.search(r"^Pss:\s*(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def best(rounds: Sequence[dict[str, Any]]) -> Measured:
    """A way's figures over its rounds."""
    fastest = max(rounds, key=lambda each: each["samples_a_second"])
    return Measured(**{**fastest, "peak_mib": min(each["peak_mib"] for each in rounds)})


def check_losses(case: Case, found: Sequence[Measured]) -> None:
    """Ends the run if the ways did not compute the same loss on the first batch: then they didn't do the same."""
    given = next(each.first_loss for each in found if each.way == PLAIN)
    for each in found:
        tolerance = LOSS_TOLERANCE_BF16 if each.is_bf16 else LOSS_TOLERANCE
        if not abs(each.first_loss - given) <= tolerance * given:
            raise SystemExit(
                f"the comparison is void in {case.title}: the loss on the first batch is {each.first_loss:.6f} for "
                f"`{each.way}` and {given:.6f} for `{PLAIN}`"
            )


Judged = tuple[str, str, bool]
"""A goal, what was found, and whether it was reached."""


def judged(case: Case, found: Sequence[Measured], *, is_gpu: bool) -> list[Judged]:
    """Each goal with what was found."""
    ways = {each.way: each for each in found}
    ours, trl, plain = ways[OURS], ways[TRL], ways[PLAIN]
    x_trl, x_plain = (ours.samples_a_second / each.samples_a_second for each in (trl, plain))
    if is_gpu:
        least = min(ours.peak_mib, ways[CHECKPOINTED].peak_mib) / 1024
        goals = [(f"{case.title}: 2x TRL as its docs show it", f"{x_trl:.2f}x", x_trl >= GOALS["gpu_trl"])]
        if case.size_px == 336:
            goals.append((f"{case.title}: under 24 GiB", f"{least:.1f} GiB", least < GOALS["gpu_gib"]))
        return goals
    memory = (f"{case.title}: less memory than TRL", f"{ours.peak_mib:,.0f} against {trl.peak_mib:,.0f} MiB")
    goals = [
        (f"{case.title}: 3x TRL as its docs show it", f"{x_trl:.2f}x", x_trl >= GOALS["trl"]),
        (f"{case.title}: 1.4x a plain Trainer", f"{x_plain:.2f}x", x_plain >= GOALS["plain"]),
    ]
    return [*(goals if case.model == "embedded" else []), (*memory, ours.peak_mib < trl.peak_mib)]


def machine() -> dict[str, str]:
    """What it was measured on."""
    import torch

    names = ("torch", "transformers", "peft", "trl", "accelerate")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": _processor(),
        "gpu": gpu,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "evensight": evensight.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or "unknown"


def page(found: dict[Case, list[Measured]], goals: Sequence[Judged], peak: float | None) -> str:
    """The page in Markdown."""
    facts = machine()
    where = facts["gpu"] if peak is not None and facts["gpu"] != "none" else f"one core of {facts['processor']}"
    libraries = ", ".join(f"{name} {facts[name]}" for name in ("torch", "transformers", "peft", "trl"))
    lines = [
        "# How fast models are fine-tuned",
        "",
        "Made by `make bench-training` (`benchmarks/training.py`, which says how each figure is taken) in one run on "
        f"{where}, {facts['system']}, Python {facts['python']}, {libraries}. LoRA on scenes of `{DESIGN}`; each "
        "training in a process of its own, the fastest of the rounds.",
    ]
    for case, ways in found.items():
        lines += ["", f"## {case.title}", "", _described(case), "", *_table(ways, peak)]
    lines += ["", "## Goals", "", "| goal | found | |", "|---|---|---|"]
    lines += [f"| {goal} | {what} | {'reached' if passed else '**missed**'} |" for goal, what, passed in goals]
    return (
        "\n".join([*lines, "", "## What the tricks are", "", TRICKS, *([] if peak is not None else ["", NO_GPU])])
        + "\n"
    )


def _described(case: Case) -> str:
    return f"{case.n} examples, {case.epochs:g} epochs, batches of {case.settings['batch_size']}."


def _table(ways: Sequence[Measured], peak: float | None) -> list[str]:
    speed = {each.way: each.samples_a_second for each in ways}
    flops = next((each.flops_a_sample for each in ways if each.flops_a_sample is not None), None)
    share = peak is not None and flops is not None
    lines = [
        "| way | samples/s | x TRL | x plain | x evensight | memory, MiB | first loss | last loss |"
        + (" share of the matmul's peak |" if share else ""),
        "|---|---:|---:|---:|---:|---:|---:|---:|" + ("---:|" if share else ""),
    ]
    for each in ways:
        ratios = " | ".join(f"{speed[each.way] / speed[other]:.2f}" for other in (TRL, PLAIN, OURS))
        row = (
            f"| {each.way} | {each.samples_a_second:.1f} | {ratios} | {each.peak_mib:,.0f} "
            f"| {each.first_loss:.4f} | {each.last_loss:.4f} |"
        )
        used = (
            f" {100 * each.samples_a_second * flops / peak:.1f} % |" if peak is not None and flops is not None else ""
        )
        lines.append(row + used)
    return lines


TRICKS = """\
*Logits for answers alone*: words' scores are computed only where a word of an answer is predicted. *A last layer
for answers alone*: behind its attention, the last layer too is computed only there. *Examples prepared once*: where
the vision tower and the projector are frozen and there is more than one epoch, each example is drawn, encoded and
looked at once; its tokens stay in memory and its image's embeddings in a mapped file. *Adapters added to small
layers*: in float32, LoRA of a layer with fewer than 6 r features is computed as (W + s B A) x, which is less work
there. Each was kept for what the rows above lose without it.

Tried and left out, for it brought nothing that could be told from noise: keeping freed memory in the process
(`mallopt`), flushing denormal numbers. transformers' default optimizer is the fused one already. A loop of our own
could save at most what transformers' Trainer takes beside the model's passes, about 10 ms of a step of 110 of the
embedded model, and less of any larger one: we stay on the Trainer."""

NO_GPU = """\
## On a GPU

No GPU was at hand: nothing above was measured on one. `python benchmarks/training.py --gpu` is ready to run: LoRA on
Qwen2.5-VL-7B's and LLaVA-NeXT-7B's architectures with random weights in bfloat16 at 336 and 672 px, against TRL, with
the share of the peak that a matrix product reaches there. `--gpu --tiny` goes the same way with small models on a
CPU."""


if __name__ == "__main__":
    main()
