"""Photographs as examples: the same question, options and answers as for scenes.

The way of a photograph: the annotations are read (`coco.reading`), objects are selected by a rule
(`photos.selection`), drawn (`photos.draws`), and the photographs of those that were drawn are decoded once and
checked (`pictures.checks`); one that can't be used is left out, counted, and replaced by the next where some are
drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from typing_extensions import override

from evensight.annotations import AREAS, Annotation, Grid
from evensight.coco.reading import CocoFiles, CocoSplit, Rejections, read_instances
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.datasets.priors import learn
from evensight.datasets.slots import PLACE_TASKS
from evensight.errors import InputError, one_of
from evensight.photos.catalog import PhotoDesign
from evensight.photos.draws import Draw, drawn
from evensight.photos.selection import Photo, Selected, select
from evensight.pictures.check_record import PictureCheck
from evensight.pictures.checks import check_pictures
from evensight.pictures.decoding import Orientation, load_rgb, plain_bytes
from evensight.questions.catalog import task_named
from evensight.questions.options import dealt_slots, rank_slot
from evensight.questions.tasks import INSTRUCTION, Task, ask
from evensight.runs import hash_json

FACTORS = ("category", "box_share", "certainty_band")
"""What accuracy is told by, beside the place: the category, the size of the box, and how certain the answer is."""
MAX_DEALT_PAIRS = 20_000
"""Slots are dealt evenly to so many pairs of a cell and a category; more would take minutes."""
_SHARES = ((0.01, "under 1 %"), (0.05, "1 to 5 %"), (0.15, "5 to 15 %"), (0.3, "15 to 30 %"), (2.0, "over 30 %"))
_BANDS = ((0.5, "under half"), (0.75, "half or more"), (0.999_999, "75 % or more"), (2.0, "all in its area"))
_IN_BOTH = "photograph that is also in"


class PhotoExamples(ExampleSet):
    """Where is the one object of its category? Asked of the photographs of a split in COCO's format."""

    def __init__(
        self,
        files: CocoFiles,
        design: PhotoDesign,
        seed: int,
        *,
        apart_from: Sequence[CocoFiles] = (),
        prior: CocoFiles | None = None,
        instruction: str = INSTRUCTION,
    ) -> None:
        """Reads the annotations and checks every photograph that is asked about.

        Args:
            files: The split's annotations and images.
            design: Which objects are asked for, and how; its mix and its control are others' work.
            seed: Draws objects, if not all are taken, and orders the options.
            apart_from: Splits whose photographs are left out, by id and by pixels.
            prior: Annotations that tell where things usually are; their images are not needed.
            instruction: What stands in front of each question; empty for nothing.

        Raises:
            InputError: The files can't be used, or nothing in them can be asked about.
        """
        split = read_instances(files)
        rejected = Rejections({reason: list(ids) for reason, ids in split.rejected.by_reason.items()})
        self._design, self._grid, self._seed, self._instruction = design, design.cells, seed, instruction
        self._task = _task(design, self._grid)
        found = select(split, design.rule, self._grid)
        apart = _Apart(apart_from, design.orientation)
        chosen = _Choice(found, design, apart, rejected)
        self._asked = chosen.asked(design.draw, seed)
        self._slots, claims = self._dealt()
        learned = None if prior is None else read_instances(prior)
        self._info = SetInfo(
            design.name,
            self._config(split, chosen.file_hashes(self._asked), apart, learned),
            FACTORS,
            self._grid,
            (*claims, *_claims_of(design.draw)),
            self._notes(split, found, rejected),
            of_photos=True,
            prior=None if learned is None else _learned(learned, design),
        )

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._asked)

    def __getitem__(self, index: int) -> Example:
        photo = self._photo(index)
        return Example(
            id=photo.id,
            question=ask(self._task, photo.annotation, self._slots[index], self._seed, index, self._instruction),
            attributes={
                "category": photo.annotation.objects[0].name,
                "box_share": _named(float(self._asked.box_shares[index]), _SHARES),
                "certainty_band": _named(photo.certainty, _BANDS),
            },
            certainty=photo.certainty,
            **located(photo.annotation, self._grid) | {"others": photo.others},
        )

    @override
    def image(self, index: int) -> Image.Image:
        photo = self._photo(index)
        return load_rgb(photo.file, photo.annotation.frame, self._design.orientation)

    @override
    def encoded(self, index: int) -> bytes:
        return plain_bytes(self._photo(index).file, "JPEG") or super().encoded(index)

    def _photo(self, index: int) -> Photo:
        if not 0 <= index < len(self):
            raise IndexError(f"the set has examples 0 to {len(self) - 1}, got {index}")
        return self._asked.photo(index)

    def _dealt(self) -> tuple[list[int], tuple[tuple[str, str], ...]]:
        """The slots of the right answers, and what they are even in."""
        asked = [self._asked.annotation(k) for k in range(len(self._asked))]
        cells = [self._grid.cell_of(each.objects[0], each.frame) for each in asked]
        places = [(self._grid.area_of(cell), cell) for cell in cells]
        categories = self._asked.categories
        if len(set(zip(places, categories, strict=True))) <= MAX_DEALT_PAIRS:
            claims = (("area", "slot"), ("cell", "slot"), ("category", "slot"))
            kinds = [(category,) for category in categories]
            return dealt_slots(places, kinds, self._task.n_slots, self._seed), claims
        return _counted_slots(self._task, asked), (("answer", "slot"),)

    def _config(
        self, split: CocoSplit, images: Mapping[str, str], apart: "_Apart", prior: CocoSplit | None
    ) -> dict[str, Any]:
        return {
            "photos": split.name,
            "rule": self._design.rule.model_dump(mode="json"),
            "draw": self._design.draw.model_dump(mode="json"),
            "grid": str(self._grid),
            "task": self._task.name,
            "instruction": self._instruction,
            "orientation": self._design.orientation,
            "seed": self._seed,
            "annotations": split.annotations_hash,
            "images": hash_json(dict(images)),
            "apart_from": apart.annotations,
            "prior": None if prior is None else prior.annotations_hash,
        }

    def _notes(self, split: CocoSplit, found: Selected, rejected: Rejections) -> dict[str, Any]:
        return {
            "description": self._design.description,
            "n_listed": split.n_total,
            "n_images_asked_about": len(set(self._asked.image_ids)),
            "left_out": {reason: {"n": len(ids), "first": ids[:5]} for reason, ids in rejected.by_reason.items()},
            "selection": {"rule": self._design.rule.refinements, **found.as_json(self._asked)},
        }


