"""What is told of validation is what an evaluation would find; training ends with the weights that validated best."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import exp, inf
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from typing_extensions import override

from evensight.annotations import AREAS
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.evaluation.ask import evaluate
from evensight.evaluation.results import read_results
from evensight.models.loading import load
from evensight.models.processes import Processes
from evensight.models.prompts import IGNORED, Prompter
from evensight.runs import RunFolder, hash_files
from evensight.scenes.compose import SceneDesign
from evensight.training import finetune as finetune_module
from evensight.training.finetune import config_for, finetune
from evensight.training.guard import Guard
from evensight.training.trainer import Upkeep
from evensight.training.validation import (
    ACCURACY,
    LOSS,
    PERPLEXITY,
    Validation,
    best_step,
    note,
    split_off,
    table,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def squares(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


def part(examples: ExampleSet, color: str, every: int) -> Part:
    """Every so many of the squares of a colour."""
    chosen = [k for k, example in enumerate(examples) if example.attributes["color"] == color]
    return Part(examples, chosen[::every], {"by": "color", "part": color})


class Mirrored(ExampleSet):
    """The examples with left and right exchanged in their answers: what is learned elsewhere is wrong here."""

    def __init__(self, whole: ExampleSet) -> None:
        self._whole = whole

    @property
    @override
    def info(self) -> SetInfo:
        return replace(self._whole.info, config={"mirrored": dict(self._whole.info.config)})

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Example:
        example = self._whole[index]
        words = {"left": "right", "right": "left"}
        answer = " ".join(words.get(word, word) for word in example.question.answer.split())
        return replace(example, question=replace(example.question, answer=answer))

    @override
    def image(self, index: int) -> Image.Image:
        return self._whole.image(index)


def rows(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_loss_and_perplexity_are_those_of_each_answer_alone(squares: SceneExamples) -> None:
    examples, loaded = part(squares, "red", 9), load("embedded")
    prompter = Prompter(loaded.processor, "llava")
    found = Validation(examples, prompter, 4, Processes())(loaded.model)
    nats, n = 0.0, 0
    for k, example in enumerate(examples):
        batch = prompter.encode_with_answers([examples.image(k)], [example.question.text], [example.question.answer])
        labels = batch.pop("labels")
        with torch.no_grad():
            logits = loaded.model(**batch).logits
        nats += float(cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=IGNORED, reduction="sum"))
        n += int((labels != IGNORED).sum())
    assert found[LOSS] == pytest.approx(nats / n, rel=1e-5)
    assert found[PERPLEXITY] == pytest.approx(exp(nats / n), rel=1e-5)


def test_the_last_line_of_the_table_is_what_an_evaluation_finds_by_area(
    squares: SceneExamples, tmp_path: Path
) -> None:
    training, validating = part(squares, "red", 3), part(squares, "green", 4)
    config = config_for("embedded", {"epochs": 1.0, "batch_size": 8, "validate_steps": 2}, "the test")
    finetune("embedded", training, config, tmp_path / "run", validation=validating)
    lines = rows(tmp_path / "run" / "validation.csv")
    assert [line["step"] for line in lines] == [2, 4]
    best = min(lines, key=lambda line: line["perplexity"])
    evaluate("embedded", tmp_path / "run", validating, tmp_path / "asked", 16)
    answers = read_results(tmp_path / "asked").table.to_pylist()
    for area in AREAS:
        of_area = [answer["outcome"] == "correct" for answer in answers if answer["area"] == area]
        assert best[f"accuracy/{area}"] == sum(of_area) / len(of_area), area
    assert best["accuracy"] == sum(answer["outcome"] == "correct" for answer in answers) / len(validating)
    assert 0 < best["accuracy"] < 1


@pytest.mark.parametrize(("share", "least", "most"), [(0.5, 1, 1), (0.25, 0, 1), (0.1, 0, 1)])
def test_as_large_a_share_of_every_cell_is_kept(squares: SceneExamples, share: float, least: int, most: int) -> None:
    training, validating = split_off(squares, share, 3)
    held = Counter(example.cell for example in validating)
    counts = [held[cell] for cell in {example.cell for example in squares}]
    assert (min(counts), max(counts)) == (least, most)
    assert abs(len(validating) - share * len(squares)) <= 1
    assert {e.id for e in training} | {e.id for e in validating} == {e.id for e in squares}
    assert not {e.id for e in training} & {e.id for e in validating}
    again, other = split_off(squares, share, 3)[1], split_off(squares, share, 4)[1]
    assert [e.id for e in again] == [e.id for e in validating] != [e.id for e in other]


def test_what_is_owed_to_a_cell_is_paid_by_a_near_one(squares: SceneExamples) -> None:
    _, validating = split_off(squares, 0.25, 0)  # half an example a cell
    by_row = Counter(example.cell.row for example in validating)
    assert set(by_row.values()) <= {4, 5}


def test_a_share_of_nothing_is_refused(squares: SceneExamples) -> None:
    with pytest.raises(
        InputError, match=r"the share `0.001` of the 162 examples of mini-train is 0: expected at least"
    ):
        split_off(squares, 0.001, 0)


STOPPED = {"epochs": 4.0, "batch_size": 9, "learning_rate": 5e-3, "validate_steps": 1, "patience": 2}


@pytest.fixture(scope="module")
def undisturbed(mini_train: SceneDesign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    stopped(SceneExamples(mini_train, 108, 0), out)
    return out


def stopped(squares: SceneExamples, out: Path) -> Any:
    """A run whose validation gets worse from its first steps on: it ends long before the twelfth."""
    config = config_for("embedded", STOPPED, "the test")
    validating = Mirrored(part(squares, "green", 9))
    return finetune(
        "embedded", part(squares, "red", 3), config, out, validation=validating, upkeep=Upkeep(checkpoint_steps=1)
    )


def test_training_stops_when_it_is_enough_and_keeps_the_best_weights_not_the_last(
    squares: SceneExamples, undisturbed: Path
) -> None:
    manifest = RunFolder(undisturbed).manifest("finetune")
    lines = rows(undisturbed / "validation.csv")
    best = min(lines, key=lambda line: line["perplexity"])
    assert manifest.facts["n_steps"] == len(lines) == manifest.facts["best_step"] + 2 < 12
    assert best["step"] == manifest.facts["best_step"]
    loaded = load("embedded", undisturbed)
    validating = Mirrored(part(squares, "green", 9))
    found = Validation(validating, Prompter(loaded.processor, "llava"), 9, Processes())(loaded.model)
    assert found[PERPLEXITY] == pytest.approx(best["perplexity"], rel=1e-5)
    assert found[PERPLEXITY] < lines[-1]["perplexity"]


class StopHereError(Exception):
    """What stands for a kill."""


def test_killed_before_it_stops_it_ends_in_the_same_bytes(
    squares: SceneExamples, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Guard.on_pre_optimizer_step

    def stop(self: Guard, args: Any, state: Any, *rest: Any, **more: Any) -> None:
        if state.global_step + 1 == 3:
            raise StopHereError
        go_on(self, args, state, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Guard, "on_pre_optimizer_step", stop)
        with pytest.raises(StopHereError):
            stopped(squares, tmp_path / "run")
    stopped(squares, tmp_path / "run")
    assert hash_files(tmp_path / "run") == hash_files(undisturbed)


def test_killed_after_it_stopped_it_does_no_step_more(
    squares: SceneExamples, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def die(*_: Any, **__: Any) -> None:
        raise StopHereError

    with monkeypatch.context() as patch:
        patch.setattr(finetune_module, "save_adapter", die)
        with pytest.raises(StopHereError):
            stopped(squares, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Guard, "on_pre_optimizer_step", die)
        stopped(squares, tmp_path / "run")
    assert hash_files(tmp_path / "run") == hash_files(undisturbed)


def test_the_best_step_is_the_first_of_equals_and_never_an_infinite_one() -> None:
    def done(*perplexities: float) -> list[dict[str, float]]:
        return [{"step": float(k), PERPLEXITY: value} for k, value in enumerate(perplexities, start=1)]

    assert best_step(done(3.0, 2.0, 2.0, 4.0)) == 2
    assert best_step(done(inf, 5.0)) == 2
    assert best_step(done(inf, inf)) is None


def test_a_line_of_the_progress_has_the_areas_where_they_lie() -> None:
    figures = {PERPLEXITY: 1.5, ACCURACY: 0.5, f"{ACCURACY}/top left": 1.0, f"{ACCURACY}/bottom right": 0.25}
    assert note(figures) == "right 50 %, by area 100 – – / – – – / – – 25, perplexity 1.500"


def test_the_table_has_a_column_for_each_area_that_is_asked_about() -> None:
    entry = {"step": 3, LOSS: 0.5, PERPLEXITY: 1.6, ACCURACY: 1.0, f"{ACCURACY}/center": 1.0}
    assert table([entry]) == "step,loss,perplexity,accuracy,accuracy/center\n3,0.5,1.6,1.0,1.0\n"
