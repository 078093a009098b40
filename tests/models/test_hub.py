"""Checkpoints of the Hub are known by their commits; their code runs only where it can't change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import RepositoryNotFoundError

from evensight.errors import InputError
from evensight.models import hub
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.hub import HubId, code_allowed, hub_id, may_run_code, pinned
from evensight.models.identity import check_base, model_source

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local cache with a repository at two commits, of which main is the newer."""
    pinned.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--some--model"
    for commit in (OLD, NEW):
        (folder / "snapshots" / commit).mkdir(parents=True)
        (folder / "snapshots" / commit / "config.json").write_text(json.dumps({"model_type": "llava", "of": commit}))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(NEW)
    (folder / "refs" / "v1").write_text(OLD)
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def online(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[Any]:
    """Has the Hub answer; returns what it was asked."""
    asked: list[Any] = []

    def model_info(_self: Any, repository: str, *, revision: str | None, timeout: float) -> Any:
        asked.append((repository, revision))
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(sha=answer)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return asked


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("some/model", HubId("some/model")),
        ("some/model@v1.0", HubId("some/model", "v1.0")),
        ("some/model@refs/pr/3", HubId("some/model", "refs/pr/3")),
        (f"some/model@{OLD}", HubId("some/model", OLD)),
        ("model", None),
        ("./some/model", None),
        ("/some/model", None),
        ("some/model@", None),
        ("some/model/more", None),
    ],
)
def test_names(name: str, expected: HubId | None) -> None:
    assert hub_id(name) == expected


@pytest.mark.parametrize(("revision", "commit"), [(None, NEW), ("main", NEW), ("v1", OLD), (OLD, OLD)])
def test_offline_the_commit_is_that_of_the_cache(
    cache: Path, offline: None, revision: str | None, commit: str
) -> None:
    assert pinned(HubId("some/model", revision)) == HubId("some/model", commit)


def test_offline_what_is_not_in_the_cache_is_unknown(cache: Path, offline: None) -> None:
    for given in (HubId("other/model"), HubId("some/model", "v2")):
        with pytest.raises(InputError, match=rf"the commit of `{given.repository}.*` is not known.*go online"):
            pinned(given)


def test_online_the_hub_is_asked_and_not_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = online(monkeypatch, "c" * 40)
    assert pinned(HubId("some/model")) == HubId("some/model", "c" * 40)
    assert asked == [("some/model", None)]


def test_a_whole_commit_needs_no_asking(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = online(monkeypatch, "c" * 40)
    assert pinned(HubId("some/model", OLD)).revision == OLD
    assert asked == []


def test_without_a_network_the_cache_answers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch, ConnectionError("no route"))
    assert pinned(HubId("some/model")).revision == NEW


def test_what_the_hub_does_not_have_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    response: Any = SimpleNamespace(status_code=404, headers={}, request=None)
    online(monkeypatch, RepositoryNotFoundError("404: no such thing", response=response))
    with pytest.raises(InputError, match="the Hub has no `some/model@v7` for you: 404"):
        pinned(HubId("some/model", "v7"))


@pytest.mark.parametrize("name", ["some/model", "some/model@v1", f"some/model@{OLD[:12]}", "folder"])
def test_code_runs_for_a_whole_commit_alone(cache: Path, offline: None, name: str) -> None:
    assert not may_run_code(name, hub_id(name))
    with code_allowed(True), pytest.raises(InputError, match=r"is not run: .*OWNER/NAME@COMMIT` of 40 hexadecimal"):
        may_run_code(name, hub_id(name))


def test_code_of_another_repository_is_not_run(cache: Path, offline: None) -> None:
    given = HubId("some/model", OLD)
    config = cache / "snapshots" / OLD / "config.json"
    config.write_text(json.dumps({"auto_map": {"AutoConfig": "some/model--c.C", "AutoModel": ["m.M", None]}}))
    with code_allowed(True):
        assert may_run_code("some/model", given)
    assert hub.names_code("", given)
    config.write_text(json.dumps({"auto_map": {"AutoConfig": "c.C", "AutoModel": ["evil/code--m.M", None]}}))
    with code_allowed(True), pytest.raises(InputError, match=r"kept in `evil/code`, whose revision your commit does"):
        may_run_code("some/model", given)
    assert not may_run_code("some/model", given)


HUB_RUN = """
import sys
from evensight.models.loading import identify, load
name = sys.argv[1]
older = load(f"{name}@v1")
print(identify(name)["model"], load(name).hashes["model"], older.hashes["model"], older.base, load("embedded").base)
"""


def test_a_cached_checkpoint_loads_by_its_commit(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--some--model"
    for commit in (OLD, NEW):
        shutil.copytree(EMBEDDED_FOLDER, folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(NEW)
    (folder / "refs" / "v1").write_text(OLD)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-c", HUB_RUN, "some/model"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    expected = [f"some/model@{NEW}", f"some/model@{NEW}", f"some/model@{OLD}", "some/model", "embedded"]
    assert done.stdout.split() == expected, done.stderr


def test_an_adapter_of_another_checkpoint_is_refused(
    cache: Path, offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    for base, is_other in (("Some/Model", False), ("some/model-instruct", True), ("/a/local/copy", False)):
        (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        if not is_other:
            check_base("some/model", adapter)
            continue
        with pytest.raises(InputError, match=r"was made for `some/model-instruct`, not for `some/model`: name the"):
            check_base("some/model", adapter)


def test_a_folder_of_a_checkpoint_s_name_is_not_taken_for_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    with pytest.raises(InputError, match="`owner/name` is a folder here, which would be taken in place of the Hub's"):
        model_source(f"owner/name@{'0' * 40}")
