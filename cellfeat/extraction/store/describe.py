"""Describe a feature file in lines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.reading import Summary, read_intensities, read_properties
from cellfeat.extraction.store.samples import Intensities, Properties
from cellfeat.types import Strings

SHOWN_KINDS = 3
"""Kinds of files that are shown; the others are counted."""
DIFFERENT_BITS = 3
"""Bits by which the highest values must differ to be told: an eighth as bright, or a camera of other bits."""
_KIND = ("dtype", "bits_stated", "height", "width", "file_format")


def describe_summary(summary: Summary) -> str:
    """Describe in lines what a feature file holds.

    Raises
    ------
    FeatureFileError
        If its recipe or provenance lacks what every extraction writes.
    """
    properties, intensities = read_properties(summary.path), read_intensities(summary.path)
    try:
        return _describe(summary, properties, intensities.take(np.flatnonzero(properties.height > 0)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeatureFileError(
            f"{summary.path}: its recipe or provenance is not as cellfeat writes it ({error}); extract again into "
            f"another --output"
        ) from None


def _describe(summary: Summary, properties: Properties, intensities: Intensities) -> str:
    recipe, provenance = summary.recipe, summary.provenance
    backbone, transform = recipe["backbone"], recipe["transform"]
    seconds = provenance["times"]["seconds"]["wall"]
    rows = {
        "samples": f"{summary.n_samples:,}, of which {summary.n_failed} failed",
        "files": "; ".join(_kinds_of_files(properties)) or "none could be read",
        "embeddings": f"{summary.n_views} views x {summary.embedding_dim} numbers, float32",
        "backbone": f"{backbone['name']}, weights {provenance['weights']}, pool {backbone['pool']}",
        "channels": f"{', '.join(map(str, recipe['channels']))} as {recipe['channels_as']}",
        "transform": ", ".join(f"{key} {value}" for key, value in transform.items()),
        "intensity": _describe_intensity(recipe["intensity"]),
        "brightness": _describe_brightness(intensities, recipe["channels"]),
        "precision": f"{recipe['precision']} ({provenance['execution']['implementation']})",
        "made": f"{provenance['times']['finished']} on {provenance['device']}, {seconds:.1f} s",
        **_describe_carried(summary),
        "versions": ", ".join(f"{name} {version}" for name, version in provenance["versions"].items()),
        "fingerprint": summary.fingerprint,
    }
    return "\n".join([str(summary.path), *(f"  {name:<12} {value}" for name, value in rows.items())])


def _kinds_of_files(properties: Properties) -> Iterator[str]:
    """Count the files of each kind, for example ``6,773 uint8, 64 x 64, png``."""
    left = properties.records
    left = left[left["height"] > 0]  # failed samples have none
    for _ in range(SHOWN_KINDS):
        if not len(left):
            return
        dtype, bits, _, height, width, file_format = left[0].item()
        is_same = np.logical_and.reduce([left[name] == left[name][0] for name in _KIND])
        # The type's name without its letters is its number of bits: they are shown only where the header states others.
        stated = f" ({bits.decode()} bits)" if bits.decode() != dtype.decode().lstrip("uintflo") else ""
        n = np.count_nonzero(is_same)
        yield f"{n:,} {dtype.decode()}{stated}, {height} x {width}, {file_format.decode()}"
        left = left[~is_same]
    if len(left):
        yield f"{len(left):,} of other kinds"


def describe_mixture(properties: Properties) -> str | None:
    """Say in one line how the files of the samples differ: in type, bits, format and size; None where they do not."""
    is_read = properties.height > 0
    kinds, formats = (_counts(values[is_read]) for values in (properties.kind, properties.file_format))
    bits = properties.bits_of_wide_integers
    least, most = (int(edge(bits[bits > 0], initial=start)) for edge, start in ((np.min, 255), (np.max, 0)))
    sizes = sorted(set(zip(properties.height[is_read].tolist(), properties.width[is_read].tolist(), strict=True)))
    parts = [", ".join(counts) for counts in (kinds, formats) if len(counts) > 1]
    if most - least >= DIFFERENT_BITS:
        parts.append(f"{least} to {most} bits used")
    if len(sizes) > 1:
        parts.append(_size_phrase(*(sorted(side) for side in zip(*sizes, strict=True))))
    return f"the samples differ in their files: {'; '.join(parts)}" if parts else None


def _size_phrase(heights: Sequence[int], widths: Sequence[int]) -> str:
    return f"{heights[0]} to {heights[-1]} pixels high, {widths[0]} to {widths[-1]} wide"


def _counts(values: Strings) -> list[str]:
    """Count equal values, the most frequent first, for example ``25 uint8``."""
    return [f"{n:,} {value}" for value, n in Counter(values.tolist()).most_common()]


def _describe_carried(summary: Summary) -> dict[str, str]:
    """Count the rows that earlier runs extracted."""
    runs = summary.provenance.get("runs")
    if not runs:
        return {}
    n_carried = sum(stop - start for start, stop, run in summary.provenance["rows_from"] if run < len(runs) - 1)
    return {"carried over": f"{n_carried:,} rows of {len(runs) - 1} earlier runs, since {runs[0]['finished']}"}


def _describe_brightness(intensities: Intensities, channels: Sequence[str | int]) -> str:
    """The median over the samples of each channel's mean intensity, from 0 (black) to 1 (white)."""
    if not len(intensities):
        return "no sample could be read"
    medians = np.median(intensities.mean, axis=0)
    return ", ".join(f"{channel} {median:.2g}" for channel, median in zip(channels, medians, strict=True))


def _describe_intensity(intensity: Mapping[str, Any]) -> str:
    if intensity["range"]:
        return f"range {intensity['range']}"
    if intensity["percentile"]:
        return f"percentiles {intensity['percentile']} of each image"
    return "range of the bits that each file states" if "white" in intensity else "range of the type"
