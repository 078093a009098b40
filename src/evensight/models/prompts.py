"""Saying a question in the model's own words: chat template, image, padding, and the answer's tokens.

In training, the input is the prompt of evaluation followed by the answer's tokens and the token that ends a
turn: the two can't drift apart, because the second is appended to the first. Prompts are padded on the left,
answers on the right; labels stand on the answer and its end token, and nowhere else.
"""

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor

from evensight.errors import InputError
from evensight.models.families import Family, family_of
from evensight.runs import one_line

IGNORED = -100
"""The label of a token that the loss leaves out."""

_PROBE = "evensight"


class _Tokenizing:
    """Held while something is tokenized: whether a tokenizer pads is a state that all threads share.

    One that doesn't pad would take the padding from another's batch.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def renew(self) -> None:
        """Has a process that was forked while another thread tokenized not wait for that for ever."""
        self.lock = threading.RLock()


_tokenizing = _Tokenizing()
os.register_at_fork(after_in_child=_tokenizing.renew)


@dataclass(frozen=True)
class Prompter:
    """Makes a model's inputs from images and questions.

    Attributes:
        processor: The model's processor.
        model_type: `config.model_type`, for what `families` knows of it.
    """

    processor: Any
    model_type: str

    @property
    def family(self) -> Family:
        """What is known of the model's family."""
        return family_of(self.model_type)

    def encode(self, images: Sequence[Image.Image], texts: Sequence[str]) -> dict[str, Tensor]:
        """The prompts' tensors, `input_ids` and `attention_mask` `[example, token]`, padded on the left."""
        conversations = [_conversation(image, text) for image, text in zip(images, texts, strict=True)]
        with _tokenizing.lock:
            encoded = self.processor.apply_chat_template(
                conversations,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            )
        return {key: value for key, value in encoded.items() if isinstance(value, Tensor) and key != "labels"}

    def encode_with_answers(
        self, images: Sequence[Image.Image], texts: Sequence[str], answers: Sequence[str]
    ) -> dict[str, Tensor]:
        """The prompts followed by their answers, with `labels` `[example, token]` on the answers alone."""
        prompt = self.encode(images, texts)
        rows = [self.answer_ids(answer) for answer in answers]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [self.pad_id] * (longest - len(row)) for row in rows])
        there = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        labels = torch.where(there.bool(), ids, IGNORED)
        batch = dict(prompt)
        for key, value in prompt.items():
            if key == "input_ids":
                batch[key] = torch.cat([value, ids], dim=1)
            elif key == "attention_mask":
                batch[key] = torch.cat([value, there.to(value.dtype)], dim=1)
            elif value.shape == prompt["input_ids"].shape:
                kind = self.family.answer_type if key == "token_type_ids" else 0
                batch[key] = torch.cat([value, torch.full_like(ids, kind, dtype=value.dtype)], dim=1)
        batch["labels"] = torch.cat([torch.full_like(prompt["input_ids"], IGNORED), labels], dim=1)
        return batch

    def answer_ids(self, answer: str) -> list[int]:
        """The tokens of an answer, as they are after the prompt, and of the end of its turn."""
        tail, gap = self._lead
        before, whole = self._ids(tail), self._ids(f"{tail}{gap}{answer}")
        said = whole[len(before) :] if whole[: len(before)] == before else self._ids(f"{gap}{answer}")
        return [*said, self.end_id]

    @cached_property
    def _lead(self) -> tuple[str, str]:
        """The last word of the prompt, and what the template puts between the prompt and the answer.

        That is a space where the prompt ends on "Assistant:"; whether it is a token of its own or part of the
        answer's first one shows only when the two are tokenized together.
        """
        turns = _conversation(None, _PROBE)
        prompt = self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        whole = self.processor.apply_chat_template([*turns, _ANSWERED], tokenize=False)
        last_word = re.search(r"\S+\s*\Z", prompt)
        if last_word is None or not whole.startswith(prompt):
            return "", ""
        return last_word[0], whole[len(prompt) :].partition(_PROBE)[0]

    def n_text_tokens(self, text: str) -> int:
        """How many tokens a text is."""
        return len(self._ids(text))

    def _ids(self, text: str) -> list[int]:
        with _tokenizing.lock:
            return list(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    @cached_property
    def end_id(self) -> int:
        """The token that ends the assistant's turn: the one that the chat template puts after the answer.

        Where the template puts none, it is the tokenizer's end-of-sequence token.
        """
        tokenizer = self.processor.tokenizer
        turns = [*_conversation(None, _PROBE), _ANSWERED]
        tail_ids = self._ids(self.processor.apply_chat_template(turns, tokenize=False).rpartition(_PROBE)[2].strip())
        # Gemma's <end_of_turn> is special, but none of the tokenizer's named special tokens.
        special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        if tail_ids and tail_ids[0] in special | set(tokenizer.all_special_ids):
            return int(tail_ids[0])
        if tokenizer.eos_token_id is None:
            raise InputError("the model's tokenizer has no end-of-sequence token, and its template none either")
        return int(tokenizer.eos_token_id)

    @cached_property
    def pad_id(self) -> int:
        """The token that fills up shorter rows; it is masked wherever it stands."""
        pad = self.processor.tokenizer.pad_token_id
        return self.end_id if pad is None else int(pad)

    def decode(self, ids: Sequence[int] | Tensor) -> str:
        """The text of an answer's tokens, without special ones."""
        return str(self.processor.tokenizer.decode(ids, skip_special_tokens=True)).strip()


def image_id(processor: Any, config: Any) -> int | None:
    """The token that stands in the input where a patch of the image goes; None if it isn't known."""
    listed = family_of(config.model_type).image_token
    if listed:
        found = processor.tokenizer.convert_tokens_to_ids(listed)
        return None if found in (None, processor.tokenizer.unk_token_id) else int(found)
    places = ((config, "image_token_id"), (config, "image_token_index"), (processor, "image_token_id"))
    ids = (getattr(owner, name, None) for owner, name in places)
    return next((id_ for id_ in ids if isinstance(id_, int)), None)


def check_template(name: str, processor: Any, config: Any) -> None:
    """Checks that a model's chat template can ask about an image.

    Raises:
        InputError: It can't, or the model has no token for an image's patches.
    """
    if image_id(processor, config) is None:
        missing = family_of(config.model_type).image_token
        raise InputError(
            f"`{name}` has no token for an image's patches: expected "
            + (f"`{missing}` in its tokenizer" if missing else "an image_token_id in its config.json")
        )
    asked = _conversation(None, _PROBE)
    bare = [{"role": "user", "content": _text(_PROBE)}]
    try:
        with_image, without = (
            str(processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
            for turns in (asked, bare)
        )
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"the chat template of `{name}` can't ask about an image: {one_line(error)}") from error
    if _PROBE not in with_image:
        raise InputError(f"the chat template of `{name}` leaves out the question where there is an image")
    if with_image == without:
        raise InputError(f"the chat template of `{name}` leaves out the image: expected one that places it")


def _conversation(image: Image.Image | None, text: str) -> list[dict[str, Any]]:
    picture = {"type": "image"} if image is None else {"type": "image", "image": image}
    return [{"role": "user", "content": [picture, *_text(text)]}]


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


_ANSWERED = {"role": "assistant", "content": _text(_PROBE)}
