"""A design of photographs becomes a set: its split found, scenes mixed in, a control put over it."""

from pathlib import Path

from evensight.coco.reading import CocoFiles, annotations_path
from evensight.datasets.controls import controlled
from evensight.datasets.examples import ExampleSet
from evensight.datasets.mixtures import Mixture
from evensight.datasets.photo_examples import PhotoExamples
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.photos.catalog import PhotoDesign
from evensight.photos.draws import Draw
from evensight.questions.tasks import INSTRUCTION
from evensight.scenes.catalog import build, design_file

SIZE_PX = 336


def photo_set(
    design: PhotoDesign,
    root: Path | None,
    seed: int,
    *,
    files: CocoFiles | None = None,
    prior: CocoFiles | None = None,
    size_px: int = SIZE_PX,
    instruction: str = INSTRUCTION,
) -> ExampleSet:
    """The set that a design of photographs describes.

    Args:
        design: The design.
        root: The folder that holds `annotations/` and the images' folders.
        seed: Draws whatever is drawn.
        files: The split's files, where they are not in COCO's layout.
        prior: Annotations that tell where things usually are, in place of those that the design names.
        size_px: The side of the scenes, if there are any.
        instruction: What stands in front of each question; empty for nothing.

    Raises:
        InputError: The design can't be made of what there is.
    """
    if files is None:
        files = CocoFiles.in_layout(_root(root, design), design.photos)
    apart = [CocoFiles.in_layout(_root(root, design), split) for split in design.apart_from]
    known = prior or _prior(root, design)
    scenes = None if design.scenes is None else _scenes(design, size_px, seed, instruction)
    photographs = for_photographs(design, None if scenes is None else len(scenes))
    examples: ExampleSet = PhotoExamples(
        files, photographs, seed, apart_from=apart, prior=known, instruction=instruction
    )
    if scenes is not None:
        examples = Mixture(design.name, scenes, examples, seed)
    return examples if design.control is None else controlled(examples, design.control, seed)


def for_photographs(design: PhotoDesign, n_scenes: int | None) -> PhotoDesign:
    """The design with numbers in its draw where it names other designs, for its photographs alone.

    Args:
        design: The design.
        n_scenes: How many scenes the photographs are mixed with; none if they are not.

    Raises:
        InputError: It says in two ways how many photographs there are to be.
    """
    draw = design.draw
    if draw.like is not None:
        draw = Draw(n=len(build(design_file(draw.like))))
    if n_scenes is not None and design.scenes is not None:
        if draw.n is not None or draw.per_area is not None:
            raise InputError(
                f"the design `{design.name}` says by `scenes` and by `draw` how many photographs there are: "
                "leave one out"
            )
        draw = draw.model_copy(update=_share(draw, design.scenes.n_photos(n_scenes)))
    return design.model_copy(update={"draw": draw, "name": _own_name(design), "control": None, "scenes": None})


def _share(draw: Draw, n_photos: int) -> dict[str, int]:
    """What makes a draw one of so many photographs, to a whole number an area where it is balanced."""
    if draw.balance == "area-category":
        raise InputError("photographs balanced by area and category have a number of their own: mix `balance: area`")
    return {"per_area": max(1, round(n_photos / 9))} if draw.balance == "area" else {"n": n_photos}


def _own_name(design: PhotoDesign) -> str:
    """The photographs' own name in a set that is more than they are; the control puts its own behind it."""
    if design.scenes is not None:
        return f"{design.name}-photos"
    suffix = f"-{design.control}"
    return design.name.removesuffix(suffix) if design.control else design.name


def _scenes(design: PhotoDesign, size_px: int, seed: int, instruction: str) -> SceneExamples:
    mixed = design_file(design.scenes.design) if design.scenes else None
    if mixed is None:
        raise ValueError("the design has no scenes")
    return SceneExamples(build(mixed, seed), size_px, seed, mixed.task, instruction=instruction)


def _prior(root: Path | None, design: PhotoDesign) -> CocoFiles | None:
    """The annotations that the design learns its prior from, if they are there: a prior is good to have, no must."""
    if design.prior is None or root is None:
        return None
    path = annotations_path(root, design.prior)
    return CocoFiles(design.prior, path, None) if path.is_file() else None


def _root(root: Path | None, design: PhotoDesign) -> Path:
    if root is None:
        raise InputError(
            f"the design `{design.name}` is of photographs: expected the folder with {design.photos}/ and "
            f"annotations/instances_{design.photos}.json, got none; say where (`--photos FOLDER`)"
        )
    return root
