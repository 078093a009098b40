"""Real objects cut out of photographs by COCO's segmentations, to be put on another ground without a halo.

Annotators' outlines run a pixel or two outside of the object as often as inside, and the edge's own pixels are
half background. So a cut-out is made in three steps, at the photograph's resolution:

1. the outline is smoothed and drawn in a little (`_inset`);
2. the colours of the outer pixels are not trusted: each takes that of the nearest pixel well inside (`_core`);
   the colours go on beyond the outline in the same way, so that nothing of the old background can be blended in;
3. colours and coverage are resized apart, with antialiasing, and put on the new ground as any sprite is.

Only objects that are whole enough are taken: not a crowd, not cut off by the photograph's edge, not tiny, mostly
in one piece. What is left out is counted by reason.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evensight.annotations import Frame
from evensight.coco.reading import CocoImage, CocoObject, CocoSplit, Rejections, read_split
from evensight.errors import InputError, one_of
from evensight.memory import ByteCache
from evensight.pictures.decoding import load_rgb
from evensight.pictures.files import PictureError
from evensight.progress import track
from evensight.runs import hash_file, hash_json

MIN_SIDE_PX = 48
EDGE_PX = 2
"""An object whose mask comes this near to the photograph's edge may go on beyond it."""
MIN_MAIN_PIECE = 0.9
"""The least share of the mask that its largest connected piece has."""
MIN_BOX_SHARE = 0.2
"""The least share of its box that the mask covers."""
MIN_CONTRAST = 48
"""A pixel is told from a ground when a channel differs by so much, of 255."""
MIN_SHOWN_SHARE = 0.5
"""The least share of an object's pixels that are told from its plain ground."""
CACHE_BYTES = 64 * 2**20

_LOOKED_AT_PX = 48
_SAMPLES = 8
_FINE_PX = 1_000_000
"""A larger object than that is drawn with one sample a pixel, to save memory."""
_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)
_MARGIN_PX = 4
_FAINT = 20
"""Coverage below this, of 255, is none: it would be seen as dirt, if at all, and would count to the box."""

Mask = NDArray[np.uint8]
"""Coverage, 0 to 255, uint8 `[y, x]`."""
Rgb = tuple[int, int, int]
Window = tuple[int, int, int, int]
"""Half-open whole pixels of a photograph, `(x0, y0, x1, y1)`."""


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


@dataclass(frozen=True)
class Selection:
    """Which objects are fit to be cut out.

    Attributes:
        min_side_px: The least that the box's shorter side measures.
        min_main_piece: The least share of the mask that its largest connected piece has.
        min_box_share: The least share of the box that the mask covers.
    """

    min_side_px: int = MIN_SIDE_PX
    min_main_piece: float = MIN_MAIN_PIECE
    min_box_share: float = MIN_BOX_SHARE

    def __post_init__(self) -> None:
        if self.min_side_px < 8:
            raise InputError(f"the cut-outs' least side `{self.min_side_px}` px is too small: expected 8 or more")
        if not (0 <= self.min_main_piece <= 1 and 0 <= self.min_box_share <= 1):
            raise InputError(f"the cut-outs' least shares are from 0 to 1, got {self}")


