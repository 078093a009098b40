"""Writes docs/reliability.md from what the trials left.

    python reliability/page.py runs --out docs/reliability.md        (or: make reliability, after the trials)

Reads `kill/kill.json`, `faults*/faults.json`, `load/load.json`, `steady/steady.json`, `steady*/flips.json`,
`broken/broken.json` and `fuzz.jsonl` below the folder. The goals stand at the head; the page says where one was
missed.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evensight.runs import write_text

HEAD = """\
# Nothing lost, nobody let in: the figures

Made by `make reliability` from what these commands left, with {versions} on {cores} cores ({system}). All put
real processes of `evensight` on trial, on the embedded model and sets of 36 scenes; what each does stands at
the head of its file in `reliability/`. Short forms of them run in `make test`.
"""

SECURITY = Path(__file__).parent.parent / "docs" / "security.md"

FIXED = """\
## Found and fixed on the way

- A flipped bit in the embedded model's weights went unseen and gave other numbers: its files, and those of
  every model and adapter that evensight made, are now compared with what the run that made them wrote down.
- A finished shard of a set that was damaged between a kill and the next start was sealed as if it were right;
  so would have been an answer in an evaluation's journal, kept states and outcomes of probes. All have receipts
  now: hashes that are written before the thing itself gets its name.
- A loader's process that was killed gave a traceback; one that could get no memory for its sending thread was
  waited for without end. Both are one line now.
- A set whose process was killed behind its manifest kept an empty lock beside its shards for ever.
- An adapter for Megatron could have had PEFT import a module that it names; and whatever PEFT raised on a
  strange configuration came as a traceback.
- A checkpoint whose optimizer state would run code was refused by torch, with a traceback; it is one line now.
- A full disk under one part of a study came as a traceback beside the line.
- A results table that holds bytes that are no text, or options of no tokens, in files whose hashes are right,
  gave an unexpected exception.
