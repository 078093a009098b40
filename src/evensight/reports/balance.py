"""The audit in pictures: one HTML file with the counts of the pairs of columns, for any set.

For each set: how much every pair of columns says of one another, in one square table; where the objects are, on the
grid; and the counts of each claimed pair and of those that tell most. The file fetches nothing and has no script; a
content security policy names the hash of its one style. All text is escaped by the template.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from numpy.typing import NDArray

from evensight import __version__
from evensight.annotations import AREAS
from evensight.audits.audit import Audit, Balance
from evensight.audits.columns import AuditTable
from evensight.audits.leakage import Leakage
from evensight.errors import InputError
from evensight.reports import wording
from evensight.reports.colors import fill, ink
from evensight.reports.wording import count, shown
from evensight.runs import write_text

_TEMPLATES = PackageLoader("evensight.reports")
_CONSTRUCTED = "#c3c8d0"
_MOST_UNCLAIMED = 15
_MOST_NUMBERS = 24
_MOST_DRAWN = 200
_CELL = 30


@dataclass(frozen=True, slots=True)
class Picture:
    """A pair's counts, drawn."""

    balance: Balance
    svg: Markup


@dataclass(frozen=True, slots=True)
class AuditSection:
    """All that is shown of one set."""

    audit: Audit
    overview: Markup
    places: Markup | None
    claimed: tuple[Picture, ...]
    telling: tuple[Picture, ...]


