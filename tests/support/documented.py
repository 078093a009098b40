"""What a page of the docs tells a user to type, and whether there is such a command."""

import re
import shlex
from pathlib import Path

import typer

from evensight import cli

DOCS = Path(__file__).parents[2] / "docs"


def blocks(text: str, language: str) -> list[str]:
    """The page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The words of each command in the page's `sh` blocks, without comments."""
    lines = "".join(blocks(text, "sh")).splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def check_options(words: list[str]) -> None:
    """Holds that a command, also one that `accelerate` launches, is evensight's and has the options it is given."""
    rest = words[words.index("evensight") + 1 :]
    assert words[0] == "evensight" or words[0] == "accelerate", words
    command = typer.main.get_command(cli.app)
    while rest and rest[0] in (vars(command).get("commands") or {}):
        command = vars(command)["commands"][rest[0]]
        rest = rest[1:]
    assert vars(command).get("commands") is None or vars(command).get("invoke_without_command"), words
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known, words
