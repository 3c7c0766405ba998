"""Floats from 0 to 1 beside counts of a camera, and what is not taken for them."""

import numpy as np
import pytest

from cellfeat.samples.intensity.float_scales import FloatScales

SHARES = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 3, 4)


def remark(*images: np.ndarray) -> str | None:
    scales = FloatScales()
    for image in images:
        scales.add(image)
    return scales.remark()


def test_two_scales_are_named() -> None:
    told = remark(SHARES, SHARES * 0.5, SHARES * 65_535)
    assert told is not None
    assert told.startswith("2 of 3 samples have values from 0 to 1 and the others up to 65535")


@pytest.mark.parametrize(
    "images",
    [
        [SHARES, SHARES * 0.1],
        [SHARES * 4_000, SHARES * 200],
        [SHARES * 4_000, SHARES * 0],
        [SHARES * 4_000, SHARES * 30, SHARES],
        [SHARES * 4_000, SHARES * 0.9, SHARES * 6 - 3],
        [SHARES, (SHARES * 65_535).astype(np.uint16)],
        [],
    ],
    ids=["shares", "counts", "a black image", "a dark image", "standardised", "integers", "none"],
)
def test_other_sets_are_not(images: list[np.ndarray]) -> None:
    assert remark(*images) is None
