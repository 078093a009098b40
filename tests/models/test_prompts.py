"""The supervised tokens are the answer and its end, and training's prompt is evaluation's."""

import pytest
import torch
from PIL import Image

from evensight.annotations import AREAS
from evensight.models.loading import LoadedModel
from evensight.models.prompts import IGNORED, Prompter

QUESTIONS = ("Where is the red circle?", "Where is the cat? Choose from [top left, center].", "Where?")


@pytest.fixture(scope="module")
def prompter(embedded: LoadedModel) -> Prompter:
    return Prompter(embedded.processor, "llava")


def picture() -> Image.Image:
    return Image.new("RGB", (336, 336))


@pytest.mark.parametrize("n", [1, 3, 9])
def test_supervised_tokens_are_the_answer_and_its_end(prompter: Prompter, n: int) -> None:
    answers = AREAS[:n]
    texts = [QUESTIONS[k % 3] for k in range(n)]
    batch = prompter.encode_with_answers([picture()] * n, texts, answers)
    for labels, answer in zip(batch["labels"], answers, strict=True):
        supervised = labels[labels != IGNORED]
        assert prompter.processor.tokenizer.decode(supervised) == f"{answer}<|im_end|>"


def test_training_prompt_is_the_prompt_of_evaluation(prompter: Prompter) -> None:
    images = [picture()] * 3
    asked = prompter.encode(images, QUESTIONS)
    trained = prompter.encode_with_answers(images, QUESTIONS, AREAS[:3])
    n = asked["input_ids"].shape[1]
    assert torch.equal(trained["input_ids"][:, :n], asked["input_ids"])
    assert torch.equal(trained["attention_mask"][:, :n], asked["attention_mask"])
    assert (trained["labels"][:, :n] == IGNORED).all()


def test_labels_are_the_inputs_where_they_stand(prompter: Prompter) -> None:
    batch = prompter.encode_with_answers([picture()] * 3, QUESTIONS, ("center", "top left", "bottom right"))
    there = batch["labels"] != IGNORED
    assert torch.equal(batch["labels"][there], batch["input_ids"][there])
    assert batch["attention_mask"][there].all()


def test_prompts_are_padded_on_the_left(prompter: Prompter) -> None:
    batch = prompter.encode([picture()] * 3, QUESTIONS)
    mask = batch["attention_mask"]
    assert mask[:, -1].all()
    assert not mask[2, 0]


def test_the_answer_ends_as_the_template_ends_a_turn(prompter: Prompter) -> None:
    assert prompter.processor.tokenizer.convert_ids_to_tokens(prompter.end_id) == "<|im_end|>"


def test_the_image_has_its_36_tokens(prompter: Prompter) -> None:
    ids = prompter.encode([picture()], ["Where?"])["input_ids"][0]
    assert (ids == prompter.processor.image_token_id).sum() == 36


def test_any_text_survives_the_tokenizer(prompter: Prompter) -> None:
    text = "Où est le “zèbre”? 斑马 🦓"
    ids = prompter.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert prompter.decode(ids) == text
