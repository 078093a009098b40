"""docs/studies.md, docs/reports.md and docs/findings.md keep their word: keys, commands and parts are the code's."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from documented import DOCS, blocks, check_options, commands
from evensight import cli
from evensight.reports.exported import save_figures
from evensight.studies.plan import SHIPPED, Condition, ProbePlan, Source, Study
from made_runs import half, write_run

STUDIES, REPORTS = ((DOCS / name).read_text(encoding="utf-8") for name in ("studies.md", "reports.md"))
NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def first_columns(text: str, head: str) -> list[list[str]]:
    """The names in the first column of each table whose head begins so."""
    tables = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE) for table in tables]


@pytest.mark.parametrize("words", [*commands(STUDIES), *commands(REPORTS)], ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    check_options(words)


def test_every_key_is_told_and_no_other() -> None:
    kinds: list[type[BaseModel]] = [Study, Condition, Source]
    for kind, told in zip(kinds, first_columns(STUDIES, "key"), strict=True):
        assert sorted(told) == sorted(kind.model_fields), kind.__name__
    (line,) = re.findall(r"^A \*\*probe\*\* takes (.*)$", STUDIES, re.MULTILINE)
    assert set(re.findall(r"`([a-z]+)`", line)) == set(ProbePlan.model_fields)


def test_the_shipped_studies_are_told_and_each_has_its_findings() -> None:
    assert sorted(first_columns(STUDIES, "study")[0]) == NAMES
    findings = (DOCS / "findings.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^`evensight study ([a-z]+)`, 3 seeds\.", findings, re.MULTILINE)) == NAMES
    for name in NAMES:
        assert f"](findings-{name}.svg)" in findings
        assert (DOCS / f"findings-{name}.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_study_of_ones_own_can_be_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(STUDIES, "yaml")
    name = yaml.safe_load(text)["name"]
    Path(f"{name}.yaml").write_text(text)
    (words,) = (words for words in commands(STUDIES) if f"{name}.yaml" in words)
    done = CliRunner().invoke(cli.app, words[1:])
    assert done.exit_code == 0, done.output
    assert "little" in done.output


def test_the_tables_for_a_paper_are_those_that_are_written(tmp_path: Path) -> None:
    written = save_figures([write_run(tmp_path / "a", half)], ["base"], tmp_path / "figures")
    assert [path.name for path in written if path.suffix == ".csv"] == first_columns(REPORTS, "file")[0]


def test_the_parts_of_the_report_are_its_headings() -> None:
    templates = "".join(path.read_text() for path in (DOCS.parent / "src/evensight/reports/templates").glob("*.j2"))
    (table,) = re.findall(r"^\| part \|.*\n\|[-|]+\n((?:\|.*\n)+)", REPORTS, re.MULTILINE)
    for part in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE):
        assert part == "the top" or f">{part}" in templates, part


def test_the_pages_are_found_from_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"(docs/{name}.md)" in readme for name in ("studies", "reports", "findings"))
