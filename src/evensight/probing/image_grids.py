"""Which of an image's tokens show which part of the picture, where a family lays them out as a grid.

Families that cut a picture into tiles show it whole as well: that view is the grid here, and the tiles' tokens are
not. A token is under a box when its middle is in it; where none is, the one that holds the box's middle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, isqrt
from typing import Any

from evensight.annotations import Box, Frame

_ONE_VIEW = ("llava", "paligemma", "gemma3")
_WHOLE_FIRST = ("llava_next", "llava_onevision", "molmo2")
_WHOLE_LAST = ("internvl", "idefics3", "smolvlm")
_MERGED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
TILED = (*_WHOLE_FIRST, *_WHOLE_LAST)
"""The model types that cut a picture into tiles, as many as its size asks for."""
KNOWN = (*_ONE_VIEW, *_WHOLE_FIRST, *_WHOLE_LAST, *_MERGED)
"""The model types whose tokens are known as a grid."""


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """Tokens that show a part of the picture, row by row.

    Attributes:
        rows: How many rows there are.
        cols: How many stand in a row.
        first: Which of the image's tokens is the first of them.
        seen: The part of the picture that they show.
    """

    rows: int
    cols: int
    first: int
    seen: Box

    def under(self, box: Box) -> tuple[int, ...]:
        """Which of the image's tokens a box covers, in order; none where it lies outside of what is seen."""
        seen = self.seen
        x_px, y_px = box.center_px
        if not (seen.x0_px <= x_px < seen.x1_px and seen.y0_px <= y_px < seen.y1_px):
            return ()
        cols = _covered(box.x0_px, box.x1_px, seen.x0_px, seen.x1_px, self.cols)
        rows = _covered(box.y0_px, box.y1_px, seen.y0_px, seen.y1_px, self.rows)
        return tuple(self.first + row * self.cols + col for row in rows for col in cols)


def _covered(low: float, high: float, seen_low: float, seen_high: float, n: int) -> range:
    """The intervals of n equal ones between two edges whose middles lie between low and high, or the middle's one."""
    step = (seen_high - seen_low) / n
    first, end = ceil((low - seen_low) / step - 0.5), ceil((high - seen_low) / step - 0.5)
    first, end = max(first, 0), min(end, n)
    if first < end:
        return range(first, end)
    middle = floor(((low + high) / 2 - seen_low) / step)
    return range(middle, middle + 1)


def token_grid(
    processor: Any, model_type: str, frame: Frame, n_tokens: int, grid_thw: tuple[int, ...] | None = None
) -> TokenGrid | None:
    """The grid of an example's image tokens; None where it isn't known.

    Args:
        processor: The model's processor.
        model_type: `config.model_type`.
        frame: The picture's size.
        n_tokens: How many tokens its image has.
        grid_thw: Its row of `image_grid_thw`, where the model has that.
    """
    whole = Box(0, 0, frame.width_px, frame.height_px)
    if model_type in _MERGED and grid_thw is not None:
        merge = int(getattr(processor.image_processor, "merge_size", 2))
        rows, cols = grid_thw[1] // merge, grid_thw[2] // merge
        return TokenGrid(rows, cols, 0, whole) if rows * cols == n_tokens else None
    if model_type in _ONE_VIEW:
        return _square(n_tokens, 0, seen_part(processor.image_processor, frame))
    n_whole = _n_tokens_of_whole(processor, model_type)
    if n_whole is None or n_whole > n_tokens:
        return None
    return _square(n_whole, 0 if model_type in _WHOLE_FIRST else n_tokens - n_whole, whole)


def _square(n: int, first: int, seen: Box) -> TokenGrid | None:
    side = isqrt(n)
    return TokenGrid(side, side, first, seen) if n and side * side == n else None


def _n_tokens_of_whole(processor: Any, model_type: str) -> int | None:
    """How many tokens the view of the whole picture has."""
    images = processor.image_processor
    if model_type == "llava_next":
        side = int(_of(images.crop_size, "height") or 0) // int(processor.patch_size)
        return side * side
    if model_type == "llava_onevision":
        return int(processor.num_image_tokens)
    if model_type == "molmo2":
        pooled = getattr(images, "pooling_size", None) or (2, 2)
        side = ceil(int(_of(images.size, "height") or 0) / int(images.patch_size) / int(pooled[0]))
        return side * side
    if model_type in _WHOLE_LAST:
        name = "image_seq_length" if model_type == "internvl" else "image_seq_len"
        return int(getattr(processor, name))
    return None


def seen_part(image_processor: Any, frame: Frame) -> Box:
    """The part of a picture that is left when it is scaled by its shorter side and cut to its middle."""
    shortest = _of(getattr(image_processor, "size", None), "shortest_edge")
    crop = getattr(image_processor, "crop_size", None)
    height, width = _of(crop, "height"), _of(crop, "width")
    if not getattr(image_processor, "do_center_crop", False) or not (shortest and height and width):
        return Box(0, 0, frame.width_px, frame.height_px)
    scale = shortest / min(frame.width_px, frame.height_px)
    x, y = frame.width_px / 2, frame.height_px / 2
    half_width, half_height = min(width / scale / 2, x), min(height / scale / 2, y)
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def _of(sizes: Any, name: str) -> float | None:
    found = sizes.get(name) if isinstance(sizes, Mapping) else getattr(sizes, name, None)
    return None if found is None else float(found)
