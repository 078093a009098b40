import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typing_extensions import override

from evensight.audits.audit import audit
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.scenes.catalog import design
from evensight.storage.parquet import DATA_NAME
from evensight.storage.stored import StoredExamples, store
from forged import reseal

Rows = list[dict[str, Any]]


def made(name: str = "civet-train", size_px: int = 64, seed: int = 0) -> SceneExamples:
    return SceneExamples(design(name, seed), size_px, seed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of civet-train; tests only read it."""
    out = tmp_path_factory.mktemp("whole") / "set"
    store(made(), out)
    return out


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The first 20 of civet-train, for tests that damage it."""
    store(made(), tmp_path / "set", limit=20)
    return tmp_path / "set"


@pytest.fixture
def rewrite(whole: Path, tmp_path: Path) -> Callable[[Callable[[Rows], Rows]], Path]:
    """Makes a copy of civet-train with other rows, sealed as if it were what was generated."""

    def made_over(change: Callable[[Rows], Rows]) -> Path:
        table = pq.read_table(whole / DATA_NAME)
        out = tmp_path / "forged"
        out.mkdir()
        pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), out / DATA_NAME)
        (out / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
        reseal(out)
        return out

    return made_over


def assert_refused(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        StoredExamples(folder)
    assert len(str(caught.value).splitlines()) == 1


def tells(folder: Path) -> bool:
    """Whether somebody who opens and audits the folder is told that it is not what it claims."""
    try:
        return not audit(StoredExamples(folder)).ok
    except InputError:
        return True


def test_a_stored_set_gives_back_every_example(whole: Path) -> None:
    assert list(StoredExamples(whole)) == list(made())


def test_a_stored_set_gives_back_every_pixel(whole: Path) -> None:
    stored, fresh = StoredExamples(whole), made()
    for index in [0, 255, 256, 257, 1000, 1619]:
        assert np.array_equal(np.asarray(stored.image(index)), np.asarray(fresh.image(index)))
        assert stored.image(index).mode == "RGB"


def test_a_stored_set_says_of_itself_what_the_made_one_says(whole: Path) -> None:
    stored, fresh = StoredExamples(whole).info, made().info
    assert (stored.name, stored.factors, stored.grid) == (fresh.name, fresh.factors, fresh.grid)
    assert stored.balanced == fresh.balanced
    assert dict(stored.notes) == dict(fresh.notes)


def test_the_columns_are_what_is_asked_where_it_is_and_the_factors(whole: Path) -> None:
    question = ["id", "image", "task", "question", "options", "answer", "slot"]
    place = [
        "row",
        "col",
        "area",
        "box_xyxy_px",
        "frame_wh_px",
        "mask_area_px",
        "centroid_xy_px",
        "certainty",
        "others",
    ]
    assert pq.read_schema(whole / DATA_NAME).names == [*question, *place, "shape", "color", "size"]


def test_the_full_set_has_a_column_for_the_sheen(tmp_path: Path) -> None:
    store(made("civet-full"), tmp_path, limit=1)
    assert pq.read_schema(tmp_path / DATA_NAME).names[-4:] == ["shape", "color", "sheen", "size"]


def test_the_hubs_viewer_finds_the_image_feature(whole: Path) -> None:
    features = json.loads(pq.read_schema(whole / DATA_NAME).metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["slot"] == {"_type": "Value", "dtype": "int32"}
    assert set(features) == set(pq.read_schema(whole / DATA_NAME).names)


def test_the_rows_hold_what_the_examples_say(whole: Path) -> None:
    example = made()[700]
    row = pq.read_table(whole / DATA_NAME).slice(700, 1).to_pylist()[0]
    assert (row["id"], row["question"], row["answer"]) == (
        example.id,
        example.question.text,
        example.question.answer,
    )
    assert row["options"][row["slot"]] == row["answer"]
    assert (row["row"], row["col"], row["area"]) == (example.cell.row, example.cell.col, example.area)
    assert tuple(row["box_xyxy_px"]) == example.box.xyxy_px
    assert row["frame_wh_px"] == [64, 64]
    assert row["image"]["path"] == f"{example.id}.png"


def test_a_stored_set_is_audited_like_the_made_one(whole: Path) -> None:
    assert audit(StoredExamples(whole)) == audit(made())


def test_storing_twice_is_storing_once(small: Path) -> None:
    def states() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in small.iterdir()}

    before = states()
    store(made(), small, limit=20)
    assert {name: state for name, state in states().items() if name != ".lock"} == {
        name: state for name, state in before.items() if name != ".lock"
    }


def test_the_same_set_is_the_same_bytes(small: Path, tmp_path: Path) -> None:
    store(made(), tmp_path / "again", limit=20)
    for name in (DATA_NAME, "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (small / name).read_bytes()


def test_another_set_is_not_stored_over_it(small: Path) -> None:
    before = list(StoredExamples(small))
    for other, limit in ((made(seed=1), 20), (made(), 21), (made("civet-test"), 20), (made(size_px=66), 20)):
        with pytest.raises(InputError, match="choose a new folder"):
            store(other, small, limit)
    assert list(StoredExamples(small)) == before


def test_a_part_of_a_set_claims_no_balance(small: Path) -> None:
    assert len(StoredExamples(small)) == 20
    assert StoredExamples(small).info.balanced == ()


def test_a_limit_beyond_the_set_is_all_of_it(tmp_path: Path, whole: Path) -> None:
    store(made(), tmp_path, limit=5000)
    assert (tmp_path / DATA_NAME).read_bytes() == (whole / DATA_NAME).read_bytes()
    assert StoredExamples(tmp_path).info.balanced == StoredExamples(whole).info.balanced


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_flipped_bit_is_seen(small: Path, at: float) -> None:
    content = bytearray((small / DATA_NAME).read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    (small / DATA_NAME).write_bytes(content)
    assert_refused(small)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_is_seen(small: Path, share: float) -> None:
    content = (small / DATA_NAME).read_bytes()
    (small / DATA_NAME).write_bytes(content[: int(share * len(content))])
    assert_refused(small)


@pytest.mark.parametrize("name", [DATA_NAME, "manifest.json"])
def test_a_missing_file_is_seen(small: Path, name: str) -> None:
    (small / name).unlink()
    assert_refused(small)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none")
    assert_refused(tmp_path)
    (tmp_path / "file").write_text("x")
    assert_refused(tmp_path / "file")


def test_no_flipped_bit_of_the_manifest_ends_in_a_traceback(small: Path) -> None:
    path = small / "manifest.json"
    content = path.read_bytes()
    messages = []
    for place in range(0, len(content), 11):
        for bit in (1, 128):
            path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            try:
                list(StoredExamples(small))
            except InputError as error:
                messages.append(str(error))
    assert len(messages) > 100
    assert all(len(message.splitlines()) == 1 for message in messages)


def test_a_manifest_that_lists_no_data_is_refused(small: Path) -> None:
    reseal(small, files={})
    assert_refused(small)


def test_a_file_without_the_columns_is_refused(small: Path) -> None:
    table = pq.read_table(small / DATA_NAME).drop_columns(["area"])
    pq.write_table(table, small / DATA_NAME)
    reseal(small)
    with pytest.raises(InputError, match="lacks the columns area"):
        StoredExamples(small)


def test_a_damaged_set_is_made_whole_by_storing_it_again(small: Path) -> None:
    (small / DATA_NAME).write_bytes(b"damaged")
    store(made(), small, limit=20)
    assert list(StoredExamples(small)) == [made()[k] for k in range(20)]


class Failing(ExampleSet):
    """A set whose disk is full at its eleventh image."""

    def __init__(self) -> None:
        self._whole = made()

    @property
    @override
    def info(self) -> SetInfo:
        return self._whole.info

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Example:
        return self._whole[index]

    @override
    def image(self, index: int) -> Image.Image:
        if index == 10:
            raise OSError(28, "No space left on device")
        return self._whole.image(index)


def test_a_full_disk_leaves_no_set(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        store(Failing(), tmp_path)
    assert not (tmp_path / DATA_NAME).exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".partial")] == []
    assert_refused(tmp_path)


def test_what_a_full_disk_cut_off_can_be_stored_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        store(Failing(), tmp_path)
    store(made(), tmp_path, limit=20)
    assert len(StoredExamples(tmp_path)) == 20


KILLED = """
import sys, time
from pathlib import Path
from evensight.datasets.scene_examples import SceneExamples
from evensight.storage.stored import store
from evensight.scenes.catalog import design

class Slow(SceneExamples):
    encoded_rows = None

    def encoded(self, index):
        if index == 300:
            print("ready", flush=True)
            time.sleep(60)
        return super().encoded(index)

store(Slow(design("civet-train"), 64, 0), Path(sys.argv[1]))
"""


def test_a_killed_store_leaves_no_set_and_can_be_done_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "set")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert_refused(tmp_path / "set")
    store(made(), tmp_path / "set")
    assert len(StoredExamples(tmp_path / "set")) == 1620


def test_a_set_is_not_stored_among_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="empty or a new folder"):
        store(made(), tmp_path, limit=5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_set_is_not_stored_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        store(made(), tmp_path / "file", limit=5)
    assert (tmp_path / "file").read_text() == "mine"


# Sets that were changed and sealed again


def test_an_unchanged_copy_is_as_good(rewrite: Callable[[Callable[[Rows], Rows]], Path]) -> None:
    assert not tells(rewrite(lambda rows: rows))


@pytest.mark.parametrize("gone", range(3))
def test_a_dropped_row_is_told(rewrite: Callable[[Callable[[Rows], Rows]], Path], gone: int) -> None:
    assert tells(rewrite(lambda rows: rows[: gone * 81] + rows[gone * 81 + 1 :]))


def test_a_repeated_row_is_told(rewrite: Callable[[Callable[[Rows], Rows]], Path]) -> None:
    assert tells(rewrite(lambda rows: [*rows[:-1], rows[0]]))


def _with(index: int, **values: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [*rows[:index], rows[index] | values, *rows[index + 1 :]]


@pytest.mark.parametrize(
    "values",
    [
        {"answer": "bottom right"},
        {"area": "bottom right"},
        {"area": "bottom right", "answer": "bottom right"},
        {"row": 8},
        {"col": 11},
        {"slot": 3},
        {"options": ["top left", "center"]},
        {"answer": "nowhere"},
        {"answer": None},
        {"box_xyxy_px": [1.0, 2.0, 0.0, 3.0]},
        {"box_xyxy_px": [50.0, 50.0, 56.0, 56.0]},
        {"frame_wh_px": [640, 0]},
        {"frame_wh_px": [16, 16]},
    ],
)
def test_a_changed_row_is_told(rewrite: Callable[[Callable[[Rows], Rows]], Path], values: dict[str, Any]) -> None:
    folder = rewrite(_with(0, **values))
    row = made()[0]
    assert (row.area, row.question.slot, row.cell.row) == ("top left", 0, 0)
    assert tells(folder)


def test_swapped_options_are_told(rewrite: Callable[[Callable[[Rows], Rows]], Path]) -> None:
    def swap(rows: Rows) -> Rows:
        options = rows[0]["options"]
        options[0], options[5] = options[5], options[0]
        return _with(0, options=options, slot=5)(rows)

    assert tells(rewrite(swap))


@pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b", "", ".hidden", "a\x00b"])
def test_an_id_that_is_no_file_name_is_refused(rewrite: Callable[[Callable[[Rows], Rows]], Path], name: str) -> None:
    with pytest.raises(InputError, match="can't name a picture's file"):
        StoredExamples(rewrite(_with(0, id=name)))


def test_an_image_that_is_neither_png_nor_jpeg_is_not_decoded(
    rewrite: Callable[[Callable[[Rows], Rows]], Path],
) -> None:
    examples = StoredExamples(rewrite(_with(0, image={"bytes": b"%!PS-Adobe-3.0 EPSF-3.0\n", "path": "a.eps"})))
    with pytest.raises(InputError, match="can't be read"):
        examples.image(0)
