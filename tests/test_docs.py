"""The docs keep their word: every design, command and line of Python of the guide runs, the gallery is not stale."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from evensight import cli
from evensight.datasets.orders import Order
from evensight.questions.catalog import TASKS

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "scenes.md").read_text(encoding="utf-8")
SMALL = ["--size", "180"]
FEW = ["--limit", "3"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[list[str]]:
    """The guide's commands without comments and what follows a `>`."""
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line.partition(">")[0], comments=True)
        if words:
            assert words[0] == "evensight", line
            yield words[1:]


DESIGNS = {yaml.safe_load(text)["name"]: text for text in blocks("yaml")}
COMMANDS = list(commands())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the guide's commands name: its designs, photographs, and a folder of pictures."""
    folder = tmp_path_factory.mktemp("guide")
    for name, text in DESIGNS.items():
        (folder / f"{name}.yaml").write_text(text)
    write_standins = runpy.run_path(str(ROOT / "scripts" / "standin_photos.py"))["write_standins"]
    write_standins(folder / "data" / "coco")
    shutil.copytree(folder / "data" / "coco" / "val2017", folder / "my" / "pictures")
    return folder


def run(desk: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"


def test_the_guide_has_what_is_tested() -> None:
    assert len(DESIGNS) == len(blocks("yaml")) >= 6
    assert sum(words[0] == "generate" for words in COMMANDS) >= 8


@pytest.mark.parametrize("name", DESIGNS)
def test_each_design_of_the_guide_can_be_made(name: str, desk: Path) -> None:
    examples = Order(str(desk / f"{name}.yaml"), 180).examples()
    shown = [examples[k] for k in range(0, len(examples), len(examples) // 7)]
    assert all(example.question.answer for example in shown)
    assert examples.image(len(examples) - 1).size == (180, 180)


def test_the_first_design_has_as_many_scenes_as_the_guide_says(desk: Path) -> None:
    factors = re.search(r"This one has ([\dx ]+) scenes", GUIDE)
    assert factors is not None
    product = 1
    for factor in factors[1].split("x"):
        product *= int(factor)
    assert len(Order(str(desk / "colours-on-textures.yaml")).examples()) == product


def test_the_commands_of_the_guide_run_in_order(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in COMMANDS:
        more = [] if words[0] != "generate" else SMALL if "--limit" in words else SMALL + FEW
        run(desk, words + more, monkeypatch)


def test_the_python_of_the_guide_runs() -> None:
    (code,) = blocks("python")
    known: dict[str, object] = {}
    exec(compile(code, "docs/scenes.md", "exec"), known)
    pixels, picture = known["pixels"], known["picture"]
    assert pixels.shape == (64, 336, 336, 3)  # type: ignore[attr-defined]
    assert pixels[2].tobytes() == picture.tobytes()  # type: ignore[index, attr-defined]


def test_every_task_has_its_example() -> None:
    assert re.findall(r"^\| `([a-z0-9-]+)` \| .+ \| .+ \|$", GUIDE, re.MULTILINE) == list(TASKS)


def test_the_gallery_is_as_the_command_makes_it(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "gallery.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for page in ("gallery.md", "scenes.md"):
        made, kept = ((folder / page).read_text(encoding="utf-8") for folder in (tmp_path, ROOT / "docs"))
        assert made == kept, f"`{page}` is stale: run `make gallery`"
    kept_names = {path.name for path in (ROOT / "docs" / "gallery").iterdir() if not path.name.startswith("photo-")}
    assert {path.name for path in (tmp_path / "gallery").iterdir()} == kept_names


def test_every_picture_of_the_gallery_is_there_and_small() -> None:
    named = re.findall(r"\]\((gallery/[^)]+)\)", (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"))
    sizes = [(ROOT / "docs" / name).stat().st_size for name in named]
    assert len(named) > 20
    assert sum(sizes) < 1_200_000
