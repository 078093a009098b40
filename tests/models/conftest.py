"""The embedded model, loaded once."""

import pytest

from evensight.models.loading import LoadedModel, load


@pytest.fixture(scope="session")
def embedded() -> LoadedModel:
    return load("embedded")
