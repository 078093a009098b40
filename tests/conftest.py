"""What the tests share: the real photographs, and small folders in COCO's format that a test writes itself."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from xdist.scheduler import LoadScopeScheduling

from evensight.annotations import PAPER_GRID
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""The models are too small for a second thread, and the tests' workers have all cores already."""

settings.register_profile("evensight", deadline=None, derandomize=True)
settings.load_profile("evensight")

BY_ONE_WORKER = (
    "tests/probing/test_run.py",
    "tests/studies/test_run.py",
    "tests/studies/test_seeds.py",
    "tests/training/test_pretraining.py",
    "tests/training/test_processes.py",
)
"""What these modules' tests look at takes long to make: it is made once, not by each worker."""


class ByTestOrModule(LoadScopeScheduling):  # type: ignore[misc]
    """Deals the tests out one by one, but those of some modules together."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in BY_ONE_WORKER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByTestOrModule:
    """What xdist asks for who runs which test."""
    return ByTestOrModule(config, log)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept of a user's files is kept where the tests' other files are, not where the user's own is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


MakeCoco = Callable[..., Path]
"""Writes a folder in COCO's format: `make_coco(files=, images=, annotations=, categories=, split=)`."""


@pytest.fixture(scope="session")
def photos_root() -> Path:
    """The folder of the real photographs; without one a test is skipped, but what is named must be there."""
    here = Path(os.environ.get("EVENSIGHT_PHOTOS") or Path(__file__).parents[1] / "data" / "coco")
    if not (here / "annotations" / "instances_val2017.json").is_file():
        message = f"no COCO photographs at `{here}`: set EVENSIGHT_PHOTOS to a folder with val2017"
        if "EVENSIGHT_PHOTOS" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return here


def write_jpeg(path: Path, width: int, height: int) -> None:
    """A small photograph with some texture, so that its file can be cut short in the middle."""
    rng = np.random.default_rng((width, height))
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "JPEG", quality=90)


@pytest.fixture
def make_coco(tmp_path: Path) -> MakeCoco:
    def make(
        files: Mapping[str, tuple[int, int]],
        images: Sequence[Any],
        annotations: Sequence[Any],
        categories: Sequence[Any] = ({"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}),
        split: str = "val2017",
    ) -> Path:
        root = tmp_path / "coco"
        (root / split).mkdir(parents=True)
        (root / "annotations").mkdir(exist_ok=True)
        for name, (width, height) in files.items():
            write_jpeg(root / split / name, width, height)
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
        return root

    return make


@pytest.fixture(scope="session")
def mini_train() -> SceneDesign:
    """Two squares in every cell: a design small enough to train on and to ask within a second or two."""
    factors = (
        factor("shape", ["square"]),
        factor("color", ["red", "green"]),
        factor("size", ["large"]),
        cell_factor(PAPER_GRID),
    )
    return SceneDesign("mini-train", "two squares in every cell", PAPER_GRID, Product(factors))
