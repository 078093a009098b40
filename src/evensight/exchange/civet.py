"""A folder that CIVET made, as examples: its pictures and questions, with the answers that it doesn't have.

CIVET (Rizzoli et al., Findings of EMNLP 2025) writes `repr.json` (for each picture the grid's size and the objects,
each with row, column, area and properties), `questions.json` (picture, object, kind of question, text) and
`images/N.png`. It has neither answers nor boxes: the answers follow from the objects (`civet_answers`), the boxes
from the pixels. An object is drawn inside a window of its own, so its box is the bounds of what differs there from
the picture's ground.

Nothing is trusted: a question that can't be used is counted under the reason, with its id, and the rest goes on;
`accepted + rejected = listed`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import override

from evensight.annotations import Annotation, Box, Cell, Frame, Grid, Object
from evensight.coco.reading import Rejections
from evensight.datasets.examples import Example, ExampleSet, SetInfo, located
from evensight.errors import InputError, one_of
from evensight.exchange.civet_answers import KINDS, Picture, Placed, Unusable, question
from evensight.pictures.decoding import load_rgb, plain_bytes
from evensight.progress import track
from evensight.questions.tasks import INSTRUCTION
from evensight.runs import hash_file, hash_json, read_json

_AREAS = {
    "NW": "top left", "N": "top center", "NE": "top right",
    "W": "center left", "C": "center", "E": "center right",
    "SW": "bottom left", "S": "bottom center", "SE": "bottom right",
}  # fmt: skip
_PROPERTIES = {"ObjEntity": ("shape", "color", "sheen", "size"), "ImgEntity": ("category", "size")}
_FACTORS = ("category", "shape", "color", "sheen", "size")
_WORLD = "w"
_MOST = 0.5
_SIDE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class _Listed:
    """A question as `questions.json` lists it; its id is the one that CIVET's own results have."""

    id: str
    scene: str
    entity: str
    kind: str
    text: str


class CivetExamples(ExampleSet):
    """The questions of a CIVET folder that can be used, in its order, with their answers."""

    def __init__(self, folder: Path, kinds: tuple[str, ...] = tuple(KINDS), instruction: str = INSTRUCTION) -> None:
        """Reads the folder and checks every picture and every question.

        Args:
            folder: The folder with `repr.json`, `questions.json` and `images/`.
            kinds: The kinds of questions to take, of `civet_answers.KINDS`; the others are left out.
            instruction: What is put in front of every question, as CIVET does when it asks; empty for nothing.

        Raises:
            InputError: A file is missing or of another kind, or nothing in the folder can be used.
        """
        _check(folder, kinds)
        worlds = read_json(folder / "repr.json", "CIVET repr.json")
        rejected = Rejections()
        listed = list(_listed(read_json(folder / "questions.json", "CIVET questions.json"), rejected))
        n_listed = len(listed) + len(rejected)
        grid = _grid(worlds, folder)
        pictures = _pictures(folder, worlds, grid, {each.scene for each in listed if each.kind in kinds})
        self._rows = list(_accepted(listed, pictures, kinds, instruction, rejected))
        if not self._rows:
            raise InputError(
                f"`{folder}` has no question that can be used: expected what CIVET's generators write; "
                f"left out: {rejected.counts()}"
            )
        self._paths = [_path(folder, scene) for scene, _ in self._rows]
        used = sorted(set(self._paths))
        sources = {name: hash_file(folder / name) for name in ("repr.json", "questions.json")}
        images = hash_json({path.name: hash_file(path) for path in used})
        config = {**sources, "images": images, "kinds": list(kinds), "instruction": instruction, "grid": str(grid)}
        notes = {
            "n_listed": n_listed,
            "n_images_asked_about": len(used),
            "left_out": {reason: {"n": len(ids), "first": ids[:5]} for reason, ids in rejected.by_reason.items()},
        }
        factors = tuple(name for name in _FACTORS if any(row.attributes[name] != "none" for _, row in self._rows))
        self._info = SetInfo("civet-import", config, factors, grid, (), notes)

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        row = self._rows[index][1]
        return replace(row, attributes={name: row.attributes[name] for name in self._info.factors})

    @override
    def image(self, index: int) -> Image.Image:
        return load_rgb(self._paths[index], orientation="stored")

    @override
    def encoded(self, index: int) -> bytes:
        return plain_bytes(self._paths[index], "PNG") or super().encoded(index)