def build_balance_report(
    audited: Sequence[tuple[AuditTable, Audit]], leaks: Sequence[Leakage], out: Path, *, command: str = ""
) -> None:
    """Writes the pictures of audits to `out`, whole or not at all.

    Args:
        audited: The sets with what was found in them.
        leaks: What was found between them.
        out: The HTML file.
        command: What to type to make it again.

    Raises:
        InputError: `out` is no name for a file.
    """
    if out.exists() and not out.is_file():
        raise InputError(f"`{out}` is not a file: expected the name of an HTML file to write")
    environment = _environment()
    style = "".join(_TEMPLATES.get_source(environment, name)[0] for name in ("report.css", "balance.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.get_template("balance.html.j2").render(
        sections=[section(table, audit) for table, audit in audited],
        leaks=leaks,
        areas=AREAS,
        command=command,
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )
    write_text(out, page)


def section(table: AuditTable, audit: Audit) -> AuditSection:
    """What is shown of one set: the overview, and a picture of each claimed pair and of those that tell most."""
    claimed = [balance for balance in audit.balances if balance.claimed]
    others = [balance for balance in audit.balances if not balance.claimed and balance.q_value is not None]
    telling = [balance for balance in others if not balance.even][:_MOST_UNCLAIMED]
    return AuditSection(
        audit,
        overview_svg(audit),
        places_svg(table),
        *(tuple(Picture(balance, pair_svg(table, balance)) for balance in each) for each in (claimed, telling)),
    )


def overview_svg(audit: Audit) -> Markup:
    """How much each pair of columns says of one another: a square table of their NMI."""
    names = list(dict.fromkeys(name for balance in audit.balances for name in (balance.given, balance.counted)))
    number = {name: k for k, name in enumerate(names)}
    drawn = []
    for balance in audit.balances:
        low, high = sorted((number[balance.given], number[balance.counted]))
        about = f"{balance.given} and {balance.counted}: NMI {balance.nmi:.4f}, {balance.verdict}"
        is_tested = balance.p_value is not None
        color = fill(balance.nmi) if is_tested else _CONSTRUCTED
        text = f"{balance.nmi:.2f}" if is_tested else ""
        drawn.append(_square(low, high, color, about, text, ink(balance.nmi)))
    labels = _labels(names, names)
    return _svg("".join(drawn) + labels, names, names, f"NMI of every pair of columns of {audit.name}")


def places_svg(table: AuditTable) -> Markup | None:
    """How many objects are in each cell of the grid; none where the set has no rows and columns."""
    if not {"row", "col"} <= set(table.columns):
        return None
    return _counts_svg(table, "row", "col", "Objects in each cell")


def pair_svg(table: AuditTable, balance: Balance) -> Markup:
    """The counts of a pair of columns, one row a value of the given one; the most frequent pair is the brightest."""
    return _counts_svg(table, balance.given, balance.counted, f"Counts of {balance.counted} in each {balance.given}")


def _counts_svg(table: AuditTable, given: str, counted: str, title: str) -> Markup:
    counts = table.table(given, counted)[:_MOST_DRAWN, :_MOST_DRAWN]
    names = {name: table.columns[name].levels[:_MOST_DRAWN] for name in (given, counted)}
    most = int(counts.max(initial=0)) or 1
    with_numbers = max(counts.shape) <= _MOST_NUMBERS
    drawn = [
        _square(
            i,
            k,
            fill(n / most),
            _about(names, given, counted, i, k, n),
            count(n) if with_numbers else "",
            ink(n / most),
        )
        for (i, k), n in _entries(counts)
    ]
    labels = _labels(names[given], names[counted])
    return _svg("".join(drawn) + labels, names[given], names[counted], title)


def _entries(counts: NDArray[np.int64]) -> list[tuple[tuple[int, int], int]]:
    return [((i, k), int(n)) for (i, k), n in np.ndenumerate(counts)]


def _about(names: Mapping[str, Sequence[str]], given: str, counted: str, i: int, k: int, n: int) -> str:
    return f"{given} {names[given][i]}, {counted} {names[counted][k]}: {count(n)}"


def _square(row: int, col: int, color: str, about: str, text: str, text_color: str) -> str:
    x, y = col * _CELL, row * _CELL
    number = (
        f'<text x="{x + _CELL / 2 - 0.5}" y="{y + _CELL / 2 + 3.5}" fill="{text_color}" font-size="9.5" '
        f'text-anchor="middle">{escape(text)}</text>'
        if text
        else ""
    )
    square = f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{color}"/>'
    return f"<g><title>{escape(shown(about, 160))}</title>{square}{number}</g>"


def _labels(down: Sequence[str], across: Sequence[str]) -> str:
    """The levels' names, left of the rows and above the columns; left out where they would be too many to read."""
    drawn = []
    if len(down) <= _MOST_NUMBERS:
        drawn += [
            f'<text x="-6" y="{k * _CELL + _CELL / 2 + 3.5}" text-anchor="end">{escape(shown(name, 16))}</text>'
            for k, name in enumerate(down)
        ]
    if len(across) <= _MOST_NUMBERS:
        drawn += [
            f'<text transform="translate({_CELL * (k + 0.5) + 3.5} -6) rotate(-60)">{escape(shown(name, 16))}</text>'
            for k, name in enumerate(across)
        ]
    return f'<g font-size="11" fill="currentColor">{"".join(drawn)}</g>'


def _svg(drawn: str, down: Sequence[str], across: Sequence[str], title: str) -> Markup:
    left, above = (
        max([len(shown(name, 16)) for name in names], default=0) if len(names) <= _MOST_NUMBERS else 0
        for names in (down, across)
    )
    left, top, right = 14 + 6 * left, 14 + 5.5 * above, 8 + 3 * above
    width, height = left + len(across) * _CELL + right, top + len(down) * _CELL + 4
    shrunk = min(1.0, 1100 / width, 900 / height)
    return Markup(  # noqa: S704 - foreign text in it is escaped above
        f'<svg class="counts" viewBox="{-left} {-top} {width} {height}" width="{shrunk * width:.0f}" role="img" '
        f'aria-label="{escape(shown(title, 160))}">{drawn}</svg>'
    )


def _environment() -> Environment:
    environment = Environment(
        loader=_TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": wording.count, "shown": wording.shown, "p_value": wording.p_value}
    return environment
