"""Three rules choose from the same scores; expected values by hand."""

from math import exp

import numpy as np
import pytest
from scipy.special import softmax

from evensight.errors import InputError
from evensight.evaluation.option_scores import RULES, best, chosen, compared, confidences, probabilities

SCORES, TOKENS, PRIORS = (-2.0, -3.0, -3.5), (1, 2, 2), (-0.5, -2.5, -4.0)
"""The sum is best for the first, the mean (-2, -1.5, -1.75) for the second; only the third gains over its prior."""


def test_each_rule_chooses_another() -> None:
    given = [best(compared(rule, SCORES, TOKENS, PRIORS)) for rule in RULES]
    assert given == [0, 1, 2]


def test_what_is_compared() -> None:
    assert compared("sum", SCORES).tolist() == [-2.0, -3.0, -3.5]
    assert compared("per-token", SCORES, TOKENS).tolist() == [-2.0, -1.5, -1.75]
    assert compared("against-prior", SCORES, None, PRIORS).tolist() == [-1.5, -0.5, 0.5]


def test_of_equals_the_first_is_chosen() -> None:
    assert best([-2.0, -1.0, -1.0]) == 1


def test_probabilities_are_a_softmax() -> None:
    assert probabilities([0.0, np.log(3.0)]).tolist() == pytest.approx([0.25, 0.75])
    assert probabilities(SCORES) == pytest.approx(softmax(SCORES))
    assert probabilities([-1000.0, -1001.0])[0] == pytest.approx(1 / (1 + exp(-1)))


def test_columns_are_read_row_by_row() -> None:
    options = [("a", "b", "c"), (), ("c", "a", "b")]
    scores, tokens, priors = [SCORES, None, SCORES], [TOKENS, None, TOKENS], [PRIORS, None, PRIORS]
    assert chosen("sum", options, scores, tokens, priors) == ["a", None, "c"]
    assert chosen("per-token", options, scores, tokens, priors) == ["b", None, "a"]
    assert chosen("against-prior", options, scores, tokens, priors) == ["c", None, "b"]


def test_questions_of_several_sizes_are_chosen_from_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    sizes = [2, 9, 2, 4, 9, 9]
    scores, priors = ([tuple(rng.normal(size=m)) for m in sizes] for _ in range(2))
    tokens = [tuple(rng.integers(1, 4, m).tolist()) for m in sizes]
    options = [tuple(f"{k}-{m}" for m in range(n)) for k, n in enumerate(sizes)]
    for rule in RULES:
        each = zip(options, scores, tokens, priors, strict=True)
        expected = [names[best(compared(rule, *given))] for names, *given in each]
        assert chosen(rule, options, scores, tokens, priors) == expected
    assert confidences(scores).tolist() == [probabilities(row).max() for row in scores]


@pytest.mark.parametrize(("rule", "needs"), [("per-token", "numbers of tokens"), ("against-prior", "priors")])
def test_a_rule_says_what_it_misses(rule: str, needs: str) -> None:
    with pytest.raises(InputError, match=needs):
        compared(rule, SCORES)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError, match=r"`mean` is not known.*per-token"):
        compared("mean", SCORES)
