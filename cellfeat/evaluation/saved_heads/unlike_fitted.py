"""How samples differ from those that a head was fitted on: files, intensities, or the columns of a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import binom

from cellfeat.evaluation.saved_heads.unlike_columns import unlike_columns
from cellfeat.extraction.store import PIXEL_SIZES, Features, Properties, Samples
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.samples_summary import SamplesSummary, Span
from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers, Strings

INNER = (5, 50, 95)
"""Percentiles of the training samples' intensities; 10 % of samples of the same kind lie beyond the outer ones."""

MOST = 0.5
"""Samples differ where more than half of them lie beyond the training samples."""

CHANCE = 0.001
"""A few samples may all lie beyond by chance: they differ where this is less probable."""

SAME_SIZE = 1.1
"""Sizes of a pixel differ where their ratio is larger. Programs round and calibrate by less; another objective or
binning changes the size by more."""


@dataclass(frozen=True)
class Unlike:
    """One way in which samples differ from those that a head was fitted on.

    Attributes
    ----------
    what
        What differs: ``pixel size``, ``type``, ``file format``, ``bits used``, ``height``, ``width``, an intensity of
        a channel, or a column of a table.
    here, fitted
        What it is in the samples that differ, and in the training samples.
    n_samples, n_differing
        How many samples there are, and how many of these differ. Sizes of a pixel are those of the samples that an
        extraction examines, up to 200 spread over all.
    """

    what: str
    here: str
    fitted: str
    n_samples: int
    n_differing: int

    def __str__(self) -> str:
        share = "" if self.n_differing == self.n_samples else f" in {self.n_differing:,} of {self.n_samples:,} samples"
        return f"{self.what}: {self.here}{share}; the head was fitted on {self.fitted}"


def summarise(samples: Samples, channels: Sequence[str | int]) -> SamplesSummary | None:
    """Summarise the samples that a head is fitted on; None where their properties are unknown.

    Parameters
    ----------
    samples
        Samples that could be read.
    channels
        Names of their channels.
    """
    properties = samples.properties
    if properties is None or not len(samples):
        return None
    return SamplesSummary(
        n_samples=len(samples),
        kinds=dict(Counter(properties.kind.tolist())),
        file_formats=dict(Counter(properties.file_format.tolist())),
        numbers={name: _span(values, (0, 50, 100)) for name, values in _numbers(samples).items() if values.size},
        intensities={name: _span(values, INNER) for name, values in _intensities(samples, channels).items()},
    )


def unlike_fitted(bundle: Bundle, features: Features) -> tuple[Unlike, ...] | None:
    """Find how samples differ from those that a head was fitted on.

    A type, number of bits or file format differs where no training sample has it, and a size of a pixel where it is
    more than 10 % larger or smaller than every one that the training samples state. Sizes and intensities differ where
    more than half of the samples lie beyond the training samples; a channel is told once. A column of a table differs
    where its median or its spread does (`unlike_columns`).

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples in question; those that could not be read are ignored.

    Returns
    -------
    tuple of Unlike, or None
        None where the head was saved without a summary of its samples, as by cellfeat 0.1.
    """
    if bundle.scaling is not None and bundle.standards is not None:
        return ()  # columns are compared with what is left after standardising, which has the same medians everywhere
    if bundle.scaling is not None:
        return tuple(_other_columns(bundle, features))
    if bundle.fitted_on is None:
        return None
    readable = features.samples.take(np.flatnonzero(features.samples.is_ok))
    return (
        *_other_pixel_sizes(_pixel_sizes(bundle.provenance), _pixel_sizes(features.provenance)),
        *_differences(bundle.fitted_on, readable, bundle.recipe.get("channels", [])),
    )


def _pixel_sizes(provenance: Mapping[str, Any]) -> dict[float, int]:
    """How many samples state each size of a pixel, in micrometres; empty where none does, or it is not on record."""
    recorded = provenance.get(PIXEL_SIZES, [])
    return {float(size): int(n) for size, n in recorded if size > 0}