def _check(folder: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise one_of("the kind of question", kind, KINDS)
    if not folder.is_dir():
        raise InputError(f"`{folder}` is not a folder: expected one with repr.json, questions.json and images/")
    if not (folder / "images").is_dir():
        raise InputError(f"`{folder / 'images'}` is not there: expected the folder of CIVET's pictures")


def _listed(content: Mapping[str, Any], rejected: Rejections) -> Iterator[_Listed]:
    """The questions in their order; what is not built like one is counted."""
    seen: set[str] = set()
    for scene, entities in content.items():
        for entity, kinds in _items(entities, scene, rejected):
            for kind, texts in _items(kinds, f"{scene}-{entity}", rejected):
                leaves = texts.items() if isinstance(texts, dict) else [("", texts)]
                for name, text in leaves:
                    full_kind = f"{kind}-{name}" if name else kind
                    each = _Listed(f"{scene}-{entity}-{full_kind}", scene, entity, full_kind, text)
                    fault = _fault(each) or ("question id twice" if each.id in seen else None)
                    seen.add(each.id)
                    if fault:
                        rejected.add(fault, each.id[:100])
                    else:
                        yield each


def _items(node: Any, name: str, rejected: Rejections) -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return list(node.items())
    rejected.add("entry that holds no questions", name[:100])
    return []


def _fault(each: _Listed) -> str | None:
    if each.kind not in KINDS:
        return "question of a kind that is not known"
    if not isinstance(each.text, str) or not each.text.isprintable():
        return "question without a text"
    if not _is_file_name(each.id):
        return "name that leads out of the folder"
    return None


def _is_file_name(name: str) -> bool:
    return name.isprintable() and Path(name).name == name != "" and name[0] != "." and len(name.encode()) <= 200


def _grid(worlds: Mapping[str, Any], folder: Path) -> Grid:
    """The grid that most of the scenes have."""
    sizes = Counter(size for world in worlds.values() if (size := _whole_pair(world, "size")) is not None)
    usable = [size for size, _ in sizes.most_common() if min(size) >= 3 and max(size) <= _SIDE_LIMIT]
    if not usable:
        raise InputError(
            f"`{folder / 'repr.json'}` is not CIVET's: expected scenes by number, each with the `size` of its grid, "
            "3 x 3 cells or more"
        )
    return Grid(*usable[0])


def _whole_pair(entry: Any, key: str) -> tuple[int, int] | None:
    pair = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in pair):
        return None
    return pair[0], pair[1]


def _accepted(
    listed: list[_Listed],
    pictures: Mapping[str, Picture | str],
    kinds: tuple[str, ...],
    instruction: str,
    rejected: Rejections,
) -> Iterator[tuple[str, Example]]:
    """The scene's name and the example of each question that can be used."""
    for each in listed:
        try:
            yield each.scene, _example(each, pictures, kinds, instruction)
        except Unusable as reason:
            rejected.add(str(reason), each.id)


def _example(
    each: _Listed, pictures: Mapping[str, Picture | str], kinds: tuple[str, ...], instruction: str
) -> Example:
    if each.kind not in kinds:
        raise Unusable("question of a kind that was not asked for")
    picture = pictures[each.scene]
    if isinstance(picture, str):
        raise Unusable(picture)
    asked = question(each.kind, each.text, each.entity, picture, instruction)
    seen = picture.objects[each.entity].seen
    others = (placed.seen for name, placed in picture.objects.items() if name != each.entity)
    return Example(
        id=each.id,
        question=asked,
        attributes={name: seen.attributes.get(name, "none") for name in _FACTORS},
        **located(Annotation(picture.frame, (seen, *others)), picture.grid),
    )


def _path(folder: Path, scene: str) -> Path:
    return folder / "images" / f"{scene}.png"


def _pictures(folder: Path, worlds: Mapping[str, Any], grid: Grid, wanted: set[str]) -> dict[str, Picture | str]:
    """What is in each picture that is asked about, or the reason why that can't be said."""
    found: dict[str, Picture | str] = {}
    for scene in track(sorted(wanted), "checking pictures", len(wanted), "pictures"):
        try:
            found[scene] = _picture(folder, scene, worlds, grid)
        except Unusable as reason:
            found[scene] = str(reason)
    frames = Counter(picture.frame for picture in found.values() if isinstance(picture, Picture))
    usual = max(frames, key=lambda frame: (frames[frame], frame.width_px), default=None)
    for scene, picture in found.items():
        if isinstance(picture, Picture) and picture.frame != usual:
            found[scene] = "picture of another size than most"
    return found


