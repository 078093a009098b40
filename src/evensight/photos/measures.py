"""What can be measured of all objects of a split at once, in columns: place, size, certainty, what is in the way."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evensight.annotations import Grid
from evensight.coco.reading import CocoSplit

EDGE_PX = 2.0
"""A box that comes this near to the photograph's edge may be cut off there."""
FEW = 5
"""Of a category with fewer boxes than that, the median says nothing: it is kept."""

Mask = NDArray[np.bool_]


class Measures:
    """A split's objects as columns: sides in pixels, cells, areas, and the share of each box in its area."""

    def __init__(self, split: CocoSplit, grid: Grid) -> None:
        columns = split.columns
        self.n = int(columns.ids.size)
        self.split, self.columns = split, columns
        image_ids, self.image = np.unique(columns.image_ids, return_inverse=True)
        frames = [split.images[k].frame for k in image_ids.tolist()]
        self.n_images = len(frames)
        sizes = np.array([(f.width_px, f.height_px) for f in frames], dtype=np.float64).reshape(-1, 2)
        self.width, self.height = sizes[self.image].T
        self.x0, self.y0, self.x1, self.y1 = columns.boxes_xyxy_px.T
        self.key = self.image * max(1, len(split.categories)) + columns.category_codes
        cols = _cell_index((self.x0 + self.x1) / 2, self.width, grid.cols)
        rows = _cell_index((self.y0 + self.y1) / 2, self.height, grid.rows)
        self.rows, self.cols = rows, cols
        self.third_col, self.third_row = _thirds(cols, grid.first_cols), _thirds(rows, grid.first_rows)
        self.areas = 3 * self.third_row + self.third_col
        self._borders = _borders(grid.first_cols, grid.cols), _borders(grid.first_rows, grid.rows)

    @property
    def box_share(self) -> NDArray[np.float64]:
        """The share of the photograph that each box covers."""
        inside = _overlap(self.x0, self.x1, 0, self.width) * _overlap(self.y0, self.y1, 0, self.height)
        return np.asarray(inside / (self.width * self.height))

    @property
    def certainty(self) -> NDArray[np.float64]:
        """The share of each box, as far as it is on the photograph, that lies in its area; 0 for one that is off."""
        shares = []
        for low, high, size, borders, third in (
            (self.x0, self.x1, self.width, self._borders[0], self.third_col),
            (self.y0, self.y1, self.height, self._borders[1], self.third_row),
        ):
            seen = _overlap(low, high, 0, size)
            within = _overlap(low, high, borders[third] * size, borders[third + 1] * size)
            shares.append(np.divide(within, seen, out=np.zeros_like(seen), where=seen > 0))
        return np.asarray(np.minimum(1.0, shares[0] * shares[1]))

    @property
    def margin(self) -> NDArray[np.float64]:
        """How far each centre is from the nearest border between two areas, in sides of an area."""
        x = np.clip((self.x0 + self.x1) / 2 / self.width, 0, 1)
        y = np.clip((self.y0 + self.y1) / 2 / self.height, 0, 1)
        distances = [
            np.abs(at - border) * 3 for at, b in ((x, self._borders[0]), (y, self._borders[1])) for border in b[1:3]
        ]
        return np.asarray(np.min(distances, axis=0))

    @property
    def overlap(self) -> NDArray[np.float64]:
        """The largest share of each box that another object's box in the photograph covers; crowds count too."""
        found = np.zeros(self.n)
        order = np.argsort(self.image, kind="stable")
        starts = np.searchsorted(self.image[order], np.arange(self.n_images + 1))
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            k = order[start:end]
            if k.size > 1:
                found[k] = self._overlap_among(k)
        return found

    def _overlap_among(self, k: NDArray[np.int64]) -> NDArray[np.float64]:
        x0, y0, x1, y1 = self.x0[k], self.y0[k], self.x1[k], self.y1[k]
        common = _overlap(x0[:, None], x1[:, None], x0, x1) * _overlap(y0[:, None], y1[:, None], y0, y1)
        np.fill_diagonal(common, 0)
        return np.asarray(common.max(axis=1) / ((x1 - x0) * (y1 - y0)))

    def is_single(self, *, count_crowds: bool) -> Mask:
        """Whether each object is no crowd and the only one of its category in its photograph."""
        crowd = self.columns.is_crowd
        counted = np.ones(self.n, dtype=np.bool_) if count_crowds else ~crowd
        n = np.bincount(self.key[counted], minlength=int(self.key.max(initial=0)) + 1)
        return np.asarray((n[self.key] == 1) & ~crowd)

    def is_countable(self) -> Mask:
        """Whether all instances of each object's category in its photograph are known to be listed."""
        unknown = self.split.uncounted
        if not unknown:
            return np.ones(self.n, dtype=np.bool_)
        names = self.split.categories
        pairs = zip(self.columns.image_ids.tolist(), self.columns.category_codes.tolist(), strict=True)
        return np.fromiter(((k, names[code]) not in unknown for k, code in pairs), np.bool_, self.n)

    def in_photos_with(self, which: Mask) -> Mask:
        """Whether each object's photograph has an object of these."""
        there = np.zeros(self.n_images, dtype=np.bool_)
        there[self.image[which]] = True
        return np.asarray(there[self.image])

    def of(self, categories: Sequence[str]) -> Mask:
        """Whether each object is of one of these categories."""
        known = np.array([name in categories for name in self.split.categories] or [False])
        return np.asarray(known[self.columns.category_codes])

    def median_share(self) -> NDArray[np.float64]:
        """For each object the median share of the photograph that its category's boxes cover; 0 for few boxes."""
        share, codes, seen = self.box_share, self.columns.category_codes, ~self.columns.is_crowd
        medians = np.zeros(max(1, len(self.split.categories)))
        for code in np.unique(codes[seen]).tolist():
            of_category = share[seen & (codes == code)]
            if of_category.size >= FEW:
                medians[code] = np.median(of_category)
        return np.asarray(medians[codes])

    def is_clear_of_edge(self) -> Mask:
        """Whether each box keeps off the photograph's edge."""
        left, top = self.x0 > EDGE_PX, self.y0 > EDGE_PX
        right, bottom = self.x1 < self.width - EDGE_PX, self.y1 < self.height - EDGE_PX
        return np.asarray(left & top & right & bottom)


def _borders(firsts: Sequence[int], n_cells: int) -> NDArray[np.float64]:
    """Where the thirds of one side of a grid begin, and the end, from 0 to 1."""
    return np.array([*(first / n_cells for first in firsts), 1.0])


def _thirds(cells: NDArray[np.int64], firsts: Sequence[int]) -> NDArray[np.int64]:
    """The third of each row or column."""
    return np.asarray(np.searchsorted(firsts, cells, side="right") - 1)


def _cell_index(at: NDArray[np.float64], size: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """The row or column of a grid that holds each centre, as `Grid.cell_at` has it."""
    return np.asarray(np.clip(np.floor(n * at / size), 0, n - 1).astype(np.int64))


def _overlap(low: ArrayLike, high: ArrayLike, low_2: ArrayLike, high_2: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(np.maximum(0.0, np.minimum(high, high_2) - np.maximum(low, low_2)))