def _other_pixel_sizes(fitted: Mapping[float, int], here: Mapping[float, int]) -> Iterator[Unlike]:
    """Sizes that are unlike all those of the training samples, where both are stated."""
    others = {size: n for size, n in here.items() if all(max(size / one, one / size) > SAME_SIZE for one in fitted)}
    if fitted and others:
        yield Unlike("pixel size", _micrometres(others), _micrometres(fitted), sum(here.values()), sum(others.values()))


def _micrometres(sizes: Iterable[float]) -> str:
    return f"{first_ten(f'{size:g}' for size in sorted(sizes))} micrometres"


def _other_columns(bundle: Bundle, features: Features) -> Iterator[Unlike]:
    assert bundle.scaling is not None
    embeddings = features.embeddings[features.samples.is_ok]
    if embeddings.shape[-1] != len(bundle.scaling):
        return  # features of another recipe, which are refused later
    names = bundle.provenance.get("imported", {}).get("columns", [])
    for what, here, fitted in unlike_columns(bundle.scaling, embeddings, names):
        yield Unlike(what, here, fitted, len(embeddings), len(embeddings))


def _differences(fitted: SamplesSummary, samples: Samples, channels: Sequence[str | int]) -> Iterator[Unlike]:
    if samples.properties is None or not len(samples):
        return
    for one in _unknown("type", samples.properties.kind, fitted.kinds):
        yield replace(one, here=f"{one.here}{_bits_phrase(samples.properties, fitted)}")
    yield from _unknown("file format", samples.properties.file_format, fitted.file_formats)
    for name, values in _numbers(samples).items():
        if name in fitted.numbers and values.size:
            yield from _beyond(name, values, fitted.numbers[name])
    told: set[str] = set()
    for name, intensity in _intensities(samples, channels).items():
        channel = name.partition(" of ")[2]
        if name in fitted.intensities and channel not in told:
            found = list(_beyond(name, intensity, fitted.intensities[name]))
            told |= {channel} if found else set()
            yield from found


def _bits_phrase(properties: Properties, fitted: SamplesSummary) -> str:
    """How many bits are in use, where the files have more than those of the training samples."""
    is_new = ~np.isin(properties.kind, list(fitted.kinds))
    bits = int(properties.bits_of_wide_integers[is_new].max())
    return f" (at most {bits} bits used)" if bits else ""


def _unknown(what: str, values: Strings, fitted: Mapping[str, int]) -> Iterator[Unlike]:
    """Values that no training sample has."""
    unknown = Counter(value for value in values.tolist() if value not in fitted)
    if unknown:
        yield Unlike(what, ", ".join(unknown), ", ".join(fitted), len(values), unknown.total())


def _beyond(what: str, values: Integers | Floats, fitted: Span) -> Iterator[Unlike]:
    is_beyond = (values < fitted.low) | (values > fitted.high)
    n_beyond, n = int(np.count_nonzero(is_beyond)), len(values)
    if n_beyond > MOST * n and binom.sf(n_beyond - 1, n, (100 - INNER[2] + INNER[0]) / 100) <= CHANCE:
        expected = f"{_number(fitted.median)} ({_number(fitted.low)} to {_number(fitted.high)})"
        median = _number(float(np.median(values[is_beyond])))
        yield Unlike(what, f"median {median}", f"a median of {expected}", n, n_beyond)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1 and float(value).is_integer() else f"{value:.2g}"


def _numbers(samples: Samples) -> dict[str, Integers]:
    properties = samples.properties
    assert properties is not None
    bits = properties.bits_of_wide_integers
    return {"height": properties.height, "width": properties.width, "bits used": bits[bits > 0]}


def _intensities(samples: Samples, channels: Sequence[str | int]) -> dict[str, Floats]:
    """Mean and deviation of each channel by name, shape ``(n_samples,)`` each; none where they are not known."""
    found = samples.intensities
    if found is None or found.records.shape[1] != len(channels):
        return {}
    named = {"mean intensity": found.mean, "contrast": found.deviation}
    columns = {
        f"{what} of channel {channel}": values[:, number]
        for number, channel in enumerate(channels)
        for what, values in named.items()
    }
    return {name: values for name, values in columns.items() if np.isfinite(values).all()}


def _span(values: Integers | Floats, percentiles: tuple[int, int, int]) -> Span:
    low, median, high = np.percentile(values, percentiles).tolist()
    return Span(low, median, high)
