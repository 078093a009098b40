"""Tiny models of all families, and small sets of scenes with enough combinations to hold some out."""

from collections.abc import Callable, Iterator

import pytest
import torch

from evensight.annotations import PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.loading import LoadedModel, load
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor
from tiny_models import BUILDERS, Tiny, save_tiny


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """These models are too small for a second thread; and a module's runs are compared to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tiny]:
    """Makes a family's tiny model, once."""
    made: dict[str, Tiny] = {}

    def make(model_type: str) -> Tiny:
        if model_type not in made:
            folder = save_tiny(model_type, tmp_path_factory.mktemp("tiny") / model_type)
            made[model_type] = Tiny(model_type, folder, load(str(folder)))
        return made[model_type]

    return make


@pytest.fixture(params=list(BUILDERS))
def tiny(request: pytest.FixtureRequest, tiny_of: Callable[[str], Tiny]) -> Tiny:
    return tiny_of(request.param)


@pytest.fixture(scope="session")
def embedded() -> LoadedModel:
    return load("embedded")


@pytest.fixture(scope="session")
def four_kinds() -> SceneExamples:
    """Four combinations in every cell: 324 scenes."""
    factors = (
        factor("shape", ["square", "circle"]),
        factor("color", ["red", "green"]),
        factor("size", ["large"]),
        cell_factor(PAPER_GRID),
    )
    return SceneExamples(SceneDesign("four-kinds", "four kinds in every cell", PAPER_GRID, Product(factors)), 108, 0)
