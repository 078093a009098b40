"""Contract 3, the longer part: a model that is trained for a minute tells left from right, and top from bottom.

`make families` runs it: up to a minute a family. What it is asked about at the end was never shown before.
"""

import os
from collections.abc import Iterator
from random import Random

import pytest
import torch
from PIL import Image, ImageDraw

from evensight.models.scoring import Scorer
from tiny_models import SIDE_PX, Tiny

AREAS = ("top left", "top right", "bottom left", "bottom right")
MOST_STEPS = 1500
BATCH = 16
LEARNED = 0.05
"""The mean loss of the last 20 steps, in nats a token, below which training ends."""


def scene(rng: Random) -> tuple[Image.Image, str]:
    """A square somewhere in one of the quarters, on black; and which quarter."""
    place, shade = rng.randrange(4), rng.randrange(120, 256)
    side, half = rng.randrange(20, 34), SIDE_PX // 2
    x, y = (rng.randrange(half * k + 2, half * (k + 1) - side - 2) for k in (place % 2, place // 2))
    image = Image.new("RGB", (SIDE_PX, SIDE_PX))
    ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=(shade, 255 - shade // 2, 255))
    return image, AREAS[place]


def batches(seed: int, n: int) -> Iterator[list[tuple[Image.Image, str]]]:
    rng = Random(seed)
    return ([scene(rng) for _ in range(BATCH)] for _ in range(n))


@pytest.mark.skipif("EVENSIGHT_FAMILIES" not in os.environ, reason="`make families` runs it: a minute a family")
def test_a_minute_of_training_tells_left_from_right(tiny: Tiny) -> None:
    loaded = tiny.fresh()
    optimizer = torch.optim.AdamW(loaded.model.parameters(), 2e-3, betas=(0.9, 0.98))
    rates = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, 1.0, total_iters=50)
    losses: list[float] = []
    loaded.model.train()
    for shown in batches(0, MOST_STEPS):
        images, answers = (list(part) for part in zip(*shown, strict=True))
        batch = tiny.prompter.encode_with_answers(images, ["Where?"] * BATCH, answers)
        optimizer.zero_grad()
        loss = loaded.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(loaded.model.parameters(), 1.0)
        optimizer.step()
        rates.step()
        losses.append(loss.item())
        if len(losses) >= 20 and sum(losses[-20:]) < 20 * LEARNED:
            break
    loaded.model.eval()
    n_right = 0
    for shown in batches(1, 8):
        images, answers = (list(part) for part in zip(*shown, strict=True))
        best = Scorer(loaded).best(images, ["Where?"] * BATCH, [AREAS] * BATCH)
        n_right += sum(given == answer for given, answer in zip(best, answers, strict=True))
    print(f"{tiny.model_type}: {n_right} of {8 * BATCH} right after {len(losses)} steps")  # noqa: T201 - `make` shows it
    assert n_right >= 0.9 * 8 * BATCH
