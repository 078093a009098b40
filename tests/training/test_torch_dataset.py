import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from evensight.datasets.scene_examples import SceneExamples
from evensight.scenes.compose import SceneDesign
from evensight.training.torch_dataset import Batch, Item, SceneDataset, collate

SIZE_PX = 64


@pytest.fixture
def examples(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, SIZE_PX, 0)


def pixel_hash(image: torch.Tensor) -> str:
    return hashlib.sha256(image.numpy().tobytes()).hexdigest()


def loaded(dataset: SceneDataset, workers: int, **options: Any) -> dict[int, str]:
    """The pixels' hash by index, as a loader gives them."""
    hashes = {}
    batch: Batch
    for batch in DataLoader(dataset, batch_size=7, num_workers=workers, collate_fn=collate, **options):
        for index, image in zip(batch["index"].tolist(), batch["image"], strict=True):
            hashes[index] = pixel_hash(image)
    return hashes


def indices(dataset: SceneDataset) -> list[int]:
    return [dataset[place]["index"] for place in range(len(dataset))]


def test_an_item_is_the_example_with_its_pixels_channels_first(examples: SceneExamples) -> None:
    item: Item = SceneDataset(examples)[5]
    assert (item["image"].shape, item["image"].dtype) == ((3, SIZE_PX, SIZE_PX), torch.uint8)
    assert np.array_equal(item["image"].numpy().transpose(1, 2, 0), np.asarray(examples.image(5)))
    question = examples[5].question
    assert (item["question"], item["answer"]) == (question.text, question.answer)
    assert (item["options"], item["id"]) == (list(question.options), examples[5].id)


def test_workers_give_the_pixels_that_the_process_itself_gives(examples: SceneExamples) -> None:
    dataset = SceneDataset(examples)
    alone = loaded(dataset, 0)
    assert len(alone) == len(examples)
    assert len(set(alone.values())) == len(examples)
    assert loaded(dataset, 2) == alone
    assert loaded(dataset, 2, multiprocessing_context="spawn") == alone


def test_epochs_have_other_orders_and_the_same_pixels(examples: SceneExamples) -> None:
    dataset = SceneDataset(examples)
    first, second = (dataset.shuffled(epoch, seed=3) for epoch in (0, 1))
    assert indices(first) != indices(second)
    assert sorted(indices(first)) == sorted(indices(second)) == list(range(len(examples)))
    assert indices(dataset.shuffled(0, seed=3)) == indices(first)
    assert loaded(second, 0) == loaded(first, 2)


def test_shards_share_out_every_item_once(examples: SceneExamples) -> None:
    view = SceneDataset(examples).shuffled(0, seed=1)
    shards = [indices(view.shard(rank, 5)) for rank in range(5)]
    assert sorted(index for shard in shards for index in shard) == list(range(len(examples)))
    assert {len(shard) for shard in shards} <= {32, 33}  # 162 / 5
    assert shards[2] == indices(view)[2::5]


def test_a_place_or_shard_that_is_none_is_an_error(examples: SceneExamples) -> None:
    dataset = SceneDataset(examples)
    for place in (-1, len(examples)):
        with pytest.raises(IndexError):
            dataset[place]
    with pytest.raises(ValueError, match="0 to 1"):
        dataset.shard(2, 2)


def test_images_of_several_sizes_are_a_list(examples: SceneExamples, mini_train: SceneDesign) -> None:
    larger = SceneDataset(SceneExamples(mini_train, 90, 0))
    batch = collate([SceneDataset(examples)[0], larger[0]])
    assert isinstance(batch["image"], list)
    assert [image.shape[-1] for image in batch["image"]] == [64, 90]
