"""A summary of the samples that a head was fitted on: what their files are, and how bright their channels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """The range of a number over samples.

    Attributes
    ----------
    low, high
        The ends of the range.
    median
        Half of the samples are below.
    """

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class SamplesSummary:
    """What the training samples of a head are; kept in its folder, to compare other samples with.

    Attributes
    ----------
    n_samples
        Their number.
    kinds
        How many have each type of pixels, with the bits stated where they are fewer: ``{"uint16 of 12 bits": 75}``.
    file_formats
        How many have each file format.
    numbers
        Height, width, and bits used of integers of more than 8 bits: lowest, median and highest.
    intensities
        Mean and deviation of each channel, from 0 (black) to 1 (white), by name (``"mean intensity of channel blue"``):
        the 5th percentile over the samples, the median, and the 95th percentile.
    """

    n_samples: int
    kinds: dict[str, int]
    file_formats: dict[str, int]
    numbers: dict[str, Span]
    intensities: dict[str, Span]
