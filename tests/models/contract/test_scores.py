"""Contract 6: an answer that is generated is the option that scores best, and both see the same probabilities."""

import pytest
import torch
from PIL import Image

from evensight.annotations import AREAS
from evensight.models.predict import Predictor
from evensight.models.scoring import Scorer
from tiny_models import TEXTS, Tiny, pictures

OPTIONS = [AREAS[:3], ("center",), AREAS]


def test_sharing_a_prompt_changes_no_score(tiny: Tiny) -> None:
    shared, separate = (
        Scorer(tiny.loaded, shares_prompts=sharing).scores(pictures(3), TEXTS, OPTIONS) for sharing in (True, False)
    )
    assert [len(row) for row in shared] == [3, 1, 9]
    for one, other in zip(shared, separate, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_score_is_the_sum_over_the_tokens(tiny: Tiny) -> None:
    [[score]] = Scorer(tiny.loaded).scores(pictures(1), ["Where?"], [["top left"]])
    said = tiny.prompter.answer_ids("top left")
    batch = tiny.prompter.encode_with_answers(pictures(1), ["Where?"], ["top left"])
    del batch["labels"]
    with torch.inference_mode():
        words = torch.log_softmax(tiny.loaded.model(**batch).logits[0, -len(said) - 1 : -1], dim=-1)
    assert score == pytest.approx(sum(float(words[k, id_]) for k, id_ in enumerate(said)), abs=1e-4)


def test_generating_and_scoring_agree_on_what_was_learned(tiny: Tiny) -> None:
    loaded, answers = tiny.fresh(), ["top left", "center", "bottom right"]
    shown, texts = (
        [pictures(1)[0], *(Image.new("RGB", (112, 112), grey) for grey in ("black", "white"))],
        ["Where?"] * 3,
    )
    batch = tiny.prompter.encode_with_answers(shown, texts, answers)
    optimizer = torch.optim.AdamW(loaded.model.parameters(), 5e-3)
    loaded.model.train()
    for _ in range(40):
        optimizer.zero_grad()
        loaded.model(**batch).loss.backward()
        optimizer.step()
    loaded.model.eval()
    assert Predictor(loaded).answer(shown, texts) == answers
    assert Scorer(loaded).best(shown, texts, [AREAS] * 3) == answers
