"""`evensight audit`: the balance certificate of any set, and what sets share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from evensight.audits.audit import Audit, Balance
    from evensight.audits.leakage import Leakage

_MOST_UNCLAIMED = 15
_MOST_LISTED = 20


def audit(
    sets: Annotated[
        list[Path],
        typer.Argument(
            metavar="SET...",
            help="Stored sets, COCO folders or instances files, CIVET folders, or .jsonl, .json or .parquet files of "
            "questions. Of several, each is also compared with those before it.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also draw the counts in one HTML file.")] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels/--no-pixels", help="Look at every picture, and draw scenes again.")
    ] = True,
    split: Annotated[str | None, typer.Option(help="The split, for folders in COCO's layout.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the permutations.", min=0)] = 0,
) -> None:
    """Counts what a set gives away before anybody looks at its pictures.

    Exits with 1 when a set claims a balance that it doesn't have or contradicts itself, or when two sets share a
    picture.

    Example: `evensight audit data/civet-train data/civet-test`
    """
    import shlex
    from dataclasses import replace

    from evensight.audits.audit import audit as counted
    from evensight.audits.foreign import open_table
    from evensight.audits.leakage import leakages
    from evensight.audits.pixels import look_at
    from evensight.audits.redrawn import faults_of_stored

    tables = [open_table(path, split) for path in sets]
    pictures = [look_at(table) if pixels and table.picture is not None else None for table in tables]
    redrawn = [faults_of_stored(path, seen.hashes) if seen else [] for path, seen in zip(sets, pictures, strict=True)]
    tables = [replace(table, faults=(*table.faults, *new)) for table, new in zip(tables, redrawn, strict=True)]
    found = [counted(table, seed=seed, pictures=seen) for table, seen in zip(tables, pictures, strict=True)]
    leaks = leakages(tables, pictures)
    if report is not None:
        from evensight.reports.balance import build_balance_report

        chosen = [*(["--split", split] if split else []), *([] if pixels else ["--no-pixels"]), f"--seed={seed}"]
        command = shlex.join(["evensight", "audit", *map(str, sets), *chosen, "--report", str(report)])
        build_balance_report(list(zip(tables, found, strict=True)), leaks, report, command=command)
    if as_json:
        _print_json(found, leaks)
    else:
        _print(found, leaks)
    if not _are_ok(found, leaks):
        raise typer.Exit(1)


def _are_ok(found: "Sequence[Audit]", leaks: "Sequence[Leakage]") -> bool:
    return all(each.ok for each in found) and all(each.ok for each in leaks)


def _print_json(found: "Sequence[Audit]", leaks: "Sequence[Leakage]") -> None:
    import json

    ok = _are_ok(found, leaks)
    several = {"ok": ok, "sets": [each.as_json() for each in found], "leakage": [each.as_json() for each in leaks]}
    typer.echo(json.dumps(found[0].as_json() if len(found) == 1 else several, indent=2))


def _print(found: "Sequence[Audit]", leaks: "Sequence[Leakage]") -> None:
    from rich.console import Console

    console = Console()
    for each in found:
        _print_set(console, each)
    for leak in leaks:
        _print_leakage(console, leak)


def _print_set(console: "Console", found: "Audit") -> None:
    listed = f"; {found.n_rejected:,} more can't be used" if found.n_rejected else ""
    console.print(f"[bold]{_said(found.name)}[/bold]: {found.n:,} questions or objects{listed}")
    for reason, rows in found.rejected.items():
        console.print(f"  left out: {rows['n']:,} x {_said(reason)} (first: {_said(rows['first'][0])})")
    for name, reason in found.left_out.items():
        console.print(f"  `{_said(name)}` {reason}: in no pair that isn't claimed")
    if found.selection is not None:
        from evensight.cli.photo_counts import print_steps

        print_steps(found.selection["steps"], found.selection["asked"])
    console.print()
    claimed = [balance for balance in found.balances if balance.claimed]
    rest = [balance for balance in found.balances if not balance.claimed]
    told = [balance for balance in rest if balance.q_value is not None and not balance.even][:_MOST_UNCLAIMED]
    console.print(_table([*claimed, *told]))
    _print_rest(console, [balance for balance in rest if balance not in told])
    _print_pictures(console, found)
    _print_some(console, [f"[red]fault[/red] {_said(fault)}" for fault in found.faults], "faults")
    if found.ok:
        console.print(
            "\n[green]Every balance that the set claims holds.[/green]\n" if claimed else "\nNo fault found.\n"
        )
    else:
        broken = f"{len(found.broken)} balances broken, {len(found.faults)} faults"
        console.print(f"\n[red]Not as claimed:[/red] {broken}.\n")


def _table(balances: "Iterable[Balance]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("given", "counted", "min", "max", "max-min", "NMI", "p", "claimed", ""):
        table.add_column(name, justify="right" if name in ("min", "max", "max-min", "NMI", "p") else "left")
    colors = {"even": "green", "not even": "red", "tells": "yellow"}
    for each in balances:
        color = colors.get(each.verdict, "dim")
        word = each.verdict.upper() if each.verdict == "not even" else each.verdict
        numbers = (*map(str, (each.min, each.max, each.max_minus_min)), f"{each.nmi:.4f}", _p(each.p_value))
        claimed = "yes" if each.claimed else "no"
        table.add_row(_said(each.given), _said(each.counted), *numbers, claimed, f"[{color}]{word}[/{color}]")
    return table


def _said(text: str) -> str:
    """Foreign text for the terminal: no markup, and no characters that act."""
    from rich.markup import escape

    from evensight.reports.wording import shown

    return escape(shown(text))


def _p(p_value: float | None) -> str:
    return "" if p_value is None else f"{p_value:.4f}"


def _print_rest(console: "Console", rest: "Sequence[Balance]") -> None:
    from collections import Counter

    words = Counter(balance.verdict for balance in rest)
    if words:
        console.print("and not claimed: " + ", ".join(f"{n} pairs {verdict}" for verdict, n in words.items()))


def _print_pictures(console: "Console", found: "Audit") -> None:
    facts = found.pictures
    if facts is None:
        console.print("\nThe pictures were not looked at.")
        return
    console.print(f"\n{facts.n_read:,} pictures read, {facts.n_different:,} different by their pixels")
    if facts.n_shared:
        console.print(f"  {facts.n_shared:,} rows share their picture with another question or object")
    for what, names in facts.doubts.items():
        console.print(f"  [yellow]doubt[/yellow] {len(names):,} x {what} (first: {_said(names[0])})")


def _print_leakage(console: "Console", leak: "Leakage") -> None:
    console.print(f"[bold]{_said(leak.first)}[/bold] and [bold]{_said(leak.second)}[/bold]")
    if leak.n_same_picture is not None:
        color = "red" if leak.n_same_picture else "green"
        console.print(
            f"  [{color}]{leak.n_same_picture:,}[/{color}] of {leak.n_second:,} have a picture of the first"
        )
    pairs = [f"`{_said(mine)}` is `{_said(theirs)}`" for mine, theirs in leak.same_picture]
    _print_some(console, [f"  [red]fault[/red] {pair}" for pair in pairs[:5]], "pictures")
    names = ", ".join(leak.combined)
    if leak.combined:
        console.print(f"  {leak.n_same_combination:,} have a combination of {_said(names)} of the first")
    for shared in leak.held_out:
        console.print(f"  held out: no {_said(' with '.join(shared.factors))} of the second is in the first")
    console.print()


def _print_some(console: "Console", lines: "Sequence[str]", what: str) -> None:
    for line in lines[:_MOST_LISTED]:
        console.print(line)
    if len(lines) > _MOST_LISTED:
        console.print(f"... and {len(lines) - _MOST_LISTED:,} more {what}")
