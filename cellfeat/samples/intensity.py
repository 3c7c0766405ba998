"""The intensity policy: which pixel values become black and white."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from cellfeat.config import IntensitySettings, Limits
from cellfeat.errors import ConfigError, ImageError, MissingFileError
from cellfeat.samples.images import ReadsSamples

MEASURED_IMAGES = 2_000
VALUES_PER_CHANNEL = 2**23
ADVISED_IMAGES = 200
VALUES_PER_ADVISED_IMAGE = 4_096
CLIPPED_SHARE = 0.5
SQUEEZED_SPAN = 0.05


@dataclass(frozen=True)
class IntensityPolicy:
    """Which pixel values become 0 and 1, per channel; values between them are scaled, values beyond are clipped.

    Attributes
    ----------
    n_channels
        Channels of a sample.
    ranges
        One ``(lo, hi)`` per channel; None where the limits come from the type or from percentiles.
    percentile
        ``(p, q)`` in percent; None where the limits do not come from percentiles.
    over
        ``image``: percentiles of each image; ``dataset``: percentiles of all images, which `resolved` measures.
    """

    n_channels: int
    ranges: tuple[Limits, ...] | None = None
    percentile: Limits | None = None
    over: Literal["image", "dataset"] = "image"

    @classmethod
    def from_settings(cls, settings: IntensitySettings, n_channels: int) -> "IntensityPolicy":
        """Make the policy that the settings describe.

        Parameters
        ----------
        settings
            The section ``images.intensity``.
        n_channels
            Channels of a sample.

        Raises
        ------
        ConfigError
            If they give ranges for another number of channels.
        """
        return cls(n_channels, _ranges(settings.range, n_channels), settings.percentile, settings.over)

    @property
    def needs_dataset(self) -> bool:
        """Whether `resolved` must measure the data set before there are limits."""
        return self.percentile is not None and self.over == "dataset"

    def limits(self, pixels: np.ndarray) -> np.ndarray:
        """Find the values of one sample that become 0 and 1.

        Parameters
        ----------
        pixels
            Shape ``(C, H, W)``.

        Returns
        -------
        ndarray of shape (C, 2)
            float32; lo < hi in each row.

        Raises
        ------
        ImageError
            If the pixels leave the range of their type: floats outside [0, 1], negative integers.
        ConfigError
            If the policy still needs the data set.
        """
        if self.needs_dataset:
            raise ConfigError(
                "images.intensity over dataset has no limits before IntensityPolicy.resolved measured them"
            )
        if self.ranges is not None:
            return np.array(self.ranges, np.float32)
        if self.percentile is not None:
            return _percentiles(list(pixels), self.percentile)
        return np.tile(np.array(_type_range(pixels), np.float32), (len(pixels), 1))

    def resolved(self, reader: ReadsSamples, rows: Sequence[int]) -> "IntensityPolicy":
        """Measure percentiles over the data set, where the policy asks for it; other policies are returned unchanged.

        Up to 2,000 images, evenly spaced in `rows`, are read, and up to 8 million of their pixels per channel are
        counted. The same rows always give the same limits. Images that cannot be read are skipped here; the
        extraction reads every image, and handles failures as its settings say.

        Parameters
        ----------
        reader
            Reads the samples.
        rows
            Rows of the manifest to measure.

        Raises
        ------
        ImageError
            If no image can be read.
        """
        if not self.needs_dataset or self.percentile is None:
            return self
        values = _measure(reader, rows)
        limits = _percentiles(values, self.percentile)
        return IntensityPolicy(self.n_channels, tuple((float(lo), float(hi)) for lo, hi in limits))

    def record(self) -> dict[str, Any]:
        """Give the policy as JSON values, from which `IntensitySettings` can be made again."""
        ranges = None if self.ranges is None else [list(limits) for limits in self.ranges]
        percentile = None if self.percentile is None else list(self.percentile)
        return {"range": ranges, "percentile": percentile, "over": self.over}


def _ranges(setting: Limits | list[Limits] | None, n_channels: int) -> tuple[Limits, ...] | None:
    if setting is None:
        return None
    ranges = (setting,) * n_channels if isinstance(setting, tuple) else tuple(setting)
    if len(ranges) != n_channels:
        raise ConfigError(
            f"images.intensity: range: expected one [lo, hi], or one for each of {n_channels} channels, "
            f"got {len(ranges)}"
        )
    return ranges


def _type_range(pixels: np.ndarray) -> Limits:
    lowest, highest = pixels.min(), pixels.max()
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
    if lowest < 0 or highest > top:
        white = highest if highest > lowest else lowest + 1
        raise ImageError(
            f"has {pixels.dtype} pixels from {lowest:g} to {highest:g}; images.intensity: dtype expects [0, {top}]: "
            f"say what is black and white, for example: --set 'images.intensity={{range: [{lowest:g}, {white:g}]}}'"
        )
    return 0.0, float(top)


def _percentiles(channels: Sequence[np.ndarray], percentile: Limits) -> np.ndarray:
    limits = np.array([np.percentile(values, percentile) for values in channels], np.float32)
    lo, hi = limits.T
    # A constant channel becomes 0; so far from 0 that adding 1 changes nothing, the next float will do.
    above = np.maximum(lo + np.float32(1), np.nextafter(lo, np.float32(np.inf)))
    limits[:, 1] = np.where(hi > lo, hi, above)
    return limits


def _measure(reader: ReadsSamples, rows: Sequence[int]) -> list[np.ndarray]:
    """A deterministic selection of each channel's values over the data set, ``(n_values,)`` each."""
    measured = [rows[i] for i in _evenly_spaced(len(rows), MEASURED_IMAGES)]
    # As many from each image, so that large images do not count more than small ones.
    per_image = VALUES_PER_CHANNEL // max(len(measured), 1)
    selections, reasons = [], []
    for row in measured:
        try:
            selections.append(_selected_values(reader.read(row), per_image))
        except (ImageError, MissingFileError) as error:
            reasons.append(str(error))
    if not selections:
        raise ImageError(f"no image could be read to measure percentiles on: {reasons[0] if reasons else 'no samples'}")
    return [np.concatenate(values) for values in zip(*selections, strict=True)]


