"""What a model and an adapter were trained on is known from the runs that left them, base by base."""

import shutil
from pathlib import Path

import pytest

from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.identity import identify, trainings_of
from evensight.runs import RunFolder, RunManifest, hash_files, write_text


def trained(run: Path, base: str = "embedded", *, leaves: str = "model", data: str = "d" * 64) -> Path:
    """A fine-tuning run that left a model (or an adapter) behind, made of another model; returns that folder."""
    for name in ("config.json", "model.safetensors"):
        write_text(run / leaves / name, f"{run.name} {name}")
    inputs = {"model": identify(base)["model"], "data": data}
    RunFolder(run).seal(RunManifest("finetune", {"model": base}, inputs, hash_files(run)))
    return run / leaves


def names(folder: str | Path, adapter: Path | None = None) -> list[str]:
    """What each training learned from, the first letter of its hash."""
    return [training.inputs["data"][0] for training in trainings_of(str(folder), adapter)]


def test_a_model_that_was_trained_has_its_run(tmp_path: Path) -> None:
    model = trained(tmp_path / "one")
    assert names(model) == ["d"]
    assert names("embedded") == []
    assert names(tmp_path / "nowhere") == []


@pytest.mark.parametrize("as_run", [True, False])
def test_an_adapter_and_the_model_beneath_it_have_theirs(as_run: bool, tmp_path: Path) -> None:
    base = trained(tmp_path / "one", data="a" * 64)
    adapter = trained(tmp_path / "two", str(base), leaves="adapter", data="b" * 64)
    assert names(base, adapter.parent if as_run else adapter) == ["b", "a"]


def test_what_the_base_was_made_of_is_looked_at_too(tmp_path: Path) -> None:
    first = trained(tmp_path / "one", data="a" * 64)
    second = trained(tmp_path / "two", str(first), data="b" * 64)
    adapter = trained(tmp_path / "three", str(second), leaves="adapter", data="c" * 64)
    assert names(second, adapter) == ["c", "b", "a"]
    assert names("embedded", adapter) == ["c", "b", "a"]


def test_another_model_in_the_place_of_the_base_tells_nothing(tmp_path: Path) -> None:
    first = trained(tmp_path / "one", data="a" * 64)
    second = trained(tmp_path / "two", str(first), data="b" * 64)
    write_text(first / "model.safetensors", "other weights")
    assert names(second) == ["b"]


def test_a_run_of_another_kind_trained_nothing(tmp_path: Path) -> None:
    model = tmp_path / "export" / "model"
    write_text(model / "config.json", "{}")
    RunFolder(tmp_path / "export").seal(RunManifest("export", {}, {}, hash_files(tmp_path / "export")))
    assert names(model) == []


def test_a_folder_that_happens_to_be_called_like_the_embedded_model_is_not_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "embedded")
    monkeypatch.chdir(tmp_path)
    assert names("embedded") == []


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("leaves", ["model", "adapter"])
def test_what_a_run_left_is_refused_once_it_has_changed(leaves: str, tmp_path: Path) -> None:
    left = trained(tmp_path / "one", leaves=leaves)
    asks = {"model": (str(left), None), "adapter": ("embedded", left)}[leaves]
    if leaves == "adapter":
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            write_text(left / name, "{}")
        run = RunFolder(tmp_path / "one")
        run.seal(RunManifest("finetune", {"model": "embedded"}, {}, hash_files(run.path)))
    before = identify(*asks)
    flip(left / "model.safetensors")
    with pytest.raises(InputError, match=r"model.safetensors` is damaged or was changed"):
        identify(*asks)
    flip(left / "model.safetensors")
    assert identify(*asks) == before


def test_the_embedded_model_is_refused_once_a_bit_of_it_has_flipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(EMBEDDED_FOLDER, copy)
    for module in ("identity", "embedded"):
        monkeypatch.setattr(f"evensight.models.{module}.EMBEDDED_FOLDER", copy)
    known = identify("embedded")
    for file in sorted(copy.iterdir()):
        flip(file)
        with pytest.raises(InputError, match=r"the embedded model is not as it came: .*install evensight again"):
            identify("embedded")
        flip(file)
    assert identify("embedded") == known
