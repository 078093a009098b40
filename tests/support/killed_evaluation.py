"""An evaluation that is killed, again and again: `python killed_evaluation.py OUT N_KILLS SEED`.

Everything is imported once; each attempt is a fork that kills itself with SIGKILL: before a batch is answered, at
some touch of its run folder, or with half of a line of its journal written. The next goes on from what it left; one
that is asked what the journal has fails. `N_KILLS` 0 is the run that nobody disturbs. Prints the number of kills.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from evensight.annotations import PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation import ask, asking
from evensight.evaluation.ask import evaluate_subject
from evensight.evaluation.asking import Questions
from evensight.evaluation.journal import Journal, read_journal
from evensight.models.answering import BOTH, Answer, Answerer, Asked, Way
from evensight.models.asked_here import Here, ModelHere
from evensight.models.processes import Processes
from evensight.randomness import below
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor

ANSWERED, APPEND = Here.answered, Journal.append


def examples() -> SceneExamples:
    """Eighty-one squares."""
    factors = (
        factor("shape", ["square"]),
        factor("color", ["red"]),
        factor("size", ["large"]),
        cell_factor(PAPER_GRID),
    )
    return SceneExamples(SceneDesign("mini", "a square in every cell", PAPER_GRID, Product(factors)), 108, 0)


def die() -> None:
    """Ends this process as the kernel does."""
    os.kill(os.getpid(), signal.SIGKILL)


def watch(die_at: int) -> None:
    """Fails where a question is asked that the journal answers; ends this process before its `die_at`-th batch."""
    known: set[int] = set()
    left = die_at

    def asks(
        answerer: Answerer, questions: Questions, folder: Path, team: Processes, *, allow_missing: bool = False
    ) -> dict[int, Answer]:
        nonlocal known
        known = set(read_journal(folder))
        return asking.ask(answerer, questions, folder, team, allow_missing=allow_missing)

    def answered(self: Here, batch: Sequence[Asked], encoded: Mapping[str, Any]) -> list[Answer]:
        nonlocal left
        left -= 1
        if left == 0:
            die()
        again = known & {one.index for one in batch}
        if again:
            raise AssertionError(f"asked again: {sorted(again)}")
        return ANSWERED(self, batch, encoded)

    Here.answered = answered  # type: ignore[method-assign]
    ask.ask = asks  # type: ignore[attr-defined]


def die_in_line(n: int) -> None:
    """Ends this process when half of the `n`-th line of its journal is written."""
    left = n

    def append(self: Journal, answers: Sequence[Answer]) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            whole = self._file

            class Half:
                def write(self, line: memoryview) -> int:
                    whole.write(line[: len(line) // 2])
                    die()
                    return 0

            self._file = Half()  # type: ignore[assignment]
        APPEND(self, answers)

    Journal.append = append  # type: ignore[method-assign]


def die_at_touch(out: Path, n: int) -> None:
    """Ends this process when it touches its run folder the `n`-th time."""
    left, main = n, os.getpid()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event.startswith(("open", "os.", "shutil.")) and str(out) in str(arguments) and os.getpid() == main:
            left -= 1
            if left == 0:
                die()

    sys.addaudithook(hook)


def attempt(out: Path, kill: int, seed: int) -> bool:
    """Whether a fork came to the end; `kill` below 0 lets it."""
    pid = os.fork()
    if pid == 0:
        kind = kill % 3 if kill >= 0 else -1
        watch(1 + below(8, seed, "batch", kill) if kind == 0 else -1)
        die_at_touch(out, 1 + below(16, seed, "touch", kill)) if kind == 1 else None
        die_in_line(1 + below(6, seed, "line", kill)) if kind == 2 else None
        try:
            evaluate_subject(ModelHere("embedded", None, 7, Way(BOTH)), examples(), out, controls=["mirrored"])
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status != 0:
        sys.exit(f"attempt {kill} failed")
    return True


def main() -> None:
    """Kills the evaluation so many times, then lets it finish."""
    out, n_kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    killed = 0
    for kill in range(n_kills):
        if attempt(out, kill, seed):
            break
        killed += 1
    attempt(out, -1, seed)
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
