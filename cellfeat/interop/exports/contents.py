"""What is exported of a feature file: its readable samples, their predictions, and their embeddings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from cellfeat.extraction.store import Features, Samples, column_names
from cellfeat.heads.rows import row_blocks
from cellfeat.interop.exports.names import unique_names
from cellfeat.saved_results.predictions import HeadPredictions, Results
from cellfeat.storage.url import Location
from cellfeat.types import Float32s, Floats, Integers, Strings

Column = Strings | Integers | Floats
"""A column of a table."""


@dataclass(frozen=True)
class Contents:
    """The samples that could be read, with everything that an export may hold of them.

    Attributes
    ----------
    path
        The feature file.
    samples
        The samples that could be read.
    labels
        Their labels, shape ``(n_samples,)``: those of the results where these have one, otherwise of the features.
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``.
    feature_names
        A name for each column of an embedding.
    failed
        Why each other sample could not be read, by id.
    fingerprint, recipe, provenance
        As in `cellfeat.extraction.store.Features`.
    results
        The results that the predictions come from; None without.
    heads
        Predictions of each head.
    folds
        Fold of each sample, from 1, shape ``(n_samples,)``; 0 where there is none; None without folds.
    maps
        Further coordinates of the samples by name, such as ``X_tsne``, shape ``(n_samples, n_dimensions)`` each.
    """

    path: Location
    samples: Samples
    labels: Strings
    embeddings: Float32s
    feature_names: list[str]
    failed: Mapping[str, str]
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]
    results: Results | None = None
    heads: Mapping[str, HeadPredictions] = field(default_factory=dict)
    folds: Integers | None = None
    maps: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def further_columns(self) -> dict[str, Column]:
        """Positions, properties of the files, and columns of the labels table; shape ``(n_samples,)`` each."""
        found = self.samples.properties
        properties: dict[str, Column] = {} if found is None else {
            "file_type": found.dtype,
            "file_bits_stated": found.bits_stated,
            "file_bits_used": found.bits_used,
            "file_height": found.height,
            "file_width": found.width,
            "file_format": found.file_format,
        }  # fmt: skip
        # A column of the table wins over one of cellfeat with its name.
        return self.positions | properties | dict(self.samples.columns)

    @property
    def positions(self) -> dict[str, Column]:
        """Where the samples lie on their fields; empty where they are not cut out of fields; ``(n_samples,)`` each."""
        regions = self.samples.regions
        if regions is None:
            return {}
        x, y = regions.centre.T
        return {"field": regions.field, "centre_x": x, "centre_y": y, "mask_value": regions.mask_value}

    def blocks(self) -> Iterator[tuple[slice, Float32s]]:
        """Give the mean over views a block of rows at a time: the rows, and an array of ``(n_rows, embedding_dim)``."""
        for rows in row_blocks(self.embeddings[:, 0]):
            # A single view needs no mean. It is the same mean that heads take.
            block = self.embeddings[rows]
            yield rows, block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)

    def mean_over_views(self) -> Float32s:
        """Give the mean over views of all samples, shape ``(n_samples, embedding_dim)``."""
        return self.embeddings[:, 0] if self.embeddings.shape[1] == 1 else self.embeddings.mean(axis=1)

    def record(self) -> dict[str, Any]:
        """Say where the samples come from, as plain JSON values."""
        return {
            "cellfeat": version("cellfeat"),
            "features": self.path.name,
            "fingerprint": self.fingerprint,
            "n_views": self.embeddings.shape[1],
            "recipe": dict(self.recipe),
            "provenance": dict(self.provenance),
            "failed": dict(self.failed),
            "results": None if self.results is None else dict(self.results.record),
        }


def contents_of(features: Features, results: Results | None = None) -> Contents:
    """Collect what is exported.

    Parameters
    ----------
    features
        The samples.
    results
        Predictions of the same samples.
    """
    rows = np.flatnonzero(features.samples.is_ok)
    # Without failures, the embeddings are not copied.
    read = features if len(rows) == len(features) else features.take(rows)
    ids = read.samples.ids
    labels = read.samples.labels
    if results is not None:
        scored = results.labels(ids)
        labels = np.where(scored != "", scored, labels)
    failed = np.flatnonzero(~features.samples.is_ok).tolist()
    return Contents(
        path=features.path,
        samples=read.samples,
        labels=labels,
        embeddings=read.embeddings,
        feature_names=unique_names(column_names(features)),
        failed={str(features.samples.ids[row]): features.samples.failures.get(row, "") for row in failed},
        fingerprint=features.fingerprint,
        recipe=features.recipe,
        provenance=features.provenance,
        results=results,
        heads={} if results is None else dict(results.heads(ids)),
        folds=None if results is None else results.folds(ids),
    )
