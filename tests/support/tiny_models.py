"""A tiny model of each family, on disk as a checkpoint is: real architecture and processor, random weights.

The words and chat templates are of the released checkpoints' form (`chat_templates`, `tiny_tokenizers`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

from chat_templates import GEMMA, IDEFICS, MISTRAL, MOLMO, ONEVISION, SYSTEM, VICUNA, chatml
from evensight.models.families import component_of
from evensight.models.loading import LoadedModel, load, quiet_transformers
from evensight.models.processors import image_only, processor_class
from evensight.models.prompts import Prompter
from tiny_tokenizers import of_bytes, of_pieces

SIDE_PX = 112
"""The side of the images that the tests show; in tiles of 56 px, where a family has tiles."""

_TILE_PX = 56
_PATCH_PX = 14
_WIDTH = 32
_PINPOINTS = [[56, 112], [112, 56], [112, 112]]


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """A language model's configuration."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 64,
        "max_position_embeddings": 1024,
        "initializer_range": 0.1,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **more,
    }


def _vision(**more: Any) -> dict[str, Any]:
    """A vision tower's configuration."""
    return {
        "hidden_size": _WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.1,
        "image_size": _TILE_PX,
        "patch_size": _PATCH_PX,
        **more,
    }


def _images(path: str, **settings: Any) -> Any:
    """An image processor that prepares images by Pillow."""
    module, name = path.split(":")
    return getattr(__import__(f"transformers.models.{module}", fromlist=[name]), name)(**settings)


_QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_NAMED = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}


def _qwen(model_type: str) -> tuple[Any, Any]:
    vision = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = of_bytes([*_QWEN_TOKENS, *vision], _QWEN_NAMED)
    patch_px = 16 if model_type == "qwen3_vl" else _PATCH_PX
    side_px = 128 if model_type == "qwen3_vl" else SIDE_PX
    images = _images(
        "qwen2_vl.image_processing_pil_qwen2_vl:Qwen2VLImageProcessorPil",
        patch_size=patch_px,
        size={"shortest_edge": side_px**2, "longest_edge": side_px**2},
    )
    template = chatml("<|vision_start|><|image_pad|><|vision_end|>", "" if model_type == "qwen3_vl" else SYSTEM)
    processor = image_only(processor_class(model_type))(images, tokenizer, None, chat_template=template)
    text = _text(
        tokenizer,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        **({"head_dim": 16} if model_type == "qwen3_vl" else {}),
    )
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in (
            ("image", "<|image_pad|>"),
            ("video", "<|video_pad|>"),
            ("vision_start", "<|vision_start|>"),
            ("vision_end", "<|vision_end|>"),
        )
    }
    config = AutoConfig.for_model(
        model_type, text_config=text, vision_config=_qwen_vision(model_type, patch_px), **ids
    )
    return config, processor


def _qwen_vision(model_type: str, patch_px: int) -> dict[str, Any]:
    common = {"depth": 2, "num_heads": 2, "patch_size": patch_px, "spatial_merge_size": 2, "initializer_range": 0.1}
    if model_type == "qwen2_vl":
        return common | {"embed_dim": _WIDTH, "hidden_size": _WIDTH, "mlp_ratio": 2}
    common |= {"hidden_size": _WIDTH, "out_hidden_size": _WIDTH, "intermediate_size": 64}
    if model_type == "qwen2_5_vl":
        return common | {"window_size": 56, "fullatt_block_indexes": [1]}
    return common | {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}


