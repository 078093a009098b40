"""A vision tower that attends to all images at once finds what transformers finds image by image."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from evensight.models.families import FAMILIES
from evensight.models.loading import load
from evensight.models.packed_vision import KERNEL, pack_vision
from evensight.models.prompts import Prompter
from tiny_models import Tiny

PACKING = [family.model_type for family in FAMILIES if family.packs]
SAME, MIXED = [(224, 224)] * 3, [(100, 200), (224, 168), (224, 168), (57, 230)]


@pytest.fixture(params=PACKING)
def packed(request: pytest.FixtureRequest, tiny_of: Callable[[str], Tiny]) -> Tiny:
    return tiny_of(request.param)


def plain_of(packed: Tiny) -> Any:
    """The same model as transformers loads it."""
    return AutoModelForImageTextToText.from_pretrained(packed.folder, dtype=torch.float32).eval()


def encoded(packed: Tiny, sizes: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
    rng = np.random.default_rng(3)
    images = [Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]
    return Prompter(packed.loaded.processor, packed.model_type).encode(images, ["Where is the star?"] * len(images))


@contextmanager
def counted() -> Iterator[list[int]]:
    """Of each call of the kernel, how many parts it was given."""
    calls: list[int] = []
    plain = ALL_ATTENTION_FUNCTIONS["sdpa"]

    def counting(module: Any, query: Tensor, *others: Any, **options: Any) -> Any:
        if "vision" in type(module).__name__.lower():
            calls.append(len(query))
        return plain(module, query, *others, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", counting)
        yield calls


def test_all_of_qwen_pack() -> None:
    assert PACKING == ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]


@pytest.mark.parametrize("sizes", [SAME, MIXED], ids=["same", "mixed"])
def test_logits_and_gradients_are_those_of_transformers(packed: Tiny, sizes: Sequence[tuple[int, int]]) -> None:
    batch = encoded(packed, sizes)
    found = []
    for model in (packed.loaded.model, plain_of(packed)):
        logits = model(**batch).logits
        weights = list(model.model.visual.parameters())
        found.append([logits, *torch.autograd.grad(logits.square().mean(), weights)])
    (logits, *gradients), (expected, *expected_gradients) = found
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-6, rtol=1e-4)


def test_images_of_one_size_are_one_call_a_layer(packed: Tiny) -> None:
    batch = encoded(packed, SAME)
    with torch.no_grad(), counted() as calls:
        packed.loaded.model(**batch)
    with torch.no_grad(), counted() as calls_before:
        plain_of(packed)(**batch)
    assert len(calls) == len(packed.loaded.model.model.visual.blocks)
    assert set(calls_before) == {1}
    assert sum(calls) == len(calls_before) >= 3 * len(calls)


def test_an_image_is_seen_the_same_whoever_stands_beside_it(packed: Tiny) -> None:
    tower = packed.loaded.model.model.visual
    alone, beside = (encoded(packed, sizes) for sizes in (MIXED[:1], MIXED))
    with torch.no_grad():
        first = tower(alone["pixel_values"], alone["image_grid_thw"]).pooler_output
        all_ = tower(beside["pixel_values"], beside["image_grid_thw"]).pooler_output
    torch.testing.assert_close(all_[: len(first)], first, atol=1e-6, rtol=1e-5)


def test_what_is_saved_names_no_kernel(packed: Tiny, tmp_path: Path) -> None:
    packed.loaded.model.save_pretrained(tmp_path)
    assert KERNEL not in (tmp_path / "config.json").read_text()


def test_a_model_that_attends_otherwise_is_left_alone(packed: Tiny) -> None:
    model = AutoModelForImageTextToText.from_pretrained(packed.folder, attn_implementation="eager")
    pack_vision(model)
    assert model.model.visual.config._attn_implementation == "eager"


def test_only_the_tower_attends_so(packed: Tiny) -> None:
    config = load(str(packed.folder)).model.config
    assert config.vision_config._attn_implementation == KERNEL
    assert config._attn_implementation == config.text_config._attn_implementation == "sdpa"
