"""Whether files of floats have values from 0 to 1 in some and a camera's counts in others: no range fits both."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from cellfeat.samples.reading.images import SampleImage

_LEAST_COUNT = 100
"""The highest value of a file of counts; between 1 and this, neither scale can be told from values of another kind."""

WAY_OUT = (
    "save all of them on one scale, or scale each by itself, which drops differences of brightness: "
    "--set 'images.intensity={percentile: [0.1, 99.9], over: image}'"
)


@dataclass
class FloatScales:
    """Collects the highest value of every sample of floats.

    Attributes
    ----------
    highest
        Of each sample that is not black; NaN where one has negative values, so that it has another kind of them.
    """

    highest: list[float] = field(default_factory=list)

    def add(self, pixels: np.ndarray) -> None:
        """Collect of a sample, of pixels of any shape; integers do not count."""
        if pixels.dtype.kind == "f" and pixels.any():
            self.highest.append(float(pixels.max()) if pixels.min() >= 0 else np.nan)

    def passing(self, samples: Iterable[SampleImage]) -> Iterator[SampleImage]:
        """Collect of samples, and hand them on."""
        for sample in samples:
            self.add(sample.pixels)
            yield sample

    def remark(self) -> str | None:
        """Say that both scales are there; None where they are not, or where it is not plain."""
        values = np.array(self.highest)
        is_share, is_count = values <= 1, values >= _LEAST_COUNT
        if not (is_share | is_count).all() or not is_share.any() or not is_count.any():
            return None
        return (
            f"{is_share.sum()} of {len(values)} samples have values from 0 to 1 and the others up to {values.max():g}: "
            "two scales of floats in one set, which no range fits"
        )