def _llava() -> tuple[Any, Any]:
    tokenizer = of_pieces(
        ["<unk>", "<s>", "</s>", "<image>", "<pad>"],
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
        bos="<s>",
    )
    images = _images(
        "clip.image_processing_pil_clip:CLIPImageProcessorPil",
        size={"shortest_edge": _TILE_PX},
        crop_size={"height": _TILE_PX, "width": _TILE_PX},
    )
    processor = transformers.LlavaProcessor(
        images, tokenizer, _PATCH_PX, "default", chat_template=VICUNA, num_additional_image_tokens=1
    )
    config = transformers.LlavaConfig(
        text_config=_text(tokenizer, model_type="llama"),
        vision_config=_vision(model_type="clip_vision_model", projection_dim=_WIDTH),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    return config, processor


def _llava_next() -> tuple[Any, Any]:
    tokenizer = of_pieces(
        ["<unk>", "<s>", "</s>", "<image>", "<pad>"],
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
        bos="<s>",
    )
    images = _images(
        "llava_next.image_processing_pil_llava_next:LlavaNextImageProcessorPil",
        size={"shortest_edge": _TILE_PX},
        crop_size={"height": _TILE_PX, "width": _TILE_PX},
        image_grid_pinpoints=_PINPOINTS,
    )
    processor = transformers.LlavaNextProcessor(
        images, tokenizer, _PATCH_PX, "default", chat_template=MISTRAL, num_additional_image_tokens=1
    )
    config = transformers.LlavaNextConfig(
        text_config=_text(tokenizer, model_type="mistral"),
        vision_config=_vision(model_type="clip_vision_model", projection_dim=_WIDTH),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=_PINPOINTS,
        image_seq_length=16,
    )
    return config, processor


def _llava_onevision() -> tuple[Any, Any]:
    tokenizer = of_bytes([*_QWEN_TOKENS, "<image>", "<video>"], _QWEN_NAMED)
    images = _images(
        "llava_onevision.image_processing_pil_llava_onevision:LlavaOnevisionImageProcessorPil",
        size={"height": _TILE_PX, "width": _TILE_PX},
        image_grid_pinpoints=_PINPOINTS,
    )
    processor = image_only(processor_class("llava_onevision"))(
        images, tokenizer, None, num_image_tokens=16, vision_feature_select_strategy="full", chat_template=ONEVISION
    )
    config = transformers.LlavaOnevisionConfig(
        text_config=_text(tokenizer, model_type="qwen2"),
        vision_config=_vision(model_type="siglip_vision_model", vision_use_head=False),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=_PINPOINTS,
    )
    return config, processor


def _internvl() -> tuple[Any, Any]:
    tokenizer = of_bytes(
        [*_QWEN_TOKENS, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        _QWEN_NAMED
        | {
            "extra_special_tokens": {
                "start_image_token": "<img>",
                "end_image_token": "</img>",
                "context_image_token": "<IMG_CONTEXT>",
                "video_token": "<video>",
            }
        },
    )
    images = _images(
        "got_ocr2.image_processing_pil_got_ocr2:GotOcr2ImageProcessorPil",
        size={"height": _TILE_PX, "width": _TILE_PX},
        max_patches=4,
    )
    processor = image_only(processor_class("internvl"))(
        images, tokenizer, None, image_seq_length=4, chat_template=chatml("<IMG_CONTEXT>\n")
    )
    config = transformers.InternVLConfig(
        text_config=_text(tokenizer, model_type="qwen2"),
        vision_config=_vision(image_size=[_TILE_PX] * 2, patch_size=[_PATCH_PX] * 2),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    return config, processor


def _idefics(model_type: str) -> tuple[Any, Any]:
    places = [f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)]
    bos = "<|begin_of_text|>" if model_type == "idefics3" else "<|im_start|>"
    tokenizer = of_bytes(
        ["<|endoftext|>", bos, "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>", *places],
        {"pad_token": "<|endoftext|>", "bos_token": bos, "eos_token": "<end_of_utterance>"},
        bos=bos,
    )
    name = "Idefics3ImageProcessorPil" if model_type == "idefics3" else "SmolVLMImageProcessorPil"
    images = _images(
        f"{model_type}.image_processing_pil_{model_type}:{name}",
        size={"longest_edge": SIDE_PX},
        max_image_size={"longest_edge": _TILE_PX},
    )
    cls, template = processor_class(model_type), IDEFICS.replace("BOS", bos)
    if model_type == "idefics3":
        processor = cls(images, tokenizer, image_seq_len=4, chat_template=template)
    else:
        processor = image_only(cls)(images, tokenizer, None, image_seq_len=4, chat_template=template)
    config = AutoConfig.for_model(
        model_type,
        text_config=_text(tokenizer, model_type="llama"),
        vision_config=_vision(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    return config, processor


def _paligemma() -> tuple[Any, Any]:
    tokenizer = of_pieces(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<image>"],
        {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"},
        first_space=False,
    )
    images = _images(
        "siglip.image_processing_pil_siglip:SiglipImageProcessorPil",
        size={"height": _TILE_PX, "width": _TILE_PX},
    )
    images.image_seq_length = 16
    processor = transformers.PaliGemmaProcessor(images, tokenizer)  # released without a chat template
    config = transformers.PaliGemmaConfig(
        text_config=_text(tokenizer, model_type="gemma2", head_dim=16, query_pre_attn_scalar=16, sliding_window=512),
        vision_config=_vision(model_type="siglip_vision_model", vision_use_head=False, projection_dim=_WIDTH),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=_WIDTH,
        hidden_size=_WIDTH,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return config, processor


def _gemma3() -> tuple[Any, Any]:
    turns = ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    tokenizer = of_pieces(
        ["<pad>", "<eos>", "<bos>", "<unk>", *turns],
        {
            "unk_token": "<unk>",
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "extra_special_tokens": {
                "image_token": "<image_soft_token>",
                "boi_token": "<start_of_image>",
                "eoi_token": "<end_of_image>",
            },
        },
        bos="<bos>",
        first_space=False,
    )
    images = _images(
        "gemma3.image_processing_pil_gemma3:Gemma3ImageProcessorPil",
        size={"height": _TILE_PX, "width": _TILE_PX},
    )
    processor = transformers.Gemma3Processor(images, tokenizer, chat_template=GEMMA, image_seq_length=4)
    ids = dict(zip(("boi", "eoi", "image"), tokenizer.convert_tokens_to_ids(turns[2:]), strict=True))
    config = transformers.Gemma3Config(
        text_config=_text(tokenizer, head_dim=16, query_pre_attn_scalar=16, sliding_window=64, num_hidden_layers=3)
        | {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        vision_config=_vision(model_type="siglip_vision_model", vision_use_head=False),
        mm_tokens_per_image=4,
        **{f"{name}_token_index": id_ for name, id_ in ids.items()},
    )
    return config, processor


def _molmo2() -> tuple[Any, Any]:
    from evensight.models.molmo2_images import image_processor

    extra = ["<im_start>", "<im_end>", "<im_patch>", "<im_col>", "<low_res_im_start>", "<|image|>", "<im_low>"]
    extra += ["<frame_start>", "<frame_end>", "<|video|>"]
    tokenizer = of_bytes([*_QWEN_TOKENS, *extra], _QWEN_NAMED | {"bos_token": "<|im_end|>"})
    images = image_processor()(
        size={"height": _TILE_PX, "width": _TILE_PX}, patch_size=_PATCH_PX, overlap_margins=[1, 1], max_crops=9
    )
    processor = image_only(processor_class("molmo2"))(images, None, tokenizer, chat_template=MOLMO)
    ids = dict(zip(extra, tokenizer.convert_tokens_to_ids(extra), strict=True))
    vision = _vision(num_hidden_layers=2, num_key_value_heads=2, head_dim=16, image_size=[_TILE_PX] * 2)
    heads = {"hidden_size": _WIDTH, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    text = _text(tokenizer, head_dim=16, vocab_size=len(tokenizer) - len(extra), additional_vocab_size=len(extra))
    config = transformers.Molmo2Config(
        text_config=text | {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        vision_config=vision,
        adapter_config=heads
        | {"vision_feature_layer": [-1, -2], "intermediate_size": 64, "text_hidden_size": _WIDTH},
        image_start_token_id=ids["<im_start>"],
        low_res_image_start_token_id=ids["<low_res_im_start>"],
        image_end_token_id=ids["<im_end>"],
        image_patch_id=ids["<im_patch>"],
        frame_start_token_id=ids["<frame_start>"],
        frame_end_token_id=ids["<frame_end>"],
        initializer_range=0.1,
    )
    return config, processor


BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "qwen2_vl": lambda: _qwen("qwen2_vl"),
    "qwen2_5_vl": lambda: _qwen("qwen2_5_vl"),
    "qwen3_vl": lambda: _qwen("qwen3_vl"),
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "internvl": _internvl,
    "smolvlm": lambda: _idefics("smolvlm"),
    "idefics3": lambda: _idefics("idefics3"),
    "paligemma": _paligemma,
    "gemma3": _gemma3,
    "molmo2": _molmo2,
}
"""Model type -> what makes its configuration and its processor."""


def save_tiny(model_type: str, folder: Path) -> Path:
    """Writes a family's tiny model as a checkpoint; its weights are drawn with a fixed seed."""
    with quiet_transformers():
        config, processor = BUILDERS[model_type]()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForImageTextToText.from_config(config)
            _let_the_image_count(model)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder


def _let_the_image_count(model: Any) -> None:
    """Draws the projector's weights anew, larger: Gemma 3's begins with zeros, Molmo2's adds next to nothing."""
    for name, weights in model.named_parameters():
        if component_of(name) == "projector" and weights.ndim > 1:
            torch.nn.init.normal_(weights, std=0.4)


@dataclass(frozen=True)
class Tiny:
    """A family's tiny model: its folder, and itself as it is loaded from there."""

    model_type: str
    folder: Path
    loaded: LoadedModel

    @property
    def prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.model_type)

    def fresh(self) -> LoadedModel:
        """The model again, free to be changed."""
        return load(str(self.folder))


def pictures(n: int, side_px: int = SIDE_PX) -> list[Image.Image]:
    """Pictures that differ, smooth and without any symmetry."""
    y, x = np.mgrid[0:side_px, 0:side_px] / side_px
    made = []
    for k in range(n):
        planes = [x * (0.3 + 0.1 * k), y * 0.9, (x * (1 - y) + 0.13 * k) % 1.0]
        made.append(Image.fromarray((np.stack(planes, axis=-1) * 255).clip(0, 255).astype(np.uint8)))
    return made


TEXTS: Sequence[str] = (
    "Where is the red circle?",
    "Where?",
    "Where is the red circle? Choose from [top left, center]. Answer with one of the options.",
)
