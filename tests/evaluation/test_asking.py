"""Whoever answers, in any order and with any faults, the same table comes out; and nothing is asked twice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.annotations import AREAS
from evensight.datasets.controls import controlled
from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.evaluation.ask import Allowed, evaluate_subject
from evensight.evaluation.journal import Journal
from evensight.evaluation.option_scores import best
from evensight.evaluation.results import read_results
from evensight.evaluation.summary import summarise
from evensight.models.answering import BOTH, GENERATION, OPTIONS, Answer, Asked, Way
from evensight.models.asked_here import ModelHere
from evensight.models.loading import load
from evensight.models.scoring import Scorer
from evensight.runs import hash_files
from evensight.scenes.compose import SceneDesign
from evensight.storage.stored import store
from evensight.training.finetune import finetune
from evensight.training.methods import FinetuneConfig

SHIPPED = Path(cli.__file__).parents[1] / "training" / "shipped"


@dataclass
class Somebody:
    """Who answers each question with an area, in an order of their own, and fails on some."""

    reversed: bool = False
    fails_on: frozenset[int] = frozenset()
    refuses: frozenset[int] = frozenset()
    stops_after: int | None = None
    seen: list[int] = field(default_factory=list)

    facts: Mapping[str, Any] = field(default_factory=lambda: {"model": "made"})
    row: Mapping[str, Any] = field(
        default_factory=lambda: {"model": "made", "adapter": None, "processor": None, "batch_size": 1}
    )
    for_priors: None = None
    group_size: int = 1

    config: Mapping[str, Any] = field(default_factory=lambda: {"server": "made"})
    inputs: Mapping[str, str] = field(default_factory=lambda: {"model": "made"})
    trainings: tuple[()] = ()

    def answerer(self) -> "Somebody":
        return self

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        some = list(asked)
        for n, one in enumerate(some[::-1] if self.reversed else some):
            if n == self.stops_after:
                raise KeyboardInterrupt
            self.seen.append(one.index)
            is_refused = one.index in self.refuses
            fault = "HTTP 400" if is_refused else "HTTP 503" if one.index in self.fails_on else None
            yield Answer(one.index, "" if fault else AREAS[one.index % 9], fault=fault, is_refused=is_refused)


@pytest.fixture(scope="module")
def few(mini_train: SceneDesign) -> ExampleSet:
    return Part(SceneExamples(mini_train, 108, 0), range(0, 162, 6), {"every": 6})


@pytest.fixture(scope="module")
def by_both(tmp_path_factory: pytest.TempPathFactory, few: ExampleSet) -> Path:
    out = tmp_path_factory.mktemp("both") / "run"
    evaluate_subject(ModelHere("embedded", None, 8, Way(BOTH)), few, out)
    return out


# In any order, with faults


def test_the_order_of_answers_changes_no_byte(few: ExampleSet, tmp_path: Path) -> None:
    one, other = (Somebody(reversed=turned) for turned in (False, True))
    evaluate_subject(one, few, tmp_path / "one")
    evaluate_subject(other, few, tmp_path / "other")
    assert one.seen == other.seen[::-1] == list(range(27))
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "other")
    assert read_results(tmp_path / "one").column("raw") == [AREAS[k % 9] for k in range(27)]


def test_faults_are_counted_and_asked_again_alone(few: ExampleSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 of 27 questions .* no answer \(question 3: HTTP 503\)"):
        evaluate_subject(Somebody(fails_on=frozenset({3, 20})), few, tmp_path / "run")
    again = Somebody()
    evaluate_subject(again, few, tmp_path / "run")
    assert again.seen == [3, 20]
    evaluate_subject(Somebody(), few, tmp_path / "undisturbed")
    assert hash_files(tmp_path / "run") == hash_files(tmp_path / "undisturbed")


class Server(Somebody):
    """Who has three answers ready when it is told to stop, and hands them out."""

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        coming = super().answers(asked)
        try:
            yield from coming
        except KeyboardInterrupt:
            yield from (Answer(k, AREAS[0]) for k in (20, 21, 22))
            raise


def test_what_lies_ready_is_kept_when_a_run_is_stopped_while_it_writes(
    few: ExampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def stops(self: Journal, answers: Sequence[Answer]) -> None:
        append(self, answers)
        if answers[0].index == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "append", stops)
    with pytest.raises(KeyboardInterrupt):
        evaluate_subject(Server(), few, tmp_path / "run")
    again = Somebody()
    evaluate_subject(again, few, tmp_path / "run")
    assert again.seen == [k for k in range(27) if k > 4 and k not in {20, 21, 22}]


def test_an_interrupted_run_can_be_read(few: ExampleSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate_subject(Somebody(stops_after=9, fails_on=frozenset({2})), few, tmp_path / "run")
    with pytest.raises(InputError, match="half written"):
        read_results(tmp_path / "run")
    so_far = read_results(tmp_path / "run", partial=True)
    evaluate_subject(Somebody(), few, tmp_path / "run")
    whole = read_results(tmp_path / "run", partial=True)
    assert so_far.table.equals(whole.table.take([0, 1, 3, 4, 5, 6, 7, 8]))
    assert whole.table.num_rows == 27
    assert so_far.set_name == whole.set_name
    assert summarise(so_far).accuracy.n == 8


def test_a_folder_without_a_run_has_nothing_so_far(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run that has begun"):
        read_results(tmp_path, partial=True)


# Options


def test_the_columns_are_what_the_scorer_says(by_both: Path, few: ExampleSet) -> None:
    results, scorer = read_results(by_both), Scorer(load("embedded"), shares_prompts=False)
    scores, options = results.column("option_scores"), results.column("options")
    for k in (0, 13, 26):
        [expected] = scorer.scores([few.image(k)], [few[k].question.text], [options[k]])
        assert scores[k] == pytest.approx(expected, abs=1e-3)
        black = few.image(k).point(lambda _: 0)
        [prior] = scorer.scores([black], [few[k].question.text], [options[k]])
        assert results.column("option_priors")[k] == pytest.approx(prior, abs=1e-3)
        assert results.column("option_tokens")[k] == [2 if " " not in option else 3 for option in options[k]]
    chosen = [given[best(row)] for given, row in zip(options, scores, strict=True)]
    assert results.column("parsed_by_options") == chosen
    right = [one == answer for one, answer in zip(chosen, results.column("answer"), strict=True)]
    assert [value == "correct" for value in results.column("outcome_by_options")] == right
    assert set(results.column("outcome_by_options")) <= {"correct", "wrong"}


def test_words_and_options_are_the_same_alone_and_together(by_both: Path, few: ExampleSet, tmp_path: Path) -> None:
    both = read_results(by_both)
    for by in (GENERATION, OPTIONS):
        evaluate_subject(ModelHere("embedded", None, 8, Way(by)), few, tmp_path / by)
    words, options = (read_results(tmp_path / by) for by in (GENERATION, OPTIONS))
    assert words.column("raw") == both.column("raw")
    assert words.column("option_scores") == words.column("parsed_by_options") == [None] * 27
    for name in ("option_scores", "option_priors", "parsed_by_options"):
        assert options.column(name) == both.column(name)
    assert options.column("raw") == options.column("parsed") == options.column("parsed_by_options")
    assert options.column("outcome") == options.column("outcome_by_options")


def test_without_priors_there_are_none(few: ExampleSet, tmp_path: Path) -> None:
    evaluate_subject(ModelHere("embedded", None, 8, Way(OPTIONS, priors=False)), few, tmp_path / "run")
    assert read_results(tmp_path / "run").column("option_priors") == [None] * 27


def test_an_answer_has_so_many_tokens_at_most(few: ExampleSet, tmp_path: Path) -> None:
    evaluate_subject(ModelHere("embedded", None, 8, Way(max_new_tokens=1)), few, tmp_path / "run")
    assert all(" " not in raw for raw in read_results(tmp_path / "run").column("raw"))


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(InputError, match="`guessing` is not known: expected one of generation, options, both"):
        Way("guessing")


def test_questions_that_are_refused_for_good_are_left_out_where_that_is_allowed(
    few: ExampleSet, tmp_path: Path
) -> None:
    refuses = frozenset({4, 11})
    with pytest.raises(InputError, match=r"2 of 27 questions .* 2 were refused for good: `--allow-missing` leaves"):
        evaluate_subject(Somebody(refuses=refuses), few, tmp_path / "run", controls=["mirrored"])
    again = Somebody(refuses=refuses)
    manifest = evaluate_subject(again, few, tmp_path / "run", controls=["mirrored"], allowed=Allowed(missing=True))
    assert 4 not in again.seen[:2]  # of the set none is asked again, and all of its control
    assert len(again.seen) == 27
    assert manifest.facts["n_missing"] == 2
    results = read_results(tmp_path / "run")
    assert results.column("id") == [few[k].id for k in range(27) if k not in refuses]
    assert summarise(results).accuracy.n == 25


def test_a_passing_fault_is_no_refusal(few: ExampleSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of 27"):
        evaluate_subject(Somebody(fails_on=frozenset({3})), few, tmp_path / "run", allowed=Allowed(missing=True))


@pytest.mark.parametrize(
    "other", [{"facts": {"model": "made", "dtype": "bfloat16"}}, {"row": {"model": "made (2)", "batch_size": 1}}]
)
def test_another_answerer_does_not_go_on_with_what_one_began(
    other: dict[str, Any], few: ExampleSet, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate_subject(Somebody(stops_after=9), few, tmp_path / "run")
    before = (tmp_path / "run" / ".parts" / "begun.json").read_bytes()
    somebody = Somebody(**other)
    with pytest.raises(InputError, match=r"was begun with \w+ `\w+`, and now it is `"):
        evaluate_subject(somebody, few, tmp_path / "run")
    assert somebody.seen == []
    assert (tmp_path / "run" / ".parts" / "begun.json").read_bytes() == before
    evaluate_subject(Somebody(facts={"model": "made", "server_version": "2"}), few, tmp_path / "run")


# What was trained on


def test_a_set_that_was_trained_on_is_refused_unless_told(few: ExampleSet, tmp_path: Path) -> None:
    config = FinetuneConfig(epochs=0.3, batch_size=8, lora_rank=2)
    finetune("embedded", few, config, tmp_path / "tuned")
    for adapter in (tmp_path / "tuned", tmp_path / "tuned" / "adapter"):
        with pytest.raises(InputError, match=r"`mini-train` is what the model was trained on.*--allow-trained-on"):
            evaluate_subject(ModelHere("embedded", adapter, 8), few, tmp_path / "asked")
    assert not (tmp_path / "asked").exists()
    evaluate_subject(
        ModelHere("embedded", tmp_path / "tuned", 8), few, tmp_path / "asked", allowed=Allowed(trained_on=True)
    )
    for known in (Part(few, range(5), {"first": 5}), controlled(few, "black", 0)):
        with pytest.raises(InputError, match="trained on"):
            evaluate_subject(ModelHere("embedded", tmp_path / "tuned", 8), known, tmp_path / "known")


def test_another_part_of_what_a_part_was_trained_on_is_asked(few: ExampleSet, tmp_path: Path) -> None:
    one, other = Part(few, range(9), {"part": 0}), Part(few, range(9, 14), {"part": 1})
    finetune("embedded", one, FinetuneConfig(epochs=0.3, batch_size=8, lora_rank=2), tmp_path / "tuned")
    evaluate_subject(ModelHere("embedded", tmp_path / "tuned", 8), other, tmp_path / "other")


def test_the_whole_of_which_a_part_was_trained_on_is_refused(few: ExampleSet, tmp_path: Path) -> None:
    config = FinetuneConfig(epochs=0.3, batch_size=8, lora_rank=2, validation_share=0.2)
    finetune("embedded", few, config, tmp_path / "tuned")
    with pytest.raises(InputError, match="trained on"):
        evaluate_subject(ModelHere("embedded", tmp_path / "tuned", 8), few, tmp_path / "asked")


# The command


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, few: ExampleSet) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "set"
    store(few, folder)
    return folder


def test_figures_as_json_are_alone_on_stdout(stored: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--model", "embedded", "--data", str(stored), "--out", str(tmp_path / "run"), "--json"]
    done = CliRunner().invoke(cli.app, [*words, "--by", "options", "--no-priors"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == summarise(read_results(tmp_path / "run")).as_json()
    assert read_results(tmp_path / "run").manifest.config["by"] == "options"


def test_two_processes_end_in_the_bytes_of_one(stored: Path, tmp_path: Path) -> None:
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    launch = ["-m", "accelerate.commands.launch", "--config_file", str(SHIPPED / "ddp.yaml"), "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", "evensight"]
    for name, how in (("one", ["-m", "evensight"]), ("two", launch)):
        words = ["evaluate", "--model", "embedded", "--data", str(stored), "--out", str(tmp_path / name), "--json"]
        words += ["--by", "both", "--batch-size", "4", "--control", "mirrored"]
        done = subprocess.run(
            [sys.executable, *how, *words], capture_output=True, text=True, env=environment, check=False, timeout=240
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["accuracy"]["n"] == 27
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")
    assert not (tmp_path / "two" / ".parts").exists()
