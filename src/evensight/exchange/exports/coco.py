"""COCO: `annotations/instances_SPLIT.json` and the pictures in `SPLIT/`, with the questions in fields of our own.

Pictures that several examples show are one image with several annotations; the other objects in a picture are
annotated too, without a question. A `segmentation` is left empty, for an
example holds no mask; `area` is the mask's where the example knows it, else the box's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evensight.annotations import Box
from evensight.datasets.examples import Example, ExampleSet
from evensight.exchange.exports.pictures import write_pictures
from evensight.runs import write_json

SPLIT = "evensight"
"""The split's name: the pictures' folder, and part of the annotation file's name."""

_OBJECT_COLUMNS = ("category", "shape")


def write(examples: ExampleSet, out: Path) -> dict[str, Any]:
    """Writes the pictures and their annotations into the folder."""
    pictures = write_pictures(examples, out / SPLIT)
    rows = list(examples)
    image_ids = {name: k for k, name in enumerate(dict.fromkeys(pictures), start=1)}
    annotations = [*_asked_for(rows, pictures), *_others(rows, pictures)]
    categories = sorted({name for _, name, _ in annotations})
    category_ids = {name: k for k, name in enumerate(categories, start=1)}
    content = {
        "info": {"description": f"{examples.info.name}, made by evensight", "version": "1.0"},
        "licenses": [],
        "images": _images(rows, pictures, image_ids),
        "annotations": [
            {"id": k, "image_id": image_ids[picture], "category_id": category_ids[name], **fields}
            for k, (picture, name, fields) in enumerate(annotations, start=1)
        ],
        "categories": [{"id": k, "name": name} for name, k in category_ids.items()],
    }
    write_json(out / "annotations" / f"instances_{SPLIT}.json", content)
    return {
        "data": f"annotations/instances_{SPLIT}.json",
        "split": SPLIT,
        "n_pictures": len(image_ids),
        "categories": categories,
    }


_Annotated = tuple[str, str, dict[str, Any]]
"""A picture's file, an object's category, and the other fields of its annotation."""


def _asked_for(rows: Sequence[Example], pictures: Sequence[str]) -> Iterator[_Annotated]:
    """An annotation for each example, with its question."""
    for row, picture in zip(rows, pictures, strict=True):
        yield picture, category(row), _annotation(row)


def _others(rows: Sequence[Example], pictures: Sequence[str]) -> Iterator[_Annotated]:
    """What else is in the pictures, each object once, and none that a question asks for."""
    seen = {(picture, row.box) for row, picture in zip(rows, pictures, strict=True)}
    for row, picture in zip(rows, pictures, strict=True):
        for other in row.others:
            if (picture, other.box) not in seen:
                seen.add((picture, other.box))
                yield (
                    picture,
                    other.name,
                    {**_placed(other.box, other.mask_area_px), "attributes": dict(other.attributes)},
                )


def category(example: Example) -> str:
    """The noun for what an example asks about: its category or its shape."""
    known = (example.attributes.get(column, "none") for column in _OBJECT_COLUMNS)
    return next((value for value in known if value != "none"), "object")


def _images(rows: Sequence[Example], pictures: Sequence[str], image_ids: dict[str, int]) -> list[dict[str, Any]]:
    frame_of = {name: row.frame for row, name in zip(rows, pictures, strict=True)}
    return [
        {"id": k, "file_name": name, "width": frame_of[name].width_px, "height": frame_of[name].height_px}
        for name, k in image_ids.items()
    ]


def _placed(box: Box, mask_area_px: float | None) -> dict[str, Any]:
    x0, y0, x1, y1 = box.xyxy_px
    return {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": box.area_px if mask_area_px is None else mask_area_px,
        "segmentation": [],
        "iscrowd": 0,
    }


def _annotation(example: Example) -> dict[str, Any]:
    return {
        **_placed(example.box, example.mask_area_px),
        "example": example.id,
        "task": example.question.task,
        "question": example.question.text,
        "options": list(example.question.options),
        "answer": example.question.answer,
        "cell": [example.cell.row, example.cell.col],
        "attributes": dict(example.attributes),
    }
