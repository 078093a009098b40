"""Real objects cut out of photographs by COCO's segmentations, to be put on another ground without a halo.

Only objects that are whole enough are taken: not a crowd, not cut off by the photograph's edge, not tiny, mostly
in one piece. What is left out is counted by reason. An object's segmentation becomes coverage (`masks`), and that and
the photograph become its pixels (`cutout_pixels`).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evensight.annotations import Frame
from evensight.coco.reading import CocoImage, CocoObject, CocoSplit, Rejections, read_split
from evensight.errors import InputError, one_of
from evensight.memory import ByteCache
from evensight.photos.cutout_pixels import Cutout, inset, main_piece, of_area, of_side, sealed, without_halo
from evensight.photos.masks import bounds, mask_of
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

Rgb = tuple[int, int, int]


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
        return self._kept(thing, ("side", float(side_px)), lambda source: of_side(source, side_px))

    def cut_of_area(self, category: str, k: int, area_px: float) -> Cutout:
        """Object `k` of a category, covering `area_px` square pixels (to 1 % from 30 on).

        Raises:
            InputError: The photograph can't be read any more.
        """
        if area_px < 4:
            raise ValueError(f"a cut-out's area is 4 px or more, got {area_px}")
        thing = self._member(category, k)
        return self._kept(thing, ("area", float(area_px)), lambda source: of_area(source, area_px))

    def _kept(self, thing: CocoObject, size: tuple[str, float], cut: Callable[[Cutout], Cutout]) -> Cutout:
        """The object cut at a size: what is kept, else cut anew and kept."""
        key = (thing.id, *size)
        found = self._cuts.get(key)
        return self._cuts.put(key, sealed(cut(self._source(thing)))) if found is None else found

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
        return self._sources.put(thing.id, sealed(without_halo(main_piece(mask)[0], pixels)))

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
    piece, share = main_piece(mask)
    inside = inset(piece) > 127
    x0, y0, x1, y1 = bounds(inside)
    if min(x1 - x0, y1 - y0) < selection.min_side_px / 2:
        return "mask that does not fill its box"
    if share < selection.min_main_piece:
        return "in more than one piece"
    if inside.sum() < selection.min_box_share * (x1 - x0) * (y1 - y0):
        return "mask that does not fill its box"
    x0, y0, x1, y1 = bounds(piece > 127)
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
