"""A command where it is put on trial: its folder, its cache, and what it gives when nobody disturbs it."""

import hashlib
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from commands import OUT, Bench, Command, contents
from tracing import Ended, ran


@dataclass
class Stage:
    """A command on trial.

    Attributes:
        command: The command.
        bench: Where its inputs are.
        root: Where its folder and its cache are.
        seed: Draws what is done to it.
        expected: What it gives undisturbed, by path.
        seconds: How long it takes for that.
    """

    command: Command
    bench: Bench
    root: Path
    seed: int
    expected: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def out(self) -> Path:
        """Where the command writes; always the same, for a report tells it."""
        return self.root / "run"

    @property
    def cache(self) -> Path:
        """Where it keeps what it may need again."""
        return self.root / "cache"

    @property
    def line(self) -> list[str]:
        """Its command line."""
        return self.command.line(self.out)

    @property
    def env(self) -> dict[str, str]:
        """The environment of its runs."""
        return self.bench.environment(self.cache)

    @property
    def writes(self) -> bool:
        """Whether it writes at all."""
        return any(OUT in word for word in self.command.words)

    def prepare(self) -> None:
        """Runs the command undisturbed and keeps what it gives."""
        self.root.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        ended = self.run()
        self.seconds = time.monotonic() - begun
        if ended.status != 0:
            sys.exit(f"`{self.command.name}` undisturbed ended with {ended.status}: {ended.stderr[-500:]}")
        self.expected = self.result(ended)

    def run(self, **env: str) -> Ended:
        """Runs the command to its end."""
        return ran(self.line, self.env | env)

    def result(self, ended: Ended) -> dict[str, str]:
        """What it wrote; what it printed where it writes nothing."""
        if self.writes:
            return contents(self.out) if self.out.exists() else {}
        return {"stdout": hashlib.sha256(ended.stdout.encode()).hexdigest()}

    def clear(self) -> None:
        """Takes away what is in the command's folder, and its cache."""
        for path in (self.out, self.cache):
            shutil.rmtree(path, ignore_errors=True)
