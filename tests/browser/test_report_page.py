"""The report as a person meets it: opened from the disk in a real browser."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from evensight.annotations import Cell
from evensight.datasets.controls import CONTROLS
from evensight.datasets.examples import Example
from evensight.datasets.priors import learn
from evensight.reports.html import build_report
from made_runs import HOSTILE, center_only, examples, half, hash_of, right, write_run

pytestmark = pytest.mark.browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Events:
    """What the page did that a report never does."""

    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = f"no browser to open the report in: none of {', '.join(_NAMES)} is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three conditions on a set with an empty cell, two where every text is hostile, and one on photographs."""
    folder = tmp_path_factory.mktemp("report")
    asked = examples(skip=[Cell(8, 8)])
    says = {"base": center_only, "balanced": right, "matched": half}
    runs = [write_run(folder / title, say, asked, pictures=9) for title, say in says.items()]

    def hostile(example: Example) -> str:
        return HOSTILE[hash_of(example) % len(HOSTILE)]

    attacked = examples(category=HOSTILE)
    runs += [write_run(folder / f"h{k}", hostile, attacked, set_name=HOSTILE[1], pictures=9) for k in range(2)]
    photos = examples(category=("cat", "dog"))
    prior = learn(["cat"], [0.5], ["center"], HOSTILE[0]).as_json()
    controls = dict.fromkeys(CONTROLS, half)
    runs.append(write_run(folder / "p", right, photos, set_name="photos", controls=controls, prior=prior))
    titles = [*says, HOSTILE[0], HOSTILE[1], "base"]
    out = folder / "report.html"
    build_report(runs, titles, out, title=f"A report {HOSTILE[2]}", notes=HOSTILE, command=HOSTILE[2])
    return out


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def page(browser: Browser, report: Path, events: Events) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 1280, "height": 900}) as opened:
        events.watch(opened)
        opened.goto(report.as_uri())
        yield opened


def test_nothing_is_fetched_and_nothing_hostile_runs(page: Page, events: Events, report: Path) -> None:
    page.wait_for_load_state("networkidle")
    for part in page.locator(".cell, summary:visible, .glance-card").all()[::7]:
        part.hover(force=True)
    for view in page.locator(".browser").all():
        for k in range(5):
            view.evaluate("(view, at) => { view.scrollTop = at * view.scrollHeight; }", k / 4)
            page.wait_for_timeout(30)
    assert [url for url in events.requests if not url.startswith("data:")] == [report.as_uri()]
    assert events.console == []
    assert events.dialogs == []
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main iframe, main link").count() == 0


