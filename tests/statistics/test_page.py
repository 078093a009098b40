"""docs/statistics.md keeps its word: the functions and tests that it names are there, and no function is left out."""

import re
from inspect import isfunction
from pathlib import Path

import pytest

from evensight import statistics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_]+)`", PAGE))
TESTS = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
EASY = {"is_number"}
"""Functions that claim nothing."""


def test_every_test_that_the_page_names_is_there() -> None:
    named = {name for name in NAMED if name.startswith("test_")}
    assert len(named) > 30
    assert named <= set(re.findall(r"def (test_\w+)\(", TESTS))


def test_every_function_has_its_place_on_the_page() -> None:
    functions = {name for name in statistics.__all__ if isfunction(getattr(statistics, name))}
    assert functions - NAMED == EASY


def test_the_page_names_no_function_that_is_not_there() -> None:
    others = {"method", "clusters", "expected", "smallest_delta", "ece", "ece_true"}
    assert {name for name in NAMED if not name.startswith("test_")} - others <= set(statistics.__all__)


def test_the_figures_of_the_examples_before_a_run_are_computed() -> None:
    drop = re.search(r"has to be (\d+) points below the others", PAGE)
    scenes = re.search(r"\"(\d+) scenes a cell show ±5 points", PAGE)
    points = re.search(r"have to differ by ([\d.]+) points", PAGE)
    assert drop is not None
    assert scenes is not None
    assert points is not None
    assert statistics.questions_per_cell(0.95, 81) == int(scenes[1])
    assert 100 * statistics.detectable_drop(48, 0.9, 81) == pytest.approx(int(drop[1]), abs=0.5)
    assert 100 * statistics.detectable_difference(3_888, 0.1) == pytest.approx(float(points[1]), abs=0.05)
