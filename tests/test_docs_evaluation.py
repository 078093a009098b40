"""docs/evaluation.md keeps its word: its commands are the command line's, its fields are the summary's."""

import re
from dataclasses import fields

import pytest

from documented import DOCS, check_options, commands
from evensight.evaluation.bias import PlaceBias
from evensight.evaluation.by_options import ByOptions
from evensight.evaluation.evenness import Evenness
from evensight.evaluation.option_scores import RULES
from evensight.evaluation.summary import Summary

GUIDE = (DOCS / "evaluation.md").read_text(encoding="utf-8")
PARTS = {"evenness": Evenness, "places": PlaceBias, "by_options": ByOptions}


@pytest.mark.parametrize("words", commands(GUIDE), ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    check_options(words)


def test_every_field_is_one() -> None:
    (table,) = re.findall(r"^\| claim \|.*\n\|[-|]+\n((?:\|.*\n)+)", GUIDE, re.MULTILINE)
    told = [name for line in table.splitlines() for name in re.findall(r"`([a-z_.]+)`", line.split("|")[-2])]
    assert len(told) > 12
    for name in told:
        first, _, second = name.partition(".")
        assert first in {field.name for field in fields(Summary)}, name
        assert not second or second in {field.name for field in fields(PARTS[first])}, name


def test_the_rules_are_those_of_the_code() -> None:
    assert tuple(re.findall(r"^\| `([a-z-]+)` \|", GUIDE, re.MULTILINE)) == RULES


def test_the_guide_is_found_from_the_readme() -> None:
    assert "(docs/evaluation.md)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
