"""The pixels of a cut-out, without a halo and of any size.

Annotators' outlines run a pixel or two outside of the object as often as inside, and the edge's own pixels are
half background. So a cut-out is made in three steps, at the photograph's resolution:

1. the outline is smoothed and drawn in a little (`inset`);
2. the colours of the outer pixels are not trusted: each takes that of the nearest pixel well inside (`_core`);
   the colours go on beyond the outline in the same way, so that nothing of the old background can be blended in;
3. colours and coverage are resized apart, with antialiasing, and put on the new ground as any sprite is.
"""

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evensight.photos.masks import Mask, bounds

_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)
_FAINT = 20
"""Coverage below this, of 255, is none: it would be seen as dirt, if at all, and would count to the box."""


class Cutout(NamedTuple):
    """An object's pixels, cut to its bounds: every edge has a covered pixel.

    Attributes:
        alpha: Coverage, uint8 `[height, width]`.
        rgb: Colours, uint8 `[height, width, 3]`; also where nothing is covered they are the object's.
    """

    alpha: NDArray[np.uint8]
    rgb: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.alpha.nbytes + self.rgb.nbytes


def main_piece(mask: Mask) -> tuple[Mask, float]:
    """The mask's largest connected piece, and the share that it has of the whole."""
    from scipy import ndimage

    pieces, n_pieces = ndimage.label(mask > 127, structure=_NEIGHBOURS)
    if not n_pieces:
        return mask, 0.0
    sizes = np.bincount(pieces.ravel())[1:]
    main = pieces == 1 + int(np.argmax(sizes))
    with_edge = ndimage.binary_dilation(main, _NEIGHBOURS)  # the soft edge is less than half covered
    return np.where(with_edge, mask, 0).astype(np.uint8), float(sizes.max() / sizes.sum())


def without_halo(mask: Mask, pixels: NDArray[np.uint8]) -> Cutout:
    """The object that a mask covers, its colours its own up to the outline and beyond."""
    from scipy import ndimage

    core = _core(mask)
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    return Cutout(inset(mask), pixels[tuple(nearest)])


def inset(mask: Mask) -> Mask:
    """The mask with a smooth outline, about a pixel further in; what is thin stays."""
    from scipy import ndimage

    soft = ndimage.gaussian_filter(mask.astype(np.float64) / 255, 1.2)
    return np.rint(255 * np.clip((soft - 0.5) / 0.4, 0, 1)).astype(np.uint8)


def _core(mask: Mask) -> NDArray[np.bool_]:
    """The pixels whose colour is the object's own: 3 px inside, and of thin parts the middle line."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(mask > 127)
    ridge = (depth == ndimage.maximum_filter(depth, 3)) & (depth >= 1.5)
    core: NDArray[np.bool_] = (depth >= 3) | ridge
    return core if core.any() else mask == mask.max()


def of_side(source: Cutout, side_px: int) -> Cutout:
    """The source scaled so that the longer side is `side_px`.

    An end that tapers below what counts as covered is cut by quarters of a pixel until the outermost row has
    something in it; so the side is exact, and the tip that is lost is one that nobody would see.
    """
    x0, y0, x1, y1 = map(float, bounds(source.alpha > 127))
    is_wide = x1 - x0 >= y1 - y0
    start, end = (x0, x1) if is_wide else (y0, y1)
    low, high = (y0, y1) if is_wide else (x0, x1)
    while True:
        scale = side_px / (end - start)
        n_across = min(max(1, round((high - low) * scale)), side_px)
        middle, reach = (low + high) / 2, n_across / scale / 2
        box = (start, middle - reach, end, middle + reach)
        box, size = (box, (side_px, n_across)) if is_wide else (_turned(box), (n_across, side_px))
        cut = _resized(source, box, size)
        covered = cut.alpha.max(axis=0 if is_wide else 1).tolist()
        if covered[0] and covered[-1]:
            return _trimmed(cut)
        start += 0 if covered[0] else 0.25 / scale
        end -= 0 if covered[-1] else 0.25 / scale


def of_area(source: Cutout, area_px: float) -> Cutout:
    """The source scaled so that it covers `area_px` square pixels, as near as four tries come."""
    x0, y0, x1, y1 = bounds(source.alpha > 0)
    scale = sqrt(area_px / (source.alpha.sum() / 255))
    for _ in range(4):  # what is too faint to count is made up for
        size = ceil((x1 - x0) * scale), ceil((y1 - y0) * scale)
        reach = size[0] / scale / 2, size[1] / scale / 2
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        cut = _resized(source, (x - reach[0], y - reach[1], x + reach[0], y + reach[1]), size)
        covered = cut.alpha.sum() / 255
        if abs(covered - area_px) < 0.002 * area_px or not covered:
            break
        scale *= sqrt(area_px / covered)
    return _trimmed(cut)


def _turned(xyxy: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return xyxy[1], xyxy[0], xyxy[3], xyxy[2]


def _resized(source: Cutout, box: tuple[float, float, float, float], size_wh: tuple[int, int]) -> Cutout:
    """A box of the source, which may reach beyond it, resized: colours and coverage apart."""
    height, width = source.alpha.shape
    over = max(0, ceil(max(-box[0], -box[1], box[2] - width, box[3] - height)))
    box = (box[0] + over, box[1] + over, box[2] + over, box[3] + over)
    alpha, rgb = np.pad(source.alpha, over), np.pad(source.rgb, ((over, over), (over, over), (0, 0)), mode="edge")
    # A filter without negative lobes for the coverage: others leave rings around the object.
    small = np.array(Image.fromarray(alpha).resize(size_wh, Image.Resampling.HAMMING, box=box))
    small[small < _FAINT] = 0
    return Cutout(small, np.array(Image.fromarray(rgb).resize(size_wh, Image.Resampling.LANCZOS, box=box)))


def _trimmed(cut: Cutout) -> Cutout:
    x0, y0, x1, y1 = bounds(cut.alpha > 0)
    return Cutout(cut.alpha[y0:y1, x0:x1].copy(), cut.rgb[y0:y1, x0:x1].copy())


def sealed(cut: Cutout) -> Cutout:
    """The same cut-out, which nobody may write to any more."""
    cut.alpha.setflags(write=False)
    cut.rgb.setflags(write=False)
    return cut
