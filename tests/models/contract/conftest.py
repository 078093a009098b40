"""The contract's subject: a tiny model of each family, loaded as a user's would be."""

from collections.abc import Callable, Iterator

import pytest
import torch

from evensight.models.loading import load
from tiny_models import BUILDERS, Tiny, save_tiny


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These models are too small for a second thread: where the cores are busy it costs four times the time."""
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
