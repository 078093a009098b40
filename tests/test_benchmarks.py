"""The benchmarks: ways that fail are rows, a model is as it was made before each, and what is counted is there."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.errors import InputError
from evensight.scenes.catalog import design
from evensight.storage.stored import store

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def contenders(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("contenders")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("training")


def small_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


def test_a_model_is_as_it_was_made_after_an_adapter_and_a_hook(contenders: Any) -> None:
    model, x = small_model(), torch.ones(1, 4)
    expected, names = model(x), [name for name, _ in model.named_modules()]
    as_made = contenders.AsMade(model)
    for _ in range(2):
        model[0] = nn.Sequential(model[0], nn.Linear(4, 4))
        model[2].register_forward_hook(lambda *given: given[2] + 1)
        model.eval().requires_grad_(False)
        vars(model)["forward"] = lambda *_: torch.zeros(1)
        assert not torch.equal(model(x), expected)
        as_made.restore()
        assert torch.equal(model(x), expected)
        assert [name for name, _ in model.named_modules()] == names
        assert model.training
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_out_of_memory_is_known_behind_our_own_error(contenders: Any) -> None:
    error = InputError("too small")
    error.__cause__ = torch.OutOfMemoryError("CUDA out of memory")
    assert contenders.is_out_of_memory(error)
    assert not contenders.is_out_of_memory(InputError("too small"))


def rows() -> list[dict[str, Any]]:
    good = {
        "held_mb": 20_000.0,
        "first_loss": 2.0,
        "last_loss": 1.0,
        "answers": [1],
        "is_bf16": True,
        "prepared_s": 0.0,
    }
    return [
        {"way": "TRL, as its docs show it", "samples_a_second": 2.0, **good},
        {"way": "evensight", "fault": "out of memory"},
        {"way": "evensight, activations computed twice", "samples_a_second": 5.0, **good, "first_loss": 2.01},
    ]


def found(training: Any) -> Any:
    case = training.Case("some model", 336, 8, {"batch_size": 4})
    return training.Found(case, {}, [training.best(row["way"], [row]) for row in rows()])


def test_out_of_memory_is_a_row_and_the_other_way_is_judged(training: Any) -> None:
    one = found(training)
    assert "| evensight | out of memory |" in "\n".join(training._table(one, is_gpu=True))
    goals = training.judged(one, is_gpu=True)
    assert [passed for *_, passed in goals] == [True, True, True]
    assert "2.50x by evensight, activations computed twice" in goals[1][1]
    assert "20.0 GB" in goals[2][1]


def test_what_is_written_is_read_again(training: Any) -> None:
    one = found(training)
    again = training.Found.of_json(one.as_json())
    assert again == one
    ways = [each.way for each in one.ways]
    assert again.is_whole(ways)
    assert not again.is_whole([*ways, "plain Trainer"])


def test_other_answers_or_another_loss_make_the_comparison_void(training: Any) -> None:
    for changed in ({"answers": [2]}, {"first_loss": 2.1}):
        one = found(training)
        last = training.best("plain Trainer", [{**rows()[0], "way": "plain Trainer", **changed}])
        void, *_ = training.judged(training.replace(one, ways=[*one.ways, last]), is_gpu=True)
        assert not void[2]
        assert "void" in void[1]


def test_a_gain_shows_only_above_all_that_rounds_differ_by(training: Any) -> None:
    assert training._gain([10.0, 11.0], [8.0, 9.0]) == ("1.22x (1.11 to 1.38), shows", True)
    assert training._gain([10.0, 11.0], [8.0, 10.5]) == ("1.05x (0.95 to 1.38), does not show", False)
    assert not training._gain([11.0], [8.0])[1]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module("askers")
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(threads)


def test_what_goes_elsewhere_in_a_run_is_counted(asked: Any, tmp_path: Path) -> None:
    store(Part(SceneExamples(design("civet-test"), 112, 0), range(9), {}), tmp_path / "set")
    row = asked.job(asked.SCORES, str(tmp_path / "set"), 9)
    assert all(row[name] > 0 for name in ("journal", "parsing", "statistics")), row


def test_all_ways_of_asking_on_a_gpu_are_rows_of_its_page(asked: Any) -> None:
    evaluation = importlib.import_module("evaluation")
    examples = SceneExamples(design("civet-test"), 112, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gpu_askers.BATCH", 4)
        found = list(evaluation.gpu_job(evaluation.SMALL_QWEN, examples, 1, 16))
    by_way = {row["way"]: row for row in found if "way" in row}
    assert not [name for name, row in by_way.items() if "fault" in row]
    nine, trees = by_way[evaluation.NINE]["scores"], by_way[evaluation.SCORES]["scores"]
    assert all(one == pytest.approx(other, abs=1e-3) for one, other in zip(nine, trees, strict=True))
    arguments = SimpleNamespace(gpu=True, tiny=True, n=16)
    text = evaluation.page(found, evaluation.judged_on_gpu(found), arguments)
    assert all(f"| {name} | " in text for name in by_way)
    assert len(evaluation.judged_on_gpu(found)) == 4
    row = {"way": evaluation.SCORES, "fault": "out of memory"}
    void = [row if one.get("way") == evaluation.SCORES else one for one in found]
    assert not any(passed for *_, passed in evaluation.judged_on_gpu(void))
    assert f"| {evaluation.SCORES} | out of memory |" in evaluation.page(void, [], arguments)
