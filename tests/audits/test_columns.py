import numpy as np
import pytest

from evensight.annotations import AREAS
from evensight.audits.columns import AuditTable, Column, column, constructed, tabulate
from evensight.datasets.scene_examples import SceneExamples
from evensight.scenes.catalog import design


def test_a_column_keeps_the_levels_that_do_not_occur() -> None:
    found = column(["b", "a", "b"], ["a", "b", "c"])
    assert found.values == ["b", "a", "b"]
    assert found.counts == {"a": 1, "b": 2, "c": 0}
    assert found.n_seen == 2


def test_a_value_outside_its_levels_becomes_one() -> None:
    assert column(["z", "a"], ["a", "b"]).levels == ("a", "b", "z")


def test_a_code_without_a_level_raises() -> None:
    with pytest.raises(ValueError, match="codes are from 0 to 0"):
        Column(("a",), np.array([1]))


def test_columns_of_different_lengths_raise() -> None:
    with pytest.raises(ValueError, match="every column has 2 rows"):
        AuditTable("set", ("1", "2"), {"a": column(["x"])})


def test_a_table_counts_pairs() -> None:
    table = AuditTable("set", tuple("1234"), {"a": column(list("xxyy")), "b": column(list("pqqq"))})
    assert table.table("a", "b").tolist() == [[1, 1], [0, 2]]
    assert table.table("b", "a").tolist() == [[1, 0], [1, 2]]


def test_a_place_gives_its_area_by_construction_but_rows_and_columns_are_free() -> None:
    pairs = tabulate(SceneExamples(design("civet-train"), 108, 0)).by_construction
    assert frozenset(("cell", "area")) in pairs
    assert frozenset(("answer", "area")) in pairs
    assert frozenset(("row", "col")) not in pairs
    assert not any("slot" in pair for pair in pairs if "task" not in pair)


def test_the_answer_about_a_property_is_given_by_that_property_alone() -> None:
    table = tabulate(SceneExamples(design("civet-test"), 108, 0, "property-color"))
    with_answer = {name for pair in table.by_construction if "answer" in pair for name in pair}
    assert with_answer == {"answer", "color", "task"}


def test_a_confound_is_not_by_construction() -> None:
    # every circle is top left, so the shape gives the answer, but not because of what a shape is
    areas = [AREAS[0], AREAS[8]] * 4
    cells = ["0,0" if area == AREAS[0] else "8,8" for area in areas]
    shapes = ["circle" if area == AREAS[0] else "star" for area in areas]
    columns = {"shape": column(shapes), "answer": column(areas), "cell": column(cells), "area": column(areas)}
    pairs = constructed(columns)
    assert frozenset(("answer", "area")) in pairs
    assert frozenset(("answer", "shape")) not in pairs


def test_a_count_that_always_stands_at_its_own_slot_is_a_confound() -> None:
    numbers = ["0", "1", "2"] * 3
    pairs = constructed({"answer": column(numbers), "slot": column(numbers), "n": column(numbers)})
    assert frozenset(("answer", "n")) in pairs
    assert frozenset(("answer", "slot")) not in pairs