def _evenly_spaced(n_items: int, n_wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, n_items - 1, min(n_items, n_wanted)).astype(np.intp))


def _selected_values(pixels: np.ndarray, n_values: int) -> np.ndarray:
    """At most `n_values` pixels of each channel, evenly spaced: ``(C, n)``."""
    flat = pixels.reshape(len(pixels), -1)
    return flat[:, _evenly_spaced(flat.shape[1], n_values)]


def intensity_advice(
    policy: IntensityPolicy, samples: Iterable[np.ndarray], *, channels: Sequence[str | int] | None = None
) -> str | None:
    """Say whether an intensity policy clips or squeezes images, and which one fits them better.

    Pixels at an end of their type, such as a black background, are ignored: they were saturated before. Advice is
    given where a policy clips more than half of the other pixels at one end, or squeezes them into less than 5 % of the
    range.

    Parameters
    ----------
    policy
        A policy that has limits.
    samples
        Pixels of shape ``(C, H, W)`` each; the first 200 samples are examined.
    channels
        The channels' names, for the message; their numbers where None.

    Returns
    -------
    str or None
        One message that ends in a line for the configuration; None where the policy fits.
    """
    looked_at = [_scaled_values(policy, pixels) for pixels in islice(samples, ADVISED_IMAGES)]
    if not looked_at:
        return None
    names = range(policy.n_channels) if channels is None else channels
    per_channel = (np.concatenate(values) for values in zip(*looked_at, strict=True))
    faults = [_fault(name, values) for name, values in zip(names, per_channel, strict=True)]
    if not any(faults):
        return None
    return (
        f"the intensity policy does not fit the images: {'; '.join(filter(None, faults))}; "
        "this one does: images.intensity: {percentile: [0.1, 99.9], over: dataset}"
    )


def _scaled_values(policy: IntensityPolicy, pixels: np.ndarray) -> list[np.ndarray]:
    """Each channel's values after the policy, not clipped, less those at an end of their type."""
    # Limits have the shape (C, 2); `lo` and `hi` become columns of shape (C, 1).
    lo, hi = policy.limits(pixels).T[:, :, np.newaxis]
    values = _selected_values(pixels, VALUES_PER_ADVISED_IMAGE)
    top = np.iinfo(values.dtype).max if values.dtype.kind in "ui" else 1
    inner = (values != 0) & (values != top)
    scaled = (values - lo) / (hi - lo)
    return [channel[kept] for channel, kept in zip(scaled, inner, strict=True)]


def _fault(channel: str | int, scaled: np.ndarray) -> str | None:
    if not scaled.size:
        return None
    below, above = np.mean(scaled < 0), np.mean(scaled > 1)
    if max(below, above) > CLIPPED_SHARE:
        share, end = (below, "black") if below > above else (above, "white")
        return f"channel {channel}: {share:.0%} of its pixels are clipped to {end}"
    # Percentiles, because a few hot pixels would make any range look filled.
    least, most = np.percentile(scaled, [0.1, 99.9])
    if 0 < most - least < SQUEEZED_SPAN:
        return f"channel {channel}: its pixels fill {most - least:.1%} of the range, from {least:.1%} to {most:.1%}"
    return None
