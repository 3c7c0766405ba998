"""Windows: which values become black and white in the thumbnails of a channel, the same for all samples."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cellfeat.config_values import Limits
from cellfeat.samples.intensity.policy import selected_values
from cellfeat.samples.reading.images import SampleImage

PERCENTILES: Limits = (0.1, 99.8)
"""Percentages of the pixels, over all examined samples, that are darker than a window's start, and than its end."""

VALUES_PER_SAMPLE = 4_096


def values_of(pixels: NDArray) -> NDArray:
    """Select some values of each channel of a sample, shape ``(C, H, W)``, evenly spaced: shape ``(C, n)``."""
    return selected_values(pixels, VALUES_PER_SAMPLE)


class ChannelValues:
    """Collects equally many values of each channel from some samples, to measure windows on them."""

    def __init__(self) -> None:
        self._of_samples: list[NDArray] = []

    @property
    def n_samples(self) -> int:
        """Number of samples whose values were collected."""
        return len(self._of_samples)

    def add(self, values: NDArray) -> None:
        """Collect the `values_of` a sample, shape ``(C, n)``."""
        self._of_samples.append(values)

    def passing(self, samples: Iterable[SampleImage]) -> Iterator[SampleImage]:
        """Yield samples, and collect values of each."""
        for sample in samples:
            self.add(values_of(sample.pixels))
            yield sample

    def windows(self) -> list[Limits]:
        """Measure the window of each channel: robust percentiles, so that single bright pixels do not darken the rest.

        Without any sample there are none.
        """
        return [_window(channel) for channel in zip(*self._of_samples, strict=True)]


def _window(of_samples: Sequence[NDArray]) -> Limits:
    values = np.concatenate([np.ravel(one) for one in of_samples]).astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    start, end = (float(limit) for limit in np.percentile(values, PERCENTILES))
    # A constant channel becomes black.
    return start, end if end > start else max(start + 1.0, float(np.nextafter(start, np.inf)))
