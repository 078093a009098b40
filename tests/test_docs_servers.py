"""docs/servers.md keeps its word: its settings and its tables are those of the code, its Python runs."""

import re
from pathlib import Path

import pytest
from PIL import Image

from evensight.models.servers.requests import CHOICE_WAYS
from evensight.models.servers.settings import KEY_NAMES, ServerSettings
from servers import Request, Say, completion, scripted

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table with this first heading, by the code in their first cell."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", GUIDE, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {first.strip("`"): others for first, *others in cells}


def test_every_setting_is_told_with_its_default() -> None:
    told = rows("setting")
    assert list(told) == list(ServerSettings.model_fields)
    for name, field in ServerSettings.model_fields.items():
        if isinstance(field.default, int | float | str):
            default = field.default if isinstance(field.default, str) else f"{field.default:g}"
            default = "on" if field.default is True else default
            assert told[name][0].strip("`") == default


def test_the_ways_to_hold_an_answer_are_those_of_the_code() -> None:
    assert list(rows("way")) == [way.name for way in CHOICE_WAYS]


def test_the_keys_are_those_of_the_code() -> None:
    assert all(f"`{name}`" in GUIDE or f" {name} " in GUIDE for name in KEY_NAMES)


def test_the_python_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    def behaviour(request: Request, _: int) -> Say:
        assert request.image.convert("RGB").tobytes() == Image.new("RGB", (336, 336), (255, 0, 0)).tobytes()
        return Say(body=completion("red"))

    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    with scripted(behaviour) as server:
        exec(compile(code.replace("http://localhost:8000", server.base), "docs/servers.md", "exec"), {})
    assert capsys.readouterr().out == "red\n"


def test_the_guide_is_found_from_the_readme() -> None:
    assert "(docs/servers.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
