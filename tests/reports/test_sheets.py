"""A sheet's lines, box and draw, by hand."""

import numpy as np

from evensight.annotations import Grid
from evensight.reports.sheets import BOX, GAP_PX, LABEL_PX, LINES, SIDE_PX, question_sheet, some
from made_photos import MadePhoto, MadePhotos


def test_the_lines_are_the_areas_borders_on_a_grid_that_three_does_not_divide() -> None:
    """Of ten rows the areas begin at the rows 3 and 7, of eight columns at the columns 3 and 5."""
    wide = MadePhoto((SIDE_PX, 240), [("cat", 10, 10, 60, 40)])
    page = np.asarray(question_sheet(MadePhotos([wide], Grid(10, 8)), [0]))
    tile = page[GAP_PX + 60 : GAP_PX + 300, GAP_PX : GAP_PX + SIDE_PX]
    is_line = (tile == LINES).all(axis=-1)
    assert np.flatnonzero(is_line.all(axis=1)).tolist() == [72, 168]
    assert np.flatnonzero(is_line.all(axis=0)).tolist() == [135, 225]
    assert tile[10, 30].tolist() == tile[25, 10].tolist() == list(BOX)


def test_a_sheet_has_five_questions_a_row() -> None:
    photos = MadePhotos([MadePhoto((9, 9), [("cat", 0, 0, 3, 3)], shade) for shade in range(6)])
    page = question_sheet(photos, range(6))
    assert page.size == (5 * (SIDE_PX + GAP_PX) + GAP_PX, 2 * (SIDE_PX + LABEL_PX + GAP_PX) + GAP_PX)


def test_what_is_looked_at_is_drawn_by_the_seed_without_repeats() -> None:
    drawn = [some(1000, 40, seed) for seed in range(3)]
    assert all(len(set(each)) == 40 and each == sorted(each) for each in drawn)
    assert drawn[0] == some(1000, 40, 0) != drawn[1]
    assert (some(3, 40, 0), some(0, 40, 0)) == ([0, 1, 2], [])
