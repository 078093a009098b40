"""States are those of transformers, at the tokens that the family's own layout gives, whatever else is in a batch."""

from collections.abc import Callable, Sequence

import pytest
import torch
from PIL import Image
from torch import Tensor

from evensight.annotations import AREAS, Box, Cell, Frame
from evensight.datasets.examples import Example
from evensight.errors import InputError
from evensight.models.loading import LoadedModel
from evensight.probing.reading import DEFAULT, BatchStates, StateReader, image_tokens
from evensight.probing.taps import n_states
from evensight.questions.tasks import Question
from image_layouts import slots_of
from tiny_models import SIDE_PX, TEXTS, Tiny, pictures

ANSWERS = ("top left", "bottom right", "center")
BOXES = (Box(0, 0, 56, 56), Box(56, 56, 112, 112), Box(60, 4, 106, 50))
"""Quarters of the picture and a part of one: on every family's grid, two by two or four by four, whole tokens."""
QUARTERS = ((0, 0), (1, 1), (0, 1))


def examples() -> list[Example]:
    frame = Frame(SIDE_PX, SIDE_PX)
    rows = zip(TEXTS, ANSWERS, BOXES, strict=True)
    return [
        Example(f"e{k}", Question("absolute-position", text, AREAS, answer), Cell(0, 0), answer, box, frame)
        for k, (text, answer, box) in enumerate(rows)
    ]


def read(loaded: LoadedModel, positions: Sequence[str], which: Sequence[int] = (0, 1, 2)) -> BatchStates:
    reader = StateReader(loaded, positions, range(n_states(loaded.model)))
    shown = pictures(3)
    return reader.read([shown[k] for k in which], [examples()[k] for k in which])


@torch.inference_mode()
def plainly(tiny: Tiny) -> tuple[Tensor, Tensor]:
    """All states `[example, state, token, hidden]` as transformers gives them, and where image tokens are."""
    batch = tiny.prompter.encode(pictures(3), TEXTS)
    states = tiny.loaded.model(**batch, output_hidden_states=True).hidden_states
    return torch.stack(states, dim=1), image_tokens(tiny.loaded, batch["input_ids"])


