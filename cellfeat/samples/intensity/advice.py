"""Whether an intensity policy fits the images, and which setting fits better."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cellfeat.config_values import Limits
from cellfeat.errors import ImageError
from cellfeat.samples.intensity.policy import IntensityPolicy, selected_values
from cellfeat.samples.reading.images import SampleImage

EXAMINED_SAMPLES = 200
FEWEST_BLOCKS = 8
BLOCKS_SHARE = 0.04
VALUES_PER_SAMPLE = 4_096
CLIPPED_SHARE = 0.5
SQUEEZED_SPAN = 0.25
"""Images whose values all lie within a quarter of the range leave two bits unused, as 14 or 12 bits in 16 do."""
CAMERA_BITS = 9
"""Fewest bits of a camera that is recognised by its highest value, 2 to the power of its bits, less 1."""
GIVEN = "the recipe is given: save these images as those that it was made for, with the same type, bits and range"
PERCENTILES = "{{percentile: [0.1, 99.9], over: {over}}}"


class Kind(NamedTuple):
    """Type of the pixels, and the bits that the files of the channels state."""

    dtype: np.dtype
    bits: tuple[int, ...]

    @property
    def top(self) -> int:
        """The highest value of the type."""
        return int(np.iinfo(self.dtype).max) if self.dtype.kind in "ui" else 1

    def __str__(self) -> str:
        is_plain = self.dtype.kind not in "ui" or set(self.bits) == {8 * self.dtype.itemsize}
        stated = " or ".join(map(str, sorted(set(self.bits))))
        return str(self.dtype) if is_plain else f"{self.dtype} with {stated} bits stated"


class _Plane(NamedTuple):
    """One channel of one sample, without the pixels at an end of their type: these were saturated before."""

    lowest: float
    highest: float
    limits: Limits
    clipped: tuple[float, float]

    def scaled(self, value: float) -> float:
        """A value after the policy, not clipped."""
        lo, hi = self.limits
        return (value - lo) / (hi - lo)


@dataclass(frozen=True)
class _Fault:
    """What is wrong with one channel; `limits` would be right, None where only percentiles are."""

    text: str
    limits: Limits | None


def spread_rows(n_samples: int) -> list[int]:
    """Choose up to 200 rows spread over all samples: one at random from each of as many ranges, always the same ones.

    Random, because every second row may be of one kind.
    """
    edges = np.linspace(0, n_samples, min(n_samples, EXAMINED_SAMPLES) + 1).astype(np.intp)
    drawn = np.random.default_rng(0).random(len(edges) - 1)
    return (edges[:-1] + (drawn * np.diff(edges)).astype(np.intp)).tolist()


def spread_blocks(rows: Sequence[int], block_of: Callable[[int], int]) -> list[int]:
    """Of samples that are read in blocks, such as the cells of a field, take those of a few blocks: each is decoded.

    Parameters
    ----------
    rows
        Rows in ascending order.
    block_of
        Gives the number of a row's block.
    """
    blocks = [block_of(row) for row in rows]
    n_all = blocks[-1] + 1 if blocks else 0
    if not rows or n_all > rows[-1]:
        # Each row is a block of its own.
        return list(rows)
    distinct = sorted(set(blocks))
    most = max(FEWEST_BLOCKS, int(BLOCKS_SHARE * n_all))
    kept = {distinct[place] for place in np.linspace(0, len(distinct) - 1, min(most, len(distinct))).astype(np.intp)}
    return [row for row, block in zip(rows, blocks, strict=True) if block in kept]


def intensity_advice(
    policy: IntensityPolicy,
    samples: Iterable[SampleImage],
    *,
    channels: Sequence[str | int] | None = None,
    names_setting: bool = True,
) -> str | None:
    """Say whether an intensity policy clips or squeezes images, and which one fits them better.

    Samples of each type and number of stated bits are examined separately. Pixels at an end of their type, such as a
    black background, are ignored. Advice is given where a policy clips more than half of the other pixels of a channel
    at one end; where no sample has values beyond a quarter of the range; and where a highest or lowest value shows a
    camera of fewer bits, or an offset.

    Parameters
    ----------
    policy
        A policy that has limits.
    samples
        The samples to examine.
    channels
        The channels' names, for the message; their numbers where None.
    names_setting
        Whether the policy can be changed, so that the message ends in a setting that fits.

    Returns
    -------
    str or None
        One message that ends in what to do; None where the policy fits.
    """
    kinds, faults = _examined(policy, samples, channels)
    if not any(faults.values()):
        return None
    way_out = _way_out(kinds, faults) if names_setting else GIVEN
    return f"the intensity policy does not fit the images: {_told(kinds, faults)}; {way_out}"


def fitting_intensity(policy: IntensityPolicy, samples: Iterable[SampleImage]) -> tuple[dict[str, Any] | None, str]:
    """Give the setting that fits images where a policy does not, and why.

    Parameters
    ----------
    policy, samples
        As for `intensity_advice`.

    Returns
    -------
    tuple
        The value of ``images.intensity``, None where the policy fits, and what is wrong with the policy.
    """
    kinds, faults = _examined(policy, samples, None)
    if not any(faults.values()):
        return None, ""
    return _setting(kinds, faults), _told(kinds, faults)


def _examined(
    policy: IntensityPolicy, samples: Iterable[SampleImage], channels: Sequence[str | int] | None
) -> tuple[dict[Kind, list[list[_Plane]]], dict[Kind, list[_Fault]]]:
    """The samples of each kind, and what is wrong with each kind."""
    kinds: dict[Kind, list[list[_Plane]]] = defaultdict(list)
    for sample in samples:
        # Pixels that no limits fit are refused where the sample is extracted.
        with suppress(ImageError):
            planes = _planes(policy, sample)
            kinds[Kind(sample.pixels.dtype, sample.bits)].append(planes)
    names = list(range(policy.n_channels) if channels is None else channels)
    return kinds, {kind: list(_faults(kind, of_kind, names)) for kind, of_kind in kinds.items()}


def _told(kinds: dict[Kind, list[list[_Plane]]], faults: dict[Kind, list[_Fault]]) -> str:
    texts = [
        f"{f'{len(kinds[kind])} samples of {kind}: ' if len(kinds) > 1 else ''}{fault.text}"
        for kind, of_kind in faults.items()
        for fault in of_kind
    ]
    return "; ".join(texts)


def _planes(policy: IntensityPolicy, sample: SampleImage) -> list[_Plane]:
    kind = Kind(sample.pixels.dtype, sample.bits)
    limits = policy.limits(sample.pixels, sample.bits)
    return [_plane(kind.top, plane, (lo, hi)) for plane, (lo, hi) in zip(sample.pixels, limits.tolist(), strict=True)]


def _plane(top: int, plane: np.ndarray, limits: Limits) -> _Plane:
    inner = _inner(top, plane) if plane.min() == 0 or plane.max() == top else plane
    if not inner.size:
        return _Plane(np.inf, -np.inf, limits, (0.0, 0.0))
    (values,) = selected_values(inner.reshape(1, -1), VALUES_PER_SAMPLE)
    clipped = float(np.mean(values < limits[0])), float(np.mean(values > limits[1]))
    return _Plane(float(inner.min()), float(inner.max()), limits, clipped)


def _inner(top: int, plane: np.ndarray) -> np.ndarray:
    return plane[(plane != 0) & (plane != top)]


def _faults(kind: Kind, samples: Sequence[Sequence[_Plane]], names: Sequence[str | int]) -> Iterator[_Fault]:
    for name, planes in zip(names, zip(*samples, strict=True), strict=True):
        seen = [plane for plane in planes if plane.lowest <= plane.highest]
        fault = _fault(kind, seen) if seen else None
        if fault:
            yield _Fault(f"channel {name}: {fault.text}", fault.limits)


def _fault(kind: Kind, planes: Sequence[_Plane]) -> _Fault | None:
    below, above = np.mean([plane.clipped for plane in planes], axis=0)
    if max(below, above) > CLIPPED_SHARE:
        share, end = (below, "black") if below > above else (above, "white")
        return _Fault(f"{share:.0%} of its pixels are clipped to {end}", None)
    lowest, highest = min(plane.lowest for plane in planes), max(plane.highest for plane in planes)
    # The largest over all samples: a set of dark images with a few bright ones uses its range.
    least, most = min(p.scaled(p.lowest) for p in planes), max(p.scaled(p.highest) for p in planes)
    values = f"its values, {lowest:g} to {highest:g},"
    limits = _camera_range(kind, lowest, highest)
    if _is_offset(kind, lowest) and least >= 0.5:
        return _Fault(f"{values} all lie above an offset of {limits[0]}, as of signed numbers saved unsigned", limits)
    if 0 < most - least < SQUEEZED_SPAN:
        return _Fault(f"{values} fill {most - least:.1%} of the range", limits)
    n_highest = sum(plane.highest == highest for plane in planes)
    if most < 1 and n_highest > 1 and highest == limits[1] and int(highest).bit_length() >= CAMERA_BITS:
        return _Fault(f"{values} end at the highest of {int(highest).bit_length()} bits", limits)
    return None


def _is_offset(kind: Kind, lowest: float) -> bool:
    return kind.dtype.kind == "u" and kind.dtype.itemsize > 1 and lowest > kind.top // 2


def _camera_range(kind: Kind, lowest: float, highest: float) -> Limits:
    """The full range of the fewest bits that hold the values, above the offset if there is one."""
    black = kind.top // 2 + 1 if _is_offset(kind, lowest) else 0
    return black, black + 2 ** int(highest - black).bit_length() - 1


def _way_out(kinds: dict[Kind, list[list[_Plane]]], faults: dict[Kind, list[_Fault]]) -> str:
    setting = _setting(kinds, faults)
    if "range" in setting:
        lo, hi = setting["range"]
        return f"this one does: --set 'images.intensity={{range: [{lo}, {hi}]}}'"
    option = f"--set 'images.intensity={PERCENTILES.format(over=setting['over'])}'"
    if len(kinds) > 1:
        return f"no range fits all of them, so scale each image by itself: {option}"
    return f"this one does: {option}"


def _setting(kinds: dict[Kind, list[list[_Plane]]], faults: dict[Kind, list[_Fault]]) -> dict[str, Any]:
    """The value of ``images.intensity`` that fits."""
    if len(kinds) > 1:
        return {"percentile": [0.1, 99.9], "over": "image"}
    ((kind, samples),), (of_kind,) = kinds.items(), faults.values()
    n_channels, (limits, *others) = len(samples[0]), {fault.limits for fault in of_kind}
    # One range serves where all channels need the same one.
    if limits is None or others or len(of_kind) < n_channels or kind.dtype.kind not in "ui":
        return {"percentile": [0.1, 99.9], "over": "dataset"}
    return {"range": [int(limits[0]), int(limits[1])]}
