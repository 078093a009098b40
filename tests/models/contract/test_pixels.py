"""Contract 3: the picture reaches the model as it is, each part in its place, whatever the batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from evensight.models.prompts import image_id
from image_layouts import picture_of, slots_of
from tiny_models import TEXTS, Tiny, pictures

ATOL = 1e-4
"""How far the logits of one question may lie apart in different batches, in float32; they are of order 1."""

QUADRANTS = [(0, 0), (0, 1), (1, 0), (1, 1)]
"""Row and column of each quarter of the picture."""


def test_the_tensors_hold_the_picture(tiny: Tiny) -> None:
    [image] = pictures(1)
    held = picture_of(tiny.model_type, tiny.prompter.encode([image], ["Where?"]))
    settings = tiny.loaded.processor.image_processor
    colours = (held * settings.image_std + settings.image_mean) * 255
    expected = np.asarray(image.resize(held.shape[1::-1], Image.Resampling.BICUBIC), dtype=np.float64)
    assert np.abs(colours - expected).mean() < 2


def test_mirroring_the_picture_mirrors_what_the_tensors_hold(tiny: Tiny) -> None:
    [image] = pictures(1)
    held, mirrored = (
        picture_of(tiny.model_type, tiny.prompter.encode([one], ["Where?"]))
        for one in (image, ImageOps.mirror(image))
    )
    step = 1.01 / 255 / np.min(tiny.loaded.processor.image_processor.image_std)
    np.testing.assert_allclose(mirrored, held[:, ::-1], atol=step)  # scaling rounds to whole shades
    assert np.abs(mirrored - held).mean() > 10 * step


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_a_part_of_the_picture_is_in_its_tokens(tiny: Tiny, quadrant: tuple[int, int]) -> None:
    [image] = pictures(1)
    changed = image.copy()
    half = image.width // 2
    margin = half // 4
    place = (quadrant[1] * half + margin, quadrant[0] * half + margin)
    changed.paste((255, 255, 255), (*place, place[0] + half - 2 * margin, place[1] + half - 2 * margin))
    change = (_patches(tiny, [changed]) - _patches(tiny, [image])).norm(dim=1).numpy()
    for slots in slots_of(tiny.model_type):
        assert _strongest(change[slots]) == quadrant


def _patches(tiny: Tiny, images: Sequence[Image.Image]) -> Tensor:
    """What the language model gets in the place of an image's tokens, in their order `[token, hidden]`."""
    seen: list[Tensor] = []

    def keep(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        seen.append(kwargs["inputs_embeds"].detach())

    model = tiny.loaded.model
    batch = tiny.prompter.encode(images, ["Where?"])
    hook = model.get_decoder().register_forward_pre_hook(keep, with_kwargs=True)
    try:
        with torch.inference_mode():
            model(**batch)
    finally:
        hook.remove()
    return seen[0][batch["input_ids"] == image_id(tiny.loaded.processor, model.config)]


def _strongest(change: NDArray[np.float64]) -> tuple[int, int]:
    rows, cols = (size // 2 for size in change.shape)
    means = {(r, c): change[r * rows : (r + 1) * rows, c * cols : (c + 1) * cols].mean() for r, c in QUADRANTS}
    return max(means, key=means.__getitem__)


def test_a_question_scores_the_same_in_any_batch(tiny: Tiny) -> None:
    images, texts = pictures(8), [TEXTS[k % 3] for k in range(8)]
    together = _last_logits(tiny, images, texts)
    for k in (0, 1, 2):  # with padding and without: the third is the longest
        [alone] = _last_logits(tiny, [images[k]], [texts[k]])
        torch.testing.assert_close(together[k], alone, atol=ATOL, rtol=0)
    assert (together[0] - together[3]).abs().max() > 10 * ATOL  # the same question about another picture


def _last_logits(tiny: Tiny, images: Sequence[Image.Image], texts: Sequence[str]) -> Tensor:
    with torch.inference_mode():
        return torch.as_tensor(tiny.loaded.model(**tiny.prompter.encode(images, texts)).logits[:, -1])


def test_pictures_of_several_sizes_share_a_batch(tiny: Tiny) -> None:
    images = [
        one.crop((0, 0, *size)) for one, size in zip(pictures(3), [(112, 56), (56, 112), (112, 112)], strict=True)
    ]
    together = _last_logits(tiny, images, TEXTS)
    for k in range(3):
        [alone] = _last_logits(tiny, [images[k]], [TEXTS[k]])
        torch.testing.assert_close(together[k], alone, atol=ATOL, rtol=0)
