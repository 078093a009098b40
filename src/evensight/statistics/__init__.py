"""Estimates and tests for "where is it right?": every estimate with its n and interval.

Counts come in as arrays over cells, `correct[cell]` out of `n[cell]`; outcomes come in as booleans over
questions. A cell without questions has an estimate of NaN, never 0. Probabilities are fractions (0 to 1);
turning them into percent is the reports' business. Randomness is a required `rng`.
"""

from evensight.statistics.answers import AnswerBias, Displacement, answer_bias, centrality, displacements, pull
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
from evensight.statistics.equivalence import DELTA, CellEquivalence, Equivalence, equivalence_test
from evensight.statistics.estimates import ALPHA, CONFIDENCE, Effect, Estimate, Test, is_number
from evensight.statistics.information import (
    independence_test,
    mutual_information_bits,
    normalised_mutual_information,
)
from evensight.statistics.logistic import Coefficient, LogisticFit, fit_logistic
from evensight.statistics.maps import LINEAR, QUADRATIC, TERMS, SmoothMap, smooth_map
from evensight.statistics.planning import (
    POWER,
    detectable_difference,
    detectable_drop,
    equivalence_power,
    questions_per_cell,
)
from evensight.statistics.proportions import Proportion, proportion, simultaneous_proportions
from evensight.statistics.reliability import Calibration, ReliabilityBin, calibration, confidence_calibration
from evensight.statistics.reliance import PriorReliance, prior_reliance
from evensight.statistics.seeds import SeedsEstimate, mean_over_seeds, seeds_accuracy, seeds_difference
from evensight.statistics.spreads import spread, true_spread, true_spread_interval
from evensight.statistics.uniformity import WorstCell, uniformity_test, worst_cell
from evensight.statistics.usual_places import usual_place_pull

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "DELTA",
    "LINEAR",
    "POWER",
    "QUADRATIC",
    "TERMS",
    "AnswerBias",
    "Calibration",
    "CellDifference",
    "CellEquivalence",
    "ClusteredProportion",
    "Coefficient",
    "Difference",
    "Displacement",
    "Effect",
    "Equivalence",
    "Estimate",
    "LogisticFit",
    "PriorReliance",
    "Proportion",
    "ReliabilityBin",
    "SeedsEstimate",
    "SmoothMap",
    "Test",
    "WorstCell",
    "answer_bias",
    "calibration",
    "centrality",
    "clustered_difference",
    "clustered_proportion",
    "confidence_calibration",
    "detectable_difference",
    "detectable_drop",
    "difference_of_counts",
    "differences_by_cell",
    "displacements",
    "equivalence_power",
    "equivalence_test",
    "evenness_test",
    "false_discovery",
    "fit_logistic",
    "holm",
    "independence_test",
    "is_number",
    "mean_over_seeds",
    "mutual_information_bits",
    "normalised_mutual_information",
    "paired_difference",
    "prior_reliance",
    "proportion",
    "pull",
    "questions_per_cell",
    "seeds_accuracy",
    "seeds_difference",
    "simultaneous_proportions",
    "smooth_map",
    "spread",
    "true_spread",
    "true_spread_interval",
    "uniformity_test",
    "usual_place_pull",
    "worst_cell",
]
