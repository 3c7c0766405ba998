"""A sample's files become one array of their own type; the intensity policy says which values are black and white."""

import hashlib
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from cellfeat.config import ImagesSettings, IntensitySettings, Limits
from cellfeat.errors import ConfigError, ImageError, MissingFileError
from cellfeat.samples.decoding import Image, decode_image
from cellfeat.text import near_names

if TYPE_CHECKING:
    # It brings pandas, which the processes that read images (workers.py) need not load.
    from cellfeat.samples.manifest import Manifest

MAX_PIXELS: int = ImagesSettings.model_fields["max_pixels"].default
LARGEST_PIXEL = 8
"""Bytes of a pixel of the widest type that is read."""
LARGEST_HEADER = 2**26
"""Bytes that a file may hold beside its pixels: previews, metadata, thumbnails."""
_KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
MEASURED_IMAGES = 2_000
VALUES_PER_CHANNEL = 2**23
ADVISED_IMAGES = 200
VALUES_PER_ADVISED_IMAGE = 4_096
CLIPPED_SHARE = 0.5
SQUEEZED_SPAN = 0.05


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read one PNG, JPEG or TIFF file.

    Parameters
    ----------
    path
        The file; what it is, its first bytes say.
    max_pixels
        The most pixels that it may hold, channels counted.

    Returns
    -------
    ``(C, H, W)`` of the file's own type. A palette becomes RGB, and an opaque alpha channel is left out.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ImageError
        If it is not an image, damaged, too large, or holds masks, NaN, transparency, time or depth.
    """
    return _read(path, max_pixels).pixels


def _read(path: Path, max_pixels: int) -> Image:
    try:
        _check_file(path, max_pixels)
        return decode_image(path.read_bytes(), max_pixels)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the file does not exist") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def _check_file(path: Path, max_pixels: int) -> None:
    """Refuse what would be read without end: pipes and devices, and files far larger than their pixels can be."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(f"is a {_KINDS.get(stat.S_IFMT(found.st_mode), 'device')}; expected a file: move it elsewhere")
    if found.st_size > LARGEST_HEADER + LARGEST_PIXEL * max_pixels:
        raise ImageError(
            f"has {found.st_size} bytes, more than images.max_pixels = {max_pixels} can need: raise it if this is meant"
        )


def pixel_digest(pixels: np.ndarray) -> str:
    """sha256, in hex, of an array's type, shape and values: equal for exact copies, whatever their files."""
    plain = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    sha = hashlib.sha256(f"{plain.dtype.str}{plain.shape}".encode())
    sha.update(plain.data)
    return sha.hexdigest()


class ReadsSamples(Protocol):
    """Reads samples by their row: a `SampleReader`, or one that works in processes of its own."""

    def read(self, row: int) -> np.ndarray:
        """Read one sample, as `SampleReader.read` does."""
        ...

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        ...


def _ignore(path: Path) -> None:
    """Drop the path."""


@dataclass(frozen=True)
class SampleReader:
    """Reads samples by their row in the manifest; it can be pickled, and used by many threads at once.

    Attributes
    ----------
    root
        The folder that the names in `files` are relative to.
    files
        The file names of each sample: one of all channels, or one per channel.
    channels
        A channel per plane of the result: what the files are called after, or, where one file holds all, an index
        into it or a name that its OME metadata give.
    one_file_per_channel
        Whether every channel has its own file.
    max_pixels
        The most pixels that one file may hold, channels counted.
    """

    root: Path
    files: tuple[tuple[str, ...], ...]
    channels: tuple[str | int, ...]
    one_file_per_channel: bool
    max_pixels: int = MAX_PIXELS

    @classmethod
    def for_manifest(cls, manifest: "Manifest", *, max_pixels: int = MAX_PIXELS) -> "SampleReader":
        """Make the reader of a manifest's samples."""
        files = tuple(zip(*(manifest.table[column] for column in manifest.file_columns), strict=True))
        per_channel = manifest.file_columns != ("file",)
        return cls(manifest.root, files, manifest.channels, per_channel, max_pixels)

    def __len__(self) -> int:
        return len(self.files)

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        return ", ".join(str(self.root / name) for name in self.files[row])

    def only(self, row: int) -> "SampleReader":
        """The reader of one sample alone, as its row 0."""
        return replace(self, files=(self.files[row],))

    def read(self, row: int, *, on_file: Callable[[Path], None] = _ignore) -> np.ndarray:
        """Read one sample: ``(C, H, W)`` of the files' own type, channels in the order of `channels`.

        Parameters
        ----------
        row
            Row of the manifest.
        on_file
            Called with each file before it is touched.

        Raises
        ------
        MissingFileError
            If a file does not exist.
        ImageError
            If a file cannot be read, or the channels' files do not fit each other.
        """
        paths = [self.root / name for name in self.files[row]]
        if self.one_file_per_channel:
            return _stack([_read_plane(path, self.max_pixels, on_file) for path in paths], paths)
        on_file(paths[0])
        return _pick(_read(paths[0], self.max_pixels), self.channels, paths[0])