class _Apart:
    """Photographs that are not to be in a set: those of other splits, by id and by pixels."""

    def __init__(self, others: Sequence[CocoFiles], orientation: Orientation) -> None:
        self.annotations: dict[str, str] = {}
        self._by_id: dict[int, str] = {}
        self._by_pixels: dict[str, str] = {}
        for files in others:
            split = read_instances(files)
            self.annotations[split.name] = split.annotations_hash
            images = list(split.images.values())
            checks = check_pictures([(image.file, image.frame) for image in images], orientation)
            for image, check in zip(images, checks, strict=True):
                self._by_id[image.id] = split.name
                if check.pixels_hash is not None:
                    self._by_pixels[check.pixels_hash] = split.name

    def fault(self, image_id: int, check: PictureCheck) -> str | None:
        """Why a photograph is not to be in the set, if it is in one of the others."""
        if image_id in self._by_id:
            return f"{_IN_BOTH} {self._by_id[image_id]}, by its id"
        if check.pixels_hash in self._by_pixels:
            return f"{_IN_BOTH} {self._by_pixels[check.pixels_hash]}, by its pixels"
        return None


class _Choice:
    """Which of the selected objects are asked for: those that are drawn and whose photograph can be used."""

    def __init__(self, found: Selected, design: PhotoDesign, apart: _Apart, rejected: Rejections) -> None:
        self._found, self._design, self._apart, self._rejected = found, design, apart, rejected
        self._checks: dict[int, PictureCheck] = {}

    def asked(self, draw: Draw, seed: int) -> Selected:
        """Draws, checks, and draws again without what can't be used, until all can be."""
        left = self._found
        while True:
            self._check_not_empty(left)
            taken = left.kept(drawn(draw, left.areas.tolist(), left.categories, left.object_ids, seed))
            faults = self._faults(taken)
            if not faults:
                return taken
            for k in range(len(taken)):
                if taken.image_ids[k] in faults:
                    self._rejected.add(faults[taken.image_ids[k]], taken.photo(k).id)
            left = left.kept([k for k, image_id in enumerate(left.image_ids) if image_id not in faults])

    def file_hashes(self, asked: Selected) -> dict[str, str]:
        """The SHA-256 of each photograph's file, by image id."""
        return {str(k): str(self._checks[k].file_hash) for k in sorted(set(asked.image_ids))}

    def _faults(self, taken: Selected) -> dict[int, str]:
        """Why some of the photographs can't be used, by image id."""
        new = [k for k in dict.fromkeys(taken.image_ids) if k not in self._checks]
        images = [taken.split.images[k] for k in new]
        wanted = [(image.file, image.frame) for image in images]
        self._checks |= dict(zip(new, check_pictures(wanted, self._design.orientation), strict=True))
        found = {k: self._checks[k].fault or self._apart.fault(k, self._checks[k]) for k in new}
        return {k: fault for k, fault in found.items() if fault is not None}

    def _check_not_empty(self, left: Selected) -> None:
        if not len(left):
            steps = "; ".join(f"{step.rule}: {step.n:,}" for step in self._found.steps)
            raise InputError(
                f"`{left.split.name}` has no photograph to ask about; what each rule leaves: {steps}; "
                f"left out beside: {self._rejected.counts()}"
            )


def _task(design: PhotoDesign, grid: Grid) -> Task:
    if design.task not in PLACE_TASKS:
        raise one_of("the task", design.task, PLACE_TASKS, "of photographs the place alone can be asked")
    return task_named(design.task, grid, {})


def _claims_of(draw: Draw) -> tuple[tuple[str, str], ...]:
    """What a draw makes even: `task` has one value, so that it stands for the whole set."""
    return {"area": (("task", "area"),), "area-category": (("task", "area"), ("category", "area"))}.get(
        draw.balance or "", ()
    )


def _learned(split: CocoSplit, design: PhotoDesign) -> dict[str, Any]:
    found = select(split, design.rule, design.cells)
    areas = [AREAS[k] for k in found.areas.tolist()]
    return dict(learn(found.categories, found.box_shares.tolist(), areas, split.name).as_json())


def _counted_slots(task: Task, asked: Sequence[Annotation]) -> list[int]:
    """Slots that are even under each answer, for sets too large to deal them."""
    ranks: dict[int, int] = {}
    slots = []
    for annotation in asked:
        answer = task.options(annotation).index(task.answer(annotation))
        slots.append(rank_slot(answer, ranks.get(answer, 0), task.n_slots))
        ranks[answer] = ranks.get(answer, 0) + 1
    return slots


def _named(value: float, bounds: Sequence[tuple[float, str]]) -> str:
    return next(name for bound, name in bounds if value < bound)
