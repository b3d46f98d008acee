"""Pearson's chi-squared test, for frequencies at fixed seeds: no run differs from the one before."""

from collections.abc import Sequence
from fractions import Fraction
from math import inf
from statistics import NormalDist

LEVEL = 0.001
"""A fair sampler fails one test of a thousand; with fixed seeds it fails always or never."""


def statistic(observed: Sequence[int], expected: Sequence[Fraction]) -> float:
    """How far the counts are from the expected probabilities, which add up to 1."""
    assert sum(expected) == 1
    total = sum(observed)
    distance = 0.0
    for count, chance in zip(observed, expected, strict=True):
        if chance:
            distance += float((count - total * chance) ** 2 / (total * chance))
        elif count:
            return inf
    return distance


def critical(degrees: int, level: float = LEVEL) -> float:
    """The value that a fair sampler exceeds with probability `level` (Wilson and Hilferty 1931, good to 2 %)."""
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + NormalDist().inv_cdf(1 - level) * spread**0.5) ** 3)


def is_fair(observed: Sequence[int], expected: Sequence[Fraction]) -> bool:
    """Whether counts are what these probabilities bring about."""
    return statistic(observed, expected) < critical(len(expected) - 1)
