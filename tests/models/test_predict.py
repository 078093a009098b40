"""Answers are greedy, and don't depend on the batch that a question is in."""

from evensight.datasets.scene_examples import SceneExamples
from evensight.models.loading import LoadedModel
from evensight.models.predict import Predictor
from evensight.questions.parsing import parse_answer
from evensight.scenes.catalog import design

EXAMPLES = SceneExamples(design("civet-test"), 336, 0)
CHOSEN = tuple(range(5, 3888, 160))


def answers(embedded: LoadedModel, batch_size: int) -> list[str]:
    predictor = Predictor(embedded)
    found = []
    for start in range(0, len(CHOSEN), batch_size):
        batch = CHOSEN[start : start + batch_size]
        found += predictor.answer([EXAMPLES.image(k) for k in batch], [EXAMPLES[k].question.text for k in batch])
    return found


def test_batch_size_does_not_change_the_answers(embedded: LoadedModel) -> None:
    assert answers(embedded, 1) == answers(embedded, 8) == answers(embedded, len(CHOSEN))


def test_the_embedded_model_answers_with_options(embedded: LoadedModel) -> None:
    assert all(parse_answer(raw, EXAMPLES[0].question) for raw in answers(embedded, 8))


def test_the_embedded_model_is_right_in_the_middle(embedded: LoadedModel) -> None:
    middle = [k for k in range(len(EXAMPLES)) if EXAMPLES[k].cell.row == EXAMPLES[k].cell.col == 4]
    given = Predictor(embedded).answer(
        [EXAMPLES.image(k) for k in middle], [EXAMPLES[k].question.text for k in middle]
    )
    assert given.count("center") >= 0.9 * len(middle)
