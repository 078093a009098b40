"""Estimates and tests for "where is it right?": every estimate with its n and interval.

Counts come in as arrays over cells, `correct[cell]` out of `n[cell]`; outcomes come in as booleans over
questions. A cell without questions has an estimate of NaN, never 0. Probabilities are fractions (0 to 1);
turning them into percent is the reports' business. Randomness is a required `rng`.
"""

from evensight.statistics.clustering import ClusteredProportion, clustered_proportion
from evensight.statistics.comparisons import (
    CellDifference,
    Difference,
    clustered_difference,
    difference_of_counts,
    differences_by_cell,
    evenness_test,
    paired_difference,
)
from evensight.statistics.corrections import false_discovery, holm
from evensight.statistics.estimates import ALPHA, CONFIDENCE, Effect, Estimate, Test, is_number
from evensight.statistics.information import (
    independence_test,
    mutual_information_bits,
    normalised_mutual_information,
)
from evensight.statistics.proportions import Proportion, proportion, simultaneous_proportions
from evensight.statistics.spreads import spread, true_spread, true_spread_interval
from evensight.statistics.uniformity import WorstCell, uniformity_test, worst_cell

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "CellDifference",
    "ClusteredProportion",
    "Difference",
    "Effect",
    "Estimate",
    "Proportion",
    "Test",
    "WorstCell",
    "clustered_difference",
    "clustered_proportion",
    "difference_of_counts",
    "differences_by_cell",
    "evenness_test",
    "false_discovery",
    "holm",
    "independence_test",
    "is_number",
    "mutual_information_bits",
    "normalised_mutual_information",
    "paired_difference",
    "proportion",
    "simultaneous_proportions",
    "spread",
    "true_spread",
    "true_spread_interval",
    "uniformity_test",
    "worst_cell",
]
