"""The whole way for each family: fine-tuned, and asked with its adapter, as the commands do it."""

from pathlib import Path

from evensight.annotations import AREAS, PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation.ask import Allowed, evaluate_subject
from evensight.evaluation.results import read_results
from evensight.models.answering import BOTH, Way
from evensight.models.asked_here import ModelHere
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
    subject = ModelHere(name, tmp_path / "run", 32, Way(BOTH))
    asked = evaluate_subject(subject, examples, tmp_path / "asked", allowed=Allowed(trained_on=True))
    assert asked.facts["n"] == 81
    assert asked.facts["processor"] == tiny.loaded.hashes["processor"]
    results = read_results(tmp_path / "asked")
    assert len(results.table) == 81
    assert all(parsed in AREAS for parsed in results.column("parsed_by_options"))
    assert all(len(priors) == 9 for priors in results.column("option_priors"))
