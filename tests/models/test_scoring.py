"""On the model that ships, the option that scores best is the answer that is generated."""

from evensight.annotations import AREAS
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.loading import LoadedModel
from evensight.models.predict import Predictor
from evensight.models.scoring import Scorer
from evensight.scenes.catalog import design

EXAMPLES = SceneExamples(design("civet-test"), 336, 0)
CHOSEN = range(0, 3888, 97)


def test_generating_and_scoring_agree(embedded: LoadedModel) -> None:
    images = [EXAMPLES.image(k) for k in CHOSEN]
    texts = [EXAMPLES[k].question.text for k in CHOSEN]
    options = [EXAMPLES[k].question.options for k in CHOSEN]
    generated = Predictor(embedded).answer(images, texts)
    assert len(set(generated)) > 4  # or agreeing is easy
    best = Scorer(embedded).best(images, texts, options)
    n_same = sum(one == other for one, other in zip(generated, best, strict=True))
    assert n_same >= len(CHOSEN) - 1  # greedy takes the likeliest first word, not the likeliest answer


def test_a_batch_changes_no_score(embedded: LoadedModel) -> None:
    images = [EXAMPLES.image(k) for k in (0, 500, 1700)]
    texts = [EXAMPLES[k].question.text for k in (0, 500, 1700)]
    together = Scorer(embedded).scores(images, texts, [AREAS] * 3)
    for image, text, scores in zip(images, texts, together, strict=True):
        [alone] = Scorer(embedded).scores([image], [text], [AREAS])
        assert max(abs(one - other) for one, other in zip(alone, scores, strict=True)) < 1e-4


def test_an_option_of_one_token_can_be_scored(embedded: LoadedModel) -> None:
    [[nothing, center]] = Scorer(embedded).scores([EXAMPLES.image(0)], ["Where?"], [["", "center"]])
    [[alone]] = Scorer(embedded).scores([EXAMPLES.image(0)], ["Where?"], [[""]])
    assert abs(nothing - alone) < 1e-4
    assert nothing < center
