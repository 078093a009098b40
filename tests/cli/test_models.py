"""`evensight models`: the table of families, and one model looked into."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from evensight import cli, training
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.models.families import FAMILIES
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import store


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, ["models", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_table_has_every_family_with_all_that_is_known() -> None:
    table = shown("list")
    for family in FAMILIES:
        block = table.partition(f"\n{family.title} (")[2].partition("\n\n")[0]
        for known in (family.example, family.image_token, family.pixels, *family.answer_ends, *family.budget):
            assert known in block


def test_a_model_shows_its_prompt_and_what_is_supervised() -> None:
    output = shown("inspect", "embedded")
    assert "'<|im_start|>user\\n<image>[x49]\\nWhere is the red circle?<|im_end|><|im_start|>assistant\\n'" in output
    assert "'top' ' left' '<|im_end|>' (3 tokens)" in output
    assert "66 of 1,024 that it takes, 49 of them for an image of 336 x 336 px" in output
    assert "language             533,184  down_proj gate_proj k_proj o_proj q_proj up_proj v_proj" in output


def test_with_a_set_its_longest_example_is_shown(mini_train: SceneDesign, tmp_path: Path) -> None:
    store(SceneExamples(mini_train, 336, 0), tmp_path / "set")
    output = shown("inspect", "embedded", "--data", str(tmp_path / "set"))
    assert "the longest of 162 examples is `" in output
    assert "Choose from" in output or "Where is the" in output


def test_the_shipped_configurations_are_listed_and_printed_as_they_are() -> None:
    shipped = {path.stem: path.read_text() for path in (Path(training.__file__).parent / "shipped").glob("*.yaml")}
    listed = shown("accelerate")
    assert [line.split()[0] for line in listed.splitlines()] == sorted(shipped) == ["ddp", "fsdp2", "zero2", "zero3"]
    assert "The whole model on each GPU" in listed
    for name, text in shipped.items():
        assert shown("accelerate", name) == text
    with pytest.raises(InputError, match=r"`ddp2` is not known: expected one of ddp, fsdp2, zero2, zero3"):
        shown("accelerate", "ddp2")
