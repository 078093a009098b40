"""Designs and pools that tests make themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evensight.annotations import PAPER_GRID, Grid
from evensight.scenes.catalog import DesignFile, build
from evensight.scenes.compose import SceneDesign
from evensight.scenes.grounds import PlainGround
from evensight.scenes.pools import Cut, Pools

OBJECTS: Mapping[str, Sequence[str]] = {"shape": ["square", "circle", "star"], "color": ["red", "blue", "yellow"]}
"""Nine objects that can be told apart."""


def made(
    *parts: Mapping[str, Any], grid: Grid = PAPER_GRID, seed: int = 0, pools: Pools | None = None, **settings: Any
) -> SceneDesign:
    """The design that a file with these parts and settings describes."""
    part = settings.pop("part", None)
    file = DesignFile.model_validate(
        {"name": "own", "grid": str(grid), "parts": [dict(p) for p in parts], **settings}
    )
    return build(file, seed, pools or Pools(), part)


@dataclass(frozen=True)
class Grays:
    """A pool of as many pictures as there are levels, each of one grey."""

    levels: tuple[int, ...] = (40, 60, 80, 100, 120)
    name: str = "photo"
    fingerprint: str = "grays"

    def __len__(self) -> int:
        return len(self.levels)

    def member_name(self, k: int) -> str:
        return f"gray-{self.levels[k]}"

    def shows(self, k: int) -> frozenset[str]:
        return frozenset()

    def pixels(self, k: int, size_px: int) -> Any:
        return PlainGround("gray", (self.levels[k],) * 3).pixels(0, size_px)


@dataclass(frozen=True)
class Blobs:
    """Real objects as tests need them: lopsided, of soft edges and changing colours, and none like another."""

    n: int = 3
    categories: tuple[str, ...] = ("cat", "dog", "cow")
    fingerprint: str = "blobs"

    def count(self, category: str) -> int:
        return self.n + self.categories.index(category) if category in self.categories else 0

    def member_name(self, category: str, k: int) -> str:
        return f"{category}-{k}"

    def cut(self, category: str, k: int, side_px: int) -> Cut:
        kind = self.categories.index(category)
        width, height = (side_px, max(2, side_px * (k + 2) // (k + 4))) if kind % 2 else (side_px, side_px)
        y, x = np.mgrid[:height, :width].astype(float)
        far = ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.4 - 0.03 * k) ** 2
        alpha = np.clip(255 * (1.1 - 4 * far), 0, 255).astype(np.uint8)
        alpha[:, width // 2 :] //= 2
        rgb = np.stack([100 + 50 * kind + 0 * x, 255 * x / width, 255 * y / height], axis=2).astype(np.uint8)
        return alpha, rgb

    def cut_of_area(self, category: str, k: int, area_px: float) -> Cut:
        return self.cut(category, k, max(4, round(1.3 * area_px**0.5)))


POOLS = Pools(Grays(), Blobs())
"""Backgrounds and real objects that tests make themselves."""
