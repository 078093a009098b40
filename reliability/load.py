"""A server under load, and many at once on one cache: no answer lost, none doubled, memory flat.

    python reliability/load.py --out runs/load        (or: make load)

*A server*: `evensight evaluate --server` has 256 requests in flight for about ten minutes at a server on loopback
that takes 2 to 10 seconds for each and spoils 5 % of them: it answers 500, 502 or 503, hangs up before or within an
answer, or says something that is no JSON. (One that says 429 is asked more slowly, which would be no load.) Each
question must be answered once, its row be the one of a run that nobody disturbed, and no question that was answered
be asked again; the command's memory (resident) in the last quarter must not be more than 5 % above that in the
second.
*Side by side*: eight processes that read and check one folder of photographs and four that ask one set, all begun at
once on one empty cache. Each must end with the bytes that it has alone.
"""

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from typing_extensions import override

from commands import Bench, Command, commands, contents
from evensight.randomness import below
from evensight.runs import write_json
from said import Said, answer

FAULTS = ("500", "502", "503", "hangs up", "cut short", "no JSON")
MOST_GROWTH = 1.05
"""How much more memory a run may have in its last quarter than in its second."""


@dataclass
class Spoiling:
    """What a server does to requests, and what came of it.

    Attributes:
        share: The share that it spoils.
        delay_s: From and to how many seconds an answer takes.
        asked: How often each question was asked, by its hash.
        answered: How often it was answered whole.
        faults: How often each fault was made.
        most_at_once: The most requests that were under way at a time.
    """

    share: float
    delay_s: tuple[float, float]
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def under_way(self, key: str) -> Iterator[tuple[str | None, float]]:
        """How a request goes wrong, and how long it takes."""
        with self.lock:
            self.asked[key] += 1
            drawn = below(1_000_000, self.asked[key], f"fault of {key}")
            fault = FAULTS[drawn % len(FAULTS)] if drawn < self.share * 1_000_000 else None
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        low, high = self.delay_s
        try:
            yield fault, low + (high - low) * below(1000, self.asked[key], f"delay of {key}") / 1000
        finally:
            with self.lock:
                self.at_once -= 1
                if fault:
                    self.faults[fault] += 1
                else:
                    self.answered[key] += 1


class Spoiled(Said):
    """Answers late, and some requests badly."""

    spoiling: Spoiling

    @override
    def do_POST(self) -> None:
        """Answers a question, or spoils it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        value = json.loads(body)
        key = hashlib.sha256(json.dumps(value["messages"]).encode()).hexdigest()
        with self.spoiling.under_way(key) as (fault, seconds):
            time.sleep(seconds)
            if fault is None:
                self.say(answer(value))
            elif fault.isdigit():
                self._send({"error": {"message": "not now"}}, int(fault), {})
            elif fault == "no JSON":
                self._send(b"<html>one moment</html>", 200, {})
            else:
                self.close_connection = True
                if fault == "cut short":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no error of the server's."""


