import io
import itertools
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.runs import hash_files
from evensight.scenes.catalog import design
from evensight.storage.formats import FORMATS, part_of, storing
from evensight.storage.rows import example_row, json_row

N = 50
SHARD_ROWS = 15


def made() -> SceneExamples:
    return SceneExamples(design("civet-test"), 64, 0)


def complete(out: Path, name: str) -> Path:
    storing(made(), out, name, N, shard_rows=SHARD_ROWS).complete()
    return out


def assert_rows(rows: list[dict[str, object]], images: Sequence[Image.Image]) -> None:
    """That the rows and images are those of the first N examples."""
    examples = made()
    assert len(rows) == len(images) == N
    for index in range(N):
        known = json.loads(json_row(example_row(examples[index])))  # as a line of JSON has it
        assert {name: rows[index][name] for name in known} == known
        assert np.array_equal(np.asarray(images[index].convert("RGB")), np.asarray(examples.image(index)))


@pytest.mark.parametrize("name", FORMATS)
def test_parts_in_any_order_are_the_set_at_once(tmp_path: Path, name: str) -> None:
    whole = hash_files(complete(tmp_path / "whole", name))
    for k, order in enumerate(itertools.permutations((1, 2, 3))):
        out = tmp_path / str(k)
        manifests = [storing(made(), out, name, N, shard_rows=SHARD_ROWS).run((i, 3)) for i in order]
        assert [manifest is not None for manifest in manifests] == [False, False, True]
        assert hash_files(out) == whole
        assert (out / "manifest.json").read_bytes() == (tmp_path / "whole" / "manifest.json").read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_cut_off_goes_on_with_the_shard_that_is_missing(tmp_path: Path, name: str) -> None:
    whole = hash_files(complete(tmp_path / "whole", name))
    out = tmp_path / "set"
    examples = made()
    real = examples.encoded

    def failing(index: int) -> bytes:
        if index == 35:
            raise OSError(28, "No space left on device")
        return real(index)

    examples.encoded = failing  # type: ignore[method-assign]
    examples.encoded_rows = None  # type: ignore[assignment,method-assign]
    with pytest.raises(OSError, match="No space left"):
        storing(examples, out, name, N, shard_rows=SHARD_ROWS).complete()
    finished = {path.name: path.stat().st_ino for path in out.glob("data-*")}
    assert len(finished) == 2
    assert hash_files(complete(out, name)) == whole
    assert finished.items() <= {path.name: path.stat().st_ino for path in out.glob("data-*")}.items()


def test_a_folder_has_the_pictures_and_a_line_for_each(tmp_path: Path) -> None:
    complete(tmp_path, "folder")
    rows, images = [], []
    for k in range(4):
        folder = tmp_path / f"data-{k:05d}-of-00004"
        for line in (folder / "metadata.jsonl").read_text().splitlines():
            rows.append(json.loads(line))
            images.append(Image.open(folder / rows[-1]["file_name"]))
    assert_rows(rows, images)


def test_a_tar_has_picture_and_row_side_by_side(tmp_path: Path) -> None:
    complete(tmp_path, "webdataset")
    rows, images = [], []
    for k in range(4):
        with tarfile.open(tmp_path / f"data-{k:05d}-of-00004.tar") as tar:
            members = tar.getmembers()
            for picture, row in zip(members[::2], members[1::2], strict=True):
                assert picture.name.removesuffix(".png") == row.name.removesuffix(".json")
                assert (picture.mtime, picture.uid, picture.uname) == (0, 0, "")
                images.append(Image.open(io.BytesIO(_content(tar, picture))))
                rows.append(json.loads(_content(tar, row)))
    assert_rows(rows, images)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


@pytest.mark.parametrize("way", ["imagefolder", "by its card"])
def test_the_datasets_library_reads_the_folder(tmp_path: Path, way: str) -> None:
    import datasets

    out = str(complete(tmp_path / "set", "folder"))
    cache = str(tmp_path / "cache")
    if way == "imagefolder":
        loaded = datasets.load_dataset("imagefolder", data_dir=out, split="train", cache_dir=cache)
    else:
        loaded = datasets.load_dataset(out, split="train", cache_dir=cache)
    loaded = loaded.sort("id")
    assert_rows([dict(row) for row in loaded.remove_columns("image")], list(loaded["image"]))


@pytest.mark.parametrize("way", ["webdataset", "by its card"])
def test_the_datasets_library_reads_the_tars(tmp_path: Path, way: str) -> None:
    import datasets

    out = complete(tmp_path / "set", "webdataset")
    cache = str(tmp_path / "cache")
    if way == "webdataset":
        files = [str(path) for path in sorted(out.glob("*.tar"))]
        loaded = datasets.load_dataset("webdataset", data_files={"train": files}, split="train", cache_dir=cache)
    else:
        loaded = datasets.load_dataset(str(out), split="train", cache_dir=cache)
    assert_rows(list(loaded["json"]), list(loaded["png"]))
    assert list(loaded["__key__"]) == [made()[index].id for index in range(N)]


def test_a_format_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="parquet, folder, webdataset"):
        storing(made(), tmp_path / "set", "zip")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("text", "part"), [("1/1", (1, 1)), ("3/4", (3, 4)), ("12/100", (12, 100))])
def test_a_part_is_read(text: str, part: tuple[int, int]) -> None:
    assert part_of(text) == part


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1 /4", "٣/٤", "1/4\n"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        part_of(text)
