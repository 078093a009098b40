"""`evensight models`: families of models, what a model is shown and learns from, and how several GPUs train it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from PIL import Image

    from evensight.datasets.examples import ExampleSet
    from evensight.models.inspection import Inspection
    from evensight.models.loading import LoadedModel

models = typer.Typer(help="Families of models, and what a model is shown and learns from.", no_args_is_help=True)


@models.command("list")
def list_families() -> None:
    """Lists the families that are known: their tokens, parts, and what becomes of an image's size.

    Example: `evensight models list`
    """
    from evensight.models.families import COMPONENTS, FAMILIES

    for family in FAMILIES:
        parts = "; ".join(f"{part}: {', '.join(getattr(family.components, part))}" for part in COMPONENTS)
        rows = {
            "for example": family.example,
            "image token": family.image_token,
            "answer ends on": " or ".join(family.answer_ends),
            "image": family.pixels,
            "set by": ", ".join(family.budget),
            "parts": parts,
            "template": "ours, for it has none" if family.chat_template else "its own",
            "note": family.note,
        }
        typer.echo(f"\n{family.title} ({family.model_type})")
        for name, value in rows.items():
            if value:
                typer.echo(f"  {name:<14} {value}")
    typer.echo(
        "\nAny other model works too if its processor has a chat template and a token for images."
        "\nLook into one:      evensight models inspect Qwen/Qwen2.5-VL-3B-Instruct --data data/civet-train"
    )


@models.command("inspect")
def inspect_model(
    model: Annotated[str, typer.Argument(help="`embedded`, a local folder, or a Hub id (OWNER/NAME[@REVISION]).")],
    data: Annotated[Path | None, typer.Option(help="A stored set: its longest example is shown.")] = None,
    adapter: Annotated[Path | None, typer.Option(help="An adapter to put on it.")] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code of the checkpoint; it takes OWNER/NAME@COMMIT.")
    ] = False,
) -> None:
    """Shows a question in the model's own words, the tokens that are supervised, its parts and its pixel budget.

    Example: `evensight models inspect embedded --data data/civet-train`
    """
    from evensight.models.hub import code_allowed
    from evensight.models.inspection import inspect
    from evensight.models.loading import load

    with code_allowed(allow_code):
        loaded = load(model, adapter)
    image, text, answer = _sample() if data is None else _longest(loaded, data)
    _print(loaded, inspect(loaded, image, text, answer), f"{image.width} x {image.height} px")


@models.command("accelerate")
def accelerate(
    name: Annotated[str | None, typer.Argument(help="ddp, fsdp2, zero2 or zero3.", show_default=False)] = None,
) -> None:
    """Prints a configuration for `accelerate launch`, to fine-tune on several GPUs; without a name, lists them.

    Example: `evensight models accelerate ddp > ddp.yaml`
    """
    from importlib.resources import files

    from evensight.errors import one_of

    shipped = {
        path.name.removesuffix(".yaml"): path.read_text(encoding="utf-8")
        for path in sorted((files("evensight.training") / "shipped").iterdir(), key=lambda path: path.name)
        if path.name.endswith(".yaml")
    }
    if name is None:
        for each, text in shipped.items():
            typer.echo(f"{each:<6} {text.partition(chr(10))[0].removeprefix('# ')}")
    elif name in shipped:
        typer.echo(shipped[name], nl=False)
    else:
        raise one_of("the configuration", name, shipped)


def _sample() -> tuple["Image.Image", str, str]:
    from PIL import Image

    return Image.new("RGB", (336, 336)), "Where is the red circle?", "top left"


def _longest(loaded: "LoadedModel", data: Path) -> tuple["Image.Image", str, str]:
    """The set's longest example; an error if the model can't take it."""
    from evensight.models.fitting import check_fits
    from evensight.storage.stored import StoredExamples

    examples: ExampleSet = StoredExamples(data)
    found = check_fits(loaded, examples)
    example = examples[found.index]
    typer.echo(f"{data}: the longest of {len(examples):,} examples is `{example.id}`")
    return examples.image(found.index), example.question.text, example.question.answer


def _print(loaded: "LoadedModel", seen: "Inspection", size: str) -> None:
    context = "" if seen.context is None else f" of {seen.context:,} that it takes"
    supervised = " ".join(repr(token) for token in seen.supervised)
    lines = {
        "family": f"{loaded.family.title} ({loaded.model.config.model_type})",
        "weights": loaded.hashes["model"],
        "prompt": repr(seen.prompt),
        "supervised": f"{supervised} ({len(seen.supervised)} tokens)",
        "tokens": f"{seen.n_tokens:,}{context}, {seen.n_image_tokens:,} of them for an image of {size}",
        "image": loaded.family.pixels,
        **{f"  {path}": value for path, value in seen.budget.items()},
        "tensors": ", ".join(f"{name} {list(shape)}" for name, shape in seen.tensors.items()),
    }
    for name, value in lines.items():
        typer.echo(f"{name:<12} {value}")
    typer.echo(f"\n{'part':<12} {'parameters':>15}  linear layers")
    for part, n_parameters in seen.parameters.items():
        typer.echo(f"{part:<12} {n_parameters:>15,}  {' '.join(seen.layers.get(part, ('none',)))}")
