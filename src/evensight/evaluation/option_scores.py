"""What the scores of a question's options say: which one is chosen under each rule, and how sure the model is.

A score is a log-likelihood in nats, the sum over an option's tokens. Three rules choose from it:

* `sum`: the likeliest answer. It favours what is said in few words.
* `per-token`: the likeliest on the mean over its tokens. It favours what goes on as expected once it has begun.
* `against-prior`: what the picture makes likelier most, the score less the score on a black image. It takes out what
  the words alone suggest (Holtzman et al. 2021, domain-conditional pointwise mutual information).

The softmax of what a rule compares is a probability for each option, which calibration asks about.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.errors import InputError, one_of

SUM, PER_TOKEN, AGAINST_PRIOR = "sum", "per-token", "against-prior"
RULES = (SUM, PER_TOKEN, AGAINST_PRIOR)

Figures = Sequence[float] | NDArray[np.float64]


def compared(
    rule: str, scores: Figures, tokens: Sequence[int] | None = None, priors: Figures | None = None
) -> NDArray[np.float64]:
    """What a rule compares, `[..., option]`: the largest is chosen.

    Args:
        rule: One of `RULES`.
        scores: Each option's log-likelihood, nats, of one question or of several.
        tokens: How many tokens each is the sum of; for `per-token`.
        priors: The same sums on a black image; for `against-prior`.

    Raises:
        InputError: The rule isn't known, or needs what wasn't asked for.
    """
    values = np.asarray(scores, dtype=np.float64)
    if rule == SUM:
        return values
    if rule == PER_TOKEN and tokens is not None:
        return np.asarray(values / np.asarray(tokens, dtype=np.float64))
    if rule == AGAINST_PRIOR and priors is not None:
        return np.asarray(values - np.asarray(priors, dtype=np.float64))
    if rule in RULES:
        missing = "the numbers of tokens" if rule == PER_TOKEN else "the options' priors"
        raise InputError(
            f"the rule `{rule}` needs {missing}, which were not asked for: evaluate again with `--by options`"
        )
    raise one_of("the rule", rule, RULES)


def best(values: Figures) -> int:
    """The place of the largest value; the first of equals."""
    return int(np.argmax(np.asarray(values)))


def probabilities(values: Figures) -> NDArray[np.float64]:
    """The softmax of what a rule compares: how likely each is if one of them is the answer, `[..., option]`."""
    values = np.asarray(values, dtype=np.float64)
    weights = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def confidences(scores: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The likeliest option's probability for each question of a column `option_scores` without gaps."""
    found = np.empty(len(scores))
    for some in _alike(scores):
        found[some] = probabilities(np.array([scores[k] for k in some])).max(axis=-1)
    return found


def chosen(
    rule: str,
    options: Sequence[Sequence[str]],
    scores: Sequence[Sequence[float] | None],
    tokens: Sequence[Sequence[int] | None],
    priors: Sequence[Sequence[float] | None],
) -> list[str | None]:
    """The option that a rule chooses for each question of a table; None for those that have no scores.

    The arguments are the columns `options`, `option_scores`, `option_tokens` and `option_priors`.

    Raises:
        InputError: The rule isn't known, or needs what wasn't asked for.
    """
    found: list[str | None] = [None] * len(options)
    for some in _alike(scores):
        values = compared(rule, *(_rows(column, some) for column in (scores, tokens, priors)))
        for k, place in zip(some, values.argmax(axis=-1).tolist(), strict=True):
            found[k] = options[k][place]
    return found


def _alike(scores: Sequence[Sequence[float] | None]) -> list[list[int]]:
    """The rows that have scores, by their numbers: those with the same number of options are one array."""
    by_size: dict[int, list[int]] = {}
    for k, each in enumerate(scores):
        if each is not None:
            by_size.setdefault(len(each), []).append(k)
    return list(by_size.values())


def _rows(column: Sequence[Any], some: Sequence[int]) -> Any:
    """Some rows of a column, `[row, option]`; None where one of them has nothing."""
    rows = [column[k] for k in some]
    return None if any(row is None for row in rows) else np.array(rows)
