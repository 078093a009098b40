"""Whether examples fit into a model's context: asked before training starts, for nothing is ever truncated.

All examples are counted by their images' sizes and their texts; the longest is then encoded as it really is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

from evensight.datasets.examples import Example, ExampleSet
from evensight.errors import InputError
from evensight.models.loading import LoadedModel
from evensight.models.prompts import Prompter, image_id

MOST_COUNTED = 50_000
"""Of larger sets as many examples are counted, evenly spread: they are drawn, in one size."""


@dataclass(frozen=True, slots=True)
class Longest:
    """The longest of a set's examples, in tokens.

    Attributes:
        index: Its place in the set.
        example: Its id.
        n_tokens: The prompt's and the answer's.
        n_image_tokens: How many of them stand for patches of the image.
        context: How many the model can take; None if it doesn't say.
    """

    index: int
    example: str
    n_tokens: int
    n_image_tokens: int
    context: int | None


def check_fits(loaded: LoadedModel, examples: ExampleSet) -> Longest:
    """The longest example of a set, with its right answer.

    Raises:
        InputError: It doesn't fit into the model's context.
    """
    prompter = Prompter(loaded.processor, loaded.model.config.model_type)
    index = _longest(prompter, examples)
    example = examples[index]
    batch = prompter.encode_with_answers([examples.image(index)], [example.question.text], [example.question.answer])
    n_image_tokens = batch["input_ids"].flatten().tolist().count(image_id(loaded.processor, loaded.model.config))
    found = Longest(index, example.id, batch["input_ids"].shape[1], n_image_tokens, context_of(loaded.model.config))
    if found.context is not None and found.n_tokens > found.context:
        raise InputError(
            f"the example `{found.example}` has {found.n_tokens:,} tokens, {found.n_image_tokens:,} of them for its "
            f"image of {_size(example)}, but `{loaded.name}` takes {found.context:,}: use smaller images, or set "
            f"{' or '.join(loaded.family.budget) or 'the image size'} lower in a copy of the model"
        )
    return found


def context_of(config: Any) -> int | None:
    """How many tokens a model can take, by its configuration; None if it doesn't say."""
    known = getattr(config.get_text_config(), "max_position_embeddings", None)
    return known if isinstance(known, int) else None


def _longest(prompter: Prompter, examples: ExampleSet) -> int:
    """The index of the example that will be longest, by its image's size and its texts."""
    n_text_tokens = cache(prompter.n_text_tokens)
    n_image_tokens = cache(_image_counter(prompter))

    def n_tokens(index: int) -> int:
        example = examples[index]
        frame, question = example.frame, example.question
        n_texts = n_text_tokens(question.text) + n_text_tokens(question.answer)
        return n_image_tokens(frame.height_px, frame.width_px) + n_texts

    return max(_counted(len(examples)), key=n_tokens)


def _counted(n: int) -> Iterable[int]:
    return range(0, n, max(1, -(-n // MOST_COUNTED)))


def _image_counter(prompter: Prompter) -> Callable[[int, int], int]:
    """Counts the tokens of an image by its size: by the processor's own rule, or by encoding a black one."""

    def count(height_px: int, width_px: int) -> int:
        try:
            sizes = {"image_sizes": [(height_px, width_px)]}
            return int(prompter.processor._get_num_multimodal_tokens(**sizes)["num_image_tokens"][0])
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ):  # SmolVLM has no rule; SigLIP's settings fit no other
            return int(prompter.encode([Image.new("RGB", (width_px, height_px))], [""])["input_ids"].shape[1])

    return count


def _size(example: Example) -> str:
    return f"{example.frame.width_px} x {example.frame.height_px} px"
