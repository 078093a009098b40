"""A design's scenes with a question about each, made on the fly: nothing is stored."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Annotation, Cell
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.datasets.slots import slots
from evensight.errors import InputError
from evensight.png import encode_any, splicer
from evensight.questions.catalog import task_named
from evensight.questions.tasks import INSTRUCTION, Question, Task, ask
from evensight.scenes.batches import ground_rgb, is_plain, patches
from evensight.scenes.compose import Composer, SceneDesign
from evensight.scenes.factors import POOLED_GROUNDS
from evensight.scenes.pools import NO_POOLS, Pools
from evensight.scenes.render import Scene, annotate, render

PLACES = ("row", "col", "cell", "area")
"""The columns that say where an object is."""

ONE_NEAREST = "nearest-object"


class SceneExamples(ExampleSet):
    """A design's scenes, each with a question about its target. Example i is a function of (design, seed, i)."""

    def __init__(
        self,
        design: SceneDesign,
        size_px: int,
        seed: int,
        task: str = "absolute-position",
        *,
        pools: Pools = NO_POOLS,
        instruction: str = INSTRUCTION,
    ) -> None:
        """Prepares the set and checks that every question has one right answer; nothing is drawn yet.

        Args:
            design: Which scenes.
            size_px: The images' side.
            seed: Orders the options, and draws what the design leaves open.
            task: What is asked, one of `questions.catalog.TASKS`.
            pools: Backgrounds and real objects, where the design has such.
            instruction: What stands in front of each question; empty for nothing.

        Raises:
            InputError: The design's scenes can't be drawn, or the question can't be asked about them.
        """
        self._arguments = (design, size_px, seed, task, pools, instruction)
        self._design = design
        self._seed = seed
        self._instruction = instruction
        self._composer = Composer(design, size_px, seed, pools, one_nearest=task == ONE_NEAREST)
        self._task = _task_for(design, task)
        self._is_plain = is_plain(self._composer)
        self._slot, self._slot_claims = slots(self._composer, self._task, seed)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, self._arguments

    @property
    def composer(self) -> Composer:
        """What makes its scenes."""
        return self._composer

    @property
    @override
    def info(self) -> SetInfo:
        design, composer = self._design, self._composer
        config: dict[str, Any] = {
            "design": design.name,
            "rows": str(design.rows),
            "grid": str(design.grid),
            "fit": design.fit,
            "anchor": design.anchor,
            "task": self._task.name,
            "instruction": self._instruction,
            "size_px": composer.size_px,
            "seed": self._seed,
        }
        if design.source:
            config["source"] = dict(design.source)
        if fingerprints := composer.pools.fingerprints():
            config["pools"] = dict(fingerprints)
        notes = {"description": design.description}
        factors = (*design.factors, *composer.member_columns)
        return SetInfo(design.name, config, factors, design.grid, self._claims(), notes)

    def _claims(self) -> tuple[tuple[str, str], ...]:
        design, grid = self._design, self._design.grid
        claims = self._slot_claims
        if design.crossed_cells == grid.cells():
            has_even_areas = grid.rows % 3 == grid.cols % 3 == 0
            places = PLACES if has_even_areas else PLACES[:3]
            claims += tuple((factor, place) for factor in design.factors for place in places)
            if _has_even_members(design):
                claims += (("cell", "background_member"),)
        return claims

    def __len__(self) -> int:
        return len(self._design)

    def __getitem__(self, index: int) -> Example:
        row = self._design.rows[index]
        return self._example(index, row, self._composer.scene_of(row, index))

    def encoded_rows(self, start: int, stop: int) -> Iterator[tuple[Example, bytes]]:
        """The examples from `start` to before `stop`, each with its image as the bytes of a PNG file."""
        for index in range(start, stop):
            row = self._design.rows[index]
            scene = self._composer.scene_of(row, index)
            yield self._example(index, row, scene), self._encoded(scene)

    @override
    def encoded(self, index: int) -> bytes:
        return self._encoded(self._composer.scene(index))

    def _encoded(self, scene: Scene) -> bytes:
        size_wh_px = (scene.size_px, scene.size_px)
        if self._is_plain:
            return splicer(size_wh_px, ground_rgb(scene)).encode(patches(self._composer, scene))
        return encode_any(render(scene, self._composer.pools))

    @override
    def cell(self, index: int) -> Cell:
        return self._design.cell(index)

    def _example(self, index: int, row: Mapping[str, Any], scene: Scene) -> Example:
        annotation = annotate(scene, self._composer.pools)
        attributes = {name: str(row[name]) for name in self._design.factors}
        if self._composer.member_columns:
            attributes |= self._composer.member_names(scene)
        return Example(
            id=f"{self._design.name}-{index:06d}",
            question=self._question(index, annotation, row),
            attributes=attributes,
            **located(annotation, self._design.grid),
        )

    def _question(self, index: int, annotation: Annotation, row: Mapping[str, Any]) -> Question:
        slot = self._slot(index, annotation)
        wording = row.get("wording", 1) - 1
        return ask(self._task, annotation, slot, self._seed, index, self._instruction, wording)

    def annotation(self, index: int) -> Annotation:
        """The annotation of scene `index`."""
        return annotate(self._composer.scene(index), self._composer.pools)

    @override
    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels(index))

    @override
    def pixels(self, index: int) -> NDArray[np.uint8]:
        return render(self._composer.scene(index), self._composer.pools)


def _has_even_members(design: SceneDesign) -> bool:
    """Whether every background is in all cells equally often; real objects leave out those with their category."""
    grounds = design.values("background")
    return len(grounds) == 1 and grounds[0] in POOLED_GROUNDS and "category" not in design.factors


def _task_for(design: SceneDesign, name: str) -> Task:
    values = {
        factor: [str(value) for value in design.values(factor)] for factor in ("shape", "color", "sheen", "size")
    }
    most = max(int(str(value)) for value in design.values("distractors"))
    task = task_named(name, design.grid, values, most)
    least = min(int(str(value)) for value in design.values("distractors"))
    if task.n_objects_min > least + 1:
        raise InputError(
            f"`{name}` needs {task.n_objects_min} objects in every picture, the design `{design.name}` has "
            f"{least + 1} in some: give it {task.n_objects_min - 1} distractors or more"
        )
    wordings = max(int(str(value)) for value in design.values("wording"))
    if wordings > len(task.wordings):
        raise InputError(
            f"`{name}` has {len(task.wordings)} wordings, the design `{design.name}` wants number {wordings}"
        )
    return task


def _made_again(
    design: SceneDesign, size_px: int, seed: int, task: str, pools: Pools, instruction: str
) -> SceneExamples:
    return SceneExamples(design, size_px, seed, task, pools=pools, instruction=instruction)