class Cutouts:
    """The objects of a COCO set that can be cut out, by category.

    Attributes:
        rejected: The objects that were left out, by reason.
        fingerprint: A hash of the annotations, the images, and which objects were taken.
    """

    def __init__(
        self,
        split: CocoSplit,
        categories: Sequence[str] | None = None,
        selection: Selection | None = None,
        *,
        grounds: Sequence[Rgb] = (),
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Chooses the objects of a split that was read with its segmentations.

        Args:
            split: The split.
            categories: Which categories to take; all of them, if none are given.
            selection: Which objects are fit.
            grounds: Plain colours that they will be put on: those that can't be seen on one of them are left out.
            cache_bytes: How much of the prepared objects and of the finished cut-outs is kept, of each.

        Raises:
            InputError: A category is not known, or no object is fit.
        """
        self._selection = selection or Selection()
        self._split = split
        self.rejected = Rejections()
        self._sources: ByteCache[int, Cutout] = ByteCache(cache_bytes)
        self._cuts: ByteCache[tuple[int, str, float], Cutout] = ByteCache(cache_bytes)
        self._members = self._chosen(_asked_for(split, categories))
        if grounds:
            self._members = self._seen_on(grounds)
        if not self._members:
            raise InputError(
                f"`{split.name}` has no object that can be cut out; left out: {self.rejected.counts()}; "
                "ask for other categories or a smaller least side"
            )
        self.fingerprint = self._hashed()

    @classmethod
    def of_coco(
        cls,
        root: Path,
        split: str,
        categories: Sequence[str] | None = None,
        min_side_px: int = MIN_SIDE_PX,
        grounds: Sequence[Rgb] = (),
    ) -> "Cutouts":
        """Takes the fit objects of a split in COCO's format.

        Args:
            root: The folder that holds `annotations/` and the images' folder.
            split: The split's name ("val2017").
            categories: Which categories to take; all of them, if none are given.
            min_side_px: The least that the box's shorter side measures.
            grounds: Plain colours that they will be put on: those that can't be seen on one of them are left out.

        Raises:
            InputError: There is no such split or category, or no object is fit.
        """
        coco = read_split(root, split, with_segmentations=True)
        return cls(coco, categories, Selection(min_side_px), grounds=grounds)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have an object, by name."""
        return tuple(self._members)

    def count(self, category: str) -> int:
        """How many objects there are of a category; 0 of one that has none."""
        return len(self._members.get(category, ()))

    def member_name(self, category: str, k: int) -> str:
        """Split, image and object: unique in the split."""
        thing = self._member(category, k)
        return f"{self._split.name}-{thing.image_id:012d}-{thing.id}"

    def cut(self, category: str, k: int, side_px: int) -> Cutout:
        """Object `k` of a category, its longer side being `side_px` pixels to the pixel.

        Raises:
            InputError: The photograph can't be read any more.
        """
        if side_px < 1:
            raise ValueError(f"a cut-out's side is 1 px or more, got {side_px}")
        thing = self._member(category, k)
        return self._kept(thing, ("side", float(side_px)), lambda source: _of_side(source, side_px))

    def cut_of_area(self, category: str, k: int, area_px: float) -> Cutout:
        """Object `k` of a category, covering `area_px` square pixels (to 1 % from 30 on).

        Raises:
            InputError: The photograph can't be read any more.
        """
        if area_px < 4:
            raise ValueError(f"a cut-out's area is 4 px or more, got {area_px}")
        thing = self._member(category, k)
        return self._kept(thing, ("area", float(area_px)), lambda source: _of_area(source, area_px))

    def _kept(self, thing: CocoObject, size: tuple[str, float], cut: Callable[[Cutout], Cutout]) -> Cutout:
        """The object cut at a size: what is kept, else cut anew and kept."""
        key = (thing.id, *size)
        found = self._cuts.get(key)
        return self._cuts.put(key, _sealed(cut(self._source(thing)))) if found is None else found

    def _member(self, category: str, k: int) -> CocoObject:
        if category not in self._members:
            raise one_of("the category", category, self._members, "of the others no object can be cut out")
        members = self._members[category]
        if not 0 <= k < len(members):
            raise IndexError(f"`{category}` has cut-outs 0 to {len(members) - 1}, got {k}")
        return members[k]

    def _source(self, thing: CocoObject) -> Cutout:
        """The object as it is cut out at the photograph's own resolution, with a margin."""
        found = self._sources.get(thing.id)
        if found is not None:
            return found
        image = self._split.images[thing.image_id]
        mask, window = mask_of(thing.segmentation, image.frame)
        pixels = np.asarray(load_rgb(image.file, image.frame).crop(window))
        return self._sources.put(thing.id, _sealed(_without_halo(_main_piece(mask)[0], pixels)))

    def _chosen(self, things: Sequence[CocoObject]) -> dict[str, tuple[CocoObject, ...]]:
        fit: dict[str, list[CocoObject]] = defaultdict(list)
        image_faults: dict[int, str | None] = {}
        for thing in track(things, "choosing cut-outs", len(things), "objects"):
            image = self._split.images[thing.image_id]
            fault = _box_fault(thing, image.frame, self._selection)
            if fault is None and image.id not in image_faults:
                image_faults[image.id] = _image_fault(image)
            fault = fault or image_faults[image.id] or _mask_fault(thing, image.frame, self._selection)
            if fault is None:
                fit[thing.category].append(thing)
            else:
                self.rejected.add(fault, str(thing.id))
        return {category: tuple(fit[category]) for category in sorted(fit)}

    def _seen_on(self, grounds: Sequence[Rgb]) -> dict[str, tuple[CocoObject, ...]]:
        """The members that can be seen on each of these colours; the others are counted."""
        seen: dict[str, list[CocoObject]] = defaultdict(list)
        n = sum(map(len, self._members.values()))
        members = ((category, k, thing) for category, all_ in self._members.items() for k, thing in enumerate(all_))
        for category, k, thing in track(members, "looking at cut-outs", n, "objects"):
            if min(shown_share(self.cut(category, k, _LOOKED_AT_PX), rgb) for rgb in grounds) < MIN_SHOWN_SHARE:
                self.rejected.add("object in the colours of its plain ground", str(thing.id))
            else:
                seen[category].append(thing)
        return {category: tuple(things) for category, things in seen.items()}

    def _hashed(self) -> str:
        things = [thing for members in self._members.values() for thing in members]
        paths = {self._split.images[thing.image_id].file for thing in things}
        return hash_json(
            {
                "annotations": self._split.annotations_hash,
                "objects": sorted(thing.id for thing in things),
                "images": sorted((path.name, hash_file(path)) for path in paths),
            }
        )


def shown_share(cut: Cutout, ground: Rgb) -> float:
    """The share of a cut-out's pixels that can be told from a plain ground behind it."""
    apart = np.abs(cut.rgb.astype(np.int64) - np.array(ground)).max(axis=2) * cut.alpha / 255
    return float((apart >= MIN_CONTRAST).sum() / (cut.alpha > 0).sum())


def mask_of(segmentation: Any, frame: Frame) -> tuple[Mask, Window]:
    """The coverage that a COCO segmentation gives, and where in the photograph it lies, with a margin of zeros.

    Polygons are drawn with 8 x 8 samples a pixel; a run-length code, plain or compressed, is all or nothing.

    Raises:
        ValueError: It is none of COCO's.
    """
    if isinstance(segmentation, dict):
        full = _run_lengths_to_mask(segmentation, frame)
        window = _window_of(*_bounds(full > 0), frame)
        return _framed(full, window), window
    polygons = _checked_polygons(segmentation)
    points = np.concatenate(polygons)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    window = _window_of(int(np.floor(x0)), int(np.floor(y0)), ceil(x1), ceil(y1), frame)
    return _drawn(polygons, window), window


def decoded_counts(text: str) -> list[int]:
    """The run lengths in COCO's compressed notation.

    Each is written in characters of 5 bits (from "0" on), low bits first, the sixth bit saying that more follow
    and the highest of the last being the sign; from the fourth on it is the difference to the one before the last
    (`rleFrString` in COCO's `maskApi.c`).

    Raises:
        ValueError: A character is none of these, or the last number isn't complete.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"the run lengths hold `{character!r}`")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits >> 4 & 1) << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value, shift = 0, 0
    if shift:
        raise ValueError("the run lengths break off in the middle of a number")
    return counts


def _run_lengths_to_mask(code: dict[str, Any], frame: Frame) -> Mask:
    if code.get("size") != [frame.height_px, frame.width_px]:
        raise ValueError(f"the mask is of {code.get('size')}, the photograph of {frame}")
    counts = code.get("counts")
    lengths = decoded_counts(counts) if isinstance(counts, str) else counts
    n_pixels = frame.height_px * frame.width_px
    if not isinstance(lengths, list) or not all(type(n) is int and 0 <= n <= n_pixels for n in lengths):
        raise ValueError("the run lengths are not whole numbers")
    if sum(lengths) != n_pixels:
        raise ValueError("the run lengths don't add up to the photograph's pixels")
    values = (np.arange(len(lengths)) % 2 * 255).astype(np.uint8)  # the first run is of what is outside
    return np.repeat(values, lengths).reshape(frame.width_px, frame.height_px).T  # column by column


def _checked_polygons(segmentation: Any) -> list[NDArray[np.float64]]:
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it is neither a list of polygons nor a run-length code")
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon has three points or more, x and y of each")
        if not all(type(v) in (int, float) and isfinite(v) and abs(v) < 1e6 for v in polygon):
            raise ValueError("a polygon's points are finite numbers")
    return [np.array(polygon, dtype=np.float64).reshape(-1, 2) for polygon in segmentation]


def _drawn(polygons: Iterable[NDArray[np.float64]], window: Window) -> Mask:
    x0, y0, x1, y1 = window
    n = _SAMPLES if (x1 - x0) * (y1 - y0) <= _FINE_PX else 1
    canvas = Image.new("L", ((x1 - x0) * n, (y1 - y0) * n))
    pen = ImageDraw.Draw(canvas)
    for polygon in polygons:
        at = (polygon - (x0, y0)) * n
        pen.polygon([(float(x), float(y)) for x, y in at], fill=255)
    return np.array(canvas.reduce(n) if n > 1 else canvas)


def _window_of(x0: int, y0: int, x1: int, y1: int, frame: Frame) -> Window:
    """Bounds and a margin; the margin may lie outside of the photograph, the bounds are cut to it."""
    m = _MARGIN_PX
    x0, x1 = max(x0, 0), min(x1, frame.width_px)
    y0, y1 = max(y0, 0), min(y1, frame.height_px)
    if x1 <= x0 or y1 <= y0:
        raise ValueError("the mask covers nothing")
    return x0 - m, y0 - m, x1 + m, y1 + m


def _framed(full: Mask, window: Window) -> Mask:
    x0, y0, x1, y1 = window
    m = _MARGIN_PX
    return np.pad(full[y0 + m : y1 - m, x0 + m : x1 - m], m)


def _bounds(inside: NDArray[np.bool_]) -> Window:
    """The half-open bounds of what is inside; all 0 if nothing is."""
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1


def _asked_for(split: CocoSplit, categories: Sequence[str] | None) -> list[CocoObject]:
    known = sorted({thing.category for thing in split.objects})
    for category in categories or ():
        if category not in known:
            raise one_of("the category", category, known)
    wanted = known if categories is None else categories
    return sorted((thing for thing in split.objects if thing.category in wanted), key=lambda o: (o.image_id, o.id))


def _box_fault(thing: CocoObject, frame: Frame, selection: Selection) -> str | None:
    """Why an object is not fit to be cut out, as far as its box tells."""
    if thing.is_crowd:
        return "crowd"
    x0, y0, x1, y1 = thing.box.xyxy_px
    if min(x1 - x0, y1 - y0) < selection.min_side_px:
        return f"a side of less than {selection.min_side_px} px"
    return None if _is_clear_of_edges(thing.box.xyxy_px, frame) else "cut off by the photograph's edge"


def _mask_fault(thing: CocoObject, frame: Frame, selection: Selection) -> str | None:
    """Why an object is not fit to be cut out, as far as its mask tells; its image has been looked at before."""
    try:
        mask, (left, top, _, _) = mask_of(thing.segmentation, frame)
    except ValueError:
        return "segmentation that is none of COCO's"
    piece, share = _main_piece(mask)
    inside = _inset(piece) > 127
    x0, y0, x1, y1 = _bounds(inside)
    if min(x1 - x0, y1 - y0) < selection.min_side_px / 2:
        return "mask that does not fill its box"
    if share < selection.min_main_piece:
        return "in more than one piece"
    if inside.sum() < selection.min_box_share * (x1 - x0) * (y1 - y0):
        return "mask that does not fill its box"
    x0, y0, x1, y1 = _bounds(piece > 127)
    is_whole = _is_clear_of_edges((x0 + left, y0 + top, x1 + left, y1 + top), frame)
    return None if is_whole else "cut off by the photograph's edge"


def _is_clear_of_edges(xyxy_px: tuple[float, float, float, float], frame: Frame) -> bool:
    x0, y0, x1, y1 = xyxy_px
    return min(x0, y0) >= EDGE_PX and x1 <= frame.width_px - EDGE_PX and y1 <= frame.height_px - EDGE_PX


def _image_fault(image: CocoImage) -> str | None:
    try:
        load_rgb(image.file, image.frame)
    except PictureError as error:
        return error.fault
    return None


def _main_piece(mask: Mask) -> tuple[Mask, float]:
    """The mask's largest connected piece, and the share that it has of the whole."""
    from scipy import ndimage

    pieces, n_pieces = ndimage.label(mask > 127, structure=_NEIGHBOURS)
    if not n_pieces:
        return mask, 0.0
    sizes = np.bincount(pieces.ravel())[1:]
    main = pieces == 1 + int(np.argmax(sizes))
    with_edge = ndimage.binary_dilation(main, _NEIGHBOURS)  # the soft edge is less than half covered
    return np.where(with_edge, mask, 0).astype(np.uint8), float(sizes.max() / sizes.sum())


def _without_halo(mask: Mask, pixels: NDArray[np.uint8]) -> Cutout:
    from scipy import ndimage

    core = _core(mask)
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    return Cutout(_inset(mask), pixels[tuple(nearest)])


def _inset(mask: Mask) -> Mask:
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


def _of_side(source: Cutout, side_px: int) -> Cutout:
    """The source scaled so that the longer side is `side_px`.

    An end that tapers below what counts as covered is cut by quarters of a pixel until the outermost row has
    something in it; so the side is exact, and the tip that is lost is one that nobody would see.
    """
    x0, y0, x1, y1 = map(float, _bounds(source.alpha > 127))
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


def _of_area(source: Cutout, area_px: float) -> Cutout:
    x0, y0, x1, y1 = _bounds(source.alpha > 0)
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
    x0, y0, x1, y1 = _bounds(cut.alpha > 0)
    return Cutout(cut.alpha[y0:y1, x0:x1].copy(), cut.rgb[y0:y1, x0:x1].copy())


def _sealed(cut: Cutout) -> Cutout:
    cut.alpha.setflags(write=False)
    cut.rgb.setflags(write=False)
    return cut
