"""Places on the map: of the samples of a feature file, and of held-out samples among those that were fitted."""

from dataclasses import dataclass, field, replace

import numpy as np

from cellfeat.extraction.store import Features
from cellfeat.maps import SampleMap, find_map, make_map
from cellfeat.maps.components import Components
from cellfeat.page.content import Columns
from cellfeat.page.samples.neighbours import Neighbours, neighbours_among
from cellfeat.types import Floats

MOST_FITTED = 5_000
"""Samples that principal components are fitted on at once."""

MOST_AT_ONCE = 200_000
"""Samples up to which principal components are computed for a page; more wait for `cellfeat view`."""


@dataclass(frozen=True)
class Places:
    """Where the samples of a page lie.

    Attributes
    ----------
    entry
        The entry ``map`` of the page's JSON; None without a map.
    coordinates
        Shape ``(n_samples, 2)``; NaN where a sample has no place.
    neighbours
        The samples with the most similar embeddings; none unless a t-SNE is kept.
    """

    entry: dict[str, str] | None
    coordinates: Floats
    neighbours: Neighbours = field(default_factory=Neighbours)

    def add_to(self, columns: Columns) -> None:
        """Add the columns ``x`` and ``y``; nothing without a map."""
        if self.entry is not None:
            for number, name in enumerate("xy"):
                columns.add_number(name, self.coordinates[:, number], role=name)


def places_of(features: Features | None, n_samples: int) -> Places:
    """Find the map of samples, or show their principal components.

    Parameters
    ----------
    features
        The samples; None for an audit before any extraction.
    n_samples
        Their number.
    """
    found = None if features is None else map_at_hand(features)
    if found is None:
        return Places(None, np.full((n_samples, 2), np.nan))
    return Places(_entry(found), np.column_stack([found.x, found.y]), _neighbours(found))


def _neighbours(found: SampleMap) -> Neighbours:
    if found.reference is None:
        return Neighbours()
    return neighbours_among(found.reference, np.flatnonzero(np.isfinite(found.x)), len(found))


def map_at_hand(features: Features) -> SampleMap | None:
    """Give the map that is kept, or one of principal components; None where there are too many samples, or none."""
    found = find_map(features)
    if found is not None or not 0 < len(features) <= MOST_AT_ONCE:
        return found
    return make_map(features, "PCA") if len(features) <= MOST_FITTED else _quick_map(features)


def _quick_map(features: Features) -> SampleMap | None:
    """Principal components of some of the samples, and all samples along them: a command must not wait for more."""
    rows = np.flatnonzero(features.samples.is_ok & np.isfinite(features.embeddings[:, 0, :]).any(axis=1))
    if not len(rows):
        return None
    some = np.sort(np.random.default_rng(0).choice(rows, min(len(rows), MOST_FITTED), replace=False))
    components = Components.fitted(features.embeddings, some, features.scaling)
    coordinates = np.full((len(features), 2), np.nan, np.float32)
    # Two axes are enough to look at; the others are needed to place new samples.
    flat = replace(components, axes=components.axes[:2])
    coordinates[rows] = 0  # of embeddings with one number, the second axis
    coordinates[rows, : len(flat.axes)] = flat(features.embeddings, rows)
    share = float(components.shares[:2].sum())
    note = (
        f"The first two principal components: they show {share:.0%} of the variance, and samples that differ in the "
        "rest lie on top of each other. cellfeat view makes a t-SNE."
    )
    return SampleMap(coordinates[:, 0], coordinates[:, 1], "PCA", note, components)


def place_among(found: SampleMap, held_out: Features) -> Places:
    """Place held-out samples on the map of the fitted ones; theirs come first, then those of the map.

    Parameters
    ----------
    found
        The map of the fitted samples.
    held_out
        The held-out samples, of the same recipe.
    """
    new = found.place(held_out.embeddings)
    entry = _entry(found)
    entry["note"] = f"{entry['note']} Held-out samples are placed among those that were fitted."
    return Places(entry, np.concatenate([new, np.column_stack([found.x, found.y])]))


def _entry(found: SampleMap) -> dict[str, str]:
    return {"method": found.method, "note": found.note}
