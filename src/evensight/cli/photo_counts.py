"""What `evensight photos counts` says: how many objects each rule leaves, by area, and what can be drawn of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from evensight.annotations import Grid
    from evensight.coco.reading import CocoSplit
    from evensight.photos.effects import Placing
    from evensight.photos.rules import Rule

SHORT = ("TL", "TC", "TR", "CL", "C", "CR", "BL", "BC", "BR")
"""The areas' names in the heads of tables, in the order of `AREAS`."""


def counted(
    split: "CocoSplit", rule: "Rule", grid: "Grid", *, with_flags: bool, with_categories: bool, with_cells: bool
) -> dict[str, Any]:
    """The counts of a split, as JSON."""
    from evensight.photos.draws import available
    from evensight.photos.effects import effects
    from evensight.photos.selection import cell_counts, main_object_counts, select

    found = select(split, rule, grid)
    by_category = available(found.areas.tolist(), found.categories)
    counts: dict[str, Any] = {
        "name": split.name,
        "n_photographs": len(split.images),
        "n_objects": len(split.objects),
        "rule": rule.refinements,
        "left_out": {reason: {"n": len(ids), "first": ids[:5]} for reason, ids in split.rejected.by_reason.items()},
        **found.as_json(),
        "balanced": {
            "area": 9 * min(found.by_area),
            "area-category": {str(name): 9 * min(n) for name, n in by_category.items() if min(n)},
        },
    }
    if with_flags:
        counts["flags"] = {written: list(each.by_area) for written, each in effects(split, grid).items()}
    if with_categories:
        counts["categories"] = {str(name): list(n) for name, n in by_category.items()}
    if with_cells:
        counts["cells"] = cell_counts(found, grid)
        counts["main_object_cells"] = main_object_counts(split, grid)
    return counts


def print_counts(found: Mapping[str, Any]) -> None:
    """Prints the counts as tables."""
    typer.echo(f"{found['name']}: {found['n_photographs']:,} photographs, {found['n_objects']:,} annotated objects")
    print_left_out(found["left_out"])
    print_steps(found["steps"], found["asked"])
    if "flags" in found:
        _print_rows("\nEach option alone, in place of the rules above", "option", found["flags"].items())
    if "categories" in found:
        _print_rows("\nWhat is left, by category", "category", found["categories"].items())
    for key, what in (
        ("cells", "What is left, by cell"),
        ("main_object_cells", "The largest object of each photograph, by cell"),
    ):
        if key in found:
            typer.echo(f"\n{what} ({sum(map(sum, found[key])):,})")
            for row in found[key]:
                typer.echo("  " + " ".join(f"{n:5d}" for n in row))
    _print_balanced(found["balanced"])


def print_steps(steps: Sequence[Mapping[str, Any]], asked: Sequence[int]) -> None:
    """Prints what each rule leaves, by area, and what of that is asked in the end."""
    rows = [(step["rule"], step["by_area"]) for step in steps]
    if list(steps[-1]["by_area"]) != list(asked):
        rows.append(("asked: what was drawn of them, and whose photograph can be used", asked))
    _print_rows("\nObjects that each rule leaves", "rule", rows)


def print_left_out(left_out: Mapping[str, Any]) -> None:
    """Prints what can't be used, by reason, with the first id."""
    from evensight.reports.wording import shown

    for reason, ids in left_out.items():
        typer.echo(f"  left out: {ids['n']:,} x {shown(reason)} (first: {shown(', '.join(ids['first']))})", err=True)


def _print_rows(title: str, head: str, rows: Any) -> None:
    """Prints counts by area, a row each; on a narrow terminal the row's name has a line of its own."""
    from rich.console import Console

    from evensight.photos.effects import Placing
    from evensight.reports.wording import shown

    named = [(shown(name), Placing(tuple(by_area))) for name, by_area in rows]
    columns = [(*SHORT, "all", "center", "evenness"), *(_numbers(placing) for _, placing in named)]
    widths = [max(map(len, column)) + 2 for column in zip(*columns, strict=True)]
    names = [head, *(name for name, _ in named)]
    wide = max(map(len, names))
    fits = wide + sum(widths) <= Console().width
    typer.echo(title)
    for name, numbers in zip(names, columns, strict=True):
        line = "".join(number.rjust(width) for number, width in zip(numbers, widths, strict=True))
        if fits:
            typer.echo(name.ljust(wide) + line)
        else:
            typer.echo(f"{name}\n  {line}" if name != head else f"  {line}")


def _numbers(placing: "Placing") -> tuple[str, ...]:
    share, evenness = placing.center_share, placing.evenness
    return (
        *(f"{n:,}" for n in placing.by_area),
        f"{placing.n:,}",
        "–" if share is None else f"{share:.0%}",
        "–" if evenness is None else f"{evenness:.3f}",
    )


def _print_balanced(balanced: Mapping[str, Any]) -> None:
    by_category = balanced["area-category"]
    typer.echo(
        f"\nA set balanced by area can have {balanced['area']:,} questions, {balanced['area'] // 9:,} of each."
    )
    n = sum(by_category.values())
    named = ", ".join(f"{name} {n // 9} of each" for name, n in list(by_category.items())[:6])
    more = f", and {len(by_category) - 6} more" if len(by_category) > 6 else ""
    typer.echo(
        f"One balanced by area and category: {n:,}"
        + (f", of {len(by_category)} categories ({named}{more})." if n else ": no category is in all nine areas.")
    )
