"""What can't be trained on is told in one line before a folder is touched: nothing that was there is lost."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typing_extensions import override

from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.runs import hash_files, read_json, write_json
from evensight.scenes.compose import SceneDesign
from evensight.training.finetune import config_for, finetune
from evensight.training.preflight import check_apart, check_reporters
from evensight.training.trainer import Upkeep
from evensight.training.validation import split_off

ONE_STEP = {"epochs": 0.01, "batch_size": 2}


class Changed(ExampleSet):
    """A set whose examples are changed, each by its index."""

    def __init__(self, whole: ExampleSet, change: Callable[[Example, int], Example]) -> None:
        self._whole, self._change = whole, change

    @property
    @override
    def info(self) -> SetInfo:
        return self._whole.info

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Example:
        return self._change(self._whole[index], index)

    @override
    def image(self, index: int) -> Image.Image:
        return self._whole.image(index)


def asked(text: str, at: int) -> Callable[[Example, int], Example]:
    """Has one example ask another text."""

    def change(example: Example, index: int) -> Example:
        return replace(example, question=replace(example.question, text=text)) if index == at else example

    return change


@pytest.fixture
def few(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


@pytest.fixture
def halves(few: SceneExamples) -> tuple[ExampleSet, ExampleSet]:
    """Nine red squares, and as many green ones."""
    reds = [k for k, example in enumerate(few) if example.attributes["color"] == "red"][::9]
    greens = [k for k, example in enumerate(few) if example.attributes["color"] == "green"][::9]
    return Part(few, reds, {"part": "red"}), Part(few, greens, {"part": "green"})


def run(examples: ExampleSet, out: Path, *, model: str = "embedded", **more: Any) -> Any:
    options = {name: more.pop(name) for name in ("validation", "upkeep", "replace") if name in more}
    return finetune(model, examples, config_for(model, {**ONE_STEP, **more}, "the test"), out, **options)


@pytest.mark.parametrize("place", ["training", "validation"])
def test_an_example_that_does_not_fit_ends_it_before_a_finished_run_is_replaced(
    halves: tuple[ExampleSet, ExampleSet], tmp_path: Path, place: str
) -> None:
    reds, greens = halves
    run(reds, tmp_path / "run")
    before = hash_files(tmp_path / "run")
    long = asked("Where is it? " * 400, 7)
    sets = (Changed(reds, long), greens) if place == "training" else (reds, Changed(greens, long))
    named = sets[place == "validation"][7].id
    says = rf"the example `{named}` has [\d,]+ tokens, 49 of them .* takes 1,024"
    with pytest.raises(InputError, match=says) as told:
        run(sets[0], tmp_path / "run", validation=sets[1], replace=True, seed=1)
    assert "\n" not in str(told.value)
    assert hash_files(tmp_path / "run") == before
    assert run(reds, tmp_path / "run").files == before  # it is still a whole run
    with pytest.raises(InputError, match="tokens"):
        run(sets[0], tmp_path / "new", validation=sets[1])
    assert not (tmp_path / "new").exists()


def test_what_fits_is_the_context_of_the_model_itself(few: SceneExamples, tmp_path: Path) -> None:
    model = Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json")))
    config = read_json(model / "config.json", "configuration")
    config["text_config"]["max_position_embeddings"] = 50
    write_json(model / "config.json", config)
    with pytest.raises(InputError, match=r"takes 50: use smaller images"):
        run(few, tmp_path / "run", model=str(model))


@pytest.mark.parametrize("place", ["training", "validation"])
def test_an_example_without_an_answer_is_named(
    halves: tuple[ExampleSet, ExampleSet], tmp_path: Path, place: str
) -> None:
    def change(example: Example, index: int) -> Example:
        question = replace(example.question, task="exact-cell", answer=" ", options=())
        return replace(example, question=question) if index == 3 else example

    sets = [Changed(half, change) if (place == "training") == (k == 0) else half for k, half in enumerate(halves)]
    with pytest.raises(InputError, match=rf"the example `{halves[place == 'validation'][3].id}` of .* has no answer"):
        run(sets[0], tmp_path / "run", validation=sets[1])
    assert not (tmp_path / "run").exists()


def test_a_validation_set_with_pictures_that_are_trained_on_is_refused_with_their_number(
    few: SceneExamples, halves: tuple[ExampleSet, ExampleSet], tmp_path: Path
) -> None:
    reds, greens = halves
    mixed = Part(few, range(0, 162, 5), {"every": 5})
    n = len({example.id for example in mixed} & {example.id for example in reds})
    assert 0 < n < 9
    says = rf"^{n} of the 33 validation examples have a picture that is also trained on \(`{reds[0].id}` is the first"
    with pytest.raises(InputError, match=says):
        run(reds, tmp_path / "run", validation=mixed)
    with pytest.raises(InputError, match=r"^9 of the 9 validation examples"):
        run(reds, tmp_path / "run", validation=reds)
    assert not (tmp_path / "run").exists()
    check_apart(reds, greens, is_share=False)


def test_a_share_that_shows_pictures_twice_is_told_and_goes_on(
    few: SceneExamples, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = split_off(Part(few, range(0, 8, 2), {}), 0.5, 0)
    check_apart(*once, is_share=True)
    assert capsys.readouterr().err == ""
    twice = Part(few, [k for k in range(0, 8, 2) for _ in range(2)], {"twice": True})
    run(twice, tmp_path / "twice", validation_share=0.5)
    said = capsys.readouterr().err
    assert "4 of the 4 validation examples have a picture that is also trained on" in said
    assert "their scores are no scores on what is new" in said


@pytest.mark.parametrize(
    ("name", "says"), [("nobody", "nobody is not supported, only"), ("comet_ml", "comet.ml to be installed|comet")]
)
def test_a_reporter_that_is_not_there_is_told_before_a_folder_is_touched(
    few: SceneExamples, tmp_path: Path, name: str, says: str
) -> None:
    run(few, tmp_path / "run")
    before = hash_files(tmp_path / "run")
    with pytest.raises(InputError, match=rf"`report_to` {name} can't be used: .*({says}).*; install it, or leave it"):
        run(few, tmp_path / "run", upkeep=Upkeep(report_to=(name,)), replace=True, seed=1)
    assert hash_files(tmp_path / "run") == before


@pytest.mark.parametrize("names", [(), ("none",), ("all",)])
def test_nobody_and_all_that_are_there_can_be_told(names: tuple[str, ...]) -> None:
    check_reporters(names)


def test_patience_wants_something_to_validate_on(few: SceneExamples, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`patience` 2 stops by .*: expected a validation set or"):
        run(few, tmp_path / "run", patience=2)
    with pytest.raises(InputError, match="contradict each other"):
        run(few, tmp_path / "run", validation=few, validation_share=0.2)
    assert not (tmp_path / "run").exists()