def _read_plane(path: Path, max_pixels: int, on_file: Callable[[Path], None]) -> np.ndarray:
    on_file(path)
    pixels = _read(path, max_pixels).pixels
    if len(pixels) == 1:
        return pixels[0]
    equal = len(pixels) == 3 and (pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all()
    what = "3 equal planes, a grey image saved as RGB" if equal else f"{len(pixels)} channels"
    raise ImageError(
        f"{path}: holds {what}; expected one channel, since every channel has its own file: save it as grey"
    )


def _stack(planes: list[np.ndarray], paths: list[Path]) -> np.ndarray:
    for plane, path in zip(planes, paths, strict=True):
        if (plane.shape, plane.dtype) != (planes[0].shape, planes[0].dtype):
            raise ImageError(
                f"{path}: is {_kind(plane)}, but {paths[0].name} of the same sample is {_kind(planes[0])}; "
                "expected all channels of a sample to have one size and type"
            )
    return np.stack(planes)


def _kind(plane: np.ndarray) -> str:
    height, width = plane.shape
    return f"{width} x {height} {plane.dtype}"


def _pick(image: Image, channels: Sequence[str | int], path: Path) -> np.ndarray:
    indices = [_channel_index(image, channel, path) for channel in channels]
    if indices == list(range(len(image.pixels))):
        return image.pixels
    return image.pixels[indices]


def _channel_index(image: Image, channel: str | int, path: Path) -> int:
    n_channels = len(image.pixels)
    if isinstance(channel, int):
        if 0 <= channel < n_channels:
            return channel
        raise ImageError(f"{path}: has no channel {channel}; it holds {n_channels}, numbered 0 to {n_channels - 1}")
    if channel in image.channel_names[:n_channels]:
        return image.channel_names.index(channel)
    if any(image.channel_names):
        raise ImageError(f"{path}: has no channel {channel!r}; {near_names(channel, image.channel_names)}")
    numbers = ",".join(map(str, range(min(n_channels, 3))))
    raise ImageError(
        f"{path}: has no channel {channel!r}: it holds {n_channels} without names; "
        f"pick them by number, for example: --set 'images.channels=[{numbers}]'"
    )


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
        Whether the percentiles are each image's own, or those of the data set, which `resolved` measures.
    """

    n_channels: int
    ranges: tuple[Limits, ...] | None = None
    percentile: Limits | None = None
    over: Literal["image", "dataset"] = "image"

    @classmethod
    def from_settings(cls, settings: IntensitySettings, n_channels: int) -> "IntensityPolicy":
        """Make the policy that the settings describe.

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
        """The values of one sample's ``(C, H, W)`` pixels that become 0 and 1: ``(C, 2)`` float32, lo < hi.

        Raises
        ------
        ImageError
            If the type has no range of its own that the pixels keep to: floats outside [0, 1], negative integers.
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
        """Measure percentiles over the data set, where the policy asks for them; any other policy is returned as it is.

        Up to 2,000 images, evenly spaced in `rows`, are read, and up to 8 million pixels per channel of them counted.
        The same rows always give the same limits. Images that cannot be read are passed over here: extraction comes
        to every one of them and deals with it as its settings say.

        Raises
        ------
        ImageError
            If none of them can be read.
        """
        if not self.needs_dataset or self.percentile is None:
            return self
        values = _measure(reader, rows)
        limits = _percentiles(values, self.percentile)
        return IntensityPolicy(self.n_channels, tuple((float(lo), float(hi)) for lo, hi in limits))

    def record(self) -> dict[str, Any]:
        """The policy as JSON values; `IntensitySettings` can be made from it again."""
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
    """Say whether an intensity policy spoils images, and which one fits them better.

    What counts is what the policy does beyond the images' own doing: pixels at an end of their type, such as a black
    background, are left aside. Advice is given where a policy clips more than half of the other pixels at one end, or
    squeezes them all into less than 5 % of the range.

    Parameters
    ----------
    policy
        A policy that has limits.
    samples
        ``(C, H, W)`` pixels; the first 200 are looked at.
    channels
        The channels' names, for the message; their numbers where None.

    Returns
    -------
    One message that ends in a line for the configuration, or None where there is nothing to say.
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
    least, most = np.percentile(scaled, [0.1, 99.9])
    if 0 < most - least < SQUEEZED_SPAN:
        return f"channel {channel}: its pixels fill {most - least:.1%} of the range, from {least:.1%} to {most:.1%}"
    return None
