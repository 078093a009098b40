"""Tables of answers and how they are read, in Markdown: `| rule | options | answer | read as |`."""

import re
from pathlib import Path
from typing import NamedTuple

from composed_answers import COLORS, SIZES
from evensight.annotations import AREAS
from evensight.questions.relations import DIRECTIONS
from evensight.questions.tasks import COLUMNS, COUNTS, ROWS, Question

OPTIONS = {
    "areas": AREAS,
    "columns": COLUMNS,
    "rows": ROWS,
    "directions": DIRECTIONS,
    "counts": COUNTS,
    "zeros": tuple(str(k) for k in range(10)),
    "colors": COLORS,
    "sheens": ("none", "matte", "glossy"),
    "sizes": SIZES,
}
CHOICES = ("top left", "top right", "center")
LABELLED = Question("absolute-position", "Where? A. top left B. top right C. center", CHOICES, "center")
_ROW = re.compile(r"^\| (?P<rule>.+?) \| (?P<options>\w+) \| (?P<answer>`.*`) \| (?P<read>[\w ]+) \|$", re.MULTILINE)


class Rule(NamedTuple):
    """A row: what it shows, what the options are called, the answer, and what is read."""

    rule: str
    options: str
    answer: str
    expected: str | None

    @property
    def asked(self) -> Question | tuple[str, ...]:
        """The question, or the options alone."""
        return LABELLED if self.options == "labelled" else OPTIONS[self.options]


def rules(page: Path) -> list[Rule]:
    """The rows of a page's table, all of them.

    Raises:
        ValueError: A row of the page can't be read.
    """
    text = page.read_text(encoding="utf-8")
    found = [match.groups() for match in _ROW.finditer(text)]
    if len(found) != text.count("\n| ") - 1:  # but for the head
        raise ValueError(f"{page} has rows that are none")
    return [Rule(rule, named, _said(cell), None if read == "invalid" else read) for rule, named, cell, read in found]


def _said(cell: str) -> str:
    """A cell as the text that it stands for: `⏎` is a new line, `\\x08` and `\\u202e` are characters."""
    text = cell[2:-2] if "```" in cell else cell[1:-1]
    text = text.replace("⏎", "\n")
    return re.sub(r"\\(?:x(\w\w)|u(\w{4}))", lambda match: chr(int(match[1] or match[2], 16)), text)
