"""The report's sentences, pictures and page, from run folders that the tests write themselves."""

import base64
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from math import nan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from evensight.annotations import AREAS, PAPER_GRID, Cell, Grid
from evensight.datasets.examples import Example
from evensight.errors import InputError
from evensight.evaluation.results import Results
from evensight.evaluation.summary import CellResult, summarise
from evensight.reports import colors, wording
from evensight.reports.findings import Evaluated, compare, set_findings
from evensight.reports.heatmap import heatmap_svg, heatmaps_svg, legend_svg, thumbnail_svg
from evensight.reports.html import build_report
from evensight.reports.pictures import picture_examples
from evensight.reports.sections import wrong_answers
from evensight.reports.tables import headline_table
from evensight.statistics import Proportion, proportion
from made_runs import HOSTILE, Say, center_only, examples, half, hash_of, right, write_run, wrong

SVG = "{http://www.w3.org/2000/svg}"


def evaluated(title: str, results: Results) -> Evaluated:
    return Evaluated(title, results, summarise(results))


def first_finding(tmp_path: Path, before: Say, after: Say, *, adapter: str | None = None) -> str:
    one = evaluated("base", write_run(tmp_path / "a", before))
    two = evaluated("balanced", write_run(tmp_path / "b", after, adapter=adapter))
    return set_findings([one, two])[0].text.replace("\u00a0", " ")


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and the text of its one style and one script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, str] = {}
        self.words = ""
        self.is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.is_data = ("type", "application/json") in attrs

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self.lasttag in {"style", "script"} and data.strip():
            name = "data" if self.is_data else str(self.lasttag)
            self.inside.setdefault(name, data)
        self.words += f" {data}"

    def of(self, **attributes: str) -> list[dict[str, str]]:
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [found for _, found in self.tags if wanted.items() <= found.items()]


def build(tmp_path: Path, runs: Sequence[Results], titles: Sequence[str], **options: Any) -> Page:
    out = tmp_path / "out" / "report.html"
    build_report(runs, titles, out, **options)
    return Page(out.read_text(encoding="utf-8"))


# -- wording


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.5409, "54.1 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (3887 / 3888, "99.97 %"),
        (0.0004, "0.04 %"),
        (0.9999996, "99.999 %"),
        (nan, "–"),
    ],
)
def test_percent_never_rounds_to_all_or_nothing(share: float, text: str) -> None:
    assert wording.percent(share).replace("\u00a0", " ") == text


@pytest.mark.parametrize(("share", "text"), [(0.996, "99"), (1.0, "100"), (0.001, "1"), (0.0, "0"), (nan, "–")])
def test_whole_percent_says_0_and_100_of_nothing_else(share: float, text: str) -> None:
    assert wording.whole_percent(share) == text


def test_points_have_a_sign_and_p_values_a_limit() -> None:
    assert (wording.points(0.4567), wording.points(-0.02), wording.points(-0.0001)) == ("+45.7", "−2.0", "0.0")
    assert wording.p_value(0.00002).replace("\u00a0", " ") == "p < 0.001"
    assert wording.p_value(0.412).replace("\u00a0", " ") == "p = 0.41"
    assert wording.p_value(0.0304).replace("\u00a0", " ") == "p = 0.030"


