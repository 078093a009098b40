"""The wrong photo: each question is asked about another picture of its set, without what is asked for."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Box, Frame
from evensight.datasets.altered import Altered, box_in_cell
from evensight.datasets.dealing import deal
from evensight.datasets.described import describe_all, target
from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.randomness import below


class WrongPhoto(Altered):
    """Another picture of the set, dealt so that each is used about equally often.

    The picture shows nothing of the name that is asked for, as far as it is annotated; so it is not the question's
    own. As annotations have gaps, the pixels of both are compared as well, once the picture is wanted.
    The right answer stays the question's; the cell and the area too, and the box lies at the same share of the frame.
    """

    name: ClassVar = "wrong-photo"
    description: ClassVar = (
        "another picture of the set, without what is asked for: what is right here is right from the words alone"
    )

    def __init__(self, examples: ExampleSet, seed: int) -> None:
        """Deals the pictures; only as many are decoded as it takes to see that there are two.

        Raises:
            InputError: There are no two different pictures, or a name isn't known.
        """
        super().__init__(examples, seed)
        self._frames: list[Frame] = []
        self._asked: list[str] = []
        self._names: list[frozenset[str]] = []
        self._pixel_hashes: dict[int, bytes] = {}
        self._found: dict[int, int] = {}
        for example, seen in describe_all(examples, self.name):
            self._frames.append(example.frame)
            self._asked.append(seen.asked)
            self._names.append(seen.names)
        if not any(self._differ(0, other) for other in range(1, len(examples))):
            raise InputError(
                f"`{examples.info.name}` has no two different pictures, so there is no wrong one to show: leave out "
                f"the control `{self.name}`"
            )
        self._dealt = deal(len(examples), self._fits, self._asked.__getitem__, seed, self.name)

    def source(self, index: int) -> int:
        """The index of the example whose picture is shown under the question of example `index`."""
        if index not in self._found:
            self._found[index] = next(other for other in self._candidates(index) if self._differ(index, other))
        return self._found[index]

    @override
    def _notes(self) -> Mapping[str, Any]:
        return {"n_with_what_is_asked_for": self._dealt.count(None)}

    @override
    def _altered(self, index: int, example: Example) -> Example:
        picture = self._base[self.source(index)]
        return replace(
            example,
            box=box_in_cell(
                _scaled(example.box, example.frame, picture.frame), picture.frame, example.cell, self._grid
            ),
            frame=picture.frame,
            mask_area_px=None,
            centroid_xy_px=None,
            others=(target(picture), *picture.others),
        )

    @override
    def image(self, index: int) -> Image.Image:
        return self._base.image(self.source(index))

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        return self._base.pixels(self.source(index))

    @override
    def encoded(self, index: int) -> bytes:
        return self._base.encoded(self.source(index))

    def _fits(self, index: int, other: int) -> bool:
        return self._asked[index] not in self._names[other]

    def _candidates(self, index: int) -> Iterator[int]:
        """The picture that was dealt, then all from a drawn one on, those first that fit."""
        dealt = self._dealt[index]
        if dealt is not None:
            yield dealt
        n = len(self)
        begin = below(n, self._seed, "another picture", index)
        others = [(begin + step) % n for step in range(n)]
        yield from (other for other in others if self._fits(index, other))
        yield from others

    def _differ(self, index: int, other: int) -> bool:
        """Whether two examples have different pictures, by their pixels."""
        if self._frames[index] != self._frames[other]:
            return True
        return self._pixel_hash(index) != self._pixel_hash(other)

    def _pixel_hash(self, index: int) -> bytes:
        if index not in self._pixel_hashes:
            pixels = self._base.pixels(index).tobytes()
            self._pixel_hashes[index] = hashlib.blake2b(pixels, digest_size=16).digest()
        return self._pixel_hashes[index]


def _scaled(box: Box, frame: Frame, to: Frame) -> Box:
    """The box at the same share of another frame."""
    x0, x1 = (x * to.width_px / frame.width_px for x in (box.x0_px, box.x1_px))
    y0, y1 = (y * to.height_px / frame.height_px for y in (box.y0_px, box.y1_px))
    return Box(x0, y0, x1, y1)
