"""What each of two processes does in the test of `accelerate launch`: `two_processes.py OUT`.

They fine-tune together into OUT; then one of them alone sees a loss that is no number. Each writes what it saw to
OUT-RANK.json.
"""

import json
import sys
from pathlib import Path

import torch

from evensight.annotations import PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.processes import leave, processes
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from evensight.training.finetune import finetune
from evensight.training.guard import Guard, NumbersEndedError
from evensight.training.methods import FinetuneConfig
from evensight.training.trainer import Upkeep

GLOBAL_BATCH = 18
"""Nine steps take all 162 examples, so that no step has to be filled up."""


def examples(shape: str = "square") -> SceneExamples:
    """A hundred and sixty-two squares, or whatever else."""
    colors = factor("color", ["red", "green"])
    factors = (factor("shape", [shape]), colors, factor("size", ["large"]), cell_factor(PAPER_GRID))
    return SceneExamples(SceneDesign("mini", "two squares in every cell", PAPER_GRID, Product(factors)), 108, 0)


def config(n_processes: int) -> FinetuneConfig:
    """The same step, shared by so many processes."""
    return FinetuneConfig(
        epochs=1.3, batch_size=GLOBAL_BATCH // n_processes, learning_rate=2e-3, lora_rank=4, validate_steps=6
    )


def main() -> None:
    """Trains, has one process see no number, and writes what was seen."""
    out = Path(sys.argv[1])
    team = processes()
    manifest = finetune(
        "embedded", examples(), config(team.n), out, validation=examples("star"), upkeep=Upkeep(checkpoint_steps=4)
    )
    again = finetune("embedded", examples(), config(team.n), out, validation=examples("star"))
    guard = Guard(team, keeps_weights=False)
    seen: list[object] = []
    try:
        guard.check_loss(torch.tensor(torch.nan if team.rank == 1 else 1.0), [team.rank * 10, 3], 4)
    except NumbersEndedError as error:
        seen = [error.step, error.what, list(error.indices)]
    content = {"n": team.n, "files": dict(manifest.files), "is_same": again == manifest, "seen": seen}
    Path(f"{out}-{team.rank}.json").write_text(json.dumps(content))


if __name__ == "__main__":
    try:
        main()
    finally:
        leave()
