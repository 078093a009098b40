"""What scenes are made with that evensight doesn't draw itself: backgrounds, and objects cut out of photographs.

Scenes don't know where these come from. `photos.backgrounds` and `photos.cutouts` have them; whoever makes a set
hands them over as `Pools`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evensight.errors import InputError
from evensight.scenes.factors import Color, Value
from evensight.scenes.grounds import Ground, PlainGround, drawn_ground

Cut = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Coverage, uint8 `[height, width]`, and colours, uint8 `[height, width, 3]`."""


class CutoutPool(Protocol):
    """Real objects by category, each with its mask."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that there are objects of."""

    @property
    def fingerprint(self) -> str:
        """The hash of all that the objects depend on."""

    def count(self, category: str) -> int:
        """How many objects of a category there are."""

    def member_name(self, category: str, k: int) -> str:
        """The name of object k of a category."""

    def cut(self, category: str, k: int, side_px: int) -> Cut:
        """Object k of a category, its larger side being `side_px`: coverage and colours."""

    def cut_of_area(self, category: str, k: int, area_px: float) -> Cut:
        """Object k of a category, its mask covering `area_px` square pixels: coverage and colours."""


@dataclass(frozen=True, eq=False)
class Pools:
    """Backgrounds and cut-outs.

    Attributes:
        photos: Photographs as backgrounds; None if there are none.
        cutouts: Objects cut out of photographs; None if there are none.
        drawn_seed: What gradients, noise and textures are drawn from: another seed has other pictures.
    """

    photos: Ground | None = None
    cutouts: CutoutPool | None = None
    drawn_seed: int = 0

    @cached_property
    def _grounds(self) -> dict[Value, Ground]:
        return {}

    def ground(self, value: Value) -> Ground:
        """The ground that a value of the factor `background` names.

        Raises:
            InputError: It is of photographs, and there are none.
        """
        if value not in self._grounds:
            self._grounds[value] = self._made(value)
        return self._grounds[value]

    def _made(self, value: Value) -> Ground:
        if isinstance(value, Color):
            return PlainGround(value.name, value.rgb)
        if value != "photo":
            return drawn_ground(str(value), self.drawn_seed)
        if self.photos is None:
            raise InputError(
                "the background `photo` needs photographs: name a folder of pictures with `--backgrounds`, or a COCO "
                "folder with `--photos` and `--split`"
            )
        return self.photos

    def objects(self) -> CutoutPool:
        """The cut-outs.

        Raises:
            InputError: There are none.
        """
        if self.cutouts is None:
            raise InputError(
                "the factor `category` needs real objects to cut out: name a COCO folder with `--photos` and "
                "`--split`"
            )
        return self.cutouts

    def fingerprints(self) -> Mapping[str, str]:
        """The hashes of what there is, by what it is."""
        found = {"photos": self.photos, "cutouts": self.cutouts}
        return {name: pool.fingerprint for name, pool in found.items() if pool is not None}


NO_POOLS = Pools()
