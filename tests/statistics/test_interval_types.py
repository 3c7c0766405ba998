import numpy as np

from cellfeat.statistics.interval_types import Interval, independent_difference


def test_interval_of_an_independent_difference_covers_it():
    """Two shares of 200 and 400 with equal probability, each with its Wilson interval, in 2,000 draws."""
    rng = np.random.default_rng(0)
    first, second = rng.binomial(200, 0.9, 2000) / 200, rng.binomial(400, 0.9, 2000) / 400
    intervals = [
        independent_difference(a, wilson(a, 200), b, wilson(b, 400)) for a, b in zip(first, second, strict=True)
    ]
    assert 0.93 < np.mean([low <= 0 <= high for low, high in intervals]) < 0.97


def wilson(share: float, n: int) -> Interval:
    square = 1.96**2 / n
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return Interval(centre - half, centre + half)
