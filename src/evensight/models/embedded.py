"""The embedded model: a LLaVA small enough to ship and to fine-tune on a CPU in a minute.

It is transformers' `LlavaForConditionalGeneration` (a CLIP tower, a projector, a Llama) with a `LlavaProcessor`
and a tokenizer of its own, so that it goes the same road as a checkpoint from the Hub. `build` makes it with
random weights; `training.pretraining` says how it was really trained. Its card is `README.md` beside the
weights.

Two things decide whether it learns at all. Black must reach the tower as zeros (`image_mean` 0): with CLIP's own
normalisation the same recipe stays at chance. And likes attend to likes from the start: queries and keys begin as the
same projection, so that a word finds the patches that have been drawn to it (`training.seeing`).
"""

from pathlib import Path
from typing import Any

from evensight.annotations import AREAS

EMBEDDED = "embedded"
"""The name that stands for this model wherever a model is asked for."""

EMBEDDED_FOLDER = Path(__file__).parent / "embedded_weights"
IMAGE_PX = 112
PATCH_PX = 16
"""49 patches, 7 x 7: not the 9 x 9 grid, as no model's patches are."""

_SPECIAL_TOKENS: dict[str, Any] = {
    "pad_token": "<pad>",
    "bos_token": "<s>",
    "eos_token": "<|im_end|>",
    "extra_special_tokens": ["<image>", "<|im_start|>"],
}
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(words: list[str], seed: int) -> tuple[Any, Any]:
    """The model with random weights, and its processor.

    Args:
        words: Texts whose words become single tokens; any other text is spelled in bytes.
        seed: Draws the weights.

    Returns:
        The `LlavaForConditionalGeneration` and its `LlavaProcessor`.
    """
    import torch
    from transformers import AutoModelForImageTextToText, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer(words)
    images = CLIPImageProcessorPil(
        do_center_crop=False,
        size={"height": IMAGE_PX, "width": IMAGE_PX},
        image_mean=[0.0, 0.0, 0.0],
        image_std=[0.5, 0.5, 0.5],
    )
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        chat_template=_CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(_config(tokenizer))
    _let_likes_attend(model)
    return model, processor


def _let_likes_attend(model: Any) -> None:
    """Has each layer's queries and keys begin as one orthogonal projection: alike tokens have high scores."""
    import torch

    with torch.no_grad():
        for layer in model.model.language_model.layers:
            attention = layer.self_attn
            torch.nn.init.orthogonal_(attention.q_proj.weight)
            attention.k_proj.weight.copy_(attention.q_proj.weight)


def _config(tokenizer: Any) -> Any:
    from transformers import LlavaConfig

    return LlavaConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
            "intermediate_size": 256,
            "max_position_embeddings": 1024,
            "initializer_range": 0.08,
            "tie_word_embeddings": True,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "projection_dim": 96,
            "hidden_act": "gelu",
            "image_size": IMAGE_PX,
            "patch_size": PATCH_PX,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(IMAGE_PX // PATCH_PX) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def _tokenizer(words: list[str]) -> Any:
    """A byte-level BPE in which each of the words, with and without a space before it, is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    known = sorted({*words, *AREAS})
    texts = [text for word in known for text in (word, f" {word}", f"{word},", f"[{word}", f"{word}].")]
    bpe.train_from_iterator([*texts, "user\n", "assistant\n"] * 2, trainer)
    bpe.add_special_tokens(["<pad>", "<s>", "<|im_end|>", "<image>", "<|im_start|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        padding_side="left",
        **_SPECIAL_TOKENS,
    )
