"""Orders: which set to make, of scenes or of photographs, said so shortly that it can be sent anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evensight.coco.reading import PHOTOS_VARIABLE, photos_root
from evensight.datasets.examples import ExampleSet
from evensight.datasets.photo_sets import photo_set
from evensight.datasets.pools import pools_for
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError, one_of
from evensight.photos.catalog import PhotoDesign, photo_design, photo_names
from evensight.questions.tasks import INSTRUCTION
from evensight.runs import one_line
from evensight.scenes.catalog import build, built_again, design_file, names


@dataclass(frozen=True, slots=True)
class Order:
    """Which set to make: small, and the same set wherever it is made.

    Attributes:
        design: The design's name or YAML file.
        size_px: The images' side.
        seed: Draws what is drawn.
        task: What to ask; None for the design's own task.
        part: `train` or `test`, where the design holds something out.
        instruction: Whether the instruction stands in front of the questions.
        photos: A folder in COCO's format, for real objects and backgrounds, and for designs of photographs.
        split: The split in that folder, for scenes; a design of photographs names its own.
        backgrounds: A folder of pictures for backgrounds.
    """

    design: str
    size_px: int = 336
    seed: int = 0
    task: str | None = None
    part: str | None = None
    instruction: bool = True
    photos: Path | None = None
    split: str = "val2017"
    backgrounds: Path | None = None

    def examples(self) -> ExampleSet:
        """The set, on the fly.

        Raises:
            InputError: It can't be made.
        """
        photographs = photo_design(self.design)
        if photographs is not None:
            return self._photographs(photographs)
        if self.design not in names() and Path(self.design).suffix not in (".yaml", ".yml"):
            known = (*names(), *photo_names())
            raise one_of("the design", self.design, known, "see `evensight designs`, or name a YAML file")
        return self._scenes()

    def _photographs(self, design: PhotoDesign) -> ExampleSet:
        if self.part or self.backgrounds:
            what = "--part" if self.part else "--backgrounds"
            raise InputError(f"the design `{design.name}` is of photographs: leave out `{what}`")
        asked = design.model_copy(update={"task": self.task}) if self.task else design
        instruction = INSTRUCTION if self.instruction else ""
        root = self.photos or photos_root()
        if not root.is_dir():
            raise InputError(
                f"the design `{design.name}` is of photographs: expected a folder with {design.photos}/ and "
                f"annotations/instances_{design.photos}.json, and `{root}` is none; name one by `--photos FOLDER` or "
                f"{PHOTOS_VARIABLE}"
            )
        return photo_set(asked, root, self.seed, size_px=self.size_px, instruction=instruction)

    def _scenes(self) -> SceneExamples:
        file = design_file(self.design)
        pools = pools_for(file, self.backgrounds, self.photos, self.split)
        design = build(file, self.seed, pools, self.part)
        instruction = INSTRUCTION if self.instruction else ""
        return SceneExamples(
            design, self.size_px, self.seed, self.task or file.task, pools=pools, instruction=instruction
        )

    def resolved(self) -> "Order":
        """The same order with absolute paths, good in any working directory."""
        known = (*names(), *photo_names())
        design = self.design if self.design in known else str(Path(self.design).resolve())
        photos, backgrounds = (path and path.resolve() for path in (self.photos, self.backgrounds))
        return replace(self, design=design, photos=photos, backgrounds=backgrounds)

    @property
    def command(self) -> str:
        """The command that makes the set, but for the folder."""
        photographs = photo_design(self.design)
        has_scenes = photographs is None or photographs.scenes is not None
        given = {
            "--size": self.size_px if has_scenes else None,
            "--seed": self.seed,
            "--task": self.task,
            "--part": self.part,
            "--photos": self.photos and "FOLDER",
            "--split": self.photos and self.split if photographs is None else None,
            "--backgrounds": self.backgrounds and "FOLDER",
        }
        options = " ".join(f"{name} {value}" for name, value in given.items() if value is not None)
        name = Path(self.design).name
        return f"evensight generate {name} {options}{'' if self.instruction else ' --no-instruction'}"


def made_again(config: Mapping[str, Any]) -> SceneExamples | None:
    """The set that a stored set's configuration describes; None if that takes photographs, or isn't of scenes.

    Raises:
        InputError: The configuration was changed.
    """
    if "source" not in config or "pools" in config:
        return None
    try:
        design = built_again(config["source"], config["seed"])
        return SceneExamples(
            design, config["size_px"], config["seed"], config["task"], instruction=config["instruction"]
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"a stored set's configuration can't be read: {one_line(error)}") from error
