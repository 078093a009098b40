"""Contract 1 and 2: what is supervised is the answer and its end, behind the very prompt of evaluation."""

import pytest
import torch

from evensight.annotations import AREAS
from evensight.models.families import family_of
from evensight.models.prompts import IGNORED, image_id
from tiny_models import TEXTS, Tiny, pictures

GAPS = {"llava": " ", "llava_next": " ", "smolvlm": " ", "idefics3": " "}
"""What stands between a prompt that ends on "Assistant:" and the answer."""
ENDS = {
    "llava": "</s>",
    "llava_next": "</s>",
    "smolvlm": "<end_of_utterance>",
    "idefics3": "<end_of_utterance>",
    "paligemma": "<eos>",
    "gemma3": "<end_of_turn>",
}
"""What ends an answer, where it isn't `<|im_end|>`."""
N_IMAGE_TOKENS = {
    "qwen2_vl": 16,  # 112 px in patches of 14, 2 x 2 of them merged
    "qwen2_5_vl": 16,
    "qwen3_vl": 16,  # 128 px in patches of 16, 2 x 2 of them merged
    "llava": 16,  # 56 px in patches of 14
    "llava_next": 16 + 8 * (8 + 1),  # whole, and in 2 x 2 tiles with the end of each row
    "llava_onevision": 16 + 8 * (8 + 1),
    "internvl": 5 * 4,  # 2 x 2 tiles and the whole, 2 x 2 patches merged
    "smolvlm": 5 * 4,
    "idefics3": 5 * 4,
    "paligemma": 16,
    "gemma3": 4,  # 4 x 4 patches, 2 x 2 of them averaged
    "molmo2": 4 + 16,  # whole, and in tiles that share their margins: 8 x 8 patches
}


def as_written(tiny: Tiny, text: str, answer: str) -> list[int]:
    """The tokens of the whole conversation, tokenized in one go by the processor: a second way to get them."""
    processor, image = tiny.loaded.processor, pictures(1)
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
    prompt = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    if tiny.model_type == "paligemma":
        return list(processor(images=image, text=[prompt], suffix=[answer])["input_ids"][0])
    whole = prompt + GAPS.get(tiny.model_type, "") + answer + ENDS.get(tiny.model_type, "<|im_end|>")
    bos = processor.tokenizer.bos_token
    given = {"add_special_tokens": False} if bos and whole.startswith(bos) else {}
    return list(processor(images=[image], text=[whole], **given)["input_ids"][0])


@pytest.mark.parametrize("n", [1, 3, 8])
def test_supervised_tokens_are_the_answer_and_its_end(tiny: Tiny, n: int) -> None:
    answers, texts = AREAS[:n], [TEXTS[k % 3] for k in range(n)]
    batch = tiny.prompter.encode_with_answers(pictures(n), texts, answers)
    for labels, answer in zip(batch["labels"], answers, strict=True):
        supervised = tiny.loaded.processor.tokenizer.decode(labels[labels != IGNORED])
        assert supervised.strip() == answer + ENDS.get(tiny.model_type, "<|im_end|>")


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_row_is_the_conversation_tokenized_in_one_go(tiny: Tiny, n: int) -> None:
    answers, texts = AREAS[:n], [TEXTS[k % 3] for k in range(n)]
    batch = tiny.prompter.encode_with_answers(pictures(n), texts, answers)
    for k in range(n):
        there = batch["attention_mask"][k].bool()
        assert batch["input_ids"][k][there].tolist() == as_written(tiny, texts[k], answers[k])


def test_labels_stand_on_the_inputs_in_one_piece_behind_the_prompt(tiny: Tiny) -> None:
    batch = tiny.prompter.encode_with_answers(pictures(3), TEXTS, AREAS[:3])
    n_prompt = tiny.prompter.encode(pictures(3), TEXTS)["input_ids"].shape[1]
    for ids, mask, labels, answer in zip(
        batch["input_ids"], batch["attention_mask"], batch["labels"], AREAS[:3], strict=True
    ):
        n = len(tiny.prompter.answer_ids(answer))
        expected = torch.full_like(ids, IGNORED)
        expected[n_prompt : n_prompt + n] = ids[n_prompt : n_prompt + n]
        assert torch.equal(labels, expected)
        assert mask[n_prompt:].tolist() == [1] * n + [0] * (len(ids) - n_prompt - n)


def test_training_prompts_are_those_of_evaluation(tiny: Tiny) -> None:
    asked = tiny.prompter.encode(pictures(3), TEXTS)
    trained = tiny.prompter.encode_with_answers(pictures(3), TEXTS, AREAS[:3])
    n = asked["input_ids"].shape[1]
    for key, value in asked.items():
        is_token = value.shape == asked["input_ids"].shape
        assert torch.equal(trained[key][:, :n] if is_token else trained[key], value), key
    assert (trained["labels"][:, :n] == IGNORED).all()


def test_the_end_of_an_answer_is_one_of_its_family(tiny: Tiny) -> None:
    end = tiny.loaded.processor.tokenizer.convert_ids_to_tokens(tiny.prompter.end_id)
    assert end == ENDS.get(tiny.model_type, "<|im_end|>")
    assert end in family_of(tiny.model_type).answer_ends


def test_an_image_has_its_tokens(tiny: Tiny) -> None:
    ids = tiny.prompter.encode(pictures(1), ["Where?"])["input_ids"]
    patch = image_id(tiny.loaded.processor, tiny.loaded.model.config)
    assert patch is not None
    assert ids.eq(patch).sum() == N_IMAGE_TOKENS[tiny.model_type]


def test_nothing_is_truncated(tiny: Tiny) -> None:
    tiny.loaded.processor.tokenizer.model_max_length = 64
    try:
        short, long = (tiny.prompter.encode(pictures(1), [" ".join(["circle"] * n)]) for n in (100, 1100))
    finally:
        tiny.loaded.processor.tokenizer.model_max_length = int(1e30)
    one_more = tiny.prompter.n_text_tokens("red circle circle") - tiny.prompter.n_text_tokens("red circle")
    assert long["input_ids"].shape[1] - short["input_ids"].shape[1] == 1000 * one_more


def test_an_answer_cannot_be_seen_by_what_predicts_it(tiny: Tiny) -> None:
    logits = []
    for answer in ("center", "bottom right"):
        batch = tiny.prompter.encode_with_answers(pictures(1), ["Where?"], [answer])
        n = int((batch.pop("labels")[0] == IGNORED).sum())
        with torch.inference_mode():
            logits.append(tiny.loaded.model(**batch).logits[:, :n])
    torch.testing.assert_close(*logits, atol=1e-5, rtol=1e-5)
