"""`evensight finetune`: a model and a stored set become an adapter."""

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    model: Annotated[str, typer.Option(help="`embedded`, a local folder, or a Hub id.")],
    data: Annotated[Path, typer.Option(help="A stored set.")],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    epochs: Annotated[float | None, typer.Option(help="How often each example is seen; else 3.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step, on each device; else 8.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The peak of the rate; else 0.0001.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="The adapters' rank; else 32.")] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Their scale is alpha / rank; else 64.")] = None,
    components: Annotated[
        str | None, typer.Option(help="What is adapted, by commas: language, projector, vision; else language.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Their linear layers, by commas, or `all`; else q_proj,k_proj,v_proj.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the order of examples and the adapters' start.", min=0)] = 0,
) -> None:
    """Fine-tunes a model on a stored set by LoRA and saves a plain PEFT adapter in OUT/adapter.

    A model's folder can bring settings of its own (evensight_finetune.json), as the embedded model's does; options
    go before these, and these before the defaults named below.

    Example: `evensight finetune --model embedded --data data/civet-train --out runs/balanced`
    """
    from evensight.storage.stored import StoredExamples
    from evensight.training.finetune import config_for
    from evensight.training.finetune import finetune as run

    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "lora_rank": lora_rank,
        "lora_alpha": lora_alpha,
        "components": _names(components),
        "layers": () if layers == "all" else _names(layers),
        "seed": seed,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    examples = StoredExamples(data)
    config = config_for(model, overrides, "the options")
    manifest = run(model, examples, config, out)
    facts = manifest.facts
    typer.echo(
        f"{out}: adapter after {facts['n_steps']:,} steps on {facts['n_examples']:,} examples, "
        f"loss {facts['final_loss']:.3f}"
    )
    for component, count in facts["parameters"].items():
        typer.echo(f"  {component}: {count['trained']:,} of {count['parameters']:,} parameters trained")


def _names(listed: str | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(name.strip() for name in listed.split(",") if name.strip())
