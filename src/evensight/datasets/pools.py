"""The backgrounds and real objects that a user's folders give to scenes."""

from pathlib import Path

from evensight.errors import InputError
from evensight.photos.backgrounds import PhotoBackgrounds
from evensight.photos.cutouts import Cutouts
from evensight.scenes.catalog import DesignFile
from evensight.scenes.factors import POOLED_GROUNDS, RGB, color
from evensight.scenes.pools import Pools


def pools_for(file: DesignFile, backgrounds: Path | None, photos: Path | None, split: str) -> Pools:
    """What a design wants of photographs, from the folders that there are.

    Args:
        file: The design; what it doesn't want isn't read.
        backgrounds: A folder of pictures to put behind the objects.
        photos: A folder in COCO's format: its objects are cut out, and its photographs are the backgrounds where
            no other folder is named.
        split: The split in that folder ("val2017").

    Raises:
        InputError: A folder can't be used. What is wanted and not there is said when the design is made.
    """
    wants_photos, wants_objects = _wants_grounds(file), _wants_objects(file)
    if not wants_photos and not wants_objects and (backgrounds or photos):
        raise InputError(
            f"the design `{file.name}` has neither photographs behind its objects nor real objects: leave out "
            "`--backgrounds` and `--photos`, or choose a design with `background: [photo]` or `category`"
        )
    ground = cutouts = None
    if wants_photos and backgrounds is not None:
        ground = PhotoBackgrounds(backgrounds)
    elif wants_photos and photos is not None:
        ground = PhotoBackgrounds.of_coco(photos, split)
    if wants_objects and photos is not None:
        cutouts = Cutouts.of_coco(photos, split, grounds=_plain_grounds(file))
    return Pools(ground, cutouts)


def wants_photographs(file: DesignFile) -> bool:
    """Whether a design has photographs behind its objects, or real objects."""
    return _wants_grounds(file) or _wants_objects(file)


def _wants_grounds(file: DesignFile) -> bool:
    return any("photo" in _listed(part.get("background", [])) for part in file.parts)


def _wants_objects(file: DesignFile) -> bool:
    return any("category" in part for part in file.parts)


def _plain_grounds(file: DesignFile) -> list[RGB]:
    """The plain colours that a design puts real objects on."""
    parts = (part for part in file.parts if "category" in part)
    written = (value for part in parts for value in _listed(part.get("background", "black")))
    return [color(value).rgb for value in written if value not in POOLED_GROUNDS]


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else [values]
