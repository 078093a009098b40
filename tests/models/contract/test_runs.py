"""The whole way for each family: fine-tuned, and asked with its adapter, as the commands do it."""

from pathlib import Path

from evensight.annotations import PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation.ask import evaluate
from evensight.evaluation.results import read_results
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from evensight.training.finetune import finetune
from evensight.training.methods import FinetuneConfig
from tiny_models import SIDE_PX, Tiny

ONE_SQUARE = SceneDesign(
    "one-square",
    "a red square in every cell",
    PAPER_GRID,
    Product(
        (factor("shape", ["square"]), factor("color", ["red"]), factor("size", ["large"]), cell_factor(PAPER_GRID))
    ),
)


def test_a_family_is_fine_tuned_and_asked(tiny: Tiny, tmp_path: Path) -> None:
    examples, name = SceneExamples(ONE_SQUARE, SIDE_PX, 0), str(tiny.folder)
    run = finetune(name, examples, FinetuneConfig(epochs=0.2, batch_size=8, lora_rank=2), tmp_path / "run")
    table = run.facts["parameters"]
    assert table["language"]["trained"] > 0
    assert table["vision"]["trained"] == table["projector"]["trained"] == 0
    asked = evaluate(name, tmp_path / "run", examples, tmp_path / "asked", 32)
    assert asked.facts["n"] == 81
    assert asked.facts["processor"] == tiny.loaded.hashes["processor"]
    assert len(read_results(tmp_path / "asked").table) == 81
