"""Contract 6: an answer that is generated is the option that scores best, and both see the same probabilities."""

import pytest
import torch
from PIL import Image

from evensight.annotations import AREAS
from evensight.models.continued import on_device, read_prompts
from evensight.models.predict import Predictor
from evensight.models.scoring import Scorer
from tiny_models import TEXTS, Tiny, pictures

OPTIONS = [AREAS[:3], ("center",), AREAS]


@pytest.mark.parametrize("shares_beginnings", [True, False])
def test_sharing_a_prompt_and_beginnings_changes_no_score(tiny: Tiny, shares_beginnings: bool) -> None:
    shared, separate = (
        Scorer(tiny.loaded, sharing, shares_beginnings).scores(pictures(3), TEXTS, OPTIONS)
        for sharing in (True, False)
    )
    assert [len(row) for row in shared] == [3, 1, 9]
    for one, other in zip(shared, separate, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_tree_of_options_is_found_to_be_exact(tiny: Tiny) -> None:
    assert Scorer(tiny.loaded).trees_are_exact


def test_the_words_that_are_taken_here_are_those_that_generate_takes(tiny: Tiny) -> None:
    ours, theirs = (
        Predictor(tiny.loaded, steps_itself=itself).answer(pictures(3), TEXTS) for itself in (True, False)
    )
    assert ours == theirs
    assert len(set(ours)) > 1  # or being the same is easy


def test_scores_and_words_can_be_taken_from_the_same_prompts(tiny: Tiny) -> None:
    scorer, predictor = Scorer(tiny.loaded), Predictor(tiny.loaded)
    with torch.inference_mode():
        batch = on_device(tiny.loaded.model, tiny.prompter.encode(pictures(3), TEXTS))
        prompts = read_prompts(tiny.loaded.model, batch)
        assert prompts is not None
        first, words, again = (
            scorer.behind(prompts, OPTIONS),
            predictor.behind(batch, prompts),
            scorer.behind(prompts, OPTIONS),
        )
    assert first == again == scorer.scores(pictures(3), TEXTS, OPTIONS)
    assert words == predictor.answer(pictures(3), TEXTS)


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
