"""`evensight embedded`: the small model that ships with evensight."""

from pathlib import Path
from typing import Annotated

import typer

embedded = typer.Typer(help="The small model that ships with evensight.", no_args_is_help=True)


@embedded.command()
def train(
    out: Annotated[Path, typer.Option(help="The model folder to make.")],
    seed: Annotated[int, typer.Option(help="Draws the weights and the scenes.", min=0)] = 0,
) -> None:
    """Trains the embedded model again by the recipe that made it: minutes on a GPU, hours on a CPU.

    When it was stopped, the same command goes on where it was.

    Example: `evensight embedded train --out runs/embedded --seed 1`
    """
    from evensight.errors import InputError
    from evensight.training.pretraining import PretrainingConfig, pretrain

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"`{out}` is not empty: choose a new folder for the model")
    facts = pretrain(out, PretrainingConfig(seed=seed))
    last = ", ".join(f"{stage} {losses[-1]:.3f}" for stage, losses in facts["losses"].items())
    typer.echo(f"{out}: {facts['n_parameters']:,} parameters; last losses: {last}")


@embedded.command()
def card() -> None:
    """Prints the embedded model's card: its recipe, data, seed, and what it can and can't do.

    Example: `evensight embedded card`
    """
    from evensight.models.embedded import EMBEDDED_FOLDER

    typer.echo((EMBEDDED_FOLDER / "README.md").read_text(encoding="utf-8"))
