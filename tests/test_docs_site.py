"""The site keeps its word: who types the tutorial gets to the heatmap; no link and no name leads nowhere."""

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from documented import DOCS, blocks, check_options, commands
from evensight import cli
from evensight.storage.stored import StoredExamples

ROOT = DOCS.parent
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
ELSEWHERE = ("--server", "accelerate", "Qwen/", "ladder")
"""What a command has that takes another machine, a checkpoint, or an hour."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A newcomer's folder, in which the pages' files are written and their commands typed."""
    folder = tmp_path_factory.mktemp("desk")
    for page in ("tutorial.md", "howto.md"):
        for text in blocks(PAGES[page], "yaml"):
            (folder / f"{yaml.safe_load(text)['name']}.yaml").write_text(text)
    runpy.run_path(str(ROOT / "scripts" / "standin_photos.py"))["write_standins"](folder / "data" / "coco")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("EVENSIGHT_PHOTOS", raising=False)
        yield folder


def run(words: list[str]) -> str:
    assert words[0] == "evensight", words
    done = CliRunner().invoke(cli.app, words[1:])
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"
    return done.output


def test_the_tutorial_typed_literally_ends_at_the_heatmap(desk: Path) -> None:
    for words in commands(PAGES["tutorial.md"]):
        run(words)
    assert len(StoredExamples(desk / "data" / "first")) == 486  # as the page says
    assert 'role="grid"' in (desk / "before.html").read_text(encoding="utf-8")
    assert (desk / "before.svg").read_text(encoding="utf-8").startswith("<svg")
    page = (desk / "report.html").read_text(encoding="utf-8")
    assert page.count('class="heatmap"') == 2
    assert {"first.svg", "cells.csv"} <= {path.name for path in (desk / "figures").iterdir()}
    assert (desk / "runs" / "balanced" / "adapter" / "adapter_config.json").is_file()


def test_what_can_be_run_of_the_how_to_runs(desk: Path) -> None:
    if not (desk / "data" / "first").is_dir():  # run alone, without the tutorial before it
        run(["evensight", "generate", "first.yaml", "--out", "data/first"])
    here = [words for words in commands(PAGES["howto.md"]) if not any(mark in " ".join(words) for mark in ELSEWHERE)]
    assert len(here) >= 7
    for words in here:
        run(words)


@pytest.mark.parametrize("page", ["tutorial.md", "howto.md"])
def test_every_option_is_one(page: str) -> None:
    for words in commands(PAGES[page]):
        check_options(words)


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def test_no_link_leads_nowhere() -> None:
    headings = {name: re.findall(r"^#+ (.*)$", text, re.MULTILINE) for name, text in PAGES.items()}
    anchors = {name: set(map(slug, of)) for name, of in headings.items()}
    n = 0
    for name, text in PAGES.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            assert not file or (DOCS / file).is_file(), f"{name}: {target}"
            assert not anchor or anchor in anchors[file or name], f"{name}: {target}"
            n += 1
    assert n > 60


def test_every_page_is_in_the_navigation_once() -> None:
    def named(nav: object) -> Iterator[str]:
        if isinstance(nav, str):
            yield nav
        elif isinstance(nav, list | dict):
            for part in nav.values() if isinstance(nav, dict) else nav:
                yield from named(part)

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(named(site["nav"])) == sorted(PAGES)
    assert site["strict"] is True


def test_every_name_of_the_reference_is_there_with_its_docstring() -> None:
    names = re.findall(r"^::: ([\w.]+)$", PAGES["reference.md"], re.MULTILINE)
    assert len(names) > 15
    for name in names:
        module, _, attribute = name.rpartition(".")
        found = import_module(name) if name == "evensight.statistics" else getattr(import_module(module), attribute)
        assert found.__doc__, name