- Processes that `accelerate launch` had started aborted at their end in 6 of 20 runs: threads of gloo outlived
  the interpreter.
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal, what came of it, and whether it was reached."""

    text: str
    found: str
    reached: bool

    def row(self) -> list[str]:
        """Its row in the table."""
        return [self.text, self.found, "reached" if self.reached else "**missed**"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def kills(rows: Sequence[dict[str, Any]]) -> tuple[str, list[Goal]]:
    """The section of killed commands."""
    n, faults = sum(row["kills"] for row in rows), [fault for row in rows for fault in row["faults"]]
    body = table(
        ("command", "calls that can be hit", "kills", "runs brought to their end", "other than undisturbed"),
        ([row["command"], row["calls"], row["kills"], row["ends"], len(row["faults"])] for row in rows),
    )
    text = (
        "## Killed (`make kill`)\n\nSIGKILL as a call to the kernel about the run's folder begins (a write, an "
        "fsync, a rename, "
        "a mkdir, an unlink), or at a random instant; the same command is started again, is killed again, up "
        "to four times, "
        "and then ends. Every file is compared with an undisturbed run's, byte for byte, but for locks and "
        "measured times. At "
        "the end two are started on one folder: the second has to say so and stop.\n\n" + body
    )
    goals = [
        Goal("200 kills or more", f"{n}", n >= 200),
        Goal("resumed to the same bytes: 100 %", f"{len(faults)} otherwise", not faults),
    ]
    return text, goals


def damages(rows: Sequence[dict[str, Any]]) -> tuple[str, list[Goal]]:
    """The section of failing disks and damaged files."""
    faults = [fault for row in rows for fault in row["faults"]]
    silent = sum("other bytes" in fault or "same bytes" in fault for fault in faults)
    body = table(
        ("command", "what", "trials", "the right result", "one line", "a right result of less", "neither"),
        (
            [row["command"], row["kind"], row["trials"], row["right"], row["told"], row["other"], len(row["faults"])]
            for row in rows
        ),
    )
    text = (
        "## Faults (`make faults`)\n\n*disk*: calls that fail with ENOSPC, EIO, EROFS, EACCES or EMFILE. "
        "*inputs*, *left behind* (by "
        "a kill), *caches*, *package* (the embedded model): each file with a bit flipped, cut, emptied or "
        "removed. *around*: "
        "reads that come short, a clock that jumps back, a loader's process that dies or gets no memory. "
        "Photographs bear no "
        "hash: a damaged one is left out, which is *a right result of less*.\n\n" + body
    )
    goals = [
        Goal("silent corruptions: 0", str(silent), silent == 0),
        Goal("neither the right result nor one line: 0", str(len(faults)), not faults),
    ]
    return text, goals


def malformed(rows: Sequence[dict[str, Any]]) -> tuple[str, list[Goal]]:
    """The section of malformed input."""
    least = min(row["n"] for row in rows)
    adds_up = all(row["accepted"] + row["refused"] == row["n"] for row in rows)
    body = table(
        ("what", "cases", "accepted", "refused in one line"),
        ([row["what"], f"{row['n']:,}", f"{row['accepted']:,}", f"{row['refused']:,}"] for row in rows),
    )
    text = (
        "## Malformed (`make fuzz`)\n\nFiles with values exchanged, lost, doubled, moved, and bytes lost or "
        "changed (hypothesis). "
        "What is accepted is used: its counts must add up and its pictures be decoded. No other exception came.\n\n"
        + body
    )
    return text, [
        Goal("10,000 cases of each", f"{least:,} at least", least >= 10_000),
        Goal("accepted + refused = all", "so" if adds_up else "not so", adds_up),
    ]


def loads(found: dict[str, Any]) -> tuple[str, list[Goal]]:
    """The section of load."""
    server, beside = found["server"], found["side by side"]
    shown = {name: value for name, value in server.items() if name not in ("faults", "by fault")}
    text = (
        "## Load (`make load`)\n\nAn evaluation at a server on loopback that takes 2 to 10 s for an answer and "
        "spoils 5 % of the "
        f"requests ({', '.join(f'{n} x {name}' for name, n in server['by fault'].items())}):\n\n"
        + table(("what", "found"), ([name, f"{value:,}"] for name, value in shown.items()))
        + f"\n\n{' and '.join(f'{n} x `{name}`' for name, n in beside['at once'].items())} begun at once on one "
        f"empty cache: {len(beside['faults'])} of them ended in other bytes than alone."
    )
    whole = not server["faults"] and server["seconds"] >= 590
    return text, [
        Goal(
            "ten minutes at 256 requests, 5 % spoiled: none lost, none doubled, memory flat",
            f"{server['lost']} lost, {server['doubled']} doubled, {server['MB in the second quarter']} to "
            f"{server['MB in the last quarter']} MB, {server['seconds']} s",
            whole,
        ),
        Goal("side by side as alone", f"{len(beside['faults'])} otherwise", not beside["faults"]),
    ]


def steadiness(found: dict[str, Any]) -> tuple[str, list[Goal]]:
    """The section of numbers that don't move."""
    moved = [fault for row in found["study"] for fault in row["faults"]]
    rows = [
        [
            row["what"],
            row.get("files", "-"),
            len(row["files that differ"]) if "files that differ" in row else "-",
            row["answers"],
            row["answers that differ"],
        ]
        for row in found["study"]
    ]
    exact = [row for row in found["flips"] if row["dtype"] == "float32"]
    n_exact = sum(row["answers in words that differ"] + row["best options that differ"] for row in exact)
    text = (
        "## Numbers that don't move, and those that can (`make steady`)\n\nA study (training, asking, report) "
        "again:\n\n"
        + table(("what is different", "files", "that differ", "answers", "that differ"), rows)
        + f"\n\nThe same questions one by one and 16 at a time, with torch {found['torch']} on a CPU. The models of "
        "the families are tiny and of random weights, whose best answers are close to one another, so in bfloat16 "
        "they turn over far more easily than those of a trained model. An evaluation's manifest holds its batch "
        "size.\n\n" + flips(found["flips"])
    )
    return text, [
        Goal(
            "another day, place, seed of hashes, loaders, files: the same bytes", f"{len(moved)} otherwise", not moved
        ),
        Goal("batches of 1 and 16 in float32: the same answers", f"{n_exact} otherwise", n_exact == 0),
    ]


