"""docs/evaluation.md keeps its word: its commands are the command line's, its fields are the summary's."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from evensight import cli
from evensight.evaluation.bias import PlaceBias
from evensight.evaluation.by_options import ByOptions
from evensight.evaluation.evenness import Evenness
from evensight.evaluation.option_scores import RULES
from evensight.evaluation.summary import Summary

GUIDE = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]
PARTS = {"evenness": Evenness, "places": PlaceBias, "by_options": ByOptions}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line: str) -> None:
    program, name, *words = shlex.split(line)
    assert program == "evensight"
    found = vars(typer.main.get_command(cli.app))["commands"][name]
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


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
    assert "(docs/evaluation.md)" in (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
