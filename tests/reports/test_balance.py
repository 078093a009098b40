import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typing_extensions import override

from evensight.audits.audit import audit
from evensight.audits.columns import AuditTable, column
from evensight.audits.leakage import leakage
from evensight.errors import InputError
from evensight.reports.balance import build_balance_report, overview_svg, pair_svg, places_svg
from evensight.reports.colors import fill

EVIL = "<script>alert(1)</script>\u202e&\"'"


def table(**values: str) -> AuditTable:
    n = len(next(iter(values.values())))
    columns = {name: column(list(each)) for name, each in values.items()}
    return AuditTable("made", tuple(map(str, range(n))), columns, tuple(columns))


def numbers(svg: str) -> list[str]:
    """The texts on the squares, in the order of drawing."""
    root = ElementTree.fromstring(svg)
    return [
        text.text or ""
        for group in root.findall("g")
        for text in group.findall("text")
        if group.find("rect") is not None
    ]


def test_the_counts_are_drawn_row_by_row() -> None:
    made = table(a="xxyyy", b="pqqqq")
    svg = pair_svg(made, audit(made).balances[0])
    assert numbers(svg) == ["1", "1", "0", "3"]
    assert "a y, b q: 3" in svg
    fills = re.findall(r'<rect[^>]*fill="(#\w+)"', svg)
    assert fills == [fill(1 / 3), fill(1 / 3), fill(0), fill(1)]


def test_places_are_drawn_as_the_grid() -> None:
    made = table(row="0012", col="0110")
    assert numbers(places_svg(made) or "") == ["1", "1", "0", "1", "1", "0"]
    assert places_svg(table(a="xy")) is None


def test_the_overview_has_a_square_for_each_pair() -> None:
    found = audit(table(a="xyxy", b="xyxy", c="ppqq"))
    assert sorted(numbers(overview_svg(found))) == ["0.00", "0.00", "1.00"]


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_foreign_text_stays_text_and_nothing_is_fetched(tmp_path: Path) -> None:
    columns = {EVIL: column([EVIL, "y", "y", "y"]), "b": column(list("pqqp"))}
    made = AuditTable(EVIL, (EVIL, EVIL, "2", "3"), columns, tuple(columns), rejected={EVIL: [EVIL]})
    build_balance_report([(made, audit(made))], [leakage(made, made)], tmp_path / "r.html", command=EVIL)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert not {"src", "href", "style", "onclick"} & tags.attributes
    assert "\u202e" not in page
    assert "default-src &#39;none&#39;" in page
    assert "occurs 2 times" in page


def test_the_policy_names_the_style(tmp_path: Path) -> None:
    import base64
    import hashlib

    made = table(a="xy", b="pq")
    build_balance_report([(made, audit(made))], [], tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    style = page.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" in page.replace("&#43;", "+").replace("&#39;", "'")


def test_the_same_audit_gives_the_same_page(tmp_path: Path) -> None:
    made = table(a="xyxyx", b="pqppq")
    for name in ("1.html", "2.html"):
        build_balance_report([(made, audit(made))], [], tmp_path / name)
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()


def test_a_folder_is_no_name_for_a_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        build_balance_report([], [], tmp_path)
