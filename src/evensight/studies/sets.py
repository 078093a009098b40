"""The sets that a study names, made; or what is missing to make them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

from evensight.coco.reading import PHOTOS_VARIABLE, has_split, photos_root
from evensight.datasets.examples import ExampleSet
from evensight.datasets.mixtures import Mixture
from evensight.datasets.orders import Order
from evensight.datasets.photo_sets import photo_set
from evensight.datasets.pools import wants_photographs
from evensight.datasets.subsets import subset
from evensight.errors import InputError
from evensight.photos.catalog import photo_design, split_design
from evensight.scenes.catalog import design_file, names
from evensight.storage.stored import StoredExamples
from evensight.studies.plan import Source, Study


def make(sources: Iterable[Source], study: Study, seed: int) -> ExampleSet:
    """The set, or the mixture of several.

    Args:
        sources: What it is.
        study: The study.
        seed: Draws what is drawn.

    Raises:
        InputError: It can't be made.
    """
    sets = [_part(source, study, seed) for source in sources]
    return reduce(lambda a, b: Mixture(f"{a.info.name}+{b.info.name}", a, b, seed), sets)


def _part(source: Source, study: Study, seed: int) -> ExampleSet:
    whole = _whole(source, study, seed)
    n = len(whole) if source.most is None else min(source.most, len(whole))
    return subset(whole, source.n or n, seed)


def _whole(source: Source, study: Study, seed: int) -> ExampleSet:
    if source.data is not None:
        return StoredExamples(Path(source.data))
    if source.photos is not None:
        root = photos_root()
        return photo_set(split_design(root, source.photos), root, seed)
    photos = photos_root() if _split_wanted(source) else None
    order = Order(
        str(source.design), study.size_px, seed, source.task, source.part, photos=photos, split=source.split
    )
    return order.examples()


def missing(sources: Iterable[Source]) -> str | None:
    """The first split of photographs that is needed and not there; None if all are.

    Raises:
        InputError: The user has named a folder of photographs, and a split isn't in there.
    """
    root = photos_root()
    splits = (split for source in sources if (split := _split_wanted(source)) is not None)
    lacking = next((split for split in splits if not has_split(root, split)), None)
    if lacking is not None and PHOTOS_VARIABLE in os.environ:
        raise InputError(
            f"`{PHOTOS_VARIABLE}` names `{root}`, which has no {lacking}/ with "
            f"annotations/instances_{lacking}.json: expected a folder in COCO's layout"
        )
    return lacking


def _split_wanted(source: Source) -> str | None:
    """The split of photographs that a set needs."""
    if source.design is None:
        return source.photos
    found = photo_design(source.design)
    if found is not None:
        return found.photos
    is_design = source.design in names() or Path(source.design).suffix in (".yaml", ".yml")
    return source.split if is_design and wants_photographs(design_file(source.design)) else None


def skipped(name: str, split: str) -> str:
    """What is left out for want of photographs, and how to have it done."""
    root = photos_root()
    fetched = {"val2017": "coco-val", "train2017": "coco-train --images"}.get(split)
    how = f"`evensight photos fetch {fetched} --to {root}` brings them" if fetched else "Put them there"
    return (
        f"{name} was skipped: there are no photographs in {root}/{split} with "
        f"{root}/annotations/instances_{split}.json. {how}; photographs elsewhere are named by "
        f"{PHOTOS_VARIABLE}=FOLDER."
    )


@contextmanager
def named(part: str, name: str) -> Iterator[None]:
    """Has an error say which part of the study it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"the {part} `{name}`: {error}") from error
