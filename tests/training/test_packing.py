"""Packed questions are what they'd be one by one: the same tokens, the same likelihoods."""

import pytest
import torch
from PIL import Image

from evensight.models.embedded import build
from evensight.models.prompts import IGNORED, Prompter
from evensight.training.lessons import Lesson, lesson
from evensight.training.packing import Packer
from evensight.training.pretraining import Answering, vocabulary


@pytest.fixture(scope="module")
def packer() -> Packer:
    _, processor = build(vocabulary(), 0)
    return Packer(Prompter(processor, "llava"))


@pytest.fixture(scope="module")
def asked() -> list[Lesson]:
    drawn = (lesson("answering", k, 0) for k in range(100))
    return [Lesson(each.scene, asked=each.asked) for each in drawn if len(each.asked) > 2][:4]


def test_each_branch_has_the_tokens_of_a_prompt_of_its_own(packer: Packer, asked: list[Lesson]) -> None:
    opening = packer.opening
    for each in asked:
        image = Image.fromarray(each.pixels())
        for branch, (text, answer) in zip(packer.branches(each), each.asked, strict=True):
            alone = packer.prompter.encode_with_answers([image], [text], [answer])
            assert [*opening, *branch.prompt, *branch.answer] == alone["input_ids"][0].tolist()


def test_the_loss_of_packed_lessons_is_that_of_their_questions_one_by_one(
    packer: Packer, asked: list[Lesson]
) -> None:
    model, _ = build(vocabulary(), 0)
    model.eval()
    total, n = 0.0, 0
    with torch.inference_mode():
        packed = float(Answering(model)(**packer(asked))["loss"])
        for each in asked:
            image = Image.fromarray(each.pixels())
            for text, answer in each.asked:
                batch = packer.prompter.encode_with_answers([image], [text], [answer])
                n_said = int((batch["labels"] != IGNORED).sum())
                total += float(model(**batch).loss) * n_said
                n += n_said
    assert packed == pytest.approx(total / n, rel=1e-5)


def test_a_branch_does_not_see_the_others(packer: Packer, asked: list[Lesson]) -> None:
    model, _ = build(vocabulary(), 0)
    model.eval()
    first = asked[0]
    other = Lesson(first.scene, asked=(("Which color does the star have?", "red"), *first.asked[1:]))
    with torch.inference_mode():
        batches = [packer([each]) for each in (first, other)]
        hidden = [
            model.model(**{k: v for k, v in batch.items() if k != "labels"}).last_hidden_state[0] for batch in batches
        ]
    last = len(packer.branches(first)[-1].prompt) + len(packer.branches(first)[-1].answer)
    torch.testing.assert_close(hidden[0][-last:], hidden[1][-last:])
    assert not torch.allclose(hidden[0][len(packer.opening) + 2], hidden[1][len(packer.opening) + 2])


def test_what_is_told_is_a_name_and_its_place(packer: Packer) -> None:
    each = next(found for found in (lesson("telling", k, 0) for k in range(20)) if len(found.told) > 1)
    tokenizer = packer.prompter.processor.tokenizer
    for branch, (name, area) in zip(packer.branches(each), each.told, strict=True):
        assert tokenizer.decode(branch.prompt) == f" {name}"
        assert tokenizer.decode(branch.answer) == f"{area}<|im_end|>"
