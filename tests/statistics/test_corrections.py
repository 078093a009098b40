import pytest

from evensight.statistics import false_discovery


def test_false_discovery_by_hand() -> None:
    # Benjamini and Hochberg: p_(k) m / k, made monotone from the largest down
    assert false_discovery([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery([]).size == 0
