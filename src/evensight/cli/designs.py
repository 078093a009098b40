"""`evensight designs`: what can be generated."""

import typer


def designs() -> None:
    """Lists the designs that can be generated, with their sizes.

    Example: `evensight designs`
    """
    from rich.console import Console
    from rich.table import Table

    from evensight.scenes.designs import CATALOG, design

    table = Table(box=None, pad_edge=False)
    table.add_column("design", style="bold", no_wrap=True)
    table.add_column("scenes", justify="right")
    table.add_column("what it is")
    for name in CATALOG:
        named = design(name)
        table.add_row(name, f"{len(named):,}", f"{named.description}\n[dim]{named.rows}[/dim]")
    Console(soft_wrap=False).print(table)
    typer.echo("\nMake one: evensight generate civet-test --out data/civet-test")
