"""The supervised tokens are the answer and its end, and training's prompt is evaluation's."""

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from PIL import Image
from tokenizers import AddedToken

from evensight.annotations import AREAS
from evensight.models import prompts
from evensight.models.embedded import IMAGE_PX, PATCH_PX
from evensight.models.loading import LoadedModel, load
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


def test_the_image_has_a_token_for_each_patch(prompter: Prompter) -> None:
    ids = prompter.encode([picture()], ["Where?"])["input_ids"][0]
    assert (ids == prompter.processor.image_token_id).sum() == (IMAGE_PX // PATCH_PX) ** 2


def test_any_text_survives_the_tokenizer(prompter: Prompter) -> None:
    text = "Où est le “zèbre”? 斑马 🦓"
    ids = prompter.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert prompter.decode(ids) == text


SPEAKERS = (
    "{% for m in messages %}{{ m['role'] | capitalize }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""A template as SmolVLM's: the prompt ends on "Assistant:", and the answer after it begins with a space."""


@pytest.fixture
def speaking() -> Prompter:
    """With an end of turn as Gemma's: special, but none of the tokenizer's named special tokens."""
    processor = load("embedded").processor
    processor.chat_template = SPEAKERS
    processor.tokenizer.add_tokens([AddedToken("<end_of_turn>", special=True)])
    assert processor.tokenizer.convert_tokens_to_ids("<end_of_turn>") not in processor.tokenizer.all_special_ids
    return Prompter(processor, "llava")


@pytest.mark.parametrize("answer", AREAS)
def test_an_answer_has_the_tokens_that_the_template_would_give_it(speaking: Prompter, answer: str) -> None:
    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    said = speaking.processor.apply_chat_template(turns, tokenize=False).rstrip("\n")
    whole = speaking.processor.tokenizer(said, add_special_tokens=False)["input_ids"]
    ids = speaking.answer_ids(answer)
    assert whole[-len(ids) :] == ids


def test_an_end_of_turn_that_is_special_without_a_name_ends_the_answer(speaking: Prompter) -> None:
    assert speaking.processor.tokenizer.convert_ids_to_tokens(speaking.end_id) == "<end_of_turn>"


@pytest.fixture
def _hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_a_batch_keeps_its_padding_while_another_thread_tokenizes(embedded: LoadedModel) -> None:
    prompter = Prompter(embedded.processor, embedded.model.config.model_type)
    images, texts = [Image.new("RGB", (8, 8))] * 2, ["where?", "where is the red star in the picture?"]
    is_done = threading.Event()

    def tokenize() -> None:
        while not is_done.is_set():
            prompter.answer_ids("top left")

    other = threading.Thread(target=tokenize)
    other.start()
    try:
        for _ in range(300):
            assert prompter.encode(images, texts)["input_ids"].shape[0] == 2  # or its rows are of two lengths
    finally:
        is_done.set()
        other.join()


def test_a_forked_process_does_not_wait_for_a_thread_that_tokenized(embedded: LoadedModel) -> None:
    prompter = Prompter(embedded.processor, embedded.model.config.model_type)
    with prompts._tokenizing.lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            worker = threading.Thread(target=prompter.answer_ids, args=("left",))  # not the one that held it
            worker.start()
            worker.join()
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