@contextmanager
def spoiling(share: float, delay_s: tuple[float, float]) -> Iterator[tuple[str, Spoiling]]:
    """The address of a server that spoils requests while the block runs, and what it counts."""
    does = Spoiling(share, delay_s)
    server = _Listener(("127.0.0.1", 0), type("Handler", (Spoiled,), {"spoiling": does}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", does
    finally:
        server.shutdown()
        server.server_close()


def resident_mb(pid: int) -> float | None:
    """The memory that a process has, in MB; None once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(found[0]) / 1024 if found else None


def at_a_server(
    bench: Bench, root: Path, design: str, in_flight: int, delay_s: tuple[float, float], share: float
) -> dict[str, Any]:
    """Asks a server that spoils requests all questions of a design; what came of it."""
    data, env = root / "set", bench.environment(root / "cache")
    words = [sys.executable, "-m", "evensight"]
    _quiet([*words, "generate", design, "--size", "64", "--out", str(data)], env)
    ask = [*words, "evaluate", "--model", "said", "--data", str(data), "--in-flight", str(in_flight)]
    with spoiling(0.0, (0.0, 0.0)) as (url, _):
        _quiet([*ask, "--server", url, "--out", str(root / "undisturbed")], env)
    with spoiling(share, delay_s) as (url, does):
        begun = time.monotonic()
        line = [*ask, "--server", url, "--out", str(root / "run")]
        run = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        memory, stderr = _watched(run, min(1.0, delay_s[1] / 4))
        seconds = time.monotonic() - begun
    if run.returncode != 0:
        return {"faults": [f"ended with {run.returncode}: {stderr.decode()[-600:]}"]}
    asked, expected = (_rows(root / name) for name in ("run", "undisturbed"))
    rows = {row["id"]: row for row in asked}
    second, last = (statistics.mean(memory[len(memory) * k // 4 : len(memory) * (k + 1) // 4]) for k in (1, 3))
    found = {
        "questions": len(expected),
        "seconds": round(seconds),
        "requests": sum(does.asked.values()),
        "spoiled": sum(does.faults.values()),
        "by fault": dict(sorted(does.faults.items())),
        "most at once": does.most_at_once,
        "lost": len(expected) - len(rows),
        "doubled": len(asked) - len(rows) + sum(count - 1 for count in does.answered.values()),
        "rows that differ": sum(rows.get(row["id"]) != row for row in expected),
        "MB in the second quarter": round(second),
        "MB in the last quarter": round(last),
    }
    faults = [f"{found[name]} {name}" for name in ("lost", "doubled", "rows that differ") if found[name]]
    if last > MOST_GROWTH * second:
        faults.append(f"memory grew from {second:.0f} to {last:.0f} MB")
    if does.most_at_once < in_flight:
        faults.append(f"at most {does.most_at_once} requests were under way")
    return {**found, "faults": faults}


def _quiet(line: list[str], env: dict[str, str]) -> None:
    subprocess.run(line, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _watched(run: "subprocess.Popen[bytes]", every_s: float) -> tuple[list[float], bytes]:
    """The memory of a process by and by, in MB, and what it wrote to stderr."""
    said: list[bytes] = []
    reading = threading.Thread(target=lambda: said.append(run.communicate()[1]), daemon=True)
    reading.start()
    memory: list[float] = []
    while reading.is_alive():
        now = resident_mb(run.pid)
        memory += [] if now is None else [now]
        reading.join(every_s)
    return memory, said[0]


def _rows(run: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetFile(run / "results.parquet").read().to_pylist()
    return rows


def side_by_side(bench: Bench, root: Path, n_of: Mapping[str, int]) -> dict[str, Any]:
    """Runs so many of each command at once on one empty cache; compares each with itself alone."""
    expected = {name: _alone(bench, bench.by_name[name], root) for name in n_of}
    env, faults = bench.environment(root / "cache"), list[str]()
    begun: list[tuple[Command, Path, subprocess.Popen[str]]] = []
    for k in range(max(n_of.values())):
        for name, n in n_of.items():
            if k < n:
                command, out = bench.by_name[name], root / f"{name}-{k}"
                line = command.line(out)
                run = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                begun.append((command, out, run))
    for command, out, run in begun:
        _, stderr = run.communicate()
        if run.returncode != 0:
            faults.append(f"{out.name} ended with {run.returncode}: {stderr[-300:]}")
        elif contents(out) != expected[command.name]:
            faults.append(f"{out.name} differs from one alone")
    return {"at once": dict(n_of), "faults": faults}


def _alone(bench: Bench, command: Command, root: Path) -> dict[str, str]:
    out = root / f"{command.name}-alone"
    _quiet(command.line(out), bench.environment(root / "cache-alone"))
    return contents(out)


def main() -> None:
    """Runs both, prints what came of it and ends with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", default="relations", help="whose questions the server is asked")
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--delay", type=float, nargs=2, default=(2.0, 10.0), help="seconds that an answer takes")
    parser.add_argument("--share", type=float, default=0.05, help="of the requests, how many are spoiled")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and load.json")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    out = given.out.absolute()
    with commands(out / "inputs") as bench:
        found = {"side by side": side_by_side(bench, out, {"photos": 8, "evaluate": 4})}
        print(found, flush=True)
        low, high = given.delay
        found["server"] = at_a_server(bench, out, given.design, given.in_flight, (low, high), given.share)
        print(found["server"], flush=True)
    write_json(out / "load.json", found)
    sys.exit(any(part["faults"] for part in found.values()))


if __name__ == "__main__":
    main()
