"""Models with random weights for `benchmarks/training.py`: published architectures, whole and made small.

Their processors are transformers' own classes; the tokenizers know the words of the questions, as large ones do, and
the chat templates end a turn at its end token, for what stands behind that TRL would train as well.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from evensight.annotations import AREAS
from evensight.models.loading import LoadedModel, load, processor_hash, quiet_transformers

QWEN_7B: Mapping[str, Any] = {
    "text_config": {
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128_000,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "num_heads": 16,
        "intermediate_size": 3420,
        "out_hidden_size": 3584,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
}
"""Qwen/Qwen2.5-VL-7B-Instruct's config.json."""

NEXT_7B: Mapping[str, Any] = {
    "text_config": {
        "model_type": "mistral",
        "vocab_size": 32_064,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 32_768,
        "sliding_window": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    },
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 336,
        "patch_size": 14,
        "projection_dim": 768,
    },
}
"""llava-hf/llava-v1.6-mistral-7b-hf's config.json."""

_SMALL_QWEN_CONFIG: Mapping[str, Any] = {
    "text_config": {
        "vocab_size": 1024,
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
    },
    "vision_config": {
        "depth": 4,
        "hidden_size": 64,
        "num_heads": 4,
        "intermediate_size": 256,
        "out_hidden_size": 128,
        "fullatt_block_indexes": [3],
    },
}
_SMALL_NEXT_CONFIG: Mapping[str, Any] = {
    "text_config": {
        "vocab_size": 1024,
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "vision_config": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": 64,
    },
}
_PINPOINTS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]

_QWEN_TEMPLATE = (
    "{% for message in messages %}{% if loop.first %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_NEXT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST] {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %} [/INST]\n"
    "{% else %}{{ message['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
)


def _qwen(published: Mapping[str, Any], words: Sequence[str]) -> tuple[Any, Any]:
    from transformers import AutoConfig
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from evensight.models.processors import image_only, processor_class

    placed = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
    named = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    tokenizer = _tokenizer(words, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *placed], named)
    cls, images = processor_class("qwen2_5_vl"), Qwen2VLImageProcessorPil()
    processor = image_only(cls)(images, tokenizer, None, chat_template=_QWEN_TEMPLATE)
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in (
            ("image", "<|image_pad|>"),
            ("video", "<|video_pad|>"),
            ("vision_start", "<|vision_start|>"),
            ("vision_end", "<|vision_end|>"),
        )
    }
    return AutoConfig.for_model("qwen2_5_vl", **_copied(published), **ids), processor


def _next(published: Mapping[str, Any], words: Sequence[str]) -> tuple[Any, Any]:
    from transformers import LlavaNextConfig, LlavaNextProcessor
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = _tokenizer(words, ["<unk>", "<s>", "</s>", "<image>", "<pad>"], named)
    processor = LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}, image_grid_pinpoints=_PINPOINTS
        ),
        tokenizer,
        14,
        "default",
        chat_template=_NEXT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    vision = NEXT_7B["vision_config"] | dict(published["vision_config"])
    text = {"model_type": "mistral", **published["text_config"]}
    config = LlavaNextConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=_PINPOINTS,
    )
    return config, processor


EMBEDDED = "embedded"
SMALL_QWEN, WHOLE_QWEN, WHOLE_NEXT, SMALL_NEXT = (
    "Qwen2.5-VL's architecture, small",
    "Qwen2.5-VL-7B's architecture",
    "LLaVA-NeXT-7B's architecture",
    "LLaVA-NeXT's architecture, small",
)
_BUILDERS: Mapping[str, Callable[[Sequence[str]], tuple[Any, Any]]] = {
    SMALL_QWEN: lambda words: _qwen(_SMALL_QWEN_CONFIG, words),
    WHOLE_QWEN: lambda words: _qwen(QWEN_7B, words),
    WHOLE_NEXT: lambda words: _next(NEXT_7B, words),
    SMALL_NEXT: lambda words: _next(_SMALL_NEXT_CONFIG, words),
}


def made(name: str, texts: Sequence[str]) -> LoadedModel:
    """A model by its name here: `embedded`, or one with random weights, the same in each process.

    Args:
        name: Which.
        texts: What it will be asked; each word becomes a token.
    """
    if name == EMBEDDED:
        return load(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    words = sorted({*AREAS, *(word for text in texts for word in text.split())})
    with quiet_transformers():
        config, processor = _BUILDERS[name](words)
        processor.tokenizer.padding_side = "left"
        model = _with_random_weights(config, device, dtype)
    return LoadedModel(name, model.eval(), processor, {"model": name, "processor": processor_hash(processor)})


def _with_random_weights(config: Any, device: str, dtype: torch.dtype) -> nn.Module:
    """The model, made where it is to be and drawn there: on a GPU a 7B takes seconds, on a processor minutes."""
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    with torch.device(device):
        model: nn.Module = AutoModelForImageTextToText.from_config(config, dtype=dtype)
    return model.to(device)


def _copied(published: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(part) for name, part in published.items()}


def _tokenizer(words: Sequence[str], special: Sequence[str], named: Mapping[str, str]) -> Any:
    """A byte-level BPE in which each of the words, with and without a space before it, is one token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=1000, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([text for word in words for text in (word, f" {word}")] * 2, trainer)
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **named)
