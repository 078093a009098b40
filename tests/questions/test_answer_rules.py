"""The table of `docs/answers.md` is true, row by row."""

import re
from pathlib import Path

import pytest

from composed_answers import COLORS, SIZES
from evensight.annotations import AREAS
from evensight.questions import parse_answer
from evensight.questions.relations import DIRECTIONS
from evensight.questions.tasks import COLUMNS, COUNTS, ROWS, Question

PAGE = (Path(__file__).parents[2] / "docs" / "answers.md").read_text(encoding="utf-8")
OPTIONS = {
    "areas": AREAS,
    "columns": COLUMNS,
    "rows": ROWS,
    "directions": DIRECTIONS,
    "counts": COUNTS,
    "colors": COLORS,
    "sheens": ("none", "matte", "glossy"),
    "sizes": SIZES,
}
CHOICES = ("top left", "top right", "center")
LABELLED = Question("absolute-position", "Where? A. top left B. top right C. center", CHOICES, "center")
ROW = re.compile(r"^\| (?P<rule>.+?) \| (?P<options>\w+) \| (?P<answer>`.*`) \| (?P<read>[\w ]+) \|$", re.MULTILINE)
RULES = [match.groups() for match in ROW.finditer(PAGE)]


def said(cell: str) -> str:
    """A cell as the text that it stands for: `⏎` is a new line, `\\x08` and `\\u202e` are characters."""
    text = cell[2:-2] if "```" in cell else cell[1:-1]
    text = text.replace("⏎", "\n")
    return re.sub(r"\\(?:x(\w\w)|u(\w{4}))", lambda match: chr(int(match[1] or match[2], 16)), text)


def test_the_table_has_its_rows() -> None:
    assert len(RULES) == PAGE.count("\n| ") - 1 >= 70  # but for its head


@pytest.mark.parametrize(("rule", "options", "answer", "read"), RULES, ids=[f"{k}" for k in range(len(RULES))])
def test_each_rule_of_the_page_is_true(rule: str, options: str, answer: str, read: str) -> None:
    asked = LABELLED if options == "labelled" else OPTIONS[options]
    expected = None if read == "invalid" else read
    assert parse_answer(said(answer), asked) == expected, rule
