"""`evensight designs`: what can be generated."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


def designs(
    name: Annotated[
        str | None, typer.Argument(help="A design's name or YAML file: shows what it is made of.", show_default=False)
    ] = None,
    factors: Annotated[bool, typer.Option("--factors", help="List the factors that designs can vary.")] = False,
    tasks: Annotated[bool, typer.Option("--tasks", help="List what can be asked about scenes.")] = False,
) -> None:
    """Lists the designs that can be generated, with their sizes; or shows one; or what designs are made of.

    Example: `evensight designs civet-train > mine.yaml` gives a file to change and to generate.
    """
    if factors:
        _list_factors()
    elif tasks:
        _list_tasks()
    elif name is not None:
        _show(name)
    else:
        _list_designs()


def _list_designs() -> None:
    from rich.console import Console

    from evensight.scenes.catalog import design_file, names

    table = _table("design", "scenes", "what it is")
    for name in names():
        file = design_file(name)
        table.add_row(name, _n_scenes(name), f"{file.description}\n[dim]{file.task}[/dim]")
    Console(soft_wrap=False).print(table)
    _list_photo_designs()
    typer.echo(
        "\nMake one:           evensight generate civet-test --out data/civet-test"
        "\n                    evensight generate coco-val --photos data/coco --out data/coco-val"
        "\nMake one's own:     evensight designs civet-test > mine.yaml, change it, "
        "evensight generate mine.yaml --out data/mine"
    )


def _list_photo_designs() -> None:
    from rich.console import Console

    from evensight.photos.catalog import photo_design, photo_names

    typer.echo("\nOf photographs in COCO's format (with `--photos FOLDER`):\n")
    table = _table("design", "split", "what it is")
    for name in photo_names():
        design = photo_design(name)
        if design is not None:
            table.add_row(name, design.photos, design.description)
    Console(soft_wrap=False).print(table)


def _n_scenes(name: str) -> str:
    """How many scenes there are; a design of real objects has as many as there are photographs for."""
    from evensight.scenes.catalog import build, design_file

    file = design_file(name)
    return "photos" if any(part.get("category") == "all" for part in file.parts) else f"{len(build(file)):,}"


def _show(name: str) -> None:
    import yaml

    from evensight.photos.catalog import photo_design
    from evensight.scenes.catalog import design_file

    photographs = photo_design(name)
    content = (photographs or design_file(name)).model_dump(mode="json", exclude_defaults=True)
    typer.echo(
        yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None), nl=False
    )
    if photographs is None:
        typer.echo(f"# {_n_scenes(name)} scenes")


def _list_factors() -> None:
    from rich.console import Console

    from evensight.scenes.factors import FACTORS

    table = _table("factor", "without it", "its values")
    for name, kind in FACTORS.items():
        table.add_row(name, "" if kind.default is None else str(kind.default), kind.what)
    table.add_row("cell", "all", "row,col counted from 0 at the top left, or the name of an area")
    Console(soft_wrap=False).print(table)


def _list_tasks() -> None:
    from evensight.questions.catalog import TASKS

    for name in TASKS:
        typer.echo(name)


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "scenes" else "left", no_wrap=column == columns[0])
    return table
