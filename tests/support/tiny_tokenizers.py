"""Small tokenizers of the two kinds that families have: bytes, as in GPT-2 and Qwen; pieces, as in Llama and Gemma.

The special tokens are the families' real ones; the words are those of the tests.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from evensight.annotations import AREAS

_TEXTS = (
    *AREAS,
    "Where is the red circle? Choose from [top left, center]. Answer with one of the options.",
    "user assistant system model User Assistant USER: ASSISTANT: You are a helpful assistant.\n",
)
_SMALL: dict[str, Any] = {"vocab_size": 420, "show_progress": False, "special_tokens": []}


def of_bytes(special: Sequence[str], named: Mapping[str, Any], bos: str = "") -> PreTrainedTokenizerFast:
    """A byte-level BPE; `bos` is put before every text."""
    return _fast(Tokenizer.from_str(_bytes()), special, named, bos)


def of_pieces(
    special: Sequence[str], named: Mapping[str, Any], bos: str = "", first_space: bool = True
) -> PreTrainedTokenizerFast:
    """A BPE over words that begin with `▁`, and bytes where a letter is not known; `bos` is put before every text.

    Args:
        special: The special tokens, in the order of their ids.
        named: The tokenizer's named special tokens.
        bos: What is put before every text.
        first_space: Whether a text's first word begins with `▁` too, as in Llama but not in Gemma.
    """
    return _fast(Tokenizer.from_str(_pieces(first_space)), special, named, bos)


def _fast(bpe: Tokenizer, special: Sequence[str], named: Mapping[str, Any], bos: str) -> PreTrainedTokenizerFast:
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if bos:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **named)


@cache
def _bytes() -> str:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(_TEXTS * 3, trainers.BpeTrainer(initial_alphabet=alphabet, **_SMALL))
    return str(bpe.to_str())


@cache
def _pieces(first_space: bool) -> str:
    bpe = Tokenizer(models.BPE(byte_fallback=True))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC()])
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first" if first_space else "never", split=False)
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        + ([decoders.Strip(" ", 1, 0)] if first_space else [])
    )
    letters = sorted(set("".join(_TEXTS)) | {"▁"})
    split = Tokenizer(models.BPE())
    split.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    split.train_from_iterator(_TEXTS * 3, trainers.BpeTrainer(initial_alphabet=letters, **_SMALL))
    return _with_bytes(bpe, split)


def _with_bytes(bpe: Tokenizer, trained: Tokenizer) -> str:
    """The trained words behind the 256 bytes, as sentencepiece has them."""
    import json

    content, model = json.loads(bpe.to_str()), json.loads(trained.to_str())["model"]
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    content["model"]["vocab"] = {token: k for k, token in enumerate([*names, *words])}
    content["model"]["merges"] = model["merges"]
    return json.dumps(content)
