"""The intensity policy: which pixel values become black and white."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cellfeat.config import IntensitySettings
from cellfeat.config_values import Limits
from cellfeat.errors import ConfigError, ImageError
from cellfeat.samples.reading.images import ReadsSamples, SampleImage
from cellfeat.samples.reading.in_order import read_in_order

MEASURED_IMAGES = 2_000
VALUES_PER_CHANNEL = 2**23
HOT_PIXELS = 0.001
"""Share of a channel's pixels that may lie above the bits that the file states: they become white."""


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
    white
        Where there are neither ranges nor percentiles, what becomes 1: the highest value of the bits that the file
        states (``stated``), or of the type (``type``).
    """

    n_channels: int
    ranges: tuple[Limits, ...] | None = None
    percentile: Limits | None = None
    over: Literal["image", "dataset"] = "image"
    white: Literal["stated", "type"] = "stated"

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
        ranges = _ranges(settings.range, n_channels)
        return cls(n_channels, ranges, settings.percentile, settings.over, settings.white)

    @property
    def needs_dataset(self) -> bool:
        """Whether `resolved` must measure the data set before there are limits."""
        return self.percentile is not None and self.over == "dataset"

    @property
    def scales_each_image(self) -> bool:
        """Whether the limits are those of each image by itself."""
        return self.percentile is not None and self.over == "image"

    def limits(self, pixels: np.ndarray, bits: Sequence[int] | None = None) -> np.ndarray:
        """Find the values of one sample that become 0 and 1.

        Parameters
        ----------
        pixels
            Shape ``(C, H, W)``.
        bits
            Bits of a value as the files state them, one number for each channel; None: those of the type.

        Returns
        -------
        ndarray of shape (C, 2)
            float32; lo < hi in each row.

        Raises
        ------
        ImageError
            If the pixels leave the range of their type (floats outside [0, 1], negative integers) or of the bits that
            the file states.
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
        lo, hi = _type_range(pixels)
        if bits is None or self.white == "type":
            return np.tile(np.array((lo, hi), np.float32), (len(pixels), 1))
        return np.array([(lo, _white(*one)) for one in zip(pixels, bits, strict=True)], np.float32)

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
        """Give the policy as JSON values, from which `recorded_intensity` makes its settings again."""
        ranges = None if self.ranges is None else [list(limits) for limits in self.ranges]
        percentile = None if self.percentile is None else list(self.percentile)
        record = {"range": ranges, "percentile": percentile, "over": self.over}
        # Absent where it has no effect, as in the recipes of 0.1, which knew only the type.
        uses_stated = ranges is None and percentile is None and self.white == "stated"
        return record | {"white": self.white} if uses_stated else record


def recorded_intensity(record: Mapping[str, Any]) -> IntensitySettings:
    """Make the settings of a policy from its record in a recipe, those of cellfeat 0.1 included."""
    return IntensitySettings.model_validate({"white": "type", **record})


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


def _white(plane: np.ndarray, bits: int) -> float:
    """The highest value of `bits` bits, at most that of the type; a channel with many higher values is refused."""
    if plane.dtype.kind not in "ui":
        return 1.0
    white = min(2**bits - 1, int(np.iinfo(plane.dtype).max))
    highest = int(plane.max())
    if highest > white and np.count_nonzero(plane > white) > HOT_PIXELS * plane.size:
        raise ImageError(
            f"states {bits} bits for a value, so at most {white}, but has values up to {highest}; take the range of "
            f"its type, {plane.dtype}: --set 'images.intensity={{white: type}}', or say what is black and white, for "
            f"example: --set 'images.intensity={{range: [0, {highest}]}}'"
        )
    return float(white)


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
    for outcome in read_in_order(reader, measured):
        if isinstance(outcome, SampleImage):
            selections.append(selected_values(outcome.pixels, per_image))
        else:
            reasons.append(str(outcome))
    if not selections:
        raise ImageError(f"no image could be read to measure percentiles on: {reasons[0] if reasons else 'no samples'}")
    return [np.concatenate(values) for values in zip(*selections, strict=True)]


def _evenly_spaced(n_items: int, n_wanted: int) -> np.ndarray:
    if n_items <= n_wanted:
        return np.arange(n_items, dtype=np.intp)
    return np.unique(np.linspace(0, n_items - 1, n_wanted).astype(np.intp))


def selected_values(pixels: np.ndarray, n_values: int) -> np.ndarray:
    """Select at most `n_values` pixels of each channel, evenly spaced.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)`` or ``(C, n_pixels)``.
    n_values
        How many.

    Returns
    -------
    ndarray of shape (C, n)
    """
    flat = pixels.reshape(len(pixels), -1)
    return flat[:, _evenly_spaced(flat.shape[1], n_values)]
