"""A feature file told in lines."""

from collections.abc import Mapping
from typing import Any

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.reading import Summary


def describe_summary(summary: Summary) -> str:
    """Tell in lines what a feature file holds.

    Raises
    ------
    FeatureFileError
        If its recipe or provenance lacks what every extraction writes.
    """
    try:
        return _describe(summary)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeatureFileError(
            f"{summary.path}: its recipe or provenance is not as cellfeat writes it ({error}); extract again"
        ) from None


def _describe(summary: Summary) -> str:
    recipe, provenance = summary.recipe, summary.provenance
    backbone, transform = recipe["backbone"], recipe["transform"]
    seconds = provenance["times"]["seconds"]["wall"]
    rows = {
        "samples": f"{summary.n_samples:,}, of which {summary.n_failed} failed",
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


def _describe_carried(summary: Summary) -> dict[str, str]:
    """Whether rows stem from earlier runs."""
    runs = summary.provenance.get("runs")
    if not runs:
        return {}
    n_carried = sum(stop - start for start, stop, run in summary.provenance["rows_from"] if run < len(runs) - 1)
    return {"carried over": f"{n_carried:,} rows of {len(runs) - 1} earlier runs, since {runs[0]['finished']}"}


def _describe_intensity(intensity: Mapping[str, Any]) -> str:
    if intensity["range"]:
        return f"range {intensity['range']}"
    return f"percentiles {intensity['percentile']} of each image" if intensity["percentile"] else "range of the type"
