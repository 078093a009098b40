"""Figures and tables for a paper: the report's pictures as SVG or PNG, its numbers as CSV, its table in LaTeX."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.evaluation.results import Results
from evensight.evaluation.summary import Summary, summarise
from evensight.reports.heatmap import heatmaps_svg
from evensight.reports.wording import csv_text, p_value, percent, shown, size_points
from evensight.runs import write_bytes, write_text
from evensight.statistics import Proportion, is_number

_PNG_SCALE = 3
"""Pixels of a PNG to one unit of its SVG: about 300 dpi at the size on a screen."""
_CELLS_HEAD = ("set", "condition", "row", "col", "area", "n", "correct", "accuracy", "low", "high")
_LEVELS_HEAD = ("set", "condition", "attribute", "value", "n", "accuracy", "low", "high")


def save_figures(runs: Sequence[Results], titles: Sequence[str], folder: Path, *, png: bool = False) -> list[Path]:
    """Writes into a folder, for each set, its heatmaps, and for all of them the numbers.

    `SET.svg` has the heatmaps of the set's conditions side by side; `figures.csv` a line for each condition on each
    set, `cells.csv` one for each of its cells and `levels.csv` one for each value of an attribute.

    Args:
        runs: The evaluations.
        titles: The condition that each run is of.
        folder: Where to write; files of the same names are replaced.
        png: Whether to write each picture as PNG as well.

    Raises:
        InputError: PNG files are asked for and `resvg_py` isn't installed.
    """
    rasterise = _rasteriser() if png else None
    summaries = [summarise(results) for results in runs]
    by_set: dict[str, list[int]] = {}
    for k, results in enumerate(runs):
        by_set.setdefault(results.set_name, []).append(k)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, svg in zip(
        _file_names(by_set),
        (heatmaps_svg({titles[k]: summaries[k].cells for k in of}, runs[of[0]].grid) for of in by_set.values()),
        strict=True,
    ):
        write_text(folder / f"{name}.svg", svg)
        written.append(folder / f"{name}.svg")
        if rasterise is not None:
            write_bytes(folder / f"{name}.png", rasterise(svg))
            written.append(folder / f"{name}.png")
    asked = [(results.set_name, title, results, s) for results, title, s in zip(runs, titles, summaries, strict=True)]
    tables = {
        "figures.csv": [{"set": name, "condition": title, **_flat(s.headline())} for name, title, _, s in asked],
        "cells.csv": [row for name, title, results, s in asked for row in _cells(name, title, results, s)],
        "levels.csv": [row for name, title, _, s in asked for row in _levels(name, title, s)],
    }
    for file, rows in tables.items():
        write_text(folder / file, csv_text(rows))
        written.append(folder / file)
    return written


def latex_table(runs: Sequence[Results], titles: Sequence[str]) -> str:
    """A table for `booktabs`: the conditions by set, with accuracy, interval, n, invalid, spread and worst cell."""
    lines = [
        r"% needs \usepackage{booktabs}; written by evensight report --latex",
        r"\begin{tabular}{llrlrrrrl}",
        r"\toprule",
        r"set & condition & accuracy & 95\,\% interval & $n$ & invalid & SD & worst cell & uniformity \\",
        r"\midrule",
    ]
    last = None
    for results, title in zip(runs, titles, strict=True):
        if last is not None and results.set_name != last:
            lines.append(r"\addlinespace")
        name = results.set_name if results.set_name != last else ""
        lines.append(_latex_row(name, title, summarise(results)))
        last = results.set_name
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_row(name: str, title: str, summary: Summary) -> str:
    share = summary.accuracy
    cells = [
        latex(shown(name, 40)),
        latex(shown(title, 40)),
        latex(percent(share.estimate)),
        f"{100 * share.low:.1f} to {100 * share.high:.1f}" if share.n else "--",
        f"{share.n:,}",
        f"{summary.n_invalid:,}",
        latex(size_points(summary.cell_std)),
        latex(percent(summary.worst_cell.accuracy.estimate)),
        latex(p_value(summary.uniformity.p_value)).replace("p~", "$p$~").replace("<", "$<$"),
    ]
    return " & ".join(cells) + r" \\"


def latex(text: str) -> str:
    """Text as LaTeX shows it: what means something there is written so that it doesn't."""
    signs = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\u00a0": "~",
        "–": "--",
        "−": "$-$",
        "…": r"\ldots{}",
    }
    return "".join(signs.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)


def _rasteriser() -> Any:
    try:
        resvg = import_module("resvg_py")
    except ImportError as error:
        raise InputError(
            "PNG files need `resvg_py`, which isn't installed: `pip install 'evensight[figures]'`, "
            "or leave out `--png`"
        ) from error
    return lambda svg: bytes(resvg.svg_to_bytes(svg_string=svg, zoom=_PNG_SCALE, background="white"))


def _file_names(sets: Mapping[str, Any]) -> list[str]:
    """A file's name for each set, each another one."""
    names: list[str] = []
    for name in sets:
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "set"
        names.append(safe if safe not in names else f"{safe}-{len(names) + 1}")
    return names


def _flat(headline: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that are one number each; what stands beside a score as columns of its own."""
    flat = {name: value for name, value in headline.items() if not isinstance(value, dict | list)}
    beside = {"wrong_photo": headline.get("wrong_photo"), **(headline.get("baselines") or {})}
    for name, of in beside.items():
        flat |= {f"{name} {key}": value for key, value in (of or {}).items()}
    return flat


def _cells(name: str, title: str, results: Results, summary: Summary) -> Iterator[dict[str, Any]]:
    for cell, of in zip(results.grid.cells(), summary.cells, strict=True):
        share = of.accuracy
        place = (cell.row, cell.col, results.grid.area_of(cell), share.n)
        correct = round(share.estimate * share.n) if share.n else 0
        yield dict(zip(_CELLS_HEAD, (name, title, *place, correct, *_numbers(share)), strict=True))


def _levels(name: str, title: str, summary: Summary) -> Iterator[dict[str, Any]]:
    told = {"area": summary.areas, "slot": summary.slots, **summary.breakdowns, **summary.attributes}
    for attribute, shares in told.items():
        for value, share in shares.items():
            yield dict(zip(_LEVELS_HEAD, (name, title, attribute, value, share.n, *_numbers(share)), strict=True))


def _numbers(share: Proportion) -> tuple[float | None, ...]:
    return tuple(of if is_number(of) else None for of in (share.estimate, share.low, share.high))
