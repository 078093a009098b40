"""Arbitrary trouble in CIVET folders: each question is used or counted under a reason, or the folder is refused."""

import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evensight.annotations import AREAS
from evensight.errors import InputError
from evensight.exchange.civet import CivetExamples
from fuzzing import cases, check_line, fresh, n_cases, tell
from troubled_trees import damaged, troubled_tree

SIDE_PX = 75  # 9 windows of 8 pixels, and a margin of 2
NINE = ", ".join(AREAS)
TEXTS = {
    "position_absolute": f"Where is the red square? Choose from [{NINE}].",
    "position_absolute_vert": "Where is the red square? Choose from [left, center, right].",
    "properties": {"color": "What is the color of the object? Choose from [red, green]."},
    "size_relative": "What is the size of the red square with respect to the star? "
    "Choose from [larger, smaller, same].",
}


def thing(row: int, col: int, shape: str, area: str) -> dict[str, Any]:
    look = {"shape": shape, "color": "red", "sheen": "none", "size": "large"}
    return {"class": "ObjEntity", "position": [row, col], "area": area, **look}


def world(*things: dict[str, Any]) -> dict[str, Any]:
    ents = {"w": {"class": "Entity", "position": [4.0, 4.0]}} | {f"e{k}": each for k, each in enumerate(things)}
    return {"size": [9, 9], "background": "none", "img": "0.png", "ents": ents, "relations": {}}


def picture(*cells: tuple[int, int]) -> bytes:
    pixels, file = np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8), BytesIO()
    for row, col in cells:
        pixels[8 * row + 3 : 8 * row + 9, 8 * col + 3 : 8 * col + 9] = (255, 0, 0)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


SQUARE, STAR = thing(1, 7, "square", "NE"), thing(4, 4, "star", "C")
WORLDS = {"0": world(SQUARE), "1": world(SQUARE, STAR)}
QUESTIONS = {"0": {"e0": TEXTS}, "1": {"e0": TEXTS, "e1": {"position_absolute": TEXTS["position_absolute"]}}}
PICTURES = {"0.png": picture((1, 7)), "1.png": picture((1, 7), (4, 4))}


def test_no_trouble_is_unexpected(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    @cases(120)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        folder = tmp_path / "civet"
        with fresh(folder):
            (folder / "images").mkdir()
            for name, tree in (("repr.json", WORLDS), ("questions.json", QUESTIONS)):
                text = json.dumps(data.draw(troubled_tree(tree)))
                (folder / name).write_bytes(data.draw(damaged(text.encode(), one_in=12)))
            for name, content in PICTURES.items():
                (folder / "images" / name).write_bytes(data.draw(damaged(content, one_in=12)))
            came = use(folder)
            seen.update(came | Counter({"looks": 1, "accepted": 0 if came["refused"] else 1}))

    look()
    tell("CIVET's folders", seen["accepted"], seen["refused"], seen["looks"])
    for what in ("used", "left out", "refused"):
        assert seen[what] > n_cases(120) / 20, seen  # or nothing has been tried


def use(folder: Path) -> Counter[str]:
    """Reads a folder; returns what has come of it."""
    try:
        examples = CivetExamples(folder)
    except InputError as error:
        check_line(error)
        return Counter(["refused"])
    left_out = examples.info.notes["left_out"]
    assert len(examples) + sum(each["n"] for each in left_out.values()) == examples.info.notes["n_listed"]
    assert all(reason.isprintable() for reason in left_out)
    json.dumps(examples.info.notes, allow_nan=False).encode()
    for k in range(len(examples)):
        example = examples[k]
        assert example.question.answer in example.question.options
        assert example.question.text.isprintable()
        assert examples.image(k).size == (example.frame.width_px, example.frame.height_px)
    return Counter({"used": len(examples), "left out": len(left_out)})