def test_the_policy_holds_against_what_might_slip_in(page: Page, events: Events) -> None:
    page.evaluate(
        """() => { document.body.insertAdjacentHTML("beforeend",
        "<img src='https://example.invalid/x.png' onerror='window.hacked = 1'>"); }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in line for line in events.console)


def test_a_cell_tells_its_numbers_when_pointed_at(page: Page) -> None:
    tip = page.locator("#tip")
    expect(tip).to_be_hidden()
    page.locator("#set-1 .heatmap").nth(1).locator('[data-where^="row 4, column 3"]').hover()
    expect(tip).to_be_visible()
    expect(tip.locator(".tip-where")).to_have_text("row 4, column 3 · center")
    expect(tip.locator(".tip-this")).to_contain_text(re.compile(r"balanced100\s%\s\(8 of 8; 95\s% interval"))
    expect(tip.locator(".tip-line")).to_have_count(3)
    expect(page.locator("#set-1 .cell.marked")).to_have_count(3)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_a_map_is_one_tab_stop_and_is_walked_with_the_arrow_keys(page: Page) -> None:
    first = page.locator("#set-1 .heatmap").first
    first.locator('.cell[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("data-where", "row 1, column 1 · top left")
    expect(page.locator("#tip .tip-where")).to_have_text("row 1, column 1 · top left")
    expect(first.locator('.cell[tabindex="0"]')).to_have_count(1)
    page.keyboard.press("Control+End")
    expect(page.locator("#tip .tip-this")).to_contain_text("no questions")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("data-where", "row 0, column 0 · top left")
    assert page.evaluate("document.activeElement.closest('svg').dataset.title") == "balanced"


def test_examples_are_filtered_by_outcome_condition_and_area(page: Page) -> None:
    group = page.locator("#set-1 [data-examples]")
    cards = group.locator(".card:visible")
    n, kept = 640, group.locator(".cards .card").count()
    control = group.locator('[data-filter="pictured"]')
    assert 9 <= kept <= cards.count() < 60
    group.locator('[data-filter="outcome"]').select_option("wrong")
    group.locator('[data-filter="condition"]').select_option(label="balanced")
    expect(cards).to_have_count(0)
    expect(group.locator("output")).to_have_text(f"0 of {n} shown")
    group.locator('[data-filter="condition"]').select_option(label="base")
    expect(group.locator("output")).to_have_text(f"{n - 72} of {n} shown")
    control.check()
    static = ".cards li[data-condition='0'][data-outcome='wrong']"
    expect(cards).to_have_count(group.locator(static).count())
    group.locator('[data-filter="outcome"]').select_option("differs")
    expect(cards).to_have_count(group.locator(static).count())
    group.locator('[data-filter="outcome"]').select_option("")
    group.locator('[data-filter="area"]').select_option("bottom right")
    expect(cards).to_have_count(group.locator('.cards .card[data-area="bottom right"]').count())
    control.uncheck()
    expect(group.locator("output")).to_have_text(f"64 of {n} shown")
    group.locator('[data-filter="overlay"]').uncheck()
    expect(group.locator(".card:visible .overlay").first).to_be_hidden()


def test_a_cell_shows_its_examples(page: Page) -> None:
    group = page.locator("#set-1 [data-examples]")
    group.locator('[data-filter="outcome"]').select_option("wrong")
    page.locator("#set-1 .heatmap").first.locator('.cell[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(group.locator("output")).to_have_text("8 of 640 shown")
    expect(group.locator(".browser .card")).to_have_count(8)
    assert set(group.locator(".browser .right .small").all_inner_texts()) == {"row 1, column 1"}
    expect(group.locator(".browser")).to_be_focused()
    page.locator("#set-1 .heatmap").nth(1).locator('[data-where^="row 8, column 8"]').dblclick()
    expect(group.locator("output")).to_have_text("0 of 640 shown")


def test_thousands_of_examples_are_browsed_with_few_cards_at_a_time(browser: Browser, tmp_path: Path) -> None:
    asked = examples(30, category=("cat", "dog", HOSTILE[2]))
    runs = [write_run(tmp_path / name, say, asked, pictures=9) for name, say in (("base", half), ("balanced", right))]
    build_report(runs, ["base", "balanced"], tmp_path / "report.html")
    with browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        page.goto((tmp_path / "report.html").as_uri())
        group = page.locator("[data-examples]")
        expect(group.locator("output")).to_have_text("2,000 of 2,000 shown (of 2,430 questions)")
        view, seen, most = group.locator(".browser"), set(), 0
        view.scroll_into_view_if_needed()
        height = view.evaluate("view => view.scrollHeight")
        assert height > 50_000
        for k in range(41):
            view.evaluate("(view, at) => { view.scrollTop = at; }", height * k / 40)
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            ids = view.evaluate("view => [...view.querySelectorAll('.card')].map(card => card.dataset.id)")
            seen.update(ids)
            most = max(most, len(ids))
        assert len(seen) > 400
        assert most <= 40
        assert view.locator('.card[aria-posinset="2000"]').count() == 1
        group.locator('[data-filter="attribute"]').select_option(label="category: dog")
        expect(group.locator("output")).to_have_text(re.compile(r"^6\d\d of 2,000 shown"))
        told = view.locator(".told").all_inner_texts()
        assert told
        assert all(line.startswith("category dog") for line in told)
        assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("width", [1200, 480])
def test_what_stands_beside_a_score_is_seen_at_any_width(browser: Browser, report: Path, width: int) -> None:
    with browser.new_page(viewport={"width": width, "height": 900}) as page:
        page.goto(report.as_uri())
        table = page.locator("#set-3 .beside")
        expect(page.locator(".beside")).to_have_count(1)
        expect(table.locator("tbody th")).to_have_count(1 + len(CONTROLS) + 5)
        for row in table.locator("tbody tr").all()[1:]:
            for cell in (row.locator("th"), row.locator("td").first, row.locator("td").last):
                box = cell.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
        by_area = page.locator("#set-3 .by-area").bounding_box()
        assert by_area is not None
        assert by_area["x"] + by_area["width"] <= width


def test_everything_is_shown_without_scripts(browser: Browser, report: Path) -> None:
    with browser.new_page(java_script_enabled=False) as page:
        page.goto(report.as_uri())
        assert page.locator("#set-1 .card:visible").count() == page.locator("#set-1 .card").count() > 0
        expect(page.locator(".filter").first).to_be_hidden()
        assert page.locator("#set-1 .heatmap title").count() == 3 * 81


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(browser: Browser, report: Path, width: int, scheme: str) -> None:
    with browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    ) as page:
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        lightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
        assert (lightness < 60) == (scheme == "dark")
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
