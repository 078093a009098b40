"""How each family lays out an image: its pixels in the processor's tensors, its tokens in the input.

Written from the families' descriptions, and not from evensight's code: it is what the contract compares with.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Slots = NDArray[np.int64]
"""`[row, column]` -> which of the image's tokens stands for that place of the picture."""


def picture_of(model_type: str, batch: Mapping[str, Tensor]) -> NDArray[np.float64]:
    """The whole picture `[row, column, channel]` that the tensors of one example hold, normalised as they are."""
    pixels = batch["pixel_values"].numpy().astype(np.float64)
    if model_type.startswith("qwen"):
        return _from_merged_patches(pixels, batch["image_grid_thw"][0].tolist())
    if model_type == "molmo2":  # the first view is the whole picture, in patches with the colours last
        n, side = int(len(pixels[0]) ** 0.5), int((pixels.shape[-1] / 3) ** 0.5)
        blocks = pixels[0].reshape(n, n, side, side, 3).transpose(0, 2, 1, 3, 4)
        return np.asarray(blocks.reshape(n * side, n * side, 3))
    views = pixels.reshape(-1, *pixels.shape[-3:])
    whole = views[-1] if model_type in ("internvl", "idefics3", "smolvlm") else views[0]
    return np.asarray(whole.transpose(1, 2, 0))


def _from_merged_patches(patches: NDArray[np.float64], grid_thw: list[int]) -> NDArray[np.float64]:
    """Qwen's patches: four neighbours follow one another, each with its colours, two equal moments, rows, columns."""
    _, rows, cols = grid_thw
    side = int((patches.shape[1] / 6) ** 0.5)
    blocks = patches.reshape(rows // 2, cols // 2, 2, 2, 3, 2, side, side)[:, :, :, :, :, 0]
    return blocks.transpose(0, 2, 5, 1, 3, 6, 4).reshape(rows * side, cols * side, 3)


def slots_of(model_type: str) -> list[Slots]:
    """The grids of an image's tokens, one for each time that the whole picture is shown, at `tiny_models`' sizes."""
    if model_type in ("llava_next", "llava_onevision"):  # the whole, then rows of the tiles with a token at their end
        return [_grid(4, 4), 16 + np.arange(8)[:, None] * 9 + np.arange(8)]
    if model_type in ("internvl", "idefics3", "smolvlm"):  # four tiles, then the whole
        tiles = [_grid(2, 2) + 4 * k for k in range(4)]
        return [np.block([tiles[:2], tiles[2:]]), _grid(2, 2) + 16]
    if model_type == "molmo2":  # the whole, then the tiles without what they share
        return [_grid(2, 2), _grid(4, 4) + 4]
    return [_grid(2, 2) if model_type == "gemma3" else _grid(4, 4)]


def _grid(rows: int, cols: int) -> Slots:
    return np.arange(rows * cols).reshape(rows, cols)