def test_states_are_those_of_transformers_at_the_tokens_of_the_layout(tiny: Tiny) -> None:
    expected, is_image = plainly(tiny)
    found = read(tiny.loaded, ("last", "object", "image")).by_part["language"]
    assert found.shape[:3] == (3, expected.shape[1], 3)
    views = slots_of(tiny.model_type)
    whole = views[-1] if tiny.model_type in ("internvl", "idefics3", "smolvlm") else views[0]
    half = len(whole) // 2
    for k, (row, col) in enumerate(QUARTERS):
        tokens = is_image[k].nonzero()[:, 0]
        under = tokens[whole[row * half : (row + 1) * half, col * half : (col + 1) * half].ravel()]
        torch.testing.assert_close(found[k, :, 0], expected[k, :, -1])
        torch.testing.assert_close(found[k, :, 1], expected[k][:, under].mean(dim=1), rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(found[k, :, 2], expected[k][:, tokens].mean(dim=1), rtol=1e-5, atol=1e-4)


def test_neither_padding_nor_the_order_of_a_batch_changes_a_state(tiny: Tiny) -> None:
    together = read(tiny.loaded, DEFAULT)
    turned = read(tiny.loaded, DEFAULT, (2, 0, 1))
    for part, states in together.by_part.items():
        torch.testing.assert_close(turned.by_part[part], states[[2, 0, 1]], rtol=1e-4, atol=1e-5)
        assert torch.equal(turned.there[part], together.there[part][[2, 0, 1]])
        for k in range(3):
            alone = read(tiny.loaded, DEFAULT, (k,)).by_part[part]
            torch.testing.assert_close(alone[0], states[k], rtol=1e-3, atol=1e-4)


def test_the_vision_tower_is_read_where_pictures_can_be_told_apart(tiny: Tiny) -> None:
    reader = StateReader(tiny.loaded, DEFAULT, (0,))
    there = reader.read(pictures(3), examples()).there["vision"]
    tiled = {"llava_next", "llava_onevision", "internvl", "idefics3", "smolvlm", "molmo2"}
    assert bool(there[:, 0].all()) == (tiny.model_type not in tiled)
    assert bool(there[:, 1].all()) == (tiny.model_type not in tiled | {"qwen2_5_vl"})
    assert set(reader.missing) == {name for p, name in enumerate(reader.vision) if not there[:, p].any()}


@pytest.mark.parametrize("model_type", ["qwen2_vl", "qwen3_vl", "llava", "paligemma", "gemma3"])
def test_the_object_s_patches_of_the_tower_are_those_that_the_box_covers(
    tiny_of: Callable[[str], Tiny], model_type: str
) -> None:
    """Where the box's pixels alone change, its patches change more than those of any other quarter."""
    tiny = tiny_of(model_type)
    reader = StateReader(tiny.loaded, ("vision-object",), (0,))
    for box in (Box(0, 0, 56, 56), Box(56, 0, 112, 56), Box(0, 56, 56, 112)):
        changed = [_moved(tiny, reader, box, where) for where in BOXES_OF_QUARTERS]
        assert max(range(4), key=changed.__getitem__) == BOXES_OF_QUARTERS.index(box)


BOXES_OF_QUARTERS = [Box(x, y, x + 56, y + 56) for y in (0, 56) for x in (0, 56)]


def _moved(tiny: Tiny, reader: StateReader, painted: Box, at: Box) -> float:
    """How far the states of the patches under one box move when the pixels under another are painted."""
    base = pictures(1)[0]
    shown = base.copy()
    shown.paste(Image.new("RGB", (56, 56), (255, 0, 120)), (int(painted.x0_px), int(painted.y0_px)))
    first = examples()[0]
    example = Example("e", first.question, first.cell, first.area, at, first.frame)
    states = [reader.read([image], [example]).by_part["vision"] for image in (base, shown)]
    return float((states[1] - states[0]).norm())


def test_the_second_word_is_read_behind_the_right_first_one(tiny: Tiny) -> None:
    found = read(tiny.loaded, ("last", "second"))
    assert found.there["language"][:, 1].tolist() == [True, True, True]
    for k, (text, answer) in enumerate(zip(TEXTS, ANSWERS, strict=True)):
        batch = tiny.prompter.encode_with_answers([pictures(3)[k]], [text], [answer.split()[0]])
        batch.pop("labels")
        with torch.inference_mode():
            states = torch.stack(tiny.loaded.model(**batch, output_hidden_states=True).hidden_states, dim=1)
        torch.testing.assert_close(found.by_part["language"][k, :, 1], states[0, :, -2], rtol=1e-3, atol=1e-4)
    alone = read(tiny.loaded, ("last",)).by_part["language"]
    torch.testing.assert_close(found.by_part["language"][:, :, 0], alone[:, :, 0], rtol=1e-3, atol=1e-4)


def test_an_adapter_is_read_as_well(tiny: Tiny) -> None:
    from peft import LoraConfig, get_peft_model

    loaded = tiny.fresh()
    before = read(loaded, ("last", "image"))
    adapted = get_peft_model(
        loaded.model, LoraConfig(target_modules=r".*layers\.0\..*v_proj", init_lora_weights=False)
    )
    after = read(LoadedModel(loaded.name, adapted.eval(), loaded.processor, loaded.hashes), ("last", "image"))
    change = (after.by_part["language"] - before.by_part["language"]).abs().amax(dim=(0, 2, 3))
    assert change[1:].min() > 1e-4


def test_a_position_that_there_is_not_is_refused(embedded: LoadedModel) -> None:
    with pytest.raises(InputError, match="the position `first` is not known"):
        StateReader(embedded, ("first",), (0,))