def test_shown_takes_the_sting_out_of_a_text() -> None:
    assert wording.shown("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert wording.shown(" top\n\t left ") == "top left"
    assert wording.shown("x" * 301) == "x" * 299 + "…"
    assert wording.shown("x" * 300) == "x" * 300
    assert wording.shown("👩\u200d🚀") == "👩\u200d🚀"


@given(st.text())
def test_shown_text_is_always_legal_xml(text: str) -> None:
    ElementTree.fromstring(heatmaps_svg({text: toy_cells()}, PAPER_GRID))


def test_names_in_backticks_are_bold_and_all_else_is_escaped() -> None:
    assert wording.named("`a<b` & c") == '<b class="name"><bdi>a&lt;b</bdi></b> &amp; c'


# -- colours and heatmaps


def toy_cells(empty: Cell | None = None, grid: Grid = PAPER_GRID) -> list[CellResult]:
    """Cell k of the grid has k of 100 right (the first is the worst), but for one without questions."""
    return [
        CellResult(cell.row, cell.col, proportion(0, 0) if cell == empty else proportion(grid.index(cell), 100))
        for cell in grid.cells()
    ]


def luminance(color: str) -> float:
    channels = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_the_scale_gets_lighter_all_the_way_and_its_numbers_can_be_read() -> None:
    lightness = [luminance(colors.fill(k / 100)) for k in range(101)]
    assert lightness == sorted(lightness)
    for k in range(101):
        pair = sorted((luminance(colors.fill(k / 100)), luminance(colors.ink(k / 100))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.2


def test_a_heatmap_shows_each_cell_where_it_is() -> None:
    root = ElementTree.fromstring(heatmap_svg("base", toy_cells(), PAPER_GRID))
    rows = [g for g in root.iter("g") if g.get("role") == "row"]
    assert len(rows) == 9
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            square = cell.find("rect")
            assert square is not None
            assert cell.get("data-where") == f"row {r}, column {c} · {PAPER_GRID.area_of(Cell(r, c))}"
            assert square.get("fill") == colors.fill((9 * r + c) / 100)
            assert cell.findtext("text") == str(9 * r + c)
            assert f"({9 * r + c} of 100;" in str(cell.get("data-value"))


def test_a_heatmap_has_one_tab_stop() -> None:
    root = ElementTree.fromstring(heatmap_svg("base", toy_cells(), PAPER_GRID))
    assert [g.get("tabindex") for g in root.iter("g") if g.get("tabindex")] == ["0"] + 80 * ["-1"]


def test_a_cell_without_questions_is_never_0() -> None:
    root = ElementTree.fromstring(heatmap_svg("base", toy_cells(Cell(4, 4)), PAPER_GRID))
    (cell,) = [g for g in root.iter("g") if "no questions" in g.get("data-value", "")]
    assert cell.get("data-where") == "row 4, column 4 · center"
    assert cell.find("text") is None
    assert cell.find("path") is not None
    scale = {colors.fill(k / 1000) for k in range(1001)}
    assert {square.get("fill") for square in cell.iter("rect")}.isdisjoint(scale)


def test_standalone_maps_are_one_svg_file_with_a_map_for_each_title() -> None:
    titles = [HOSTILE[0], HOSTILE[3], "matched"]
    text = heatmaps_svg(dict.fromkeys(titles, toy_cells()), PAPER_GRID)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert len(list(root.iter(f"{SVG}title"))) == 3 * 81
    assert "<script" not in text
    assert "id=" not in text


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(4, 7), Grid(12, 24)])
def test_maps_of_any_grid_can_be_drawn(grid: Grid) -> None:
    root = ElementTree.fromstring(heatmaps_svg({"a": toy_cells_of(grid)}, grid))
    assert len(list(root.iter(f"{SVG}title"))) == len(grid)


@pytest.mark.parametrize("grid", [PAPER_GRID, Grid(4, 7), Grid(8, 10)])
def test_a_map_has_lines_just_between_the_areas(grid: Grid) -> None:
    root = ElementTree.fromstring(heatmaps_svg({"a": toy_cells_of(grid)}, grid))
    places: dict[tuple[int, int], tuple[float, float]] = {}
    for each in root.iter(f"{SVG}g"):
        title, square = each.find(f"{SVG}title"), each.find(f"{SVG}rect")
        if title is not None and square is not None:
            row, col = map(int, re.findall(r"\d+", str(title.text))[:2])
            places[row, col] = (float(square.attrib["x"]), float(square.attrib["y"]))
    lines = next(each.attrib["d"] for each in root.iter(f"{SVG}path") if each.attrib.get("class") == "borders")
    down = [float(x) for x in re.findall(r"M([\d.]+) [\d.]+V", lines)]
    across = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)H", lines)]
    for col in range(1, grid.cols):
        is_border = grid.third_of_col(Cell(0, col)) != grid.third_of_col(Cell(0, col - 1))
        assert any(places[0, col - 1][0] < x < places[0, col][0] for x in down) == is_border
    for row in range(1, grid.rows):
        is_border = grid.third_of_row(Cell(row, 0)) != grid.third_of_row(Cell(row - 1, 0))
        assert any(places[row - 1, 0][1] < y < places[row, 0][1] for y in across) == is_border


def toy_cells_of(grid: Grid) -> list[CellResult]:
    return [CellResult(cell.row, cell.col, proportion(1, 2)) for cell in grid.cells()]


def test_maps_need_a_result_for_each_cell() -> None:
    with pytest.raises(ValueError, match="9x9"):
        heatmaps_svg({"a": toy_cells()[1:]}, PAPER_GRID)
    with pytest.raises(ValueError, match="one map at least"):
        heatmaps_svg({}, PAPER_GRID)


def test_the_parts_of_the_page_are_xml_too() -> None:
    ElementTree.fromstring(legend_svg())
    ElementTree.fromstring(thumbnail_svg(HOSTILE[1], toy_cells(Cell(0, 0)), PAPER_GRID))