def flips(rows: Sequence[dict[str, Any]]) -> str:
    """The answers that turned over, as a table."""
    head = ("family", "dtype", "questions", "other words", "other best option", "largest difference (nats)")
    names = ("family", "dtype", "questions", "answers in words that differ", "best options that differ")
    far = "largest difference of a log-likelihood"
    return table(head, ([*(row[name] for name in names), f"{row[far]:.1e}"] for row in rows))


def flips_on_a_gpu(found: dict[str, Any]) -> tuple[str, list[Goal]]:
    """The section of the same flips on another device; of no goal, for evensight asks in 16 bits there."""
    text = (
        "## The same on a GPU (`reliability/steady.py --only-flips`)\n\n"
        f"One by one and 16 at a time on {found['device']}, with torch {found['torch']}. There evensight itself "
        "asks in bfloat16; for float32 the same weights, rounded to bfloat16, were widened. Convolutions in "
        "float32 are computed in TensorFloat-32 by default there: that makes the differences of a few 1e-4.\n\n"
        + flips(found["flips"])
    )
    return text, []


def breaks(rows: Sequence[dict[str, Any]]) -> tuple[str, list[Goal]]:
    """The section of mechanisms that were broken."""
    unseen = [row for row in rows if row["noticed"] is None]
    shown = ([row["mechanism"], f"`{row['file']}`", test_of(row["noticed"])] for row in rows)
    text = (
        "## Broken on purpose (`make broken`)\n\nOne line of each mechanism taken away or turned around in a "
        "copy; the first test "
        "that failed:\n\n" + table(("mechanism", "where", "test"), shown)
    )
    return text, [Goal("each is noticed by a test", f"{len(unseen)} of {len(rows)} not", not unseen)]


def test_of(noticed: str | None) -> str:
    """The test that noticed a break."""
    return "**none**" if noticed is None else f"`{noticed.split(' - ')[0].removeprefix('FAILED ').split('[')[0]}`"


SECTIONS: Mapping[str, Callable[[Any], tuple[str, list[Goal]]]] = {
    "kill*/kill.json": kills,
    "faults*/faults.json": damages,
    "fuzz*.jsonl": malformed,
    "load/load.json": loads,
    "steady/steady.json": steadiness,
    "steady*/flips.json": flips_on_a_gpu,
    "broken/broken.json": breaks,
}
"""What makes a section of what a trial left; rows of several files are put together."""


def page(folder: Path, note: str) -> str:
    """The page, of what is there; what isn't is named."""
    found = {pattern: left(sorted(folder.glob(pattern))) for pattern in SECTIONS}
    parts = [SECTIONS[pattern](content) for pattern, content in found.items() if content]
    goals = [goal for _, of_part in parts for goal in of_part]
    n_lines = sum("`tests/" in line for line in SECURITY.read_text().splitlines() if line.startswith("| "))
    goals.append(
        Goal("payloads run, reads outside: 0", f"{n_lines} lines in docs/security.md, each with a test", n_lines > 0)
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "pyarrow"))
    head = HEAD.format(
        versions=f"python {platform.python_version()}, {packages}", cores=os.cpu_count(), system=platform.system()
    )
    missing = [pattern for pattern, content in found.items() if not content]
    unmeasured = f"Not measured: {', '.join(missing)}.\n" if missing else ""
    verdicts = table(("goal", "found", ""), [goal.row() for goal in goals])
    hostile = (
        "## Hostile (docs/security.md)\n\nMarkup, control characters, paths that climb, bombs, pickles, code, "
        "servers that lie: [what is trusted and what isn't](security.md), with a test behind every line."
    )
    texts = [f"{text}\n" for text, _ in parts]
    return "\n".join([head, note, unmeasured, "## Goals\n", verdicts, "", *texts, hostile, "", FIXED])


def left(files: Sequence[Path]) -> Any:
    """What trials left: one object, or the rows of all files; nothing where there is none."""
    rows: list[Any] = []
    for file in files:
        text = file.read_text()
        found = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)
        if isinstance(found, dict):
            return found
        rows += found
    return rows


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder of what the trials left")
    parser.add_argument("--note", default="", help="what is to be known of how these were run")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    given = parser.parse_args()
    write_text(given.out, page(given.runs, given.note))


if __name__ == "__main__":
    main()
