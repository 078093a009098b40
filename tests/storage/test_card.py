from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from evensight.datasets.controls import controlled
from evensight.datasets.scene_examples import SceneExamples
from evensight.runs import RunFolder
from evensight.scenes.catalog import design
from evensight.storage.card import CardNotes, _size_category, card
from evensight.storage.rows import schema
from evensight.storage.stored import StoredExamples, store


def made() -> SceneExamples:
    return SceneExamples(design("civet-test"), 64, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("card") / "set"
    store(made(), out, limit=200, shard_rows=90, notes=CardNotes(command="evensight generate civet-test"))
    return out


def head(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return content


def test_the_card_is_beside_the_data_and_can_be_edited(folder: Path) -> None:
    path = folder / "README.md"
    before = path.read_text()
    path.write_text(before + "\nMore.\n")
    assert len(StoredExamples(folder)) == 200
    path.write_text(before)
    assert "evensight generate civet-test\n" in before


def test_the_card_names_every_column(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    names = schema(("shape", "color", "size")).names
    assert [name for name in names if f"| `{name}` |" not in text] == []
    assert [feature["name"] for feature in head(text)["dataset_info"]["features"]] == names


def test_what_is_claimed_is_listed(tmp_path: Path) -> None:
    manifest = store(made(), tmp_path)
    text = card(manifest, CardNotes(certificate="It holds."))
    assert all(f"| `{given}` | `{counted}` |" in text for given, counted in made().info.balanced)
    assert text.endswith("## Certificate\n\nIt holds.\n")


def test_a_part_claims_no_balance_in_its_card(folder: Path) -> None:
    assert "claims no balance" in (folder / "README.md").read_text()


def test_photographs_are_not_called_synthetic_nor_ours(folder: Path) -> None:
    manifest = RunFolder(folder).manifest("dataset")
    photos = type(manifest)(
        manifest.kind, {**manifest.config, "photos": "val2017"}, manifest.inputs, manifest.files, manifest.facts
    )
    assert (head(card(photos))["license"], head(card(manifest))["license"]) == ("other", "apache-2.0")
    assert "synthetic" not in head(card(photos))["tags"]
    assert "synthetic" in head(card(manifest))["tags"]


@pytest.mark.parametrize(
    ("n", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (11_664, "10K<n<100K"),
        (10**5, "100K<n<1M"),
        (10**6, "1M<n<10M"),
        (10**12, "n>1T"),
    ],
)
def test_sizes_have_the_hubs_names(n: int, category: str) -> None:
    assert _size_category(n) == category


def test_the_datasets_library_reads_shards_and_card(folder: Path, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    assert len(loaded) == 200
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded.features["options"] == datasets.List(datasets.Value("string"))
    for index in (0, 89, 90, 199):
        assert np.array_equal(np.asarray(loaded[index]["image"]), np.asarray(made().image(index)))
        assert loaded[index]["question"] == made()[index].question.text
        assert loaded[index]["mask_area_px"] is None or loaded[index]["mask_area_px"] > 0


def test_scenes_with_photographs_in_them_are_not_ours_to_license(folder: Path) -> None:
    manifest = RunFolder(folder).manifest("dataset")
    pooled = replace(manifest, config={**manifest.config, "pools": {"photos": "hash"}})
    assert head(card(pooled))["license"] == "other"


SCENES, PHOTOGRAPHS = {"design": "civet-test"}, {"photos": "val2017"}


@pytest.mark.parametrize(
    ("config", "license_", "is_synthetic"),
    [
        ({"control": "black", "of": SCENES}, "apache-2.0", True),
        ({"control": "black", "of": {**SCENES, "pools": {"photos": "hash"}}}, "other", True),
        ({"control": "wrong-photo", "of": PHOTOGRAPHS}, "other", False),
        ({"control": "mirrored", "of": {"control": "covered", "of": PHOTOGRAPHS}}, "other", False),
        ({"mixture": [SCENES, PHOTOGRAPHS]}, "other", True),
        ({"mixture": [SCENES, SCENES]}, "apache-2.0", True),
        ({"control": "absent", "of": {"mixture": [SCENES, PHOTOGRAPHS]}}, "other", True),
        ({"kinds": ["absolute"]}, "other", True),  # another generator's, imported
    ],
)
def test_a_card_knows_what_a_mixture_or_a_control_is_made_of(
    folder: Path, config: dict[str, Any], license_: str, is_synthetic: bool
) -> None:
    manifest = RunFolder(folder).manifest("dataset")
    said = head(card(replace(manifest, config={**config, "format": "parquet", "seed": 0})))
    assert said["license"] == license_
    assert ("synthetic" in said["tags"]) == is_synthetic


def test_the_card_of_a_stored_control_of_scenes_is_ours_to_license(tmp_path: Path) -> None:
    manifest = store(controlled(SceneExamples(design("civet-test"), 64, 0), "black", 0), tmp_path / "set", limit=3)
    said = head(card(manifest))
    assert (said["license"], "synthetic" in said["tags"]) == ("apache-2.0", True)