# -- findings


def test_better_and_even_is_said_with_both_tests(tmp_path: Path) -> None:
    text = first_finding(tmp_path, center_only, right, adapter="lora")
    assert "On toy, fine-tuning (`balanced`) raised accuracy from 11.1 % to 100 % (+88.9 points" in text
    assert "McNemar p < 0.001" in text
    assert "Accuracy became more even over the cells (SD over the 81 cells 31.4 → 0.0 points" in text
    assert "worst cell 0 % → 100 %" in text
    assert "All 648 answers of `balanced` are correct, in every cell." in text


def test_better_but_uneven_says_that_the_cells_still_differ(tmp_path: Path) -> None:
    def lower_half(example: Example) -> str:
        return right(example) if example.cell.row >= 3 else wrong(example)

    text = first_finding(tmp_path, center_only, lower_half)
    assert "`balanced` is more accurate than `base`: 66.7 % against 11.1 %" in text
    assert "more even" not in text
    assert "less even over the cells (SD over the 81 cells 31.4 → 47.1" in text
    assert "The cells of `balanced` still differ by more than chance (uniformity p < 0.001): SD" in text
    assert "cells from 0 % to 100 %" in text


def test_worse_is_worded_as_plainly(tmp_path: Path) -> None:
    text = first_finding(tmp_path, right, center_only, adapter="lora")
    assert "fine-tuning (`balanced`) lowered accuracy from 100 % to 11.1 % (−88.9 points" in text
    assert "Accuracy became less even over the cells" in text
    assert "The cells of `balanced` differ by more than chance" in text
    assert "still" not in text


def test_no_difference_is_not_detected_rather_than_absent(tmp_path: Path) -> None:
    text = first_finding(tmp_path, half, half)
    assert "no difference in accuracy between `base` and `balanced` was detected" in text
    assert "No difference in evenness was detected" in text
    assert "no differences larger than chance were detected (uniformity p = " in text
    assert "with a median of 8 questions a cell, small ones can go unseen" in text
    assert "That all 81 cells lie within ±5 points of the overall accuracy is not shown (equivalence p = " in text
    assert "uniform " not in text
    assert "even over" not in text


def test_less_noise_near_the_ceiling_is_not_called_more_even(tmp_path: Path) -> None:
    one = evaluated("base", write_run(tmp_path / "a", half))
    two = evaluated("balanced", write_run(tmp_path / "b", right))
    comparison = compare(one, two)
    assert comparison is not None
    assert comparison.evenness.p_value < 0.05
    text = set_findings([one, two])[0].text
    assert "no evidence of more evenness" in text
    assert "more even over" not in text


@pytest.mark.parametrize("change", ["ids", "order", "questions"])
def test_different_questions_are_not_compared(tmp_path: Path, change: str) -> None:
    asked = examples()
    other = {
        "ids": examples(name="other"),
        "order": asked[::-1],
        "questions": examples(category=("dog",)),
    }[change]
    one = evaluated("base", write_run(tmp_path / "a", half, asked))
    two = evaluated("balanced", write_run(tmp_path / "b", right, other))
    assert compare(one, two) is None
    text = set_findings([one, two])[0].text
    assert "They did not answer the same questions, so they are not compared." in text
    for claim in ("raised", "more accurate", "McNemar", "more even", "points,"):
        assert claim not in text.replace("SD over the 81 cells", "").replace("points, worst", "")


def test_a_single_condition_and_one_without_questions_have_a_finding(tmp_path: Path) -> None:
    alone = set_findings([evaluated("base", write_run(tmp_path / "a", wrong))])
    assert "`base` answers 0\u00a0% of 648 questions correctly" in alone[0].text
    assert "None of the 648 answers of `base` is correct, in any cell." in alone[0].text
    nothing = set_findings([evaluated("base", write_run(tmp_path / "b", wrong, []))])
    assert nothing[0].text == "On toy, `base` was asked no questions."


def test_the_baseline_is_told_from_each_condition_by_its_interval(tmp_path: Path) -> None:
    titles, says = ("base", "balanced", "blind"), (wrong, right, center_only)
    conditions = [evaluated(title, write_run(tmp_path / title, say)) for title, say in zip(titles, says, strict=True)]
    findings = set_findings(conditions)
    assert [finding.about for finding in findings[:3]] == [
        "`balanced` against `base`",
        "`blind` against `base`",
        "`blind` against `balanced`",
    ]
    text = findings[-1].text.replace("\u00a0", " ")
    assert "would reach 11.1 %" in text
    assert "`base` is below it" in text
    assert "`balanced` is above it" in text
    assert "`blind` can't be told apart from it" in text


