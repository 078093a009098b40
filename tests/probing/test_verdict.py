"""The verdict says what made figures make plain, and no more."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evensight.probing.verdict import NOT_KNOWN, NOT_SAID, OPEN, SAID, SAID_BETTER, change, verdict

N_GROUPS, N = 20, 400
GROUPS = np.repeat(np.arange(N_GROUPS), N // N_GROUPS)


def right(share: float, seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(N) < share


@pytest.mark.parametrize(
    ("read", "said", "expected"),
    [
        (0.9, 0.5, NOT_SAID),
        (0.98, 0.99, SAID),
        (0.6, 1.0, SAID_BETTER),
        (0.11, 0.11, NOT_KNOWN),
        (0.11, 0.9, SAID_BETTER),
    ],
)
def test_the_verdict_is_what_the_shares_make_plain(read: float, said: float, expected: str) -> None:
    probes = np.stack([right(read, 1), right(read, 2)])
    control = np.stack([right(1 / 9, 3), right(1 / 9, 4)])
    found = verdict(probes, control, right(said, 5), GROUPS, np.random.default_rng(0))
    assert found.verdict == expected
    assert found.read.estimate == probes.mean()
    assert found.said.estimate == right(said, 5).mean()
    assert found.difference.estimate == pytest.approx(probes.mean() - right(said, 5).mean())


def test_what_is_read_where_the_answer_is_wrong_is_counted_there_alone() -> None:
    said, read = np.arange(N) % 4 > 0, np.stack([np.arange(N) % 8 == 0] * 2)
    found = verdict(read, ~read, said, GROUPS, np.random.default_rng(0))
    assert (found.read_where_wrong.n, found.read_where_wrong.estimate) == (100, 0.5)


def test_equal_shares_are_seldom_called_different() -> None:
    called = []
    for k in range(60):
        probes, said = right(0.7, 2 * k)[None], right(0.7, 2 * k + 1)
        called.append(verdict(probes, right(0.1, k + 1000)[None], said, GROUPS, np.random.default_rng(k)).verdict)
    assert called.count(NOT_SAID) + called.count(SAID_BETTER) <= 6


def test_few_combinations_leave_it_open() -> None:
    groups = np.repeat(np.arange(4), 100)
    found = verdict(right(0.9, 1)[None], right(0.1, 2)[None], right(0.5, 3), groups, np.random.default_rng(0))
    assert (found.verdict, found.p_value) == (OPEN, 2 / 16)


def test_a_change_is_that_of_the_same_questions() -> None:
    before, after = right(0.5, 1), right(0.9, 2)
    read = np.stack([before] * 3), np.stack([after] * 3)
    found = change(read, (before, before), GROUPS, np.random.default_rng(0))
    assert found.read.estimate == pytest.approx(after.mean() - before.mean())
    assert found.read.low > 0.2
    assert found.read_p_value < 0.001
    assert found.said is not None
    assert (found.said.estimate, found.said_p_value) == (0, 1)
    assert change(read, None, GROUPS, np.random.default_rng(0)).said is None
