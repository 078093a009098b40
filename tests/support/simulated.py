"""What a simulated check allows: the stated figure, widened by three standard errors of the simulation itself."""

from collections.abc import Sequence
from math import sqrt

MONTE_CARLO_ERRORS = 3


def assert_covers(hits: Sequence[bool], least: float = 0.94, most: float = 0.96) -> None:
    """Fails unless the share of intervals that cover is 94 to 96 %, or as asked, up to the simulation's error."""
    share, allowed = sum(hits) / len(hits), MONTE_CARLO_ERRORS * sqrt(0.05 * 0.95 / len(hits))
    assert least - allowed <= share <= most + allowed, f"{share:.4f} of {len(hits)} intervals cover"


def assert_keeps_its_size(p_values: Sequence[float], alpha: float = 0.05) -> None:
    """Fails if more than alpha of the true nulls are rejected, up to the simulation's error."""
    share, allowed = sum(p <= alpha for p in p_values) / len(p_values), sqrt(alpha * (1 - alpha) / len(p_values))
    assert share <= alpha + MONTE_CARLO_ERRORS * allowed, f"{share:.4f} of {len(p_values)} true nulls are rejected"
