"""Commands that are killed, again and again, and must end in the same bytes as if nobody had disturbed them.

    python reliability/kill.py --kills 30 --out runs/kill        (or: make kill)

Each command is run once to its end, and its calls to the kernel about its folder are listed. Then SIGKILL comes as
one of them begins (a write, fsync, rename, mkdir, unlink: each once before any twice), and every third time at a
random instant; the same command is started again, is killed again, up to four times, and then ends. Every file of its
folder is compared with the undisturbed run's, byte for byte, and no other file may be there. At the end two are
started at once on one folder: the second says so in one line and stops.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import Bench, commands, contents
from evensight.progress import progress
from evensight.randomness import below, shuffled
from evensight.runs import write_json
from stage import Stage
from tracing import Ended, Point, at, by_strace, can_hit, killed_after, points

IN_A_ROW = 4
"""How often a run is killed before it may end."""


@dataclass
class Killed(Stage):
    """A command and what its kills gave.

    Attributes:
        points: The calls that can be hit, in a drawn order.
        kills: How many runs were killed.
        tried: How many were to be: a run that goes on may not come by a call again.
        ends: How many came to their end after kills.
        faults: What was not as it should be, a line each.
    """

    points: list[Point] = field(default_factory=list)
    kills: int = 0
    tried: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)

    def find_points(self) -> None:
        """Runs the command once more to list its calls."""
        self.clear()
        found = points(self.line, self.env, self.out)
        self._compare("traced")
        self.points = shuffled(found, self.seed, f"points of {self.command.name}")

    def chain(self, n_kills: int) -> None:
        """Kills a run up to so many times, lets it end, and compares."""
        self.clear()
        history: list[str] = []
        for _ in range(n_kills):
            where, ended = self._kill(is_first=not history)
            history.append(where)
            if not ended.is_killed:
                break
            self.kills += 1
        else:
            ended = self.run()
        after = ", ".join(history)
        if ended.status != 0:
            self.faults.append(f"{after}: ended with {ended.status}: {ended.stderr.strip()[-300:]}")
            return
        self.ends += 1
        self._compare(after)

    def two_at_once(self) -> None:
        """Starts two on one folder: the second is told, and the first ends as ever."""
        self.clear()
        first = subprocess.Popen(self.line, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (self.out / self.command.lock).exists() and first.poll() is None:
            time.sleep(0.001)
        first.send_signal(signal.SIGSTOP)  # it keeps its lock while the second starts
        second = self.run()
        first.send_signal(signal.SIGCONT)
        if second.status <= 0 or "another evensight process" not in second.stderr or "Traceback" in second.stderr:
            self.faults.append(f"the second of two ended with {second.status}: {second.stderr.strip()[-300:]}")
        if first.wait() != 0:
            self.faults.append(f"the first of two ended with {first.returncode}")
        self._compare("two at once")

    def row(self) -> dict[str, Any]:
        """What goes into the table."""
        return {
            "command": self.command.name,
            "calls": len(self.points),
            "kills": self.kills,
            "ends": self.ends,
            "faults": self.faults,
        }

    def _kill(self, *, is_first: bool) -> tuple[str, Ended]:
        """Runs the command to a drawn call or instant; where that was, and how it ended."""
        number = self.tried
        self.tried += 1
        if number % 3 == 2 or not self.points:
            seconds = self.seconds * (1 + below(1000, self.seed, f"instants of {self.command.name}", number)) / 1000
            return f"after {seconds:.2f} s", killed_after(seconds, self.line, self.env)
        point = self.points[number % len(self.points)]
        ended = at(point, None, self.line, self.env, self.out)
        if is_first and not ended.was_hit:
            self.clear()
            ended = by_strace(point, None, self.line, self.env)
        return f"{point.call} {point.nth} of {point.path}", ended

    def _compare(self, after: str) -> None:
        found = contents(self.out)
        differing = sorted(
            path for path in found.keys() | self.expected if found.get(path) != self.expected.get(path)
        )
        if differing:
            self.faults.append(f"{after}: differs in {', '.join(differing[:5])}")


def main() -> None:
    """Kills every command so many times, prints the table and ends with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="of each command")
    parser.add_argument("--only", nargs="+", help="these commands alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and kill.json")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)
    with commands((arguments.out / "inputs").absolute()) as bench:
        worth = [name for name, command in bench.by_name.items() if command.writes]
        rows = []
        for name in arguments.only or worth:
            rows.append(tried(bench, name, arguments.out.absolute(), arguments.kills, arguments.seed).row())
            print(rows[-1], flush=True)
            write_json(arguments.out / "kill.json", rows)
    sys.exit(any(row["faults"] for row in rows))


def tried(bench: Bench, name: str, out: Path, n_kills: int, seed: int) -> Killed:
    """The trial of a command with so many kills."""
    trial = Killed(bench.by_name[name], bench, out / name.replace(" ", "-"), seed)
    trial.prepare()
    if can_hit():
        trial.find_points()
    with progress(f"kills of {name}", n_kills, "kills") as advance:
        n_chains = 0
        while trial.kills < n_kills and n_chains < 3 * n_kills and len(trial.faults) < 5:
            before = trial.kills
            trial.chain(min(IN_A_ROW, n_kills - trial.kills))
            advance(trial.kills - before)
            n_chains += 1
    trial.two_at_once()
    return trial


if __name__ == "__main__":
    main()
