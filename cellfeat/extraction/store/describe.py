"""Describe a feature file in lines."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.reading import Summary, read_properties
from cellfeat.extraction.store.samples import Properties

SHOWN_KINDS = 3
"""Kinds of files that are shown; the others are counted."""
_KIND = ("dtype", "bits_stated", "height", "width", "file_format")


def describe_summary(summary: Summary) -> str:
    """Describe in lines what a feature file holds.

    Raises
    ------
    FeatureFileError
        If its recipe or provenance lacks what every extraction writes.
    """
    properties = read_properties(summary.path)
    try:
        return _describe(summary, properties)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeatureFileError(
            f"{summary.path}: its recipe or provenance is not as cellfeat writes it ({error}); extract again into "
            f"another --output"
        ) from None


def _describe(summary: Summary, properties: Properties) -> str:
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


def _describe_carried(summary: Summary) -> dict[str, str]:
    """Count the rows that earlier runs extracted."""
    runs = summary.provenance.get("runs")
    if not runs:
        return {}
    n_carried = sum(stop - start for start, stop, run in summary.provenance["rows_from"] if run < len(runs) - 1)
    return {"carried over": f"{n_carried:,} rows of {len(runs) - 1} earlier runs, since {runs[0]['finished']}"}


def _describe_intensity(intensity: Mapping[str, Any]) -> str:
    if intensity["range"]:
        return f"range {intensity['range']}"
    return f"percentiles {intensity['percentile']} of each image" if intensity["percentile"] else "range of the type"
