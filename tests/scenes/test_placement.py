import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evensight.annotations import PAPER_GRID, Cell, Grid
from evensight.scenes.catalog import design
from evensight.scenes.placement import MAIN_OBJECT, SINGLE_INSTANCE, Placement

TOY = Placement("toy", "by hand", Grid(3, 3), ((1, 0, 2), (0, 3, 0), (4, 0, 0)))


def test_draws_come_as_often_as_the_counts_say() -> None:
    assert TOY.n == 10
    drawn = Counter(TOY.cell(ticket) for ticket in range(TOY.n))
    assert drawn == {Cell(0, 0): 1, Cell(0, 2): 2, Cell(1, 1): 3, Cell(2, 0): 4}


def test_the_control_places_objects_as_photographs_do() -> None:
    counts = np.array(SINGLE_INSTANCE.counts).ravel()
    drawn = np.zeros(81, dtype=int)
    for seed in range(4):
        found = design("civet-train-photo", seed)
        for k in range(len(found)):
            drawn[PAPER_GRID.index(found.cell(k))] += 1
    assert drawn[counts == 0].sum() == 0
    expected = drawn.sum() * counts / counts.sum()
    assert stats.chisquare(drawn[counts > 0], expected[counts > 0]).pvalue > 0.001


@pytest.mark.parametrize(
    "counts",
    [
        ((1, 1, 1), (1, 1, 1)),
        ((0, 0, 0), (0, 0, 0), (0, 0, 0)),
        ((1, 1, 1), (1, -1, 1), (1, 1, 1)),
    ],
)
def test_counts_that_are_no_distribution_over_the_grid_raise(counts: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="a placement has"):
        Placement("bad", "", Grid(3, 3), counts)


def test_the_single_instance_placement_is_as_its_docstring_says() -> None:
    counts = np.array(SINGLE_INSTANCE.counts)
    assert counts.sum() == 704
    assert round(100 * counts[3:6, 3:6].sum() / counts.sum()) == 33


def test_the_main_object_placement_is_as_its_docstring_says() -> None:
    counts = np.array(MAIN_OBJECT.counts)
    assert counts.sum() == 340
    assert round(100 * counts[3:6, 3:6].sum() / counts.sum()) == 48
    assert counts[[0, 0, 8, 8], [0, 8, 0, 8]].sum() == 1


Annotated = list[tuple[tuple[int, int], list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def train2017(photos_root: Path) -> Annotated:
    """Each photograph's size and annotations, straight from COCO's file."""
    path = photos_root / "annotations" / "instances_train2017.json"
    content: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    if len(content["images"]) != 343:
        pytest.skip(f"the placements are of a selection of 343 photographs, not of {len(content['images'])}")
    return [
        (
            (image["width"], image["height"]),
            [entry for entry in content["annotations"] if entry["image_id"] == image["id"]],
        )
        for image in content["images"]
    ]


def counted(placed: list[tuple[tuple[int, int], list[float]]]) -> tuple[tuple[int, ...], ...]:
    """How many boxes have their middle in each cell; given are the photographs' sizes and the boxes."""
    counts = np.zeros((9, 9), dtype=int)
    for (width, height), (x, y, w, h) in placed:
        row, col = (y + h / 2) / (height / 9), (x + w / 2) / (width / 9)
        counts[min(int(row), 8), min(int(col), 8)] += 1
    return tuple(tuple(map(int, row)) for row in counts)


@pytest.mark.photos
def test_the_main_object_placement_is_what_train2017_shows(train2017: Annotated) -> None:
    alone = [(size, [e["bbox"] for e in entries if not e["iscrowd"]]) for size, entries in train2017]
    largest = [(size, max(boxes, key=lambda box: float(box[2] * box[3]))) for size, boxes in alone if boxes]
    assert counted(largest) == MAIN_OBJECT.counts


@pytest.mark.photos
def test_the_single_instance_placement_is_what_train2017_shows(train2017: Annotated) -> None:
    singles = []
    for size, entries in train2017:
        n_alike = Counter(entry["category_id"] for entry in entries)
        singles += [(size, e["bbox"]) for e in entries if n_alike[e["category_id"]] == 1 and not e["iscrowd"]]
    assert counted(singles) == SINGLE_INSTANCE.counts
