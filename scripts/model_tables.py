"""Writes the tables of docs/models.md: what each family needs, and how much memory a training takes by arithmetic.

    python scripts/model_tables.py

Memory is an estimate and no measurement: weights and optimizer states are counted in the real architectures (on the
meta device: no weights are loaded), activations by a formula. A test fails when the page is stale.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from evensight.models.families import COMPONENTS, FAMILIES, linear_layers
from evensight.training.methods import FinetuneConfig

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
N_TEXT_TOKENS = 60
"""A question with its options and its answer."""
N_ANSWER_TOKENS = 6
"""The answer's, its end, and the one before it."""
GB = 1e9
BYTES_4_BITS = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""NF4: 4 bits a weight, a scale of 8 bits for 64 weights, one of 32 bits for 256 scales."""
BATCH = 8


@dataclass(frozen=True)
class Subject:
    """A checkpoint whose memory is estimated.

    Attributes:
        name: Its Hub id.
        config: Its configuration.
        n_image_tokens: Side of a square image in pixels -> how many tokens it becomes.
    """

    name: str
    config: Any
    n_image_tokens: dict[int, int]


def _qwen(name: str, tied: bool, vocab_size: int, **text: int) -> Subject:
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
    config = transformers.Qwen2_5_VLConfig(
        text_config=text | {"vocab_size": vocab_size},
        vision_config=vision | {"out_hidden_size": text["hidden_size"]},
        tie_word_embeddings=tied,
    )
    return Subject(name, config, {side_px: (side_px // 28) ** 2 for side_px in (336, 672)})


def _llava_next() -> Subject:
    text = {"model_type": "mistral", "vocab_size": 32064, "hidden_size": 4096, "intermediate_size": 14336}
    text |= {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    vision = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "patch_size": 14}
    vision |= {"num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 336, "projection_dim": 768}
    config = transformers.LlavaNextConfig(text_config=text, vision_config=vision)
    side = 336 // 14  # the image as a whole, and in one row of two tiles (half of them padding) or two by two
    return Subject(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        config,
        {336: side**2 + side * (side + 1), 672: side**2 + 2 * side * (2 * side + 1)},
    )


def subjects() -> list[Subject]:
    """The checkpoints of the table."""
    small = {"hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2}
    large = {"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4}
    return [
        _qwen("Qwen/Qwen2.5-VL-3B-Instruct", True, 151936, **small, intermediate_size=11008),
        _qwen("Qwen/Qwen2.5-VL-7B-Instruct", False, 152064, **large, intermediate_size=18944),
        _llava_next(),
    ]


@dataclass(frozen=True)
class Memory:
    """The bytes that a training takes.

    Attributes:
        weights: The frozen weights.
        states: The adapters with their gradients and AdamW's two moments, in float32.
        question: What is kept of each question for the way back.
        question_again: The same where activations are computed twice.
    """

    weights: float
    states: float
    question: float
    question_again: float


def memory(subject: Subject, side_px: int, method: str) -> Memory:
    """What fine-tuning by the default settings takes, images of one size.

    A layer keeps 34 bytes for each token and each unit of its width (Korthikanti et al. 2022, arXiv 2205.05198, eq. 2
    without the attention scores, which are not kept), of activations that are computed twice 2, and one layer at a
    time all. Logits are computed where answers are predicted, with 10 bytes each: in bfloat16, and twice in float32.
    """
    with torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(subject.config)
    n_all = sum(weight.numel() for weight in model.parameters())
    modules = dict(model.named_modules())
    n_linear = sum(modules[name].weight.numel() for part in COMPONENTS for name in linear_layers(model, part))
    config = FinetuneConfig()
    chosen = [modules[name] for name in linear_layers(model, "language", config.layers)]
    n_adapter = sum(config.lora_rank * (layer.in_features + layer.out_features) for layer in chosen)
    text = model.config.get_text_config()
    n_tokens, width, depth = subject.n_image_tokens[side_px] + N_TEXT_TOKENS, text.hidden_size, text.num_hidden_layers
    logits = 10 * N_ANSWER_TOKENS * text.vocab_size
    return Memory(
        weights=2 * n_all if method == "lora" else BYTES_4_BITS * n_linear + 4 * (n_all - n_linear),
        states=16 * n_adapter,
        question=34 * n_tokens * width * depth + logits,
        question_again=(2 * depth + 34) * n_tokens * width + logits,
    )


def memory_table() -> str:
    """The estimates as Markdown, in GB of 10^9 bytes."""
    header = (
        "| model | image | method | weights | adapters, gradients, AdamW | activations and logits of each question | "
        "the same with `--gradient-checkpointing` | together, batch 1 | together, batch "
        f"{BATCH} with `--gradient-checkpointing` |\n"
        f"|---|---:|---|{'---:|' * 6}\n"
    )
    return header + "".join(_memory_rows())


def _memory_rows() -> Iterator[str]:
    for subject in subjects():
        for method in ("lora", "qlora"):
            for side_px in subject.n_image_tokens:
                found = memory(subject, side_px, method)
                fixed = found.weights + found.states
                figures = [found.weights, found.states, found.question, found.question_again]
                figures += [fixed + found.question, fixed + BATCH * found.question_again]
                numbers = " | ".join(f"{n_bytes / GB:.1f}" for n_bytes in figures)
                yield f"| {subject.name} | {side_px} px | {method} | {numbers} |\n"


def families_table() -> str:
    """What `evensight models list` says, as Markdown."""
    header = "| family | for example | image token | an answer ends on | an image becomes | note |\n"
    rows = [header, f"{'|---' * 6}|\n"]
    for family in FAMILIES:
        ends = " ".join(f"`{end}`" for end in family.answer_ends).replace("|", "\\|")
        token = f"`{family.image_token}`".replace("|", "\\|")
        template = "has no chat template of its own, evensight has one; " if family.chat_template else ""
        rows.append(
            f"| {family.title} | {family.example} | {token} | {ends} | {family.pixels} | {template}{family.note} |\n"
        )
    return "".join(rows)


TABLES = {"families": families_table, "memory": memory_table}


def written(page: str) -> str:
    """The page with its tables as they have to be."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"`{PAGE}` has no place for the table `{name}`: expected `{begin.strip()}` and `{end}`")
        page = f"{before}{begin}{table()}{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
