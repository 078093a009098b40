"""No kernel is shown one memory as many heads: torch's for GPUs takes that for something else now and then."""

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations import sdpa_attention

from evensight.models.prompts import Prompter
from evensight.models.shared_heads import copy_shared_heads
from tiny_models import Tiny


def test_each_head_has_keys_and_values_of_its_own(tiny: Tiny) -> None:
    config = tiny.loaded.model.config.get_text_config()
    given: list[tuple[Tensor, Tensor]] = []

    def recording(query: Tensor, key: Tensor, value: Tensor, **others: Any) -> Tensor:
        if others.get("attn_mask") is not None:
            given.append((key, value))
        return scaled_dot_product_attention(query, key, value, **others)

    images = [Image.new("RGB", (64, 64), color) for color in ("red", "navy")]
    batch = Prompter(tiny.loaded.processor, tiny.model_type).encode(
        images, ["Where is it?", "Where is the red star?"]
    )
    with torch.no_grad(), pytest.MonkeyPatch.context() as patched:
        patched.setattr("torch.nn.functional.scaled_dot_product_attention", recording)
        tiny.loaded.model(**batch)
    shared = [each for pair in given for each in pair if each.shape[1] == config.num_attention_heads]
    assert shared or config._attn_implementation == "eager"  # as Gemma 2 has it, in PaliGemma 2
    assert all(each.stride(1) != 0 for each in shared)


def test_copies_have_the_values_and_the_order_of_what_is_shared() -> None:
    copy_shared_heads()
    shared = torch.arange(24.0).reshape(2, 1, 3, 4)
    found = sdpa_attention.repeat_kv(shared, 2)
    assert found.shape == (2, 2, 3, 4)
    assert found[:, 0].equal(shared[:, 0])
    assert found[:, 1].equal(shared[:, 0])
    assert found.stride(1) == 12
    assert sdpa_attention.repeat_kv(shared, 1) is shared
