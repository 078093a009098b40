"""How numbers and foreign text are written in a report.

Shares are fractions everywhere else; here they become percent, and differences of shares become points. A number
is never rounded to a claim: only 100 of 100 is "100 %", and 3,887 of 3,888 is "99.97 %". What isn't there is "–".

Text that comes from outside (a model's answer, a category, a path) is made harmless to look at by `shown`; it is
still escaped where it is put into HTML or XML.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from markupsafe import Markup, escape

from evensight.statistics import Proportion

ABSENT = "–"
SHOWN_CHARACTERS = 300
_JOINERS = "\u200c\u200d"
_NAMED = re.compile(r"`([^`]*)`")


def percent(share: float) -> str:
    """A share in percent, with one decimal, or as many as tell it from 0 and 100 (three at most)."""
    if isnan(share):
        return ABSENT
    if share < 1e-9 or share > 1 - 1e-9:
        return f"{100 * round(share)}\u00a0%"
    for decimals in (1, 2):
        text = f"{100 * share:.{decimals}f}"
        if 0 < float(text) < 100:
            return f"{text}\u00a0%"
    return f"{min(max(100 * share, 0.001), 99.999):.3f}\u00a0%"


def whole_percent(share: float) -> str:
    """A share in whole percent without the sign; 0 and 100 are said of 0 and 1 alone."""
    if isnan(share):
        return ABSENT
    if share < 1e-9 or share > 1 - 1e-9:
        return str(100 * round(share))
    return str(min(max(round(100 * share), 1), 99))


def interval(share: Proportion) -> str:
    """A share's interval, as "52.5 to 55.7 %"."""
    if share.n == 0:
        return ABSENT
    return f"{bare_percent(share.low)} to {percent(share.high)}"


def points(difference: float) -> str:
    """A difference of shares in points, with its sign."""
    if isnan(difference):
        return ABSENT
    text = f"{100 * abs(difference):.1f}"
    return text if float(text) == 0 else f"{'−' if difference < 0 else '+'}{text}"


def size_points(size: float) -> str:
    """A size in points, such as a standard deviation, which has no sign."""
    return ABSENT if isnan(size) else f"{100 * size:.1f}"


def p_value(p: float) -> str:
    """A p-value with its sign of comparison, as "p = 0.41" or "p < 0.001"."""
    if isnan(p):
        return f"p {ABSENT}"
    if p < 0.001:
        return "p\u00a0<\u00a00.001"
    return f"p\u00a0=\u00a0{p:.2f}" if p >= 0.1 else f"p\u00a0=\u00a0{p:.3f}"


def bare_p_value(p: float) -> str:
    """A p-value for a column that is headed p, as "0.41" or "< 0.001"."""
    return p_value(p).removeprefix("p").removeprefix("\u00a0=").strip()


def bare_percent(share: float) -> str:
    """A share for a column that is headed %: as `percent`, without the sign."""
    return percent(share).removesuffix("\u00a0%")


def count(n: int) -> str:
    """A whole number with commas between the thousands."""
    return f"{n:,}"


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, numbers at full precision; what is not known (None, NaN) is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if isinstance(of, float) and isnan(of) else of for name, of in row.items()})
    return out.getvalue()


def shown(text: object, limit: int = SHOWN_CHARACTERS) -> str:
    """Foreign text as it may be shown: on one line, without characters that act, cut with an ellipsis.

    White space becomes single spaces. Control characters, marks that turn the direction of writing, lone
    surrogates and what XML forbids become U+FFFD, so that one sees that something was there.
    """
    cut = str(text)[: 4 * limit]
    flat = " ".join("".join(" " if c.isspace() else _harmless(c) for c in cut).split())
    return flat if len(flat) <= limit and len(str(text)) <= 4 * limit else f"{flat[: limit - 1]}…"


def shown_block(text: str) -> str:
    """Text of several lines with each line made harmless; the lines and their indents are kept."""
    return "\n".join("".join(c if c == " " else _harmless(c) for c in line) for line in text.split("\n"))


def named(text: str) -> Markup:
    """A sentence as HTML, escaped, with what stands in backticks as a name."""
    return Markup(_NAMED.sub(r'<b class="name"><bdi>\1</bdi></b>', str(escape(text))))  # noqa: S704 - escaped


def backticked(name: str, limit: int = 60) -> str:
    """A name as a sentence has it, in backticks; those of its own become accents."""
    return f"`{shown(name, limit).replace('`', '´')}`"


def _harmless(character: str) -> str:
    acts = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in _JOINERS
    return "\ufffd" if acts or ord(character) & 0xFFFE == 0xFFFE else character
