from math import isnan

import numpy as np
import pytest

from evensight.statistics import clustered_proportion, prior_reliance, proportion
from simulated import assert_covers


def test_the_unchanged_share_and_kappa_by_hand() -> None:
    # 6 of 10 the same; with: 5 a, 5 b; without: 7 a, 3 b; by chance (5 x 7 + 5 x 3) / 100
    found = prior_reliance(list("aaaaabbbbb"), list("aaaaaaab" + "bb")[:10])
    assert found.unchanged.estimate == pytest.approx(0.8)
    assert found.by_chance == pytest.approx(0.5)
    assert found.beyond_chance.estimate == pytest.approx((0.8 - 0.5) / 0.5)
    plain = proportion(8, 10)
    assert (found.unchanged.low, found.unchanged.high) == (plain.low, plain.high)


def test_one_answer_to_everything_is_all_chance() -> None:
    found = prior_reliance(["center"] * 5, ["center"] * 5)
    assert (found.unchanged.estimate, found.by_chance) == (1.0, 1.0)
    assert isnan(found.beyond_chance.estimate)


def test_kappas_error_is_fleiss_cohen_and_everitts() -> None:
    table = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]])
    a, b = (each.ravel().repeat(table.ravel()) for each in np.indices((3, 3)))
    found = prior_reliance(a, b).beyond_chance
    p = table / table.sum()
    row, col, agreed = p.sum(axis=1), p.sum(axis=0), np.trace(p)
    chance = row @ col
    first = sum(p[i, i] * ((1 - chance) - (col[i] + row[i]) * (1 - agreed)) ** 2 for i in range(3))
    cross = sum(p[i, j] * (col[i] + row[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    variance = first + (1 - agreed) ** 2 * cross - (agreed * chance - 2 * chance + agreed) ** 2
    error = np.sqrt(variance / table.sum()) / (1 - chance) ** 2
    assert (found.high - found.low) / 2 == pytest.approx(1.984 * error, rel=0.01)  # t of 99 degrees


def test_kappas_interval_covers_where_questions_share_images() -> None:
    rng, hits = np.random.default_rng(1), []
    for _ in range(1_000):
        images = np.repeat(np.arange(80), 3)
        prior = np.repeat(rng.choice(3, 80, p=[0.5, 0.3, 0.2]), 3)
        looks = rng.random(240) < 0.6
        given = np.where(looks, rng.choice(3, 240, p=[0.5, 0.3, 0.2]), prior)
        found = prior_reliance(given, prior, images).beyond_chance
        hits.append(found.low <= 0.4 <= found.high)
    assert_covers(hits)


def test_images_count_for_the_unchanged_share() -> None:
    a, b, images = [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3]
    assert prior_reliance(a, b, images).unchanged == clustered_proportion(np.equal(a, b), images)


def test_no_answers_and_answers_to_other_questions() -> None:
    assert isnan(prior_reliance([], []).unchanged.estimate)
    with pytest.raises(ValueError, match="same questions"):
        prior_reliance([1], [1, 2])
