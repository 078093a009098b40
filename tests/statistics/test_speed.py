"""The statistics of 100,000 questions on 81 cells, all of them, are a matter of seconds."""

from time import process_time

import numpy as np

from evensight import statistics as s

N, N_CELLS = 100_000, 81


def test_all_statistics_of_100_000_questions_take_less_than_five_seconds() -> None:
    rng = np.random.default_rng(0)
    cells, images = rng.integers(0, N_CELLS, N), np.arange(N) // 3
    a, b = rng.random(N) < 0.9, rng.random(N) < 0.92
    right = rng.integers(0, 9, N)
    given = np.where(a, right, rng.integers(0, 9, N))
    confusion = np.bincount(9 * right + given, minlength=81).reshape(9, 9)
    n = np.bincount(cells, minlength=N_CELLS)
    correct = np.bincount(cells, a, N_CELLS).astype(np.int64)
    probabilities, seeds = rng.dirichlet(np.ones(9), N), rng.random((5, N)) < 0.9
    start = process_time()
    s.clustered_proportion(a, images)
    s.true_spread_interval(correct, n)
    s.uniformity_test(correct, n, rng)
    s.worst_cell(correct, n)
    s.equivalence_test(correct, n)
    s.smooth_map(a, cells, (9, 9), images, s.QUADRATIC)
    s.answer_bias(confusion, rng)
    s.pull(confusion, s.centrality(), rng)
    s.displacements(confusion)
    s.prior_reliance(given, right, images)
    s.paired_difference(a, b)
    s.differences_by_cell(a, b, cells, N_CELLS)
    s.clustered_difference(a, b, images, rng)
    s.evenness_test(a, b, cells, rng)
    s.seeds_accuracy(seeds, images)
    s.seeds_difference(seeds, seeds[:3], images)
    s.calibration(probabilities, right)
    s.questions_per_cell(0.9, N_CELLS)
    s.detectable_drop(N // N_CELLS, 0.9, N_CELLS)
    s.detectable_difference(N, 0.1)
    assert process_time() - start < 5