def test_wrong_answers_leave_out_right_and_invalid_ones() -> None:
    confusion = [[0] * 10 for _ in AREAS]
    confusion[0] = [7, 0, 0, 0, 5, 0, 0, 0, 0, 3]
    confusion[8] = [1, 0, 0, 0, 2, 0, 0, 0, 9, 0]
    found = wrong_answers(confusion)
    assert (found.n, found.asked, found.given) == (8, (5, 0, 0, 0, 0, 0, 0, 0, 3), (1, 0, 0, 0, 7, 0, 0, 0, 0))
    assert AREAS[found.most_given] == "center"


# -- the page


def test_the_numbers_on_the_page_are_those_of_the_tables(tmp_path: Path) -> None:
    def says(example: Example) -> str:
        return "no idea" if example.cell == Cell(8, 8) else half(example)

    skipped = [Cell(0, 0)]
    results = write_run(tmp_path / "a", says, examples(skip=skipped))
    page = build(tmp_path, [results], ["base"])
    rows = results.table.to_pylist()
    n = Counter((row["row"], row["col"]) for row in rows)
    k = Counter((row["row"], row["col"]) for row in rows if row["parsed"] == row["answer"])
    cells = page.of(role="gridcell")
    assert len(cells) == 81
    for cell in cells:
        r, c = map(int, re.findall(r"\d+", cell["data-where"])[:2])
        if (r, c) == (0, 0):
            assert cell["data-value"] == "no questions"
        else:
            assert f"({k[r, c]} of {n[r, c]};" in cell["data-value"]
            share = float(cell["data-value"].partition("\u00a0")[0])
            assert share == pytest.approx(100 * k[r, c] / n[r, c], abs=0.051)
    words = page.words.replace("\u00a0", " ")
    assert f"{100 * sum(k.values()) / len(rows):.1f} %" in words
    shares = np.array([k[at] / n[at] for at in n])
    assert f"SD {100 * shares.std():.1f} " in words
    titles = [attributes.get("title", "") for tag, attributes in page.tags if tag == "td"]
    counts = Counter((row["area"], row["parsed"] or "invalid") for row in rows)
    for area in AREAS:
        total = sum(row["area"] == area for row in rows)
        for said in (*AREAS, "invalid"):
            assert f"{area}, answered {said}: {counts[area, said]} of {total}" in titles


def test_sets_have_sections_of_their_own_in_order(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"{title}-{name}", half, set_name=name)
        for name in ("scenes", "photos")
        for title in ("base", "balanced")
    ]
    page = build(tmp_path, runs, ["base", "balanced"] * 2)
    assert [found["id"] for found in page.of(class_="set")] == ["set-1", "set-2"]
    assert len(page.of(class_="heatmap")) == 4


def test_the_policy_names_the_hashes_of_the_pages_own_style_and_script(tmp_path: Path) -> None:
    page = build(tmp_path, [write_run(tmp_path / "a", half, pictures=2)], ["base"])
    (policy,) = page.of(http_equiv="Content-Security-Policy")
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inside[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy["content"]
    assert "unsafe" not in policy["content"]
    assert policy["content"].startswith("default-src 'none'")


def test_answers_of_10_mb_are_cut(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "r", lambda _: "left " * 2_000_000, examples()[:9], pictures=9)]
    build(tmp_path, runs, ["base"])
    assert sum(path.stat().st_size for path in tmp_path.glob("*.html")) < 1_000_000


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    asked = examples(category=HOSTILE)
    runs = [
        write_run(
            tmp_path / f"r{k}", lambda example: f"{example.id} {HOSTILE[hash_of(example) % 5]}", asked, pictures=9
        )
        for k in range(2)
    ]
    page = build(tmp_path, runs, [HOSTILE[0], HOSTILE[1]], title=HOSTILE[2], notes=HOSTILE, command=HOSTILE[0])
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [attributes.get("type") for attributes in scripts] == ["application/json", None]
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith(("#", "data:"))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.words)
    assert HOSTILE[0] in page.words
    strings = json.loads(page.inside["data"])["strings"]
    assert {HOSTILE[0], HOSTILE[2]} <= set(strings)  # as text, which the browser's script puts into the page
    assert not any(re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text) for text in strings)


def test_long_answers_are_cut(tmp_path: Path) -> None:
    results = write_run(tmp_path / "a", lambda _: "z" * 9000, pictures=3)
    page = build(tmp_path, [results], ["base"])
    assert "z" * 299 + "…" in page.words
    assert "z" * 300 not in page.words


