"""`evensight audit`: the balance certificate of a stored set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evensight.datasets.audit import Audit


def audit(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="A stored set.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Counts what a set gives away before anybody looks at its pictures.

    Exits with 1 when the set claims a balance that it doesn't have, or contradicts itself.

    Example: `evensight audit data/civet-test`
    """
    import json

    from evensight.datasets.audit import audit as counted
    from evensight.datasets.stored import StoredExamples

    found = counted(StoredExamples(data))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(1)


def _print(found: "Audit") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{escape(found.name)}[/bold]: {found.n:,} questions\n")
    table = Table(box=None, pad_edge=False)
    for name in ("given", "counted", "min", "max", "max-min", "bits", "claimed", ""):
        table.add_column(name, justify="right" if name in ("min", "max", "max-min", "bits") else "left")
    for balance in found.balances:
        verdict = "[green]even[/green]" if balance.even else "[yellow]not even[/yellow]"
        if balance.claimed and not balance.even:
            verdict = "[red]NOT EVEN[/red]"
        numbers = map(str, (balance.min, balance.max, balance.max_minus_min))
        claimed = "yes" if balance.claimed else "no"
        table.add_row(balance.given, balance.counted, *numbers, f"{balance.bits:.4f}", claimed, verdict)
    console.print(table)
    for fault in found.faults[:20]:
        console.print(f"[red]fault[/red] {escape(fault)}")
    if len(found.faults) > 20:
        console.print(f"... and {len(found.faults) - 20} more faults")
    if found.ok:
        console.print("\nEvery balance that the set claims holds.")
    else:
        console.print(
            f"\n[red]Not as claimed:[/red] {len(found.broken)} balances broken, {len(found.faults)} faults."
        )
