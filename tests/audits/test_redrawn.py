from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typing_extensions import override

from evensight.audits.foreign import open_table
from evensight.audits.pixels import look_at
from evensight.audits.redrawn import faults_of_stored
from evensight.datasets.examples import Example
from evensight.datasets.orders import Order
from evensight.datasets.scene_examples import SceneExamples
from evensight.scenes.render import Scene
from evensight.storage.stored import store

ORDER = Order("civet-train", size_px=108)
N = 40


class OtherPicture(SceneExamples):
    """Picture 5 shows another object in the same cell: a square that is labelled "circle"."""

    @override
    def image(self, index: int) -> Image.Image:
        return super().image(5 + 81 * 4 if index == 5 else index)

    encoded_rows = None  # type: ignore[assignment]

    @override
    def encoded(self, index: int) -> bytes:
        return super().encoded(5 + 81 * 4 if index == 5 else index)


class OtherLabel(SceneExamples):
    """Row 7 is another's."""

    @override
    def _example(self, index: int, row: Mapping[str, Any], scene: Scene) -> Example:
        return super()._example(index, row, self.composer.scene(8 if index == 7 else index))


def made_by(kind: type[SceneExamples]) -> SceneExamples:
    made = ORDER.examples()
    assert isinstance(made, SceneExamples)
    return kind(*made._arguments[:4], pools=made._arguments[4], instruction=made._arguments[5])


def found(path: Path) -> list[str]:
    return faults_of_stored(path, look_at(open_table(path)).hashes)


def test_a_stored_set_is_what_its_design_makes(tmp_path: Path) -> None:
    store(ORDER.examples(), tmp_path / "set", limit=N)
    assert found(tmp_path / "set") == []


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (OtherPicture, "`civet-train-000005`: the picture isn't what the design draws"),
        (OtherLabel, "`civet-train-000007`: the row isn't what the design makes"),
    ],
)
def test_what_a_design_does_not_make_is_found(tmp_path: Path, kind: type[SceneExamples], fault: str) -> None:
    store(made_by(kind), tmp_path / "set", limit=N)
    assert found(tmp_path / "set") == [fault]


def test_what_no_design_made_cannot_be_drawn_again(tmp_path: Path) -> None:
    assert faults_of_stored(tmp_path, ()) == []
