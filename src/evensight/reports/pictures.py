"""The examples with their pictures: what was asked, what is right, and what each condition said.

The pictures lie in the run folders, the same questions for each condition; each is put into the report once, as
a `data:` URI. Over it go the grid, the asked object's cell and its box.
"""

import base64
import io
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from evensight.annotations import AREAS, Grid
from evensight.evaluation.results import Results
from evensight.questions.parsing import Outcome
from evensight.reports.browsing import short_question
from evensight.reports.findings import Evaluated

_MAX_PICTURES = 60
_MAX_BYTES = 2_000_000
_LARGE_BYTES, _SHOWN_PX, _QUALITY = 40_000, 448, 85
_BUDGET_BYTES = 3_500_000
"""What the pictures of a report take in all."""
_KINDS = {"PNG": "image/png", "JPEG": "image/jpeg"}

Rectangle = tuple[float, float, float, float]
"""`(x, y, width, height)`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a condition answered; `outcome` is None where it was not asked."""

    title: str
    raw: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, ready to be embedded.

    Attributes:
        uri: The picture as a `data:` URI.
        width_px: Its width.
        height_px: Its height.
    """

    uri: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over a picture, in its pixels.

    Attributes:
        cells: The grid's lines, as an SVG path.
        areas: The lines between the areas, as an SVG path.
        cell: The cell that the object is in.
        box: The object's box.
    """

    cells: str
    areas: str
    cell: Rectangle
    box: Rectangle


@dataclass(frozen=True, slots=True)
class PictureExample:
    """A question with its picture and everybody's answer.

    Attributes:
        id: The example's id.
        picture: Its picture.
        overlay: The drawing over it.
        short: The question without its options.
        question: All that the model was told.
        answer: The right answer.
        area: The area that the object is in.
        row: The cell's row.
        col: The cell's column.
        answers: What each condition answered.
    """

    id: str
    picture: Picture
    overlay: Overlay
    short: str
    question: str
    answer: str
    area: str
    row: int
    col: int
    answers: tuple[Answer, ...]


def picture_examples(conditions: Sequence[Evaluated], n_sets: int = 1) -> tuple[PictureExample, ...]:
    """The questions of the first condition whose pictures are in a run folder, area by area.

    Args:
        conditions: The set's conditions.
        n_sets: How many sets the report has: each has an equal share of what its pictures may take, in which all
            areas have as many, to one.
    """
    results = conditions[0].results
    files = _picture_files([condition.results for condition in conditions])
    rows = {row["id"]: row for row in results.table.to_pylist() if row["id"] in files}
    order = {area: k for k, area in enumerate(AREAS)}
    pictures = _pictures({name: row["area"] for name, row in rows.items()}, files, _BUDGET_BYTES // n_sets)
    names = sorted(pictures, key=lambda name: (order.get(rows[name]["area"], 9), name))
    return tuple(
        _example(rows[name], pictures[name], results, tuple(_answer(condition, name) for condition in conditions))
        for name in names
    )


def _pictures(areas: Mapping[str, str], files: Mapping[str, Path], budget: int) -> dict[str, Picture]:
    """Pictures by their example's id: of each area the first, then of each the second, as far as they fit."""
    rank: Counter[str] = Counter()
    turns = []
    for name in sorted(areas):
        turns.append((rank[areas[name]], areas[name], name))
        rank[areas[name]] += 1
    found: dict[str, Picture] = {}
    for _, _, name in sorted(turns):
        picture = _picture(files[name])
        if picture is not None and len(found) < _MAX_PICTURES and len(picture.uri) <= budget:
            budget -= len(picture.uri)
            found[name] = picture
    return found


def _example(row: dict[str, Any], picture: Picture, results: Results, answers: tuple[Answer, ...]) -> PictureExample:
    return PictureExample(
        id=row["id"],
        picture=picture,
        overlay=_overlay(row, picture, results),
        short=short_question(row["question"]),
        question=row["question"],
        answer=row["answer"],
        area=row["area"],
        row=row["row"],
        col=row["col"],
        answers=answers,
    )


def _picture_files(runs: Sequence[Results]) -> dict[str, Path]:
    """The pictures by their example's id; a file counts only when it is in the folder itself."""
    files: dict[str, Path] = {}
    for results in runs:
        folder = results.path / "pictures"
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix in {".png", ".jpg"} and path.is_file():
                files.setdefault(path.stem, path)
    return files


def _picture(path: Path) -> Picture | None:
    """The picture, or None where the file is too large for a report or is no PNG or JPEG."""
    if path.stat().st_size > _MAX_BYTES:
        return None
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=list(_KINDS)) as image:
                image.load()
                kind, size = _KINDS[str(image.format)], image.size
                if len(data) > _LARGE_BYTES:
                    kind, data = "image/jpeg", _smaller(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return None
    return Picture(f"data:{kind};base64,{base64.b64encode(data).decode()}", *size)


def _smaller(image: Image.Image) -> bytes:
    """A picture to look at, as a JPEG file; its size in pixels may be another one, its form is the same."""
    small = image.convert("RGB")
    small.thumbnail((_SHOWN_PX, _SHOWN_PX))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _answer(condition: Evaluated, name: str) -> Answer:
    return Answer(condition.title, *condition.answers.get(name, ("", None)))


def _overlay(row: dict[str, Any], picture: Picture, results: Results) -> Overlay:
    grid, width, height = results.grid, picture.width_px, picture.height_px
    cell_width, cell_height = width / grid.cols, height / grid.rows
    return Overlay(
        cells=_lines(range(1, grid.cols), range(1, grid.rows), grid, picture),
        areas=_lines(grid.first_cols[1:], grid.first_rows[1:], grid, picture),
        cell=(row["col"] * cell_width, row["row"] * cell_height, cell_width, cell_height),
        box=_box(row, picture),
    )


def _box(row: dict[str, Any], picture: Picture) -> Rectangle:
    """The object's box in the picture, which may be smaller than the image that it was made from."""
    width, height = row["frame_wh_px"]
    scale_x, scale_y = picture.width_px / width, picture.height_px / height
    x0, y0, x1, y1 = row["box_xyxy_px"]
    return (x0 * scale_x, y0 * scale_y, (x1 - x0) * scale_x, (y1 - y0) * scale_y)


def _lines(cols: Iterable[int], rows: Iterable[int], grid: Grid, picture: Picture) -> str:
    """The lines before these columns and rows of the grid."""
    width, height = picture.width_px, picture.height_px
    down = "".join(f"M{col * width / grid.cols:.2f} 0V{height}" for col in cols)
    return down + "".join(f"M0 {row * height / grid.rows:.2f}H{width}" for row in rows)