def test_each_picture_is_embedded_once_and_marked(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, half, pictures=5, picture_px=45) for name in ("a", "b")]
    page = build(tmp_path, runs, ["base", "balanced"])
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len({image["src"] for image in images}) == len(list((tmp_path / "a/pictures").iterdir()))
    header, data = images[0]["src"].split(",")
    assert header == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (45, 45)


def test_boxes_are_scaled_to_the_picture(tmp_path: Path) -> None:
    asked = examples()
    small = write_run(tmp_path / "a", half, asked, pictures=4, picture_px=45)
    for shown in picture_examples([evaluated("base", small)]):
        box = next(example.box for example in asked if example.id == shown.id)
        assert shown.overlay.box == pytest.approx(
            (box.x0_px / 2, box.y0_px / 2, (box.x1_px - box.x0_px) / 2, (box.y1_px - box.y0_px) / 2)
        )
        assert shown.overlay.cell == pytest.approx((shown.col * 5, shown.row * 5, 5, 5))


def test_large_pictures_are_made_smaller_and_many_sets_share_the_space(tmp_path: Path) -> None:
    results = write_run(tmp_path / "a", half, pictures=60)
    noise = np.random.default_rng(0)
    for path in (results.path / "pictures").iterdir():
        Image.fromarray(noise.integers(0, 256, (600, 300, 3), dtype=np.uint8)).save(path)
    conditions = [evaluated("base", results)]
    found = picture_examples(conditions)
    data = [base64.b64decode(example.picture.uri.partition(",")[2]) for example in found]
    with Image.open(io.BytesIO(data[0])) as image:
        assert (image.format, image.size) == ("JPEG", (224, 448))
    assert (found[0].picture.width_px, found[0].picture.height_px) == (300, 600)
    few = picture_examples(conditions, n_sets=20)
    assert len(few) < len(found)
    assert sum(len(example.picture.uri) for example in few) <= 3_500_000 / 20
    by_area = Counter(example.area for example in few)
    assert max(by_area.values()) - min(by_area[area] for area in AREAS) <= 1


def test_a_broken_picture_is_left_out(tmp_path: Path) -> None:
    results = write_run(tmp_path / "a", half, pictures=4)
    before = picture_examples([evaluated("base", results)])
    (results.path / "pictures" / f"{before[0].id}.png").write_bytes(b"<svg onload='alert(1)'/>")
    assert [shown.id for shown in picture_examples([evaluated("base", results)])] == [s.id for s in before[1:]]


def test_a_report_of_nothing_asked_can_be_written(tmp_path: Path) -> None:
    page = build(tmp_path, [write_run(tmp_path / "a", half, [])], ["base"])
    assert "was asked no questions" in page.words
    assert "No pictures were kept" in page.words


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, half, pictures=2) for name in ("a", "b")]
    for name in ("one.html", "two.html"):
        build_report(runs, ["base", "balanced"], tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_what_cant_be_reported_is_said(tmp_path: Path) -> None:
    results = write_run(tmp_path / "a", half)
    with pytest.raises(InputError, match="one evaluation at least"):
        build_report([], [], tmp_path / "r.html")
    with pytest.raises(InputError, match="`base` names 2 runs on `toy`"):
        build_report([results, results], ["base", "base"], tmp_path / "r.html")
    with pytest.raises(InputError, match="is a folder"):
        build_report([results], ["base"], tmp_path)
    with pytest.raises(ValueError, match="1 runs and 0 titles"):
        build_report([results], [], tmp_path / "r.html")


def test_the_headline_table_has_a_row_for_each_condition(tmp_path: Path) -> None:
    summary = summarise(write_run(tmp_path / "a", center_only))
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(headline_table([("[red]base", "toy", summary), ("balanced", "toy", summary)]))
    lines = console.export_text().replace("\u00a0", " ").splitlines()
    (line,) = [line for line in lines if "[red]base" in line]
    share = summary.accuracy
    assert [line.strip() for line in lines if "toy" in line] == ["toy"]
    for figure in (
        "11.1 %",
        f"{100 * share.low:.1f} to {100 * share.high:.1f} %",
        "648",
        "31.4",
        "0 %",
        "< 0.001",
    ):
        assert figure in line


def test_absent_figures_are_dashes() -> None:
    nothing = Proportion(0, nan, nan, nan)
    assert wording.interval(nothing) == wording.percent(nan) == wording.size_points(nan) == "–"
