"""Which values become black and white: the policy that fits the images that were looked at."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cellfeat.config import IntensitySettings
from cellfeat.errors import ImageError, MissingFileError
from cellfeat.proposing.proposal import Choice
from cellfeat.proposing.survey import MOST_EXAMPLE_PIXELS
from cellfeat.samples.intensity.advice import fitting_intensity, spread_rows
from cellfeat.samples.intensity.float_scales import FloatScales
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.reading.images import ReadsSamples, SampleImage

KEY = "images.intensity"
FEWEST = 3


def sample_images(reader: ReadsSamples, n_samples: int, n_depths: int = 1) -> tuple[dict[int, SampleImage], list[str]]:
    """Read samples spread over all, and say which could not be read.

    Parameters
    ----------
    reader
        Reads the samples.
    n_samples
        Number of all samples.
    n_depths
        Planes that are read for each channel of a sample.

    Returns
    -------
    tuple
        Samples by their row, and messages.
    """
    samples: dict[int, SampleImage] = {}
    problems: list[str] = []
    n_pixels = 0
    for row in _shuffled(spread_rows(n_samples)):
        if n_pixels > MOST_EXAMPLE_PIXELS and len(samples) >= FEWEST:
            break
        try:
            samples[row] = reader.read_sample(row)
        except (ImageError, MissingFileError) as error:
            problems.append(str(error))
            continue
        n_pixels += samples[row].pixels.size * n_depths
    return samples, problems


def _shuffled(rows: Sequence[int]) -> list[int]:
    """Rows in an order that is spread over all however early one stops."""
    step = next(step for step in (89, 97, 101, 103) if len(rows) % step) if len(rows) > 1 else 1
    return [rows[(place * step) % len(rows)] for place in range(len(rows))]


def choose_intensity(samples: Sequence[SampleImage], n_channels: int) -> Choice:
    """Choose the policy that fits.

    Parameters
    ----------
    samples
        Some of the samples.
    n_channels
        Channels of each.
    """
    kinds = Counter(sample.properties.dtype for sample in samples)
    told = " and ".join(kinds)
    scales = FloatScales()
    for sample in samples:
        scales.add(sample.pixels)
    mixed = scales.remark()
    if mixed:
        why = f"{mixed}; each is scaled by itself, which drops differences of brightness: better save all on one scale"
        return Choice(KEY, {"percentile": [0.1, 99.9], "over": "image"}, why, is_guess=True)
    plain = IntensityPolicy.from_settings(IntensitySettings(), n_channels)
    if any(_is_refused(plain, sample) for sample in samples):
        value: Any = {"percentile": [0.1, 99.9], "over": "dataset"}
        return Choice(KEY, value, f"{told} values leave the range of their type or of the bits stated", is_guess=True)
    value, why = fitting_intensity(plain, samples)
    if value is not None:
        return Choice(KEY, value, why, is_guess=True)
    floats = all(sample.pixels.dtype.kind == "f" for sample in samples)
    if floats:
        return Choice(KEY, "dtype", f"{told}, values from 0 to 1: 0 is black, 1 is white")
    bits = sorted({bits for sample in samples for bits in sample.bits})
    used = max((sample.properties.bits_used for sample in samples), default=0)
    stated = " or ".join(map(str, bits))
    return Choice(KEY, "dtype", f"{told}, {stated} bits stated, {used} used: the full range is black to white")


def _is_refused(policy: IntensityPolicy, sample: SampleImage) -> bool:
    try:
        policy.limits(sample.pixels, sample.bits)
    except ImageError:
        return True
    return False
