"""Groups of questions go to workers and come back in order. Ray itself is played by an object of the same interface;
`make ray` asks with a real cluster, a worker killed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from evensight import cli
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate_subject
from evensight.models.answering import BOTH, Answer, Answerer, Asked, Way
from evensight.models.asked_here import ModelHere
from evensight.models.ray_engine import OnRay
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign


class Method:
    def __init__(self, bound: Any) -> None:
        self._bound = bound

    def remote(self, *given: Any, **more: Any) -> tuple[Any, Any, Any]:
        return self._bound, given, more


class Actor:
    def __init__(self, made: Any) -> None:
        self.made = made
        self.groups: list[list[int]] = []

    def __getattr__(self, name: str) -> Method:
        return Method(self._answers if name == "answers" else getattr(self.made, name))

    def _answers(self, group: list[Asked], **more: Any) -> list[Answer]:
        self.groups.append([one.index for one in group])
        answers: list[Answer] = self.made.answers(group, **more)
        return answers


class Played:
    """What of Ray is used: actors, and results that are computed when they are asked for."""

    def __init__(self, **resources: int) -> None:
        self.resources, self.actors, self.options_given = resources, list[Actor](), dict[str, Any]()

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, int]:
        return self.resources

    def remote(self, made: Any) -> "Played":
        self._class = made
        return self

    def options(self, **given: Any) -> Any:
        self.options_given = given
        played = self

        class Maker:
            @staticmethod
            def remote(*given: Any, **more: Any) -> Actor:
                played.actors.append(Actor(played._class(*given, **more)))
                return played.actors[-1]

        return Maker

    def get(self, call: tuple[Any, Any, Any]) -> Any:
        bound, given, more = call
        return bound(*given, **more)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    ray = Played(CPU=3)
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


@pytest.fixture(scope="module")
def few(mini_train: SceneDesign) -> Part:
    return Part(SceneExamples(mini_train, 108, 0), range(0, 162, 8), {"every": 8})


def test_the_table_is_that_of_one_process(played: Played, few: Part, tmp_path: Path) -> None:
    subject = ModelHere("embedded", None, 4, Way(BOTH))
    evaluate_subject(subject, few, tmp_path / "alone")
    evaluate_subject(OnRay(subject), few, tmp_path / "together")
    assert hash_files(tmp_path / "alone") == hash_files(tmp_path / "together")
    assert (tmp_path / "alone" / "manifest.json").read_bytes() == (
        tmp_path / "together" / "manifest.json"
    ).read_bytes()
    assert len(played.actors) == 3
    groups = [group for actor in played.actors for group in actor.groups]
    assert sorted(group for group in groups if len(group) == 4 and group[0] == 0) == [[0, 1, 2, 3]] * 2  # and priors
    assert all(actor.groups for actor in played.actors)
    assert played.options_given == {"max_restarts": -1, "max_task_retries": -1, "num_cpus": 1}


def test_with_gpus_each_worker_has_one(played: Played) -> None:
    played.resources |= {"GPU": 2}
    OnRay(ModelHere("embedded", None, 4)).answerer()
    assert len(played.actors) == 2
    assert played.options_given["num_gpus"] == 1
    OnRay(ModelHere("embedded", None, 4), n_workers=1).answerer()
    assert len(played.actors) == 3


def test_no_more_than_a_group_for_each_worker_is_drawn_ahead(played: Played) -> None:
    drawn: list[int] = []

    def coming() -> Iterator[Asked]:
        for k in range(40):
            drawn.append(k)
            yield Asked(k, Image.new("RGB", (108, 108)), "Where?", ())

    answerer: Answerer = OnRay(ModelHere("embedded", None, 4, Way(max_new_tokens=1))).answerer()
    answers = answerer.answers(coming())
    assert next(answers).index == 0
    assert len(drawn) <= 4 * 4
    assert [answer.index for answer in answers] == list(range(1, 40))


def test_a_worker_s_error_of_the_user_s_is_that_error(played: Played) -> None:
    class TaskError(Exception):
        cause = InputError("the GPU is too small")

    def fails(call: Any) -> Any:
        raise TaskError

    answerer = OnRay(ModelHere("embedded", None, 4)).answerer()
    played.get = fails  # type: ignore[method-assign]
    with pytest.raises(InputError, match="the GPU is too small"):
        list(answerer.answers([Asked(0, Image.new("RGB", (108, 108)), "Where?", ())]))


def test_without_ray_one_line_says_so(few: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"`ray` is not installed: install it with `pip install 'evensight\[ray\]'`"):
        OnRay(ModelHere("embedded", None, 4)).answerer()


def test_workers_belong_to_ray(tmp_path: Path) -> None:
    from evensight.storage.stored import store

    store(Part(SceneExamples(_design(), 108, 0), range(2), {"first": 2}), tmp_path / "set")
    words = ["evaluate", "--model", "embedded", "--data", str(tmp_path / "set"), "--out", str(tmp_path / "run")]
    error = CliRunner().invoke(cli.app, [*words, "--workers", "2"]).exception
    assert "`--workers` belongs to `--engine ray`" in str(error)
    error = CliRunner().invoke(cli.app, [*words, "--server", "http://localhost:1", "--engine", "ray"]).exception
    assert "`--engine` is for a model that is loaded here" in str(error)


def _design() -> SceneDesign:
    from evensight.scenes.catalog import design

    return design("civet-test")
