"""The embedded model's recipe: pure examples, placed as photographs place their main object, the same bytes."""

from collections import Counter
from pathlib import Path

from evensight.annotations import PAPER_GRID
from evensight.models.loading import load
from evensight.runs import hash_files
from evensight.scenes.placement import MAIN_OBJECT
from evensight.training.pretraining import PretrainingConfig, PretrainingExamples, pretrain


def test_an_example_depends_on_seed_and_index_alone() -> None:
    long, short = PretrainingExamples(1000, 336, 3), PretrainingExamples(10, 336, 3)
    assert [long[k] for k in range(10)] == list(short)
    assert long.image(7).tobytes() == short.image(7).tobytes()


def test_seeds_draw_different_examples() -> None:
    assert [PretrainingExamples(20, 336, 0)[k].cell for k in range(20)] != [
        PretrainingExamples(20, 336, 1)[k].cell for k in range(20)
    ]


def test_half_of_the_questions_ask_where() -> None:
    tasks = Counter(example.question.task for example in PretrainingExamples(400, 336, 0))
    assert tasks == {"absolute-position": 200, "property-color": 100, "property-shape": 100}


def test_objects_are_only_where_photographs_have_them() -> None:
    counts = {cell: MAIN_OBJECT.counts[cell.row][cell.col] for cell in PAPER_GRID.cells()}
    assert all(counts[example.cell] > 0 for example in PretrainingExamples(500, 336, 0))


def test_the_answer_fits_the_task() -> None:
    for example in PretrainingExamples(40, 336, 0):
        task = example.question.task
        truth = example.area if task == "absolute-position" else example.attributes[task.removeprefix("property-")]
        assert example.question.answer == truth


def test_training_twice_gives_the_same_bytes_and_a_model_that_loads(tmp_path: Path) -> None:
    config = PretrainingConfig(n_examples=64, size_px=108)
    first = pretrain(tmp_path / "one", config)
    second = pretrain(tmp_path / "two", config)
    assert first["losses"] == second["losses"]
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")
    assert load(str(tmp_path / "one")).model.num_parameters() == first["n_parameters"]
