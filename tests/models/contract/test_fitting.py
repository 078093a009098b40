"""Contract 2: what doesn't fit into the model's context is an error before training starts."""

from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image
from typing_extensions import override

from evensight.annotations import PAPER_GRID, Box, Cell, Frame
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.errors import InputError
from evensight.models.fitting import check_fits
from evensight.questions.tasks import Question
from tiny_models import TEXTS, Tiny, pictures

SIZES_WH = [(112, 112), (56, 112), (150, 70), (112, 56)]
LYING_AND_STANDING_WH = [(112, 56), (56, 112)]


class Pictures(ExampleSet):
    """Questions about pictures of given sizes."""

    def __init__(self, sizes_wh: Sequence[tuple[int, int]], texts: Sequence[str]) -> None:
        self._sizes_wh, self._texts = sizes_wh, texts

    @property
    @override
    def info(self) -> SetInfo:
        return SetInfo("pictures", {}, (), PAPER_GRID, ())

    def __len__(self) -> int:
        return len(self._sizes_wh)

    def __getitem__(self, index: int) -> Example:
        options = ("top left", "center")
        question = Question("position", self._texts[index], options, "top left")
        return Example(f"e{index}", question, Cell(0, 0), "top left", Box(0, 0, 1, 1), Frame(*self._sizes_wh[index]))

    @override
    def image(self, index: int) -> Image.Image:
        return pictures(1)[0].resize(self._sizes_wh[index])


def n_tokens(tiny: Tiny, examples: ExampleSet, index: int) -> int:
    question = examples[index].question
    batch = tiny.prompter.encode_with_answers([examples.image(index)], [question.text], [question.answer])
    return int(batch["input_ids"].shape[1])


def test_the_longest_example_is_found(tiny: Tiny) -> None:
    mixed = ["Where?", TEXTS[2], TEXTS[0], "Where?"]
    for sizes_wh, texts in ((SIZES_WH, ["Where?"] * 4), (SIZES_WH, mixed), (LYING_AND_STANDING_WH, ["Where?"] * 2)):
        examples = Pictures(sizes_wh, texts)
        found = check_fits(tiny.loaded, examples)
        lengths = [n_tokens(tiny, examples, k) for k in range(len(sizes_wh))]
        assert found.n_tokens == max(lengths)
        assert lengths[found.index] == max(lengths)
        assert found.example == f"e{found.index}"


def test_what_fits_to_the_last_token_is_accepted_and_one_more_is_not(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = Pictures([(112, 112)] * 2, ["Where?", TEXTS[2]])
    n = n_tokens(tiny, examples, 1)
    text: Any = tiny.loaded.model.config.get_text_config()
    monkeypatch.setattr(text, "max_position_embeddings", n)
    assert check_fits(tiny.loaded, examples).context == n
    monkeypatch.setattr(text, "max_position_embeddings", n - 1)
    with pytest.raises(InputError, match=rf"`e1` has {n} tokens, \d+ of them for its image of 112 x 112 px, but"):
        check_fits(tiny.loaded, examples)
