"""Photographs as examples: the same question, options and answers as for scenes."""

from pathlib import Path

from PIL import Image
from typing_extensions import override

from evensight.annotations import PAPER_GRID, Grid
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.errors import InputError
from evensight.photos.coco import read_split
from evensight.photos.selection import FORMATS, load_rgb, readable, single_instances
from evensight.questions.options import dealt_slots
from evensight.questions.tasks import AbsolutePosition, ask
from evensight.runs import hash_file, hash_json


class PhotoExamples(ExampleSet):
    """Where is the one object of its category? Asked of the photographs of a split in COCO's format."""

    def __init__(self, root: Path, split: str, seed: int, grid: Grid = PAPER_GRID) -> None:
        """Reads the annotations and checks every photograph that is asked about.

        Args:
            root: The folder that holds `annotations/` and the images' folder.
            split: The split ("val2017").
            seed: Orders the options.
            grid: The grid of the cells.

        Raises:
            InputError: There is no such split, or nothing in it can be asked about.
        """
        coco = read_split(root, split)
        rejected = coco.rejected
        self._photos = readable(single_instances(coco), rejected.add)
        if not self._photos:
            raise InputError(
                f"`{root}` has no photograph of `{split}` to ask about: expected a category with exactly one "
                f"object in an image; left out: {rejected.counts()}"
            )
        self._task = AbsolutePosition(grid)
        self._grid = grid
        self._seed = seed
        cells = [grid.cell_of(photo.annotation.objects[0], photo.annotation.frame) for photo in self._photos]
        places = [(grid.area_of(cell), cell) for cell in cells]
        categories = [(photo.category,) for photo in self._photos]
        self._slots = dealt_slots(places, categories, self._task.n_slots, seed)
        paths = sorted({photo.path for photo in self._photos})
        config = {
            "photos": split,
            "selection": "single-instance",
            "grid": str(grid),
            "task": self._task.name,
            "seed": seed,
            "annotations": coco.annotations_hash,
            "images": hash_json({path.relative_to(root / split).as_posix(): hash_file(path) for path in paths}),
        }
        notes = {
            "n_listed": coco.n_total,
            "n_images_asked_about": len(paths),
            "left_out": {reason: {"n": len(ids), "first": ids[:5]} for reason, ids in rejected.by_reason.items()},
        }
        claims = (("area", "slot"), ("cell", "slot"), ("category", "slot"))
        self._info = SetInfo(f"coco-{split}", config, ("category",), grid, claims, notes)

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Example:
        photo = self._photos[index]
        return Example(
            id=photo.id,
            question=ask(self._task, photo.annotation, self._slots[index], self._seed, index),
            attributes={"category": photo.category},
            **located(photo.annotation, self._grid),
        )

    @override
    def image(self, index: int) -> Image.Image:
        return load_rgb(self._photos[index].path)

    @override
    def encoded(self, index: int) -> bytes:
        path = self._photos[index].path
        with Image.open(path, formats=FORMATS) as image:
            as_it_is = image.format == "JPEG" and image.mode == "RGB" and not image.getexif()
        return path.read_bytes() if as_it_is else super().encoded(index)
