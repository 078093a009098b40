"""A training that is killed, again and again: `python killed_training.py OUT N_KILLS SEED`.

Everything is imported once; each attempt is a fork that kills itself with SIGKILL, at a step or at some touch of its
run folder (a file opened, renamed, removed: also in the middle of a checkpoint), and the next goes on from what it
left. `N_KILLS` 0 is the run that nobody disturbs. Prints the number of attempts.
"""

import os
import signal
import sys
from pathlib import Path

from evensight.annotations import PAPER_GRID
from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.randomness import below
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from evensight.training.finetune import finetune
from evensight.training.guard import Guard
from evensight.training.methods import FinetuneConfig
from evensight.training.trainer import Upkeep

CONFIG = FinetuneConfig(
    epochs=3.0,
    batch_size=2,
    gradient_accumulation=2,
    learning_rate=5e-5,
    lora_rank=4,
    lora_dropout=0.1,  # so that the random states matter
    validation_share=0.3,
    validate_steps=4,
)
UPKEEP = Upkeep(checkpoint_steps=3)


def examples() -> ExampleSet:
    """Twenty-seven squares, three in each area."""
    factors = (
        factor("shape", ["square"]),
        factor("color", ["red"]),
        factor("size", ["large"]),
        cell_factor(PAPER_GRID),
    )
    squares = SceneExamples(SceneDesign("mini", "a square in every cell", PAPER_GRID, Product(factors)), 108, 0)
    return Part(squares, range(0, 81, 3), {"every": 3})


def train(out: Path) -> None:
    """Trains, or goes on."""
    finetune("embedded", examples(), CONFIG, out, upkeep=UPKEEP)


def die() -> None:
    """Ends this process as the kernel does."""
    os.kill(os.getpid(), signal.SIGKILL)


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


def die_at_step(n: int) -> None:
    """Ends this process in the `n`-th step that it does."""
    left = n
    before = Guard.on_pre_optimizer_step

    def after(self: Guard, *arguments: object, **options: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()
        before(self, *arguments, **options)

    Guard.on_pre_optimizer_step = after  # type: ignore[method-assign]


def attempt(out: Path, kill: int, seed: int) -> bool:
    """Whether a fork came to the end; `kill` below 0 lets it."""
    pid = os.fork()
    if pid == 0:
        if kill >= 0:
            die_at_step(1 + below(6, seed, "step", kill)) if kill % 3 == 0 else None
            die_at_touch(out, 1 + below(150, seed, "touch", kill)) if kill % 3 else None
        try:
            train(out)
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
    """Kills the training so many times, then lets it finish."""
    out, n_kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    killed = 0
    for kill in range(n_kills):
        if attempt(out, kill, seed):
            break
        killed += 1
    attempt(out, -1, seed)
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
