"""`evensight finetune`: a model and a stored set become an adapter."""

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    model: Annotated[str, typer.Option(help="`embedded`, a local folder, or a Hub id (OWNER/NAME[@REVISION]).")],
    data: Annotated[Path, typer.Option(help="A stored set.")],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    preset: Annotated[str | None, typer.Option(help="Settings by name: paper. Options go before them.")] = None,
    method: Annotated[str | None, typer.Option(help="lora, dora, qlora or full; else lora.")] = None,
    epochs: Annotated[float | None, typer.Option(help="How often each example is seen; else 3.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples at a time, on each device; else 8.")] = None,
    gradient_accumulation: Annotated[
        int | None, typer.Option(help="How many such batches make a step, on each device; else 1.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The peak of the rate; else 0.0001.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="The adapters' rank; else 32.")] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Their scale is alpha / rank; else 64.")] = None,
    lora_dropout: Annotated[
        float | None, typer.Option(help="The share of their inputs that is dropped; else 0.")
    ] = None,
    components: Annotated[
        str | None, typer.Option(help="What is adapted, by commas: language, projector, vision; else language.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Their linear layers, by commas, or `all`; else q_proj,k_proj,v_proj.")
    ] = None,
    bf16: Annotated[
        bool | None, typer.Option("--bf16/--no-bf16", help="Compute in bfloat16; else on a GPU alone.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--gradient-checkpointing/--no-gradient-checkpointing",
            help="Compute activations twice, to need less memory; else not.",
        ),
    ] = None,
    validation: Annotated[Path | None, typer.Option(help="A stored set to validate on.")] = None,
    validation_share: Annotated[
        float | None, typer.Option(help="Or: the share of each cell's examples to keep for it.")
    ] = None,
    validate_steps: Annotated[
        int | None, typer.Option(help="Validate every so many steps; else after each epoch.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop when so many validations brought no lower perplexity; else never.")
    ] = None,
    checkpoint_minutes: Annotated[float, typer.Option(help="Write a checkpoint after so long.")] = 10.0,
    checkpoint_steps: Annotated[int | None, typer.Option(help="And every so many steps.", min=1)] = None,
    report_to: Annotated[
        str | None, typer.Option(help="Tell these of the losses, by commas: tensorboard, trackio, wandb ...")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draws the order of examples and the adapters' start; else 0.", min=0)
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of the checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
) -> None:
    """Fine-tunes a model on a stored set and saves a PEFT adapter in OUT/adapter (`full`: a model in OUT/model).

    A model's folder can bring settings of its own (evensight_finetune.json), as the embedded model's does; options
    go before a preset, that before these, and these before the defaults named below. When it was killed, the same
    command goes on from its last checkpoint. Several GPUs: `accelerate launch`, see docs/models.md.

    Example: `evensight finetune --model embedded --data data/civet-train --out runs/balanced`
    """
    from evensight.models.hub import code_allowed
    from evensight.models.processes import processes
    from evensight.settings import checked
    from evensight.storage.stored import StoredExamples
    from evensight.training.finetune import config_for
    from evensight.training.finetune import finetune as run
    from evensight.training.trainer import Upkeep

    given = {
        "method": method,
        "epochs": epochs,
        "batch_size": batch_size,
        "gradient_accumulation": gradient_accumulation,
        "learning_rate": learning_rate,
        "lora_rank": lora_rank,
        "lora_alpha": lora_alpha,
        "lora_dropout": lora_dropout,
        "components": _names(components, "--components"),
        "layers": () if layers == "all" else _names(layers, "--layers"),
        "bf16": bf16,
        "gradient_checkpointing": gradient_checkpointing,
        "validation_share": validation_share,
        "validate_steps": validate_steps,
        "patience": patience,
        "seed": seed,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    care = {"checkpoint_minutes": checkpoint_minutes, "checkpoint_steps": checkpoint_steps}
    upkeep = checked(Upkeep, care | {"report_to": _names(report_to, "--report-to") or ()}, "the options")
    examples = StoredExamples(data)
    validating = None if validation is None else StoredExamples(validation)
    config = config_for(model, overrides, "the options", preset)
    with code_allowed(allow_code):
        manifest = run(model, examples, config, out, validation=validating, upkeep=upkeep)
    if not processes().is_main:
        return
    facts = manifest.facts
    result = "model" if config.method == "full" else "adapter"
    best = f", the best after step {facts['best_step']:,}" if "best_step" in facts else ""
    typer.echo(
        f"{out}: {result} after {facts['n_steps']:,} steps on {facts['n_examples']:,} examples, "
        f"loss {facts['final_loss']:.3f}{best}"
    )
    for component, count in facts["parameters"].items():
        typer.echo(f"  {component}: {count['trained']:,} of {count['parameters']:,} parameters trained")


def _names(listed: str | None, option: str) -> tuple[str, ...] | None:
    """The names in an option; None if it isn't given.

    Raises:
        InputError: It is given, and has none.
    """
    from evensight.errors import InputError

    names = None if listed is None else tuple(name.strip() for name in listed.split(",") if name.strip())
    if names == ():
        raise InputError(f"`{option}` is empty: expected names by commas, or leave it out")
    return names
