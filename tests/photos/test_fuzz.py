"""Arbitrary trouble in a folder in COCO's format: counted and named, or refused in one line; nothing else is opened.

`EVENSIGHT_FUZZ=10000` makes as many folders, others each time (`make fuzz`).
"""

import shutil
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evensight.audits.columns import NoPictureError
from evensight.audits.foreign import coco_table
from evensight.coco.reading import CocoSplit, read_split
from evensight.datasets.photo_examples import PhotoExamples
from evensight.errors import InputError
from evensight.pictures.checks import check_pictures
from evensight.pictures.files import FAULTS
from fuzzing import cases, check_line, n_cases, tell
from made_photos import asked_of
from troubled_folders import SOUND, SPLIT, Troubled, opened_outside, troubled, watched, write_troubled

N_FOLDERS = n_cases(300)


def test_no_trouble_is_unexpected_and_nothing_outside_is_opened(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    use(write_troubled(SOUND, tmp_path / "sound"), with_segmentations=True)  # imports open files of their own

    @cases(300)
    @given(troubled(), st.booleans())
    def look(made: Troubled, with_segmentations: bool) -> None:
        root = write_troubled(made, tmp_path / "made")
        try:
            with watched() as opened:
                used = use(root, with_segmentations)
            assert opened_outside(opened, root) == []
            seen.update(used | Counter({"looks": 1}))
        finally:
            shutil.rmtree(tmp_path / "made")

    look()
    tell("COCO's folders", seen["read"], seen["refused: read"], seen["looks"])
    for what in (*FAULTS[2:], "read", "asked", "looked at", "refused: read", "refused: asked", "unreadable"):
        assert seen[what] > N_FOLDERS / 1000, (what, seen)  # or nothing has been tried


def use(root: Path, with_segmentations: bool) -> Counter[str]:
    """Reads, asks and audits a folder; returns what has come of it."""
    used: Counter[str] = Counter()
    try:
        split = read_split(root, SPLIT, with_segmentations=with_segmentations)
    except InputError as error:
        check_line(error)
        return Counter(["refused: read"])
    used["read"] += 1
    check_split(split)
    images = [(image.file, image.frame) for image in split.images.values()]
    used.update(str(check.fault) for check in check_pictures(images))
    try:
        examples = asked_of(root, SPLIT)
    except InputError as error:
        check_line(error)
        used["refused: asked"] += 1
    else:
        check_examples(examples, split)
        used["asked"] += 1
    return used + look_at(split)


def check_split(split: CocoSplit) -> None:
    assert split.n_accepted + len(split.rejected) == split.n_total
    assert split.n_accepted >= len(split.images) + len(split.objects)
    for reason, names in split.rejected.by_reason.items():
        assert reason.isprintable()
        assert all(name.isprintable() for name in names), names
    for thing in split.objects:
        assert all(np.isfinite(thing.box.xyxy_px))
        assert thing.category.isprintable()


def check_examples(examples: PhotoExamples, split: CocoSplit) -> None:
    notes = examples.info.notes
    n_left_out = sum(each["n"] for each in notes["left_out"].values()) - len(split.rejected)
    n_by_rules = sum(step["n"] for step in notes["selection"]["steps"][:1]) - notes["selection"]["steps"][-1]["n"]
    assert len(examples) + n_left_out + n_by_rules == len(split.objects)
    for k in range(len(examples)):
        example, image = examples[k], examples.image(k)
        assert image.mode == "RGB"
        assert image.size == (example.frame.width_px, example.frame.height_px)
        assert example.question.answer in example.question.options
        assert example.question.text.replace("\n", "").isprintable()
        with Image.open(BytesIO(examples.encoded(k))) as sent:
            assert np.array_equal(np.asarray(sent), np.asarray(image))


def look_at(split: CocoSplit) -> Counter[str]:
    """Looks at every row of an audit's table."""
    found: Counter[str] = Counter()
    table = coco_table(split)
    assert table.picture is not None
    assert len(table) == sum(not thing.is_crowd for thing in split.objects)
    for k in range(len(table)):
        try:
            assert table.picture(k).mode == "RGB"
            found["looked at"] += 1
        except NoPictureError as reason:
            check_line(reason)
            found["unreadable"] += 1
    return found


@pytest.mark.parametrize("name", ["link.png", "linked/secret.png", "chain.png", "../secret.png"])
def test_the_watch_sees_what_is_opened_outside(tmp_path: Path, name: str) -> None:
    root = write_troubled(Troubled(b"", ()), tmp_path / "made")
    path = root / SPLIT / name if name[0] != "." else root / name
    with watched() as opened:
        path.read_bytes()
    assert opened_outside(opened, root) == [str(path)]