def _picture(folder: Path, scene: str, worlds: Mapping[str, Any], grid: Grid) -> Picture:
    if scene not in worlds:
        raise Unusable("question about a scene that is not in repr.json")
    world = worlds[scene]
    size = _whole_pair(world, "size")
    if size is None or not isinstance(world.get("ents"), dict):
        raise Unusable("scene without a grid and objects")
    if size != (grid.rows, grid.cols):
        raise Unusable("scene on another grid than most")
    if "img" in world and Path(str(world["img"])).name != f"{scene}.png":
        raise Unusable("scene whose picture has another name")
    entities = {name: entry for name, entry in world["ents"].items() if name != _WORLD}
    cells = {name: _cell(entry, grid) for name, entry in entities.items()}
    if len(set(cells.values())) != len(cells):
        raise Unusable("scene with two objects in one cell")
    properties = {name: _properties(entry) for name, entry in entities.items()}
    pixels = _pixels(_path(folder, scene), folder)
    frame = Frame(pixels.shape[1], pixels.shape[0])
    seen = _seen(pixels, cells, grid)
    objects = {name: Placed(cells[name], _object(properties[name], *seen[name])) for name in entities}
    if any(grid.cell_of(placed.seen, frame) != placed.cell for placed in objects.values()):
        raise Unusable("object that is seen in another cell than its own")
    return Picture(frame, grid, objects)


def _cell(entry: Any, grid: Grid) -> Cell:
    position = _whole_pair(entry, "position")
    if position is None or not (0 <= position[0] < grid.rows and 0 <= position[1] < grid.cols):
        raise Unusable("object without a cell on the grid")
    cell = Cell(*position)
    if "area" in entry and _AREAS.get(str(entry["area"])) != grid.area_of(cell):
        raise Unusable("object with the name of another area than its cell's")
    return cell


def _properties(entry: Mapping[str, Any]) -> dict[str, str]:
    names = _PROPERTIES.get(str(entry.get("class")))
    if names is None or not all(_is_word(entry.get(name)) for name in names):
        raise Unusable("object of a class that is not known, or without its properties")
    return {name: entry[name] for name in names}


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value.split() == [value] and len(value) <= 100


def _object(properties: Mapping[str, str], ys: NDArray[np.intp], xs: NDArray[np.intp]) -> Object:
    box = Box(*map(float, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)))
    centroid_px = (float(xs.mean()) + 0.5, float(ys.mean()) + 0.5)
    return Object(properties.get("category") or properties["shape"], box, properties, float(xs.size), centroid_px)


def _pixels(path: Path, folder: Path) -> NDArray[np.uint8]:
    """The picture, `[y, x, channel]`."""
    if not path.is_file():
        raise Unusable("picture missing")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Unusable("picture outside the folder")
    try:
        return np.asarray(load_rgb(path, orientation="stored"))
    except InputError as error:
        raise Unusable("picture that can't be decoded") from error


_Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]


def _seen(pixels: NDArray[np.uint8], cells: Mapping[str, Cell], grid: Grid) -> dict[str, _Pixels]:
    """The pixels, by y and by x, that differ from the ground in each object's window.

    CIVET's windows are squares of whole pixels, as many as fit the height; what is left over is a margin.
    """
    side = pixels.shape[0] // grid.rows
    margin = round((pixels.shape[0] - side * grid.rows) / 2)
    if side == 0 or margin + side * grid.cols > pixels.shape[1]:
        raise Unusable("picture that its grid doesn't fit")
    shown = _shown(pixels)
    seen: dict[str, _Pixels] = {}
    for name, cell in cells.items():
        x0, y0 = margin + side * cell.col, margin + side * cell.row
        window = shown[y0 : y0 + side, x0 : x0 + side]
        ys, xs = np.nonzero(window)
        if not ys.size:
            raise Unusable("object that can't be seen in its cell")
        seen[name] = (y0 + ys, x0 + xs)
        window[:] = False
    if shown.any():
        raise Unusable("picture that shows more than its objects")
    return seen


def _shown(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the picture differs from its ground: the colour that most of its edge has, `[y, x]`."""
    red, green, blue = (pixels[:, :, k].astype(np.uint32) for k in range(3))
    colors = red << 16 | green << 8 | blue
    edge = np.concatenate([colors[0], colors[-1], colors[:, 0], colors[:, -1]])
    values, counts = np.unique(edge, return_counts=True)
    shown: NDArray[np.bool_] = colors != values[counts.argmax()]
    if shown.mean() > _MOST:
        raise Unusable("picture on a ground that is not plain")
    return shown
